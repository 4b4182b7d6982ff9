"""`longhand.torch.LSTM`: a CPU implementation of `torch.nn.LSTM` with additional regularisation options.

Requires PyTorch 2.1 or later, which `pip install longhand` does not install: `pip install longhand[torch]`.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("longhand.torch needs PyTorch, which is not installed: pip install longhand[torch]") from error

from ._checks import TensorError, TensorTypeError
from ._lstm import LSTM

__all__ = ["LSTM", "TensorError", "TensorTypeError"]
