"""Checks of the arguments of `LSTM` and `LSTM.forward`, and their exceptions."""

from __future__ import annotations

from typing import Any, NoReturn, Optional, Sequence

import torch
from torch import Tensor

from longhand import _errors

SUPPORTED = (torch.float32, torch.float64)


class TensorError(_errors.InputError, RuntimeError):
    """Wrong shape or value. A ValueError and a RuntimeError, since `torch.nn.LSTM` raises one or the other."""


class TensorTypeError(_errors.InputError, TypeError, RuntimeError):
    """Wrong type, dtype or device."""


def fail(what: str, expected: str, found: str, advice: str) -> NoReturn:
    raise TensorError(f"longhand.torch.LSTM: {what}: expected {expected}, found {found}", advice)


def fail_type(what: str, expected: str, found: str, advice: str) -> NoReturn:
    raise TensorTypeError(f"longhand.torch.LSTM: {what}: expected {expected}, found {found}", advice)


def check_supported(device: torch.device, dtype: torch.dtype, what: str) -> None:
    """Raises TensorTypeError unless the device is the CPU and the dtype float32 or float64."""
    if device.type != "cpu":
        fail_type(what, "a tensor on the CPU, where Longhand computes", f"one on {device}",
                  "move the module and its input with .cpu(), or use torch.nn.LSTM there, which has the same state_dict")
    if dtype not in SUPPORTED:
        fail_type(what, "float32 or float64", str(dtype).removeprefix("torch."), "convert it with .float()")


def check_tensor(value: object, what: str, like: Tensor) -> Tensor:
    """Returns `value`. Raises TensorTypeError unless it is a dense CPU tensor with the dtype of `like`, a weight."""
    if not isinstance(value, Tensor):
        fail_type(what, "a torch.Tensor", type(value).__name__, "convert it with torch.as_tensor")
    check_supported(value.device, value.dtype, what)
    if value.dtype != like.dtype:
        fail_type(what, f"{like.dtype}, as the weights have".removeprefix("torch."),
                  str(value.dtype).removeprefix("torch."),
                  f"convert it with .to({like.dtype}), or the module with .to({value.dtype})")
    if value.layout != torch.strided:
        fail_type(what, "a dense tensor", str(value.layout), "convert it with .to_dense()")
    return value


def check_shape(value: Tensor, shape: Sequence[int], names: str, what: str) -> None:
    if tuple(value.shape) != tuple(shape):
        fail(what, f"shape {tuple(shape)} ({names})", str(tuple(value.shape)), "correct the shape")


def check_lengths(lengths: Any, batch: int, steps: int) -> Optional[list[int]]:
    """Returns `lengths` as a list of `batch` integers, each 0 to `steps`; None if all are equal to `steps`."""
    if not isinstance(lengths, Tensor):
        try:
            lengths = torch.as_tensor(lengths)
        except (TypeError, ValueError, RuntimeError):
            fail_type("lengths", "a tensor or list of integers", type(lengths).__name__, "give one length a sequence")
    if lengths.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        fail_type("lengths", "integers", str(lengths.dtype).removeprefix("torch."), "convert them with .long()")
    if tuple(lengths.shape) != (batch,):
        fail("lengths", f"shape ({batch},), a length for each sequence", str(tuple(lengths.shape)), "correct the shape")
    out: list[int] = lengths.tolist()
    for i, length in enumerate(out):
        if not 0 <= length <= steps:
            fail(f"lengths[{i}]", f"0 to {steps}, the number of time steps of the input", str(length),
                 "correct the lengths, or pad the input")
    return None if all(length == steps for length in out) else out


def check_probability(value: Any, name: str) -> float:
    """Returns `value` as a float in [0, 1). 1 is excluded, since dropout scales by 1 / (1 - p)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        fail_type(name, "a number", type(value).__name__, "give a probability")
    if not 0.0 <= value < 1.0:
        fail(name, "a probability from 0 to less than 1", str(value), "correct the number")
    return float(value)
