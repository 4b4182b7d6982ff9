"""Base class of estimators on numeric sequences: a network of LSTM layers, pooling and a linear layer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from ._base import TrainedEstimator
from ._sequences import Sequences, read_sequences

#: Values of parameters that are None.
DEFAULTS: dict[str, Any] = {
    "hidden": 64, "bidirectional": False, "pooling": "last", "dropout": 0.0, "epochs": 50, "batch": 32, "lr": 0.005,
}  # fmt: skip

_POOLINGS = ("last", "mean", "max", "attention")
_NUMBERS_AT_ONCE = 1 << 22  # maximum number of input elements per call of Network.run


def _table(layer_type: str, **options: Any) -> str:
    lines = ["[[layers]]", f'type = "{layer_type}"']
    for name, value in options.items():
        shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
        lines.append(f"{name} = {shown}")
    return "\n".join(lines) + "\n"


def description(
    features: int, outputs: int, *, hidden: int, layers: int, bidirectional: bool, pooling: str, dropout: float,
    softmax: bool,
) -> str:  # fmt: skip
    """Returns the TOML description of a network from [samples, steps, features] to [samples, outputs]."""
    if pooling not in _POOLINGS:
        raise ValueError(f"pooling: expected one of {', '.join(_POOLINGS)}, found {pooling!r}")
    if not isinstance(layers, (int, np.integer)) or layers < 1:
        raise ValueError(f"layers: expected a number from 1, found {layers!r}")
    parts = [f'[[inputs]]\nname = "x"\nsize = {features}\n']
    for layer in range(1, layers + 1):
        is_last = layer == layers and pooling == "last"
        parts.append(
            _table(
                "lstm", name=f"lstm_{layer}", units=hidden, bidirectional=bool(bidirectional),
                **{"return": "last" if is_last else "sequences"},
            )
        )  # fmt: skip
        if dropout and layer < layers:
            parts.append(_table("dropout", rate=dropout))
    if pooling != "last":
        parts.append(_table("pool", kind=pooling))
    if dropout:
        parts.append(_table("dropout", rate=dropout))
    parts.append(_table("linear", name="output", units=outputs))
    if softmax:
        parts.append(_table("softmax"))
    return "\n".join(parts)


class NetworkEstimator(TrainedEstimator):
    """An estimator that trains a network of layers on sequences of numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _shape_options(self) -> dict[str, Any]:
        names = ("hidden", "bidirectional", "pooling", "dropout")
        out = {name: DEFAULTS[name] if getattr(self, name) is None else getattr(self, name) for name in names}
        if not isinstance(out["hidden"], (int, np.integer)) or out["hidden"] < 1:
            raise ValueError(f"hidden: expected a number from 1, found {out['hidden']!r}")
        if not 0 <= out["dropout"] < 1:
            raise ValueError(f"dropout: expected a number from 0 to below 1, found {out['dropout']!r}")
        return {**out, "layers": self.layers}

    def _split(self, samples: int, strata: NDArray[Any] | None) -> tuple[Any, Any]:
        """Returns random indices of the training and the held-out samples (None without held-out samples). The split is
        stratified by the class indices `strata` [samples] if all classes are large enough.
        """
        fraction = self.valid_fraction or 0.0
        held_out = int(round(fraction * samples))
        if fraction == 0:
            return slice(None), None
        if held_out < 1 or held_out >= samples:
            raise ValueError(f"valid_fraction={fraction}: expected at least one sample on either side, found {samples}")
        if strata is not None:
            counts = np.bincount(strata)
            if counts.min() < 2 or len(counts) > min(held_out, samples - held_out):
                strata = None
        out = train_test_split(np.arange(samples), test_size=held_out, random_state=self.seed(), stratify=strata)
        return out[0], out[1]

    def fit_network(
        self, X: Sequences, y: NDArray[Any], outputs: int, loss: str, strata: NDArray[Any] | None = None
    ) -> None:
        """Trains on X and y: class indices [samples] or targets [samples, outputs]. `strata`: see `_split`."""
        self.check_held_out()
        softmax = loss == "cross-entropy"
        network = description(X.values.shape[2], outputs, softmax=softmax, **self._shape_options())
        kept, held_out = self._split(len(X), strata)
        options: dict[str, Any] = {
            "loss": loss, "input": "x", "target": "y", "valid_fraction": 0, "segment": 0, "bptt": 0, "burn_in": 0,
            "patience": self.patience,
        }  # fmt: skip
        for name in ("epochs", "batch", "lr"):
            options[name] = DEFAULTS[name] if getattr(self, name) is None else getattr(self, name)
        valid = None if held_out is None else _arrays(X.rows(held_out), y[held_out])
        data = _arrays(X.rows(kept), y[kept])
        if self.warm_start and hasattr(self, "model_"):
            self._go_on(data, valid, options, network)
        else:
            self.train_model("network", data, options, valid, network)
        self._description = network

    def _go_on(self, data: Any, valid: Any, options: Mapping[str, Any], network: str) -> None:
        """Continues training from `self.model_`. Raises ValueError if the network has changed."""
        if getattr(self, "_description", None) != network:
            raise ValueError(
                "warm_start=True: expected the network, the features and the outputs of the fit before, found others\n"
                "fit a clone of the estimator"
            )
        with tempfile.TemporaryDirectory(prefix="longhand-") as folder:
            path = self.model_.save(os.path.join(folder, "before.safetensors"))
            self.train_model("network", data, {**options, "from": path}, valid)

    def run_network(self, X: Any) -> NDArray[np.float64]:
        """Returns the outputs of the network, float64 [samples, outputs]."""
        check_is_fitted(self)
        sequences = read_sequences(self, X, reset=False)
        numbers = max(int(np.prod(sequences.values.shape[1:])), 1)
        at_once = max(_NUMBERS_AT_ONCE // numbers, 1)
        parts = []
        for begin in range(0, len(sequences), at_once):
            values, lengths = _for_run(sequences.rows(slice(begin, begin + at_once)))
            parts.append(self.model_.run(values, lengths=lengths, threads=self.threads()))
        out: NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
        return out.reshape(len(sequences), -1)


def _arrays(X: Sequences, y: NDArray[Any]) -> dict[str, NDArray[Any]]:
    out = {"x": X.values, "y": y}
    if X.lengths is not None:
        out["lengths"] = X.lengths
    return out


def _for_run(X: Sequences) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Returns the values and lengths for `Network.run`. Sequences of one step are padded to two: `Network.run` would
    take [n, 1, features] for one sequence of n steps.
    """
    if X.lengths is not None:
        return X.values[:, : max(int(X.lengths.max()), 2)], X.lengths
    if X.values.shape[1] > 1:
        return X.values, None
    return np.pad(X.values, ((0, 0), (0, 1), (0, 0))), np.ones(len(X), dtype=np.int64)
