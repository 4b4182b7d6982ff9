"""Models that read sequences as they come, a time step after the other, over NumPy arrays without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core


class Stream:
    """One sequence, read as it comes. `Model.stream` makes it. For one thread at a time.

    A model of numbers reads float32 arrays that are C-contiguous; a model of symbols reads the symbols' numbers. Arrays
    are read and written where they are: with `out` a step allocates nothing.
    """

    def __init__(self, core: _core.Model) -> None:
        self._stream = _core.Stream(core)

    @property
    def inputs(self) -> int:
        """Numbers of a step; 0: a step is a symbol."""
        return self._stream.inputs

    @property
    def outputs(self) -> int:
        """Numbers that a step writes."""
        return self._stream.outputs

    def step(self, x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Reads one step.

        Args:
            x: float32 [inputs] in the units of the training data, or the number of a symbol.
            out: float32 [outputs] to write to; None: a new array.

        Returns:
            float32 [outputs]: predictions in the units of the training data; of a language model the logits of the next
            symbol.

        Raises:
            TypeError: for another element type.
            ValueError: for another shape or other strides, NaN or infinity, and a symbol that the model lacks.
            RuntimeError: while another thread uses the stream.
        """
        return self._stream.step(x, out)

    def process(self, x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """`n` steps in one call, with the same results: x float32 [n, inputs], or symbols int32 [n]; out float32
        [n, outputs]. Raises what `step` raises; of symbols, those before one that the model lacks have been read.
        """
        return self._stream.process(x, out)

    def reset(self) -> None:
        """Forgets what was read."""
        self._stream.reset()

    def use_fast_activations(self, fast: bool = True) -> None:
        """From now on sigmoids have errors of at most 8e-6 and tanh of at most 1.6e-5, in less time; or none again."""
        self._stream.use_fast_activations(fast)

    @property
    def state_size(self) -> int:
        return self._stream.state_size

    @property
    def state(self) -> NDArray[np.float32]:
        """What the stream remembers, float32 [state_size], copied; assign such an array to go on from there."""
        return self._stream.get_state()

    @state.setter
    def state(self, state: NDArray[np.float32]) -> None:
        self._stream.set_state(state)


class Streams:
    """Independent sequences that are advanced together: a step of many takes less time than their steps one by one.
    `Model.streams` makes it. For one thread at a time.
    """

    def __init__(self, core: _core.Model, capacity: int, threads: int = 1) -> None:
        self._streams = _core.Streams(core, capacity, threads)

    @property
    def capacity(self) -> int:
        """Sequences that can be open at the same time."""
        return self._streams.capacity

    @property
    def inputs(self) -> int:
        """Numbers of a step; 0: a step is a symbol."""
        return self._streams.inputs

    @property
    def outputs(self) -> int:
        """Numbers that a step writes."""
        return self._streams.outputs

    def open(self) -> int:
        """Begins a sequence and returns its number, below `capacity`. Raises RuntimeError where there is no room."""
        return self._streams.open()

    def close(self, stream: int) -> None:
        """Ends a sequence; its number may be given out again. Raises ValueError for one that is not open."""
        self._streams.close(stream)

    def reset(self, stream: int) -> None:
        """Begins a sequence anew. Raises ValueError for one that is not open."""
        self._streams.reset(stream)

    def step(self, streams: NDArray[np.int64], x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """One step of each of the sequences named.

        Args:
            streams: int64 [n] numbers of open sequences, each once.
            x: float32 [n, inputs], or symbols int32 [n].
            out: float32 [n, outputs] to write to; None: a new array.

        Returns:
            float32 [n, outputs]

        Raises:
            TypeError, ValueError: as Stream.step, and for a sequence that is not open or named twice.
        """
        return self._streams.step(streams, x, out)

    @property
    def state_size(self) -> int:
        return self._streams.state_size

    def get_state(self, stream: int) -> NDArray[np.float32]:
        """What a sequence remembers, float32 [state_size], copied."""
        return self._streams.get_state(stream)

    def set_state(self, stream: int, state: NDArray[np.float32]) -> None:
        """Goes on from a state, float32 [state_size]."""
        self._streams.set_state(stream, state)
