"""LSTM sequence models: trained on processors, examined, and shipped."""

from ._core import version as __version__

__all__ = ["__version__"]
