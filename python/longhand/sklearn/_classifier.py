"""Classification of sequences of numbers, and of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._network import NetworkEstimator
from ._sequences import is_texts, read_sequences, texts_of


class LSTMClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """Classifies sequences of numbers, or texts.

    Sequences of numbers are read by LSTM layers, pooling over time, and a linear layer; they are standardised by the
    training data, within the model. Texts are read by the model of `longhand.train("classifier")`: embeddings of words,
    LSTM layers and pooling. Which of the two it is depends on X. It computes with float32.

    Args:
        hidden: units of each layer and direction. None: 64, of texts 100.
        layers: LSTM layers.
        bidirectional: read the sequences in both directions. None: no, of texts yes.
        pooling: of the outputs over time: "last", "mean", "max" or "attention", of texts also "concat". None: "last",
            of texts "max".
        dropout: probability between the layers and before the last one, of texts also of the embeddings. None: 0, of
            texts that of `longhand.train`: 0.5 of embeddings and of the pooled vector.
        steps: time steps that the columns of a table [samples, columns] are: 1: each row is one step, and its columns
            are the features; -1: each column is a step of one number; n: n steps one after the other, of columns / n
            features. Arrays [samples, steps, features] and texts do not need it.
        epochs, batch, lr: passes over the data, sequences of an update, and learning rate of Adam. None: 50, 32, 0.005;
            of texts 20, 32, 0.001.
        valid_fraction: share of the samples, drawn at random, that is held out. The model of the best epoch is kept
            then.
        patience: epochs without improvement on the held-out samples after which the training stops. 0: it does not.
        random_state: an integer is the seed of `longhand.train`: the same data and seed give the same bits on any
            number of threads.
        warm_start: train the model of the fit before further.
        n_jobs: threads. None: 1; -1: one for each processor.
        verbose: show the progress.
        options: any other options of `longhand.train`, for example {"optimizer": "adamw"}, of texts {"min_count": 2}.

    Attributes:
        classes_: [classes] the labels, sorted; the columns of `predict_proba`.
        model_: the trained `longhand.Network`, or of texts `longhand.Classifier`, whose classes are the indices in
            classes_.
        n_features_in_: columns of X, or features of each step (not of texts).
        feature_names_in_: names of the columns, where X is a DataFrame.
        features_per_step_: features of each step (not of texts).
        history_, metrics_: the figures of the training.
        n_iter_: epochs trained.

    >>> X = ["a lovely film", "a poor plot"] * 30
    >>> LSTMClassifier(random_state=0).fit(X, ["good", "bad"] * 30).predict(["lovely"])
    array(['good'], dtype='<U4')
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

    def fit(self, X: Any, y: Any) -> LSTMClassifier:
        """Trains.

        Args:
            X: [samples, steps, features]; a list of arrays [steps, features] of any numbers of steps; a table [samples,
                columns], see `steps`; or a list, an array [samples] or a Series of texts.
            y: [samples] labels: texts, integers or booleans.

        Raises:
            ValueError, TypeError: for data and parameters at fault.
            longhand.DivergenceError: a ValueError, where the loss is no longer finite.
        """
        of_texts = is_texts(X)
        data: Any = texts_of(X) if of_texts else read_sequences(self, X, reset=True)
        labels = self._labels(y, len(data))
        before = getattr(self, "classes_", None)
        classes, encoded = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"LSTMClassifier needs samples of at least 2 classes, but y contains only one class: {classes[0]!r}"
            )
        if self.warm_start and before is not None and not np.array_equal(before, classes):
            raise ValueError(f"warm_start=True: expected the classes {before} of the fit before, found {classes}")
        self.classes_ = classes
        if of_texts:
            self._fit_texts(data, encoded)
        else:
            self.fit_network(data, encoded.astype(np.int64), len(classes), "cross-entropy", encoded)
        self._reads_texts = of_texts
        return self

    def _labels(self, y: Any, samples: int) -> NDArray[Any]:
        if y is None:
            raise ValueError("LSTMClassifier requires y to be passed, but the target y is None")
        labels = column_or_1d(y, warn=True)
        check_array(labels, dtype=None, ensure_2d=False, ensure_min_samples=0, input_name="y", estimator=self)
        check_classification_targets(labels)
        check_consistent_length(labels, np.empty(samples))
        return np.asarray(labels)

    def _fit_texts(self, texts: list[str], encoded: NDArray[Any]) -> None:
        self.check_held_out()
        for name in ("n_features_in_", "feature_names_in_", "features_per_step_"):
            if hasattr(self, name):
                delattr(self, name)
        options = {**self.common_options(), "valid_fraction": self.valid_fraction}
        if self.pooling is not None:
            options["pool"] = self.pooling
        if self.dropout is not None:
            options |= {"dropout_input": self.dropout, "dropout_pooled": self.dropout}
        self.train_model("classifier", list(zip(texts, encoded.tolist())), options)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of each class, float64 [samples, classes], in the order of `classes_`."""
        check_is_fitted(self)
        if is_texts(X) != self._reads_texts:
            if self._reads_texts:
                raise ValueError("X: expected a list of texts, as in fit, found something else")
            raise ValueError("X: expected arrays of numbers, as in fit, found texts")
        found = self._of_texts(texts_of(X)) if self._reads_texts else self.run_network(X)
        out: NDArray[np.float64] = found / found.sum(axis=1, keepdims=True)
        return out

    def _of_texts(self, texts: list[str]) -> NDArray[np.float64]:
        out = np.zeros((len(texts), len(self.classes_)))
        out[:, [int(name) for name in self.model_.classes]] = self.model_.predict_proba(texts, threads=self.threads())
        return out

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sample, [samples]."""
        check_is_fitted(self)
        found: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found
