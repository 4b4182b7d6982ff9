"""Training with the options of `longhand train`."""

from __future__ import annotations

import difflib
import functools
import html
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core, _progress
from ._data import MEMORY, as_source, options_text
from ._errors import InputError, OptionError
from ._model import Path
from ._models import load

TASKS = ("lm", "tagger", "classifier", "regressor", "network")
_DATA = ("data", "valid", "test")

Callback = Callable[[dict[str, Any]], Any]
History = dict[str, NDArray[Any]]


@functools.lru_cache(maxsize=None)
def _table(task: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(_core.training_options(task)))


def options(task: str) -> dict[str, dict[str, Any]]:
    """Returns the training options of a task by name. Each has `kind`, `default`, `help`, `range`, `group`, and
    `may_change`: whether `resume` accepts a new value.

    Args:
        task: "lm", "tagger", "classifier", "regressor" or "network".
    """
    return {each["name"].replace("-", "_"): {k: v for k, v in each.items() if k != "name"} for each in _table(task)}


def check_names(function: str, given: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Returns {name with underscores: name with dashes} for the options in `given` that are not None.

    Raises:
        TypeError: an option is not in `names`.
    """
    known = {name.replace("-", "_"): name for name in names}
    out = {}
    for name, value in given.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise TypeError(f"{function}() got an unknown option '{name}'{hint}")
        if value is not None:
            out[name] = known[name]
    return out


def read_history(folder: Path) -> History:
    """Reads metrics.jsonl of a run: arrays [evaluations] by name of the metric, NaN for missing values."""
    rows = []
    with open(os.path.join(folder, "metrics.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    whole = {"epoch", "step", "batch"}
    out: History = {}
    for name in names:
        values = [math.nan if row.get(name) is None else row[name] for row in rows]
        out[name] = np.array(values, dtype=np.int64 if name in whole else np.float64)
    return out


class TrainingResult:
    """Result of a training run: metrics, history, report and model.

    Attributes:
        path: folder of the run, with the model, the metrics and the report.
        metrics: final metrics by name: "train_loss", "valid_perplexity", "test_accuracy", ...
        outcome: "finished", "out of patience", or "interrupted" (by a callback).
        epochs, steps, seconds: number of epochs and updates, and duration in seconds.
        best_epoch: epoch of the saved model.
        diverged: whether the loss grew by an order of magnitude.
        notes: remarks on the data and the options, such as times that go back.
    """

    def __init__(self, path: str, found: dict[str, Any], notes: Iterable[str] = ()) -> None:
        self.path = path
        self.notes = list(notes)
        self.metrics: dict[str, float] = {
            name: math.nan if value is None else float(value) for name, value in found["metrics"].items()
        }
        self.outcome: str = found["outcome"]
        self.epochs: int = found["epochs"]
        self.steps: int = found["steps"]
        self.seconds: float = found["seconds"]
        self.best_epoch: int = found["best_epoch"]
        self.diverged: bool = found["diverged"]

    @functools.cached_property
    def model(self) -> Any:
        """The trained model: from the best epoch, or from the last one if there are no validation data."""
        return load(self.path)

    @functools.cached_property
    def history(self) -> History:
        """Metrics of each evaluation, arrays [evaluations] by name: "epoch", "step", "train_loss", "valid_loss",
        "learning_rate", "gradient_norm", ...
        """
        return read_history(self.path)

    @property
    def report(self) -> str:
        """Path of the HTML report."""
        return os.path.join(self.path, "report.html")

    def _repr_html_(self) -> str:
        with open(self.report, encoding="utf-8") as file:
            return inline_page(file.read())

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<longhand.TrainingResult {self.path!r}: {self.outcome} after {self.epochs} epochs; {figures}>"


def inline_page(page: str, height: int = 640) -> str:
    """Returns an iframe that embeds the HTML page `page`, `height` pixels high."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" style="width: 100%; height: {height}px; border: 0" '
        'sandbox="allow-scripts"></iframe>'
    )


class _Listener:
    """Receives events of the training. Passes them to the progress display and to the callbacks."""

    def __init__(self, progress: _progress.Progress, callbacks: Callback | Iterable[Callback]) -> None:
        self.shown = _progress.make(progress)
        self.notes: list[str] = []
        self.callbacks: list[Callback] = [callbacks] if callable(callbacks) else list(callbacks)
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks: expected functions, found {type(callback).__name__}")

    def __call__(self, kind: str, what: Any) -> bool:
        if kind == "step":
            epoch, epochs, index, steps, loss, per_second = what
            self.shown.step(int(epoch), int(epochs), int(index), int(steps), loss, per_second)
        elif kind == "evaluation":
            evaluation = json.loads(what)
            self.shown.evaluation(evaluation)
            return any([bool(callback(dict(evaluation))) for callback in self.callbacks])
        elif kind == "note":
            self.notes.append(what)
            self.shown.note(f"note: {what}")
        elif kind == "data":
            self.notes += [line.removeprefix("note: ") for line in what.splitlines() if line.startswith("note: ")]
            self.shown.note(what)
        elif kind == "baseline":
            self.shown.note("fitting the baseline")
        return False


def _new_folder(task: str, data: str) -> str:
    stem = task if data.startswith(MEMORY) else os.path.splitext(os.path.basename(data))[0] or task
    name, n = os.path.join("runs", stem), 1
    while os.path.exists(name):
        n += 1
        name = os.path.join("runs", f"{stem}-{n}")
    return name


