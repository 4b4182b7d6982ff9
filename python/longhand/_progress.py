"""Progress output of a training: a tqdm bar if tqdm is installed, otherwise one line per evaluation."""

from __future__ import annotations

import importlib.util
from typing import Any, Literal, Union

Progress = Union[bool, Literal["auto", "tqdm", "lines"]]


def _figures(evaluation: dict[str, Any]) -> list[tuple[str, float]]:
    names = ["train_loss"] + [name for name in evaluation if name.startswith("valid_") and "_cold_" not in name]
    return [(name, evaluation[name]) for name in names if isinstance(evaluation.get(name), float)]


class Quiet:
    """No output. Base class of the other displays."""

    def note(self, text: str) -> None:
        pass

    def step(self, epoch: int, epochs: int, index: int, steps: int, loss: float, per_second: float) -> None:
        pass

    def evaluation(self, evaluation: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class Lines(Quiet):
    """Prints notes, and one line per evaluation."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def evaluation(self, evaluation: dict[str, Any]) -> None:
        figures = "  ".join(f"{name} {value:.4g}" for name, value in _figures(evaluation))
        best = "  (best)" if evaluation["best"] else ""
        print(f"epoch {evaluation['epoch']}/{evaluation['epochs']}  {figures}{best}", flush=True)


class Bar(Quiet):
    """A tqdm progress bar, for terminals and notebooks."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=None, unit="step", dynamic_ncols=True)
        self._figures: dict[str, str] = {}

    def note(self, text: str) -> None:
        self._bar.write(text)

    def step(self, epoch: int, epochs: int, index: int, steps: int, loss: float, per_second: float) -> None:
        self._bar.total = epochs * steps
        self._bar.set_description(f"epoch {epoch}/{epochs}", refresh=False)
        self._figures["train_loss"] = f"{loss:.4g}"
        self._bar.set_postfix(self._figures, refresh=False)
        self._bar.update((epoch - 1) * steps + index - self._bar.n)

    def evaluation(self, evaluation: dict[str, Any]) -> None:
        self._bar.set_description(f"epoch {evaluation['epoch']}/{evaluation['epochs']}", refresh=False)
        self._figures = {name: f"{value:.4g}" for name, value in _figures(evaluation)}
        self._bar.set_postfix(self._figures)

    def close(self) -> None:
        if self._bar.total:
            self._bar.update(self._bar.total - self._bar.n)
        self._bar.close()


def make(progress: Progress) -> Quiet:
    """Returns the display for `progress`. True and "auto": Bar if tqdm is installed, otherwise Lines.

    Raises:
        ValueError: unknown value.
    """
    if progress is False:
        return Quiet()
    if progress not in (True, "auto", "tqdm", "lines"):
        raise ValueError(f"progress: expected True, False, 'tqdm' or 'lines', found {progress!r}")
    if progress == "lines" or (progress != "tqdm" and importlib.util.find_spec("tqdm") is None):
        return Lines()
    return Bar()
