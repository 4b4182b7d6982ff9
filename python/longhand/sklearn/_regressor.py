"""Regression on numeric sequences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, check_consistent_length

from ._network import NetworkEstimator
from ._sequences import read_sequences


class LSTMRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """LSTM regressor for numeric sequences: LSTM layers, pooling over time and a linear layer.

    Features and targets are standardised inside the model. Computes in float32: features with a large mean and a small
    standard deviation (time stamps in seconds, for example) should be centred first.

    Args:
        hidden: number of hidden units per layer and direction. None: 64.
        layers: number of LSTM layers.
        bidirectional: use bidirectional layers. None: False.
        pooling: pooling over time: "last", "mean", "max" or "attention". None: "last".
        dropout: dropout probability between the layers and before the linear layer. None: 0.
        steps: for a table [samples, columns]: number of time steps in each row. 1: each row is one step with `columns`
            features; -1: each column is a step with one feature; n: each row holds n consecutive steps with columns / n
            features. Ignored for other inputs.
        loss: "mse" (mean squared error) or "mae" (mean absolute error).
        epochs: number of epochs. None: 50.
        batch: number of sequences per update. None: 32.
        lr: learning rate of Adam. None: 0.005.
        valid_fraction: fraction of the samples, drawn at random, for validation. If > 0, the model of the best epoch
            is kept; otherwise that of the last one.
        patience: number of epochs without improvement on the validation samples before training stops. 0: no early
            stopping.
        random_state: seed. With an integer, results are bit-identical for the same data, on any number of threads.
        warm_start: continue from the model of the previous `fit`.
        n_jobs: number of threads. None: 1; -1: one per processor.
        verbose: show training progress.
        options: additional options of `longhand.train("network")`, for example {"optimizer": "adamw", "schedule":
            "cosine"}.

    Attributes:
        model_: the trained `longhand.Network` with the input "x".
        n_features_in_: number of columns of a table X, or features per time step.
        feature_names_in_: column names, if X is a DataFrame.
        features_per_step_: number of features per time step.
        history_, metrics_: metrics of each evaluation, and final metrics.
        n_iter_: number of epochs trained.

    >>> X = np.random.default_rng(0).normal(size=(200, 12, 1))
    >>> y = X.sum(axis=(1, 2))
    >>> LSTMRegressor(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        hidden: int | None = None,
        *,
        layers: int = 1,
        bidirectional: bool | None = None,
        pooling: str | None = None,
        dropout: float | None = None,
        steps: int = 1,
        loss: str = "mse",
        epochs: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        valid_fraction: float = 0.0,
        patience: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.hidden = hidden
        self.layers = layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.steps = steps
        self.loss = loss
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.valid_fraction = valid_fraction
        self.patience = patience
        self.random_state = random_state
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.options = options

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any) -> LSTMRegressor:
        """Trains the regressor.

        Args:
            X: an array [samples, steps, features], a list of arrays [steps, features] with different numbers of steps,
                or a table [samples, columns] (see `steps`).
            y: [samples] or [samples, outputs].

        Raises:
            ValueError, TypeError: invalid data or parameters.
            longhand.DivergenceError: a ValueError, where the loss is no longer finite.
        """
        if self.loss not in ("mse", "mae"):
            raise ValueError(f"loss: expected 'mse' or 'mae', found {self.loss!r}")
        sequences = read_sequences(self, X, reset=True)
        if y is None:
            raise ValueError("LSTMRegressor requires y to be passed, but the target y is None")
        targets = check_array(y, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name="y", estimator=self)
        check_consistent_length(sequences.values, targets)
        if targets.ndim not in (1, 2):
            raise ValueError(
                f"y: expected an array [samples] or [samples, outputs], found {list(targets.shape)}\n"
                'longhand.train("network") learns targets for each step'
            )
        self._is_single = targets.ndim == 1
        outputs = 1 if self._is_single else targets.shape[1]
        self.n_outputs_ = outputs
        self.fit_network(sequences, targets.reshape(-1, outputs), outputs, self.loss)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Returns predictions, float64 [samples], or [samples, outputs] if y was two-dimensional in `fit`."""
        out = self.run_network(X)
        return out[:, 0] if self._is_single else out
