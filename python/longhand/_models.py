"""Reading models: a class for each task."""

from __future__ import annotations

import os

from . import _core
from ._model import Model, Path
from ._number_models import Network, Regressor
from ._text_models import Classifier, LanguageModel, Tagger

_CLASSES: dict[str, type[Model]] = {
    "language model": LanguageModel,
    "tagger": Tagger,
    "classifier": Classifier,
    "regressor": Regressor,
    "network": Network,
}


def _wrap(core: _core.Model) -> Model:
    return _CLASSES[core.task](core)


def _load_bytes(contents: bytes) -> Model:
    return _wrap(_core.load_bytes(contents))


def load(path: Path | bytes) -> Model:
    """Reads a model.

    Args:
        path: a model file, the folder of a training run, or the contents of a model file (bytes).

    Returns:
        A LanguageModel, Tagger, Classifier, Regressor or Network.

    Raises:
        FileNotFoundError: the file or folder does not exist.
        InputError: the file is damaged or not a model file.
        TypeError: `path` is neither a path nor bytes.
    """
    if isinstance(path, bytes):
        return _load_bytes(path)
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: expected a path or bytes, found {type(path).__name__}")
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(2, "expected a model file or the folder of a run, found none", name)
    return _wrap(_core.load(name))
