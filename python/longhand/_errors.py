"""Exceptions for errors that a user can fix. The message has two lines: the problem, and what to do."""

from __future__ import annotations

import re


def _python_names(text: str) -> str:
    """Replaces `clip-norm` by `clip_norm` in option names between backticks."""
    return re.sub(r"`[a-z0-9]+(?:-[a-z0-9]+)+`", lambda found: found.group().replace("-", "_"), text)


class Error(ValueError):
    """Invalid data, file or option. Base class of the package's errors.

    Attributes:
        problem: first line of the message: where the error is, what was expected and what was found.
        advice: second line of the message: what to do; may be empty.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem = _python_names(problem)
        self.advice = _python_names(advice)
        super().__init__(self.problem + ("\n" + self.advice if self.advice else ""))

    def __reduce__(self) -> tuple[type[Error], tuple[str, str]]:
        return type(self), (self.problem, self.advice)


class InputError(Error):
    """Invalid data or file."""


class OptionError(Error):
    """Invalid option or combination of options."""


class DivergenceError(InputError):
    """The loss or the gradient became NaN or infinite during training."""
