"""Errors that a user can fix: what was wrong in one line, what to do in the next."""

from __future__ import annotations

import re


def _python_names(text: str) -> str:
    """Writes the names of options, which errors put between backticks, as Python does: `clip_norm`."""
    return re.sub(r"`[a-z0-9]+(?:-[a-z0-9]+)+`", lambda found: found.group().replace("-", "_"), text)


class Error(ValueError):
    """A fault of the data, of a file or of an option.

    Attributes:
        problem: what is wrong, where, what was expected and what was found.
        advice: what to do.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem = _python_names(problem)
        self.advice = _python_names(advice)
        super().__init__(self.problem + ("\n" + self.advice if self.advice else ""))

    def __reduce__(self) -> tuple[type[Error], tuple[str, str]]:
        return type(self), (self.problem, self.advice)


class InputError(Error):
    """A file or the data are at fault."""


class OptionError(Error):
    """An option, or a combination of options, is at fault."""


class DivergenceError(InputError):
    """A training whose loss or gradient is no longer finite."""
