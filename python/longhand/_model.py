"""What the models of all tasks have in common."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._data import as_source, options_text
from ._errors import OptionError
from ._streams import Stream, Streams

if TYPE_CHECKING:
    from .lab import Activations, Microscope

Path = Union[str, "os.PathLike[str]"]


class Model:
    """A trained model: immutable and thread-safe.

    `longhand.load` and `TrainingResult.model` return the subclass for the model's task.
    """

    _verb = ""

    def __init__(self, core: _core.Model) -> None:
        self._core = core

    @property
    def path(self) -> str:
        """Path of the model file; empty if the model was read from bytes."""
        return self._core.path

    @property
    def task(self) -> str:
        """"language model", "tagger", "classifier", "regressor" or "network"."""
        return self._core.task

    @property
    def parameters(self) -> int:
        """Number of parameters; for an ensemble, the sum over its members."""
        return self._core.parameters

    @property
    def members(self) -> int:
        """Number of models in the ensemble; 1 for a single model."""
        return self._core.members

    @property
    def info(self) -> dict[str, Any]:
        """Metadata of the model file: `task`, `parameters`, `options`, `vocabulary`, `tensors` (shapes by name). A
        Network has `network` (description of the layers) instead of `options` and `vocabulary`.
        """
        return cast("dict[str, Any]", json.loads(self._core.info()))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Copies of all weights as float32 arrays, by their names in the model file.

        Raises:
            InputError: the model is an ensemble or quantised.
        """
        return self._core.tensors()

    def to_bytes(self) -> bytes:
        """Contents of the model file. `longhand.load` accepts them."""
        return self._core.contents

    def save(self, path: Path) -> str:
        """Writes the model file to `path`. Returns `path`."""
        with open(path, "wb") as file:
            file.write(self.to_bytes())
        return os.fspath(path)

    @property
    def can_stream(self) -> bool:
        """Whether the model can run step by step with `stream`. Bidirectional models, for example, cannot."""
        return not self._core.why_no_stream

    def stream(self) -> Stream:
        """Returns a new Stream, which runs the model on one sequence step by step.

        Raises:
            InputError: the model cannot run step by step (`can_stream` is False). The message says why.
        """
        return Stream(self._core)

    def streams(self, capacity: int, threads: int = 1) -> Streams:
        """Returns new Streams, which run the model on up to `capacity` sequences in batched steps.

        Args:
            capacity: maximum number of open sequences.
            threads: number of threads; 0: one per processor.

        Raises:
            InputError: the model cannot run step by step, or is a Network (use one `stream` per sequence).
        """
        return Streams(self._core, capacity, threads)

    def evaluate(self, data: Any, *, report: Path | None = None, **options: Any) -> dict[str, Any]:
        """Evaluates the model on `data`. Returns the metrics by name, as `longhand eval --json` prints them.

        Args:
            data: test data in a form that `longhand.train` accepts.
            report: path of an HTML report to write. None: no report.
            options: options of `longhand eval`, with underscores.

        Raises:
            TypeError: unknown option.
            InputError: invalid data.
            OptionError: invalid option value.
        """
        from ._training import check_names

        memory: dict[str, bytes] = {}
        table = json.loads(_core.evaluation_options())
        names = check_names("evaluate", options, [option["name"] for option in table])
        given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
        given["data"] = as_source(self._verb, "data", data, memory)
        found = _core.evaluate(self._core, given, memory, os.fspath(report) if report else "", lambda *_: None)
        return cast("dict[str, Any]", json.loads(found))

    def export(
        self, path: Path, to: str | None = None, *, name: str = "model", weights: str = "float", steps: int = 0
    ) -> list[str]:
        """Exports the model to the format of another program. Returns the paths of the files written.

        Args:
            path: path of the main file. Additional files have the same stem.
            to: "onnx", "c", "pytorch", "keras", "nam", "rtneural", ... None: inferred from the extension of `path`.
            name: name of the graph or class, or prefix of the C functions.
            weights: "float", or "int8" with one scale per row (C only).
            steps: time steps per call (C only); 0: one.

        Raises:
            InputError: the format does not support a part of the model. The message names the part.
            OptionError: unknown format.
        """
        if to is None:
            to = _format_of(os.fspath(path))
        return _core.export_model(self._core, os.fspath(path), to, name, weights, steps)[0]

    def to_onnx(self, path: Path, *, name: str = "model") -> str:
        """Exports the model to ONNX. Returns `path`."""
        return self.export(path, "onnx", name=name)[0]

    def to_torch(self) -> Any:
        """Converts the model to a `torch.nn.Module` in evaluation mode. Requires PyTorch."""
        from ._convert import to_torch

        return to_torch(self)

    def microscope(self, text: Any, **options: Any) -> Microscope:
        """Analyses the units on a text or table: see `longhand.lab.microscope`."""
        from . import lab

        return lab.microscope(self, text, **options)

    def activations(self, text: Any, quantities: str = "h", max_symbols: int = 200_000) -> Activations:
        """Returns the activations of all units on a text or table: see `longhand.lab.activations`."""
        from . import lab

        return lab.activations(self, text, quantities, max_symbols)

    def __reduce__(self) -> tuple[Any, ...]:
        from ._models import _load_bytes

        return _load_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        where = f", {self.path!r}" if self.path else ""
        return f"<longhand.{type(self).__name__}: {self.parameters:,} parameters{where}>"


def _format_of(path: str) -> str:
    ending = os.path.splitext(path)[1].lower()
    formats = _core.export_formats()
    found = [name for name, of_format, _ in formats if of_format == ending]
    if len(found) == 1:
        return found[0]
    names = ", ".join(name for name, _, _ in formats)
    raise OptionError(f"to: expected one of {names}, found none for '{ending}'", "name the format with `to`")
