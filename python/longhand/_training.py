"""Training, with the options of the command line."""

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
from ._models import Path, load

TASKS = ("lm", "tagger", "classifier", "regressor", "network")
_DATA = ("data", "valid", "test")

Callback = Callable[[dict[str, Any]], Any]
History = dict[str, NDArray[Any]]


@functools.lru_cache(maxsize=None)
def _table(task: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(_core.training_options(task)))


def options(task: str) -> dict[str, dict[str, Any]]:
    """The options of a training by name: `kind`, `default`, `help`, `range`, `group`, and `may_change` in a run that is
    resumed. `task` is "lm", "tagger", "classifier", "regressor" or "network".
    """
    return {each["name"].replace("-", "_"): {k: v for k, v in each.items() if k != "name"} for each in _table(task)}


def check_names(function: str, given: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The names of the options that are given and not None, as Python and as the command line write them."""
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
    """The figures of each evaluation of a run, from its metrics.jsonl, as arrays by name; NaN where one is missing."""
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
    """What a training left: a folder with the model and the report, the figures, and the model itself.

    Attributes:
        path: the folder of the run; `longhand.load` reads the model in it.
        metrics: the figures at the end by name: "train_loss", "valid_perplexity", "test_accuracy", ...
        outcome: "finished", "out of patience", or "interrupted" where a callback stopped it.
        epochs, steps, seconds: how much was trained.
        best_epoch: the epoch whose model was kept.
        diverged: whether the loss has grown by an order of magnitude.
    """

    def __init__(self, path: str, found: dict[str, Any]) -> None:
        self.path = path
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
        """The model: of the best epoch, or the last where nothing is held out."""
        return load(self.path)

    @functools.cached_property
    def history(self) -> History:
        """The figures of each evaluation by name: "epoch", "step", "train_loss", "valid_loss", "learning_rate",
        "gradient_norm", ...: arrays [evaluations].
        """
        return read_history(self.path)

    @property
    def report(self) -> str:
        """The path of the report, an HTML page."""
        return os.path.join(self.path, "report.html")

    def _repr_html_(self) -> str:
        with open(self.report, encoding="utf-8") as file:
            return inline_page(file.read())

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<longhand.TrainingResult {self.path!r}: {self.outcome} after {self.epochs} epochs; {figures}>"


def inline_page(page: str, height: int = 640) -> str:
    """A whole page inside another, such as a notebook."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" style="width: 100%; height: {height}px; border: 0" '
        'sandbox="allow-scripts"></iframe>'
    )


class _Listener:
    """Receives what the training says, and passes it on to the progress and to callbacks."""

    def __init__(self, progress: _progress.Progress, callbacks: Iterable[Callback]) -> None:
        self.shown = _progress.make(progress)
        self.callbacks = list(callbacks)
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
            self.shown.note(f"note: {what}")
        elif kind == "data":
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
    return TrainingResult(folder, found)


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
    callbacks: Iterable[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Trains a model into a folder. The same options and seed give the same bits as `longhand train` does.

    Args:
        task: "lm", "tagger", "classifier", "regressor" or "network".
        data: a path, an open file, the name of a data set, or the data:
            "lm": a list of texts, which are lines of one text;
            "classifier": a list of (text, label) pairs, a tuple of texts and labels, or a DataFrame;
            "tagger": a list of sentences, each a list of (word, tag) pairs;
            "regressor": a DataFrame, or an array [rows, columns], whose columns are called "x1", "x2", ...;
            "network": a DataFrame, arrays by name, or a tuple of arrays (inputs, targets), which are called x and y,
            [sequences, steps, numbers].
        valid, test: held-out and test data of the same kind.
        out: folder to create; None: one below runs/.
        overwrite: replace the run in `out`.
        config: TOML file of options; those given here override it.
        progress: True: a bar of tqdm where that is installed, otherwise lines; "tqdm", "lines"; False: nothing.
        callbacks: functions that are called after each evaluation with its figures, as in metrics.jsonl; one that
            returns something true stops the training, whose best model is kept, and which can be resumed.
        options: those of `longhand train`, with underscores: hidden=256, lr=0.002, ...; see `longhand.options`. (`baseline`
            is off unless it is set.)

    Raises:
        TypeError: for an unknown option, which names the nearest.
        OptionError, InputError: for options and data at fault, before anything is written.
        DivergenceError: where the loss is no longer finite.
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written; `longhand.resume` goes on from it.
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
    callbacks: Iterable[Callback] = (),
    **options: Any,
) -> TrainingResult:
    """Continues the run in a folder with its options, to the same bits as if it had not been interrupted.

    Args:
        path: the folder.
        data, valid, test: the same data as before, which a run on data from memory needs.
        options: those that may change: epochs, patience, threads, checkpoint_seconds, baseline.

    Raises:
        As `train`; OptionError for an option that cannot change, InputError for other data.
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
            return any(line.startswith(f'data = "{MEMORY}') for line in file)
    except FileNotFoundError:
        return False


