"""`longhand.torch.LSTM`: `torch.nn.LSTM` computed by Longhand on the CPU, with options that PyTorch's has not.

Needs PyTorch 2.1 or later, which Longhand does not install: `pip install longhand[torch]`.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("longhand.torch needs PyTorch, which is not installed: pip install longhand[torch]") from error

from ._checks import TensorError, TensorTypeError
from ._lstm import LSTM

__all__ = ["LSTM", "TensorError", "TensorTypeError"]
