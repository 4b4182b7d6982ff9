"""Estimators for scikit-learn: they work in its pipelines, searches and cross-validations, and can be cloned and
pickled.

`LSTMClassifier` and `LSTMRegressor` read sequences of numbers, arrays [samples, steps, features]; `LSTMClassifier` also
reads texts. `LSTMTagger` gives each word of a sentence a tag. `LSTMForecaster` continues a time series.

Each trains with `longhand.train` in a temporary folder, and keeps the trained model in `model_`, which can be saved,
exported and examined as any other.
"""

from __future__ import annotations

try:
    import sklearn as _sklearn
except ImportError as error:
    raise ImportError(
        "longhand.sklearn: expected scikit-learn 1.6 or later, found none\ninstall it: pip install scikit-learn"
    ) from error

if tuple(int(part) for part in _sklearn.__version__.split(".")[:2]) < (1, 6):
    raise ImportError(
        f"longhand.sklearn: expected scikit-learn 1.6 or later, found {_sklearn.__version__}\n"
        "upgrade it: pip install -U scikit-learn"
    )

from ._classifier import LSTMClassifier
from ._forecaster import LSTMForecaster
from ._regressor import LSTMRegressor
from ._tagger import LSTMTagger

__all__ = ["LSTMClassifier", "LSTMForecaster", "LSTMRegressor", "LSTMTagger"]
