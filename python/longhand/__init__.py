"""LSTM sequence models: trained on processors, examined, and shipped.

>>> import longhand
>>> result = longhand.train("lm", data="tale", epochs=3)
>>> print(result.model.text("The ", 200))

`longhand.load` reads a model; `longhand.train` makes one, with the options of the command line. `longhand.lab` shows how
far gradients reach and what units do; `longhand.torch`, where PyTorch is installed, has an `nn.LSTM` that computes with
Longhand.
"""

from __future__ import annotations

import json as _json
from typing import Any as _Any
from typing import cast as _cast

from . import _core, lab
from ._convert import from_torch, import_model
from ._errors import DivergenceError, Error, InputError, OptionError
from ._models import (
    Classifier,
    Forecast,
    LanguageModel,
    Model,
    Network,
    Regressor,
    Score,
    Span,
    Tagger,
    Token,
    load,
)
from ._streams import Stream, Streams
from ._training import TrainingResult, options, read_history, resume, train

__version__ = _core.version


def machine() -> dict[str, _Any]:
    """The machine as Longhand sees it: `simd`, `simd_targets`, `bf16_native`, `threads`."""
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
