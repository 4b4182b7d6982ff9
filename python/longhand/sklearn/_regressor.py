"""Regression of sequences."""

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
    """Predicts numbers from sequences of numbers: LSTM layers, pooling over time, and a linear layer.

    Inputs and targets are standardised by the training data, within the model. It computes with float32: features far
    from zero with little variation (times in seconds, for example) should be centred before.

    Args:
        hidden: units of each layer and direction. None: 64.
        layers: LSTM layers.
        bidirectional: read the sequences in both directions. None: no.
        pooling: of the outputs over time: "last", "mean", "max" or "attention". None: "last".
        dropout: probability between the layers and before the linear one. None: 0.
        steps: time steps that the columns of a table [samples, columns] are: 1: each row is one step, and its columns
            are the features; -1: each column is a step of one number; n: n steps one after the other, of columns / n
            features. Arrays [samples, steps, features] do not need it.
        loss: "mse" or "mae".
        epochs, batch, lr: passes over the data, sequences of an update, and learning rate of Adam. None: 50, 32, 0.005.
        valid_fraction: share of the samples, drawn at random, that is held out. The model of the best epoch is kept
            then.
        patience: epochs without improvement on the held-out samples after which the training stops. 0: it does not.
        random_state: an integer is the seed of `longhand.train`: the same data and seed give the same bits on any
            number of threads.
        warm_start: train the model of the fit before further.
        n_jobs: threads. None: 1; -1: one for each processor.
        verbose: show the progress.
        options: any other options of `longhand.train("network")`, for example {"optimizer": "adamw", "schedule":
            "cosine"}.

    Attributes:
        model_: the trained `longhand.Network`, whose input is called x.
        n_features_in_: columns of X, or features of each step.
        feature_names_in_: names of the columns, where X is a DataFrame.
        features_per_step_: features of each step.
        history_, metrics_: the figures of the training.
        n_iter_: epochs trained.

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
        """Trains.

        Args:
            X: [samples, steps, features]; a list of arrays [steps, features] of any numbers of steps; a table [samples,
                columns], see `steps`.
            y: [samples] or [samples, outputs].

        Raises:
            ValueError, TypeError: for data and parameters at fault.
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
        """The predictions, float64 [samples], or [samples, outputs] where y has this shape."""
        out = self.run_network(X)
        return out[:, 0] if self._is_single else out
