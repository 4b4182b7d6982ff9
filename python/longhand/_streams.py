"""Step-by-step inference on NumPy arrays, without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core


class Stream:
    """Runs a model step by step on one sequence and keeps its recurrent state. Made by `Model.stream`. Not thread-safe.

    Numeric inputs are C-contiguous float32 arrays; a model of symbols reads symbol indices. Arrays are not copied. With
    `out`, a step allocates no memory.
    """

    def __init__(self, core: _core.Model) -> None:
        self._stream = _core.Stream(core)

    @property
    def inputs(self) -> int:
        """Number of input features per step; 0 for a model of symbols, which reads one symbol index per step."""
        return self._stream.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs per step."""
        return self._stream.outputs

    def step(self, x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Runs one time step.

        Args:
            x: float32 [inputs] in the units of the training data, or a symbol index.
            out: float32 [outputs] that receives the result. None: a new array.

        Returns:
            float32 [outputs]: predictions in the units of the training data, or the logits of the next symbol for a
            language model. `out`, if given.

        Raises:
            TypeError: wrong element type.
            ValueError: wrong shape, not C-contiguous, NaN or infinity, or symbol index out of range.
            RuntimeError: another thread is using the stream.
        """
        return self._stream.step(x, out)

    def process(self, x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Runs n time steps. The results are the same as those of n calls of `step`.

        Args:
            x: float32 [n, inputs], or symbol indices int32 [n].
            out: float32 [n, outputs] that receives the results. None: a new array.

        Returns:
            float32 [n, outputs]; `out`, if given.

        Raises:
            TypeError, ValueError, RuntimeError: as for `step`. After an error for a symbol index out of range, the
                symbols before it have been processed.
        """
        return self._stream.process(x, out)

    def reset(self) -> None:
        """Resets the recurrent state to the initial state."""
        self._stream.reset()

    def use_fast_activations(self, fast: bool = True) -> None:
        """Switches to faster approximations of sigmoid (maximum error 8e-6) and tanh (maximum error 1.6e-5).

        Args:
            fast: False switches back to the exact functions.
        """
        self._stream.use_fast_activations(fast)

    @property
    def state_size(self) -> int:
        """Number of elements of the recurrent state of one sequence."""
        return self._stream.state_size

    @property
    def state(self) -> NDArray[np.float32]:
        """A copy of the recurrent state, float32 [state_size]. Assign such an array to restore the state."""
        return self._stream.get_state()

    @state.setter
    def state(self, state: NDArray[np.float32]) -> None:
        self._stream.set_state(state)


class Streams:
    """Runs a model on many independent sequences in batched steps, which are faster than single steps of a Stream each.
    Made by `Model.streams`. Not thread-safe.
    """

    def __init__(self, core: _core.Model, capacity: int, threads: int = 1) -> None:
        self._streams = _core.Streams(core, capacity, threads)

    @property
    def capacity(self) -> int:
        """Maximum number of open sequences."""
        return self._streams.capacity

    @property
    def inputs(self) -> int:
        """Number of input features per step; 0 for a model of symbols, which reads one symbol index per step."""
        return self._streams.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs per step."""
        return self._streams.outputs

    def open(self) -> int:
        """Opens a sequence in the initial state and returns its id, 0 to `capacity` - 1.

        Raises:
            RuntimeError: `capacity` sequences are open.
        """
        return self._streams.open()

    def close(self, stream: int) -> None:
        """Closes a sequence; `open` may return its id again. Raises ValueError if the sequence is not open."""
        self._streams.close(stream)

    def reset(self, stream: int) -> None:
        """Resets a sequence to the initial state. Raises ValueError if the sequence is not open."""
        self._streams.reset(stream)

    def step(self, streams: NDArray[np.int64], x: Any, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Runs one time step of n sequences. The other sequences keep their state.

        Args:
            streams: int64 [n] ids of open sequences, without duplicates.
            x: float32 [n, inputs], or symbol indices int32 [n]; row i belongs to `streams[i]`.
            out: float32 [n, outputs] that receives the results. None: a new array.

        Returns:
            float32 [n, outputs]; `out`, if given.

        Raises:
            TypeError, RuntimeError: as for `Stream.step`.
            ValueError: as for `Stream.step`, and for an id that is not open or occurs twice.
        """
        return self._streams.step(streams, x, out)

    @property
    def state_size(self) -> int:
        """Number of elements of the recurrent state of one sequence."""
        return self._streams.state_size

    def get_state(self, stream: int) -> NDArray[np.float32]:
        """Returns a copy of the recurrent state of a sequence, float32 [state_size]."""
        return self._streams.get_state(stream)

    def set_state(self, stream: int, state: NDArray[np.float32]) -> None:
        """Sets the recurrent state of a sequence, float32 [state_size]."""
        self._streams.set_state(stream, state)
