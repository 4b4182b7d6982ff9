"""The lab: how far gradients reach back through time, and what the units of a trained model do."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._data import as_source, options_text
from ._models import Model
from ._training import check_names, inline_page

_OPTIONS = (
    "data", "cells", "updates", "reach", "depths", "hidden", "window", "batch", "lr", "clip-norm", "sequences", "seed",
    "threads",
)  # fmt: skip


class CellGradients(NamedTuple):
    """A recurrent cell after some updates.

    `h` and `c` are float64 [steps + 1, 3]: the norm of the loss's gradient by the state k steps back, relative to k = 0:
    median, 10th and 90th percentile over the sequences. `c` is empty for cells without a cell state.
    """

    cell: str
    updates: int
    loss: float  #: held out: nats per symbol, or squared error
    h: NDArray[np.float64]
    c: NDArray[np.float64]
    factor: float  #: what each step multiplies the gradient by


class StackGradients(NamedTuple):
    """A stack of layers after some updates: `norms` float64 [layers], of the gradients of the biases, lowest first."""

    cell: str
    layers: int
    residual: bool
    updates: int
    loss: float
    norms: NDArray[np.float64]


class Gradients:
    """What `gradients` measured.

    Attributes:
        cells: a CellGradients for each cell and number of updates.
        stacks: a StackGradients for each stack.
        summary: what was found, a sentence each.
        page: the report, a page that fetches nothing.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.cells = [CellGradients(**each) for each in found["cells"]]
        self.stacks = [StackGradients(**each) for each in found["stacks"]]
        self.summary: list[str] = found["summary"]
        self.page: str = found["page"]
        self._columns: list[str] = found["columns"]
        self._rows: list[list[str]] = found["rows"]

    def frame(self) -> Any:
        """All measurements as a DataFrame, a row each. Needs pandas."""
        return _frame(self._columns, self._rows)

    def _repr_html_(self) -> str:
        return inline_page(self.page, 900)

    def __repr__(self) -> str:
        return f"<longhand.lab.Gradients: {len(self.cells)} cells, {len(self.stacks)} stacks>"


def _frame(columns: list[str], rows: list[list[str]]) -> Any:
    import pandas

    out = io.StringIO()
    csv.writer(out).writerows([columns, *rows])
    out.seek(0)
    return pandas.read_csv(out)


def gradients(data: Any = "tale", **options: Any) -> Gradients:
    """Trains small models, and measures how far back their gradients reach, as `longhand lab gradients` does.

    Args:
        data: a text (path, name of a built-in text, or a list of texts), or a memory task: "recall", "copying", "adding".
        options: cells ("rnn,rnn-relu,gru,lstm-0,lstm-1,lstm-3,lstm-1-norm" or some of these, or a list), updates (numbers
            of updates after which to measure), reach (steps), depths (layers of stacks; 0: none), hidden, window, batch,
            lr, clip_norm, sequences, seed, threads.

    Raises:
        TypeError: for an unknown option.
        OptionError, InputError: for values and data at fault.
        KeyboardInterrupt: after Ctrl-C.
    """
    names = check_names("gradients", options, _OPTIONS)
    memory: dict[str, bytes] = {}
    given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
    given["data"] = as_source("lm", "data", data, memory)
    return Gradients(_core.gradients(given, memory, lambda *_: None))


class Activations:
    """The values of a model's units on a text.

    Attributes:
        symbols: [n] what the model read, as it is shown.
        starts: int64 [sequences + 1] where each sequence begins.
        values: by (layer, direction, quantity) float32 [n, units]; direction is "forward" or "backward", quantity one of
            h (output), c (cell state), i, f, g, o (gates).
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.symbols: list[str] = found["symbols"]
        self.starts: NDArray[np.int64] = found["starts"]
        self.values: dict[tuple[int, str, str], NDArray[np.float32]] = {
            (layer, direction, quantity): values for layer, direction, quantity, values in found["units"]
        }

    def frame(self) -> Any:
        """A DataFrame with a row for each symbol, and the columns (layer, direction, quantity, unit). Needs pandas."""
        import pandas

        columns = [
            (layer, direction, quantity, unit)
            for (layer, direction, quantity), values in self.values.items()
            for unit in range(values.shape[1])
        ]
        names = pandas.MultiIndex.from_tuples(columns, names=["layer", "direction", "quantity", "unit"])
        table = np.concatenate(list(self.values.values()), axis=1)
        return pandas.DataFrame(table, index=pandas.Index(self.symbols, name="symbol"), columns=names)

    def __repr__(self) -> str:
        parts = ", ".join(f"{key}: {values.shape}" for key, values in self.values.items())
        return f"<longhand.lab.Activations of {len(self.symbols)} symbols: {parts}>"


def _source(model: Model, text: Any, memory: dict[str, bytes]) -> str:
    return as_source(model._verb, "text", text, memory)


def activations(model: Model, text: Any, quantities: str = "h", max_symbols: int = 200_000) -> Activations:
    """The values of all units of a model on a text (of a regressor: a table).

    Args:
        text: a path, the name of a data set, or data as `longhand.train` takes them.
        quantities: which ones, of the letters h c i f g o.
        max_symbols: how much of the text is read.
    """
    memory: dict[str, bytes] = {}
    source = _source(model, text, memory)
    return Activations(_core.activations(model._core, source, quantities, max_symbols, memory, lambda *_: None))


class Microscope:
    """What the units of a model do on a text.

    Attributes:
        page: a page on which the text can be read with the units' values; shown in a notebook.
        data: the figures: properties of the text with the units that follow them, explained decisions, ...
    """

    def __init__(self, found: dict[str, str]) -> None:
        self.page = found["page"]
        self.data: dict[str, Any] = json.loads(found["json"])
        self._csv = found["csv"]

    def frame(self) -> Any:
        """The units that follow properties of the text, as a DataFrame. Needs pandas."""
        import pandas

        return pandas.read_csv(io.StringIO(self._csv))

    def save(self, path: str | os.PathLike[str]) -> str:
        """Writes the page to `path`, which is returned."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.page)
        return os.fspath(path)

    def _repr_html_(self) -> str:
        return inline_page(self.page, 900)


def microscope(model: Model, text: Any, **options: Any) -> Microscope:
    """What the units of a model do on a text: the properties of the text that they follow, and which symbols mattered to
    some of its decisions, as `longhand lab microscope` shows it.

    Args:
        text: a path, the name of a data set, or data as `longhand.train` takes them.
        options: those of `longhand lab microscope`, with underscores: max_symbols, max_units, top, explain, ...

    Raises:
        OptionError, InputError: for options and texts at fault, and an unknown option.
        KeyboardInterrupt: after Ctrl-C.
    """
    memory: dict[str, bytes] = {}
    source = _source(model, text, memory)
    given = {name.replace("_", "-"): options_text(name, value) for name, value in options.items() if value is not None}
    return Microscope(_core.microscope(model._core, source, given, memory, lambda *_: None))
