"""What the estimators share: training in a temporary folder, and the parameters of it."""

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

#: Parameters of the estimators that are options of `longhand.train`, where they are not None.
_COMMON = ("hidden", "layers", "bidirectional", "dropout", "epochs", "batch", "lr", "patience")


class TrainedEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose `fit` trains a model with `longhand.train`.

    Attributes after `fit`:
        model_: the trained model, a `longhand.Model`.
        history_: the figures of each evaluation by name, arrays [evaluations].
        metrics_: the figures at the end by name.
        n_iter_: epochs trained.
    """

    def seed(self) -> int:
        """The seed of the training: `random_state` itself where it is an integer."""
        if isinstance(self.random_state, (int, np.integer)) and self.random_state >= 0:
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def threads(self) -> int:
        """`n_jobs` as Longhand counts threads: None is 1, and -1 is 0, one for each processor."""
        if self.n_jobs is None:
            return 1
        if not isinstance(self.n_jobs, (int, np.integer)) or self.n_jobs == 0:
            raise ValueError(f"n_jobs: expected None, -1, or a number of threads, found {self.n_jobs!r}")
        return max(int(self.n_jobs), 0)

    def common_options(self) -> dict[str, Any]:
        """The options that are parameters of the estimator. None leaves an option as `longhand.train` has it."""
        return {name: getattr(self, name) for name in _COMMON if getattr(self, name, None) is not None}

    def check_held_out(self) -> None:
        """Raises ValueError for `patience` without held-out data, and for a fraction that is none."""
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
        """Trains in a temporary folder, and sets the attributes of a fitted estimator.

        Args:
            options: of the training, which `self.options` override.
            network: description of a network of layers (TOML); None: the task has a network of its own.
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
            # Without the advice to resume the run, whose folder is about to go.
            raise KeyboardInterrupt("the training was interrupted") from None
