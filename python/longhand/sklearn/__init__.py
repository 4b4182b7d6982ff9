"""scikit-learn estimators for pipelines, grid search and cross-validation. All can be cloned and pickled.

`LSTMClassifier` and `LSTMRegressor` take sequences of numbers, arrays [samples, steps, features]; `LSTMClassifier` also
takes texts. `LSTMTagger` predicts a tag for each word of a sentence. `LSTMForecaster` forecasts time series.

`fit` calls `longhand.train` in a temporary folder and stores the trained `longhand.Model` in `model_`.
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
