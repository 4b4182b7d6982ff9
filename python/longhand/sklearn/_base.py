"""Base class of the estimators: training in a temporary folder, and common parameters."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._models import load
from .._training import TrainingResult, train

#: Estimator parameters that are passed to `longhand.train` as options, unless they are None.
_COMMON = ("hidden", "layers", "bidirectional", "dropout", "epochs", "batch", "lr", "patience")


class TrainedEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose `fit` trains a model with `longhand.train`.

    Attributes after `fit`:
        model_: the trained model, a `longhand.Model`.
        history_: metrics of each evaluation, arrays [evaluations] by name.
        metrics_: final metrics by name.
        n_iter_: number of epochs trained.
    """

    def seed(self) -> int:
        """Returns the training seed: `random_state` if it is an integer >= 0, otherwise a number drawn from it."""
        if isinstance(self.random_state, (int, np.integer)) and self.random_state >= 0:
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def threads(self) -> int:
        """Converts `n_jobs` to a number of threads: None to 1, negative values to 0 (one thread per processor).

        Raises:
            ValueError: `n_jobs` is 0 or not an integer.
        """
        if self.n_jobs is None:
            return 1
        if not isinstance(self.n_jobs, (int, np.integer)) or self.n_jobs == 0:
            raise ValueError(f"n_jobs: expected None, -1, or a number of threads, found {self.n_jobs!r}")
        return max(int(self.n_jobs), 0)

    def common_options(self) -> dict[str, Any]:
        """Returns the common parameters that are not None, as options of `longhand.train`."""
        return {name: getattr(self, name) for name in _COMMON if getattr(self, name, None) is not None}

    def check_held_out(self) -> None:
        """Raises ValueError if `valid_fraction` is not in [0, 1), or if `patience` is set without held-out data."""
        if self.valid_fraction is not None and not 0 <= self.valid_fraction < 1:
            raise ValueError(f"valid_fraction: expected a number from 0 to below 1, found {self.valid_fraction!r}")
        if self.patience and self.valid_fraction == 0:
            raise ValueError(
                f"patience={self.patience}: expected held-out data, found valid_fraction=0\n"
                "set valid_fraction, or patience=0"
            )

    def train_model(
        self, task: str, data: Any, options: Mapping[str, Any], valid: Any = None, network: str | None = None
    ) -> None:
        """Trains in a temporary folder and sets the fitted attributes.

        Args:
            task, data, valid: arguments of `longhand.train`.
            options: training options; `self.options` override them.
            network: description of the layers in TOML, for the task "network". None: default network of the task.
        """
        given = {**options, **(self.options or {})}
        with tempfile.TemporaryDirectory(prefix="longhand-") as folder:
            if network is not None:
                given["network"] = os.path.join(folder, "network.toml")
                with open(given["network"], "w", encoding="utf-8") as file:
                    file.write(network)
            result = self._train(task, data, valid, os.path.join(folder, "run"), given)
            with open(result.model.path, "rb") as model:
                self.model_: Any = load(model.read())
            self.history_ = result.history
        self.metrics_ = result.metrics
        self.n_iter_ = result.epochs

    def _train(self, task: str, data: Any, valid: Any, out: str, given: Mapping[str, Any]) -> TrainingResult:
        try:
            return train(
                task, data, valid=valid, out=out, progress=bool(self.verbose), seed=self.seed(),
                threads=self.threads(), **given,
            )  # fmt: skip
        except KeyboardInterrupt:
            # Drops the advice to resume: the temporary folder is deleted.
            raise KeyboardInterrupt("the training was interrupted") from None
