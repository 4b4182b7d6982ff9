"""Measures gradients through time, and analyses the units of trained models."""

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
from ._model import Model
from ._training import check_names, inline_page

_OPTIONS = (
    "data", "cells", "updates", "reach", "depths", "hidden", "window", "batch", "lr", "clip-norm", "sequences", "seed",
    "threads",
)  # fmt: skip


class CellGradients(NamedTuple):
    """Gradient norms of a recurrent cell after `updates` updates.

    `h` and `c` are float64 [steps + 1, 3]. Row k describes the norm of the gradient of the loss with respect to the
    hidden or cell state k steps before the loss, divided by its norm at k = 0: median, 10th and 90th percentile over
    the sequences. `c` is empty for cells without a cell state.
    """

    cell: str
    updates: int
    loss: float  #: on held-out data: nats per symbol, or squared error
    h: NDArray[np.float64]
    c: NDArray[np.float64]
    factor: float  #: by which each step back multiplies the gradient norm


class StackGradients(NamedTuple):
    """Gradient norms of a stack of layers after `updates` updates. `norms`: float64 [layers], norms of the gradients of
    the biases, lowest layer first.
    """

    cell: str
    layers: int
    residual: bool
    updates: int
    loss: float
    norms: NDArray[np.float64]


class Gradients:
    """Result of `gradients`.

    Attributes:
        cells: one CellGradients for each cell and number of updates.
        stacks: one StackGradients for each stack and number of updates.
        summary: the main findings, one sentence each.
        page: self-contained HTML report. Notebooks display it.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.cells = [CellGradients(**each) for each in found["cells"]]
        self.stacks = [StackGradients(**each) for each in found["stacks"]]
        self.summary: list[str] = found["summary"]
        self.page: str = found["page"]
        self._columns: list[str] = found["columns"]
        self._rows: list[list[str]] = found["rows"]

    def frame(self) -> Any:
        """Returns all measurements as a DataFrame, one per row. Requires pandas."""
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
    """Trains small recurrent networks and measures their gradients through time, as `longhand lab gradients` does.

    Args:
        data: a text (path, built-in name or list of strings), or a memory task: "recall", "copying" or "adding".
        options:
            cells: list, or names separated by commas, from rnn, rnn-relu, gru, lstm-0, lstm-1, lstm-3, lstm-1-norm;
            updates: numbers of updates after which to measure;
            reach: maximum number of time steps back;
            depths: numbers of layers of the stacks; 0: no stacks;
            hidden, window, batch, lr, clip_norm, sequences, seed, threads: as for `longhand lab gradients`.

    Raises:
        TypeError: unknown option.
        OptionError: invalid option value.
        InputError: invalid data.
        KeyboardInterrupt: after Ctrl-C.
    """
    names = check_names("gradients", options, _OPTIONS)
    memory: dict[str, bytes] = {}
    given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
    given["data"] = as_source("lm", "data", data, memory)
    return Gradients(_core.gradients(given, memory, lambda *_: None))


class Activations:
    """Activations of all units of a model on a text of n symbols (or a table of n rows).

    Attributes:
        symbols: [n] the input symbols in printable form.
        starts: int64 [sequences + 1] offsets: sequence s has the symbols `starts[s]` to `starts[s + 1]` - 1.
        values: {(layer, direction, quantity): float32 [n, units]}. direction is "forward" or "backward"; quantity is
            "h" (hidden state), "c" (cell state), "i", "f", "g" or "o" (gates).
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.symbols: list[str] = found["symbols"]
        self.starts: NDArray[np.int64] = found["starts"]
        self.values: dict[tuple[int, str, str], NDArray[np.float32]] = {
            (layer, direction, quantity): values for layer, direction, quantity, values in found["units"]
        }

    def frame(self) -> Any:
        """Returns a DataFrame: a row per symbol, columns (layer, direction, quantity, unit). Requires pandas."""
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
    """Runs a model on a text (a table for a regressor) and returns the activations of all units.

    Args:
        text: a path, the name of a data set, or data in a form that `longhand.train` accepts.
        quantities: one or several of the letters h, c, i, f, g, o, for example "hc".
        max_symbols: maximum number of symbols to read.
    """
    memory: dict[str, bytes] = {}
    source = _source(model, text, memory)
    return Activations(_core.activations(model._core, source, quantities, max_symbols, memory, lambda *_: None))


class Microscope:
    """Result of `microscope`.

    Attributes:
        page: HTML page that shows the text coloured by the activations of each unit. Notebooks display it.
        data: all results: properties of the text with the units that correlate with them, explained decisions, ...
    """

    def __init__(self, found: dict[str, str]) -> None:
        self.page = found["page"]
        self.data: dict[str, Any] = json.loads(found["json"])
        self._csv = found["csv"]

    def frame(self) -> Any:
        """Returns the units that correlate with properties of the text as a DataFrame. Requires pandas."""
        import pandas

        return pandas.read_csv(io.StringIO(self._csv))

    def save(self, path: str | os.PathLike[str]) -> str:
        """Writes the HTML page to `path`. Returns `path`."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.page)
        return os.fspath(path)

    def _repr_html_(self) -> str:
        return inline_page(self.page, 900)


def microscope(model: Model, text: Any, **options: Any) -> Microscope:
    """Analyses the units of a model on a text, as `longhand lab microscope` does: finds units that correlate with
    properties of the text, and the input symbols that influenced some of the model's decisions.

    Args:
        text: a path, the name of a data set, or data in a form that `longhand.train` accepts.
        options: options of `longhand lab microscope`, with underscores: max_symbols, max_units, top, explain, ...

    Raises:
        OptionError: unknown option or invalid value.
        InputError: invalid text.
        KeyboardInterrupt: after Ctrl-C.
    """
    memory: dict[str, bytes] = {}
    source = _source(model, text, memory)
    given = {name.replace("_", "-"): options_text(name, value) for name, value in options.items() if value is not None}
    return Microscope(_core.microscope(model._core, source, given, memory, lambda *_: None))