def _run(
    task: str,
    folder: str,
    given: Mapping[str, str],
    memory: dict[str, bytes],
    listener: _Listener,
    *,
    resume: bool = False,
    overwrite: bool = False,
    config: str = "",
) -> TrainingResult:
    try:
        found = json.loads(_core.train(task, folder, resume, overwrite, config, given, memory, listener))
    except KeyboardInterrupt:
        if not os.path.exists(os.path.join(folder, "checkpoint.safetensors")):
            raise
        raise KeyboardInterrupt(
            f"the training was interrupted, and its checkpoint is safe: longhand.resume({folder!r}) goes on"
        ) from None
    finally:
        listener.shown.close()
    return TrainingResult(folder, found, listener.notes)


def train(
    task: str,
    data: Any = None,
    *,
    valid: Any = None,
    test: Any = None,
    out: Path | None = None,
    overwrite: bool = False,
    config: Path | None = None,
    progress: _progress.Progress = True,
    callbacks: Callback | Iterable[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Trains a model and writes it to a folder. The model is bit-identical to that of `longhand train` with the same
    data, options and seed.

    Args:
        task: "lm", "tagger", "classifier", "regressor" or "network".
        data: training data: a path, an open file, the name of a data set, or
            "lm": a list of strings, which are joined as lines of one text;
            "classifier": a list of (text, label) pairs, a tuple (texts, labels), or a DataFrame;
            "tagger": a list of sentences, each a list of (word, tag) pairs;
            "regressor": a DataFrame, or an array [rows, columns] with the column names "x1", "x2", ...;
            "network": a DataFrame, a dict of arrays, or a tuple (inputs, targets) of arrays [sequences, steps,
            features] with the names x and y.
        valid, test: validation and test data in the same forms.
        out: folder of the run, which is created. None: a new folder in runs/.
        overwrite: replace an existing run in `out`.
        config: TOML file with options; arguments override it.
        progress: True: tqdm bar if tqdm is installed, otherwise lines; "tqdm"; "lines"; False: no output.
        callbacks: functions called after each evaluation with a dict of its metrics, as in metrics.jsonl. A true return
            value stops the training. The best model so far is saved, and `longhand.resume` can continue the run.
        options: options of `longhand train`, with underscores: hidden=256, lr=0.002, ... See `longhand.options`.
            (`baseline` is off by default.)

    Returns:
        A TrainingResult.

    Raises:
        TypeError: unknown option. The message suggests the most similar name.
        OptionError, InputError: invalid options or data. Nothing has been written.
        DivergenceError: the loss became NaN or infinite.
        KeyboardInterrupt: after Ctrl-C. The checkpoint has been written; `longhand.resume` continues from it.
    """
    if task not in TASKS:
        raise OptionError(f"task: expected one of {', '.join(TASKS)}, found {task!r}", "name one of these")
    names = check_names("train", options, [each["name"] for each in _table(task)])
    given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
    memory: dict[str, bytes] = {}
    for name, value in (("data", data), ("valid", valid), ("test", test)):
        if value is not None:
            given[name] = as_source(task, name, value, memory)
    if task == "network" and given.get("data", "").startswith(MEMORY) and isinstance(data, tuple):
        given.setdefault("input", "x")
        given.setdefault("target", "y")
    folder = os.fspath(out) if out is not None else _new_folder(task, given.get("data", ""))
    listener = _Listener(progress, callbacks)
    return _run(
        task, folder, given, memory, listener, overwrite=overwrite, config=os.fspath(config) if config else ""
    )


def resume(
    path: Path,
    *,
    data: Any = None,
    valid: Any = None,
    test: Any = None,
    progress: _progress.Progress = True,
    callbacks: Callback | Iterable[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Resumes an interrupted run from its checkpoint. The model is bit-identical to that of an uninterrupted run.

    Args:
        path: folder of the run.
        data, valid, test: the same data as before; required if the run was trained on data from memory.
        progress, callbacks: as for `train`.
        options: new values of options that may change: epochs, patience, threads, checkpoint_seconds, baseline.

    Returns:
        A TrainingResult.

    Raises:
        FileNotFoundError: the folder does not exist.
        OptionError: an option may not change.
        InputError: the data are missing or differ.
        TypeError, DivergenceError, KeyboardInterrupt: as for `train`.
    """
    folder = os.fspath(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(2, "expected the folder of a run, found none", folder)
    task = _task_of(folder)
    names = check_names("resume", options, [each["name"] for each in _table(task)])
    given = {dashed: options_text(name, options[name]) for name, dashed in names.items()}
    memory: dict[str, bytes] = {}
    for name, value in (("data", data), ("valid", valid), ("test", test)):
        if value is not None:
            given[name] = as_source(task, name, value, memory)
    if not memory and data is None and _was_in_memory(folder):
        raise InputError(f"{folder}: was trained on data from memory", "give the same `data` (and valid, test) again")
    return _run(task, folder, given, memory, _Listener(progress, callbacks), resume=True)


_VERBS = {"language model": "lm", "tagger": "tagger", "classifier": "classifier", "regressor": "regressor"}


def _task_of(folder: str) -> str:
    return _VERBS.get(load(folder).task, "network")


def _was_in_memory(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "config.toml"), encoding="utf-8") as file:
            return any(line.startswith((f"data = '{MEMORY}", f'data = "{MEMORY}')) for line in file)
    except FileNotFoundError:
        return False


