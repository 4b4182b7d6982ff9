"""Checks numeric sequences and texts, and converts sequences to arrays [samples, steps, features]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data


class Sequences(NamedTuple):
    """A padded batch of sequences."""

    values: NDArray[np.float64]  #: [samples, steps, features], padded with zeros
    lengths: NDArray[np.int64] | None  #: [samples] steps of each sequence; None: no padding

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, chosen: Any) -> Sequences:
        """Returns the samples selected by an index array or slice."""
        return Sequences(self.values[chosen], None if self.lengths is None else self.lengths[chosen])


def is_texts(X: Any) -> bool:
    """Whether X is a list, an array [samples] or a Series of strings."""
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and isinstance(X[0], str)
    if type(X).__name__ == "Series" and hasattr(X, "iloc"):
        return len(X) > 0 and isinstance(X.iloc[0], str)
    return isinstance(X, np.ndarray) and X.ndim == 1 and len(X) > 0 and isinstance(X[0], str)


def texts_of(X: Any) -> list[str]:
    """Returns X as a list. Raises ValueError if an element is not a string or contains only white space."""
    out = list(X)
    for i, text in enumerate(out):
        if not isinstance(text, str):
            raise ValueError(f"X[{i}]: expected a text, found {type(text).__name__}")
        if not text.strip():
            raise ValueError(f"X[{i}]: expected a text, found an empty one\nleave it out, or put a word in its place")
    return out


def _dimensions(value: Any) -> int:
    try:
        return int(value.ndim if hasattr(value, "ndim") else np.asarray(value).ndim)
    except ValueError:  # nested lists of different lengths
        return -1


def _is_list_of_sequences(X: Any, steps: int) -> bool:
    """Whether X is a list of arrays [steps, features]. With `steps` = -1 it may also be a list of one-dimensional
    sequences of different lengths.
    """
    is_list = isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1)
    if not is_list or len(X) == 0:
        return False
    if _dimensions(X[0]) == 2:
        return True
    if steps != -1 or any(_dimensions(each) != 1 for each in X):
        return False
    return len({len(each) for each in X}) > 1


def _padded(X: Sequence[Any]) -> Sequences:
    arrays: list[NDArray[np.float64]] = []
    for i, each in enumerate(X):
        array = check_array(
            np.asarray(each)[:, None] if _dimensions(each) == 1 else each, dtype=np.float64, input_name=f"X[{i}]"
        )
        if arrays and array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"X[{i}]: expected an array [steps, {arrays[0].shape[1]}], as X[0] is, found {list(array.shape)}"
            )
        arrays.append(array)
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    values = np.zeros((len(arrays), int(lengths.max()), arrays[0].shape[1]))
    for row, array in zip(values, arrays):
        row[: len(array)] = array
    return Sequences(values, None if (lengths == lengths[0]).all() else lengths)


def _from_table(X: NDArray[np.float64], steps: Any) -> NDArray[np.float64]:
    """Reshapes [samples, columns] to [samples, steps, columns / steps]."""
    columns = X.shape[1]
    if not isinstance(steps, (int, np.integer)) or isinstance(steps, bool) or (steps < 1 and steps != -1):
        raise ValueError(f"steps: expected -1 or a number from 1, found {steps!r}")
    if steps != -1 and columns % steps != 0:
        raise ValueError(f"X: expected a number of columns that {steps} steps divide, found {columns}")
    return X.reshape(len(X), columns if steps == -1 else steps, -1)


def _check_features(estimator: Any, found: int, reset: bool) -> None:
    if reset:
        estimator.n_features_in_ = found
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    elif found != estimator.features_per_step_:
        raise ValueError(
            f"X has {found} features, but {type(estimator).__name__} is expecting {estimator.features_per_step_} features "
            "in each step as input"
        )


def read_sequences(estimator: Any, X: Any, reset: bool) -> Sequences:
    """Checks X and converts it to Sequences.

    Args:
        estimator: its parameter `steps` is the number of time steps in a row of a table.
        X: an array [samples, steps, features], a list of arrays [steps, features], or a table [samples, columns].
        reset: True in `fit`: sets the attributes n_features_in_, features_per_step_ and feature_names_in_ of
            `estimator`. False: checks X against these attributes.

    Raises:
        ValueError, TypeError: invalid data, with scikit-learn's messages.
    """
    if _is_list_of_sequences(X, estimator.steps):
        sequences = _padded(X)
        _check_features(estimator, sequences.values.shape[2], reset)
    elif _dimensions(X) == 3:
        values = check_array(X, dtype=np.float64, allow_nd=True, input_name="X", estimator=estimator)
        if 0 in values.shape:
            raise ValueError(f"X: expected an array [samples, steps, features], found one without numbers {values.shape}")
        _check_features(estimator, values.shape[2], reset)
        sequences = Sequences(values, None)
    else:
        table = validate_data(estimator, X, dtype=np.float64, reset=reset)
        sequences = Sequences(_from_table(table, estimator.steps), None)
        if not reset:
            _check_features(estimator, sequences.values.shape[2], reset)
    if reset:
        estimator.features_per_step_ = sequences.values.shape[2]
    largest = float(np.finfo(np.float32).max)
    if sequences.values.size and np.abs(sequences.values).max() > largest:
        raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
    return sequences
