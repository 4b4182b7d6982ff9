"""Classification of numeric sequences and of texts."""

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
    """LSTM classifier for numeric sequences or texts.

    The input of `fit` decides between two models. Numeric sequences: LSTM layers, pooling over time and a linear layer;
    features are standardised inside the model. Texts: the model of `longhand.train("classifier")` with word embeddings,
    LSTM layers and pooling. Computes in float32.

    Args:
        hidden: number of hidden units per layer and direction. None: 64; texts 100.
        layers: number of LSTM layers.
        bidirectional: use bidirectional layers. None: False; texts True.
        pooling: pooling over time: "last", "mean", "max", "attention"; texts also "concat". None: "last"; texts "max".
        dropout: dropout probability. Numeric sequences: between the layers and before the linear layer. Texts: on the
            embeddings and the pooled vector. None: 0; texts 0.5.
        steps: for a table [samples, columns]: number of time steps in each row. 1: each row is one step with `columns`
            features; -1: each column is a step with one feature; n: each row holds n consecutive steps with columns / n
            features. Ignored for other inputs.
        epochs: number of epochs. None: 50; texts 20.
        batch: number of sequences per update. None: 32.
        lr: learning rate of Adam. None: 0.005; texts 0.001.
        valid_fraction: fraction of the samples, drawn at random, for validation. If > 0, the model of the best epoch
            is kept; otherwise that of the last one.
        patience: number of epochs without improvement on the validation samples before training stops. 0: no early
            stopping.
        random_state: seed. With an integer, results are bit-identical for the same data, on any number of threads.
        warm_start: continue from the model of the previous `fit`.
        n_jobs: number of threads. None: 1; -1: one per processor.
        verbose: show training progress.
        options: additional options of `longhand.train`, for example {"optimizer": "adamw"}; texts {"min_count": 2}.

    Attributes:
        classes_: [classes] sorted class labels, in the column order of `predict_proba`.
        model_: the trained `longhand.Network`; for texts a `longhand.Classifier`. Its class names are indices into
            `classes_`.
        n_features_in_: number of columns of a table X, or features per time step (not for texts).
        feature_names_in_: column names, if X is a DataFrame.
        features_per_step_: number of features per time step (not for texts).
        history_, metrics_: metrics of each evaluation, and final metrics.
        n_iter_: number of epochs trained.

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
        """Trains the classifier.

        Args:
            X: numeric sequences: an array [samples, steps, features], a list of arrays [steps, features] with different
                numbers of steps, or a table [samples, columns] (see `steps`). Texts: a list, an array [samples] or a
                Series of strings.
            y: [samples] class labels: strings, integers or booleans.

        Raises:
            ValueError, TypeError: invalid data or parameters.
            longhand.DivergenceError: the loss became NaN or infinite (a ValueError).
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
        """Returns class probabilities, float64 [samples, classes], columns in the order of `classes_`."""
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
        """Returns the most probable class label of each sample, [samples]."""
        check_is_fitted(self)
        found: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return found
