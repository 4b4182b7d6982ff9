"""LSTM sequence models: training on CPUs, analysis and export.

>>> import longhand
>>> result = longhand.train("lm", data="tale", epochs=3)
>>> print(result.model.text("The ", 200))

`longhand.train` trains a model with the options of `longhand train`; `longhand.load` reads a model. `longhand.lab`
measures gradients through time and unit activations. `longhand.torch` (requires PyTorch) has an `nn.LSTM` that Longhand
computes. `longhand.sklearn` (requires scikit-learn) has estimators.
"""

from __future__ import annotations

import json as _json
from typing import Any as _Any
from typing import cast as _cast

from . import _core, lab
from ._convert import from_torch, import_model
from ._errors import DivergenceError, Error, InputError, OptionError
from ._model import Model
from ._models import load
from ._number_models import Forecast, Network, Regressor
from ._streams import Stream, Streams
from ._text_models import Classifier, LanguageModel, Score, Span, Tagger, Token
from ._training import TrainingResult, options, read_history, resume, train

__version__ = _core.version


def machine() -> dict[str, _Any]:
    """Properties of the machine by name: `simd`, `simd_targets`, `bf16_native`, `threads`."""
    return _cast("dict[str, _Any]", _json.loads(_core.machine()))


__all__ = [
    "Classifier",
    "DivergenceError",
    "Error",
    "Forecast",
    "InputError",
    "LanguageModel",
    "Model",
    "Network",
    "OptionError",
    "Regressor",
    "Score",
    "Span",
    "Stream",
    "Streams",
    "Tagger",
    "Token",
    "TrainingResult",
    "__version__",
    "from_torch",
    "import_model",
    "lab",
    "load",
    "machine",
    "options",
    "read_history",
    "resume",
    "train",
]
