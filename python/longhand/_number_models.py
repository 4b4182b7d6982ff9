"""Models of numbers: forecasters and networks of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._data import is_frame
from ._errors import InputError
from ._model import Model


class Forecast(NamedTuple):
    """A forecast: `values` [ahead, targets] in the units of the training data, and `quantiles` {level: array of the
    same shape}.
    """

    values: NDArray[np.float64]
    quantiles: dict[float, NDArray[np.float64]]


class Regressor(Model):
    """A regressor or forecaster: predicts target columns from a window of rows of a table."""

    _verb = "regressor"

    def __init__(self, core: _core.Model) -> None:
        super().__init__(core)
        self._forecasters: dict[int, _core.Forecaster] = {}

    def _forecaster(self, threads: int = 1) -> _core.Forecaster:
        if threads not in self._forecasters:
            self._forecasters[threads] = _core.Forecaster(self._core, threads)
        return self._forecasters[threads]

    @property
    def input_names(self) -> list[str]:
        """Names of the input columns."""
        return self._core.input_names

    @property
    def target_names(self) -> list[str]:
        """Names of the target columns."""
        return self._core.output_names[: self._forecaster().targets]

    @property
    def ahead(self) -> int:
        """Number of rows in a forecast; 1 for a model that predicts the targets in the last row of the window."""
        return self._forecaster().ahead

    @property
    def window(self) -> int:
        """Number of rows in a training window; 0: whole sequences."""
        return self._forecaster().window

    @property
    def known_names(self) -> list[str]:
        """Names of the columns with known future values."""
        return self._forecaster().known_names

    @property
    def static_names(self) -> list[str]:
        """Names of the static columns: one value per series."""
        return self._forecaster().static_names

    @property
    def has_quantiles(self) -> bool:
        """Whether the model forecasts a distribution, so that `predict` can return quantiles."""
        return self._forecaster().has_quantiles

    def _rows(self, data: Any, names: Sequence[str], name: str) -> NDArray[np.float64]:
        if is_frame(data):
            missing = [column for column in names if column not in data.columns]
            if missing:
                raise InputError(
                    f"{name}: expected the columns {', '.join(names)}, found none called {missing[0]!r}",
                    "give a DataFrame with these columns",
                )
            data = data[list(names)]
        array = np.asarray(data)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: expected an array of numbers, found {array.dtype}")
        if array.ndim == 1 and len(names) == 1:
            array = array[:, None]
        return np.ascontiguousarray(array, dtype=np.float64)

    def forecast(self, window: Any, threads: int = 1) -> NDArray[np.float64]:
        """Forecasts the targets from one or several windows.

        Args:
            window: one window, an array [rows, inputs] or DataFrame, oldest row first; or several windows: an array
                [windows, rows, inputs], or a list of arrays or DataFrames, which may differ in length. DataFrames must
                have the columns `input_names`. For a single input column the last axis may be omitted.
            threads: number of threads; 0: one per processor.

        Returns:
            float64 [ahead, targets] for one window, [windows, ahead, targets] for several.

        Raises:
            TypeError: the data are not numeric.
            ValueError: wrong number of columns, too few rows, NaN or infinity.
        """
        forecaster = self._forecaster(threads)
        names = self.input_names
        if self._is_one_window(window):
            one: NDArray[np.float64] = forecaster.forecast([self._rows(window, names, "window")])[0]
            return one
        return forecaster.forecast([self._rows(each, names, f"window[{i}]") for i, each in enumerate(window)])

    def _is_one_window(self, window: Any) -> bool:
        if is_frame(window) or not isinstance(window, (list, tuple)):
            return is_frame(window) or np.ndim(window) < 3
        first = window[0] if window else 0.0
        if is_frame(first):
            return False
        return np.ndim(first) < (1 if len(self.input_names) == 1 else 2)

    def predict(
        self,
        rows: Sequence[Any],
        *,
        known: Sequence[Any] | None = None,
        series: Sequence[str] | None = None,
        statics: Sequence[Sequence[object]] | None = None,
        levels: Sequence[float] = (),
        threads: int = 1,
    ) -> list[Forecast]:
        """Forecasts from n windows, with quantiles. Supports models with known and static columns.

        Args:
            rows: n windows, arrays [rows, inputs] or DataFrames, oldest row first.
            known: n arrays [rows + ahead, known columns]: the known columns for the window and the forecast rows.
            series: n names of series.
            statics: n lists with the values of the static columns.
            levels: quantile levels, each between 0 and 1.
            threads: number of threads; 0: one per processor.

        Returns:
            n Forecasts.

        Raises:
            TypeError: the data are not numeric.
            ValueError: wrong shape or number of windows, NaN or infinity, or an unsupported quantile level.
        """
        n = len(rows)
        for name, values in (("known", known), ("series", series), ("statics", statics)):
            if values is not None and len(values) != n:
                raise InputError(f"{name}: expected {n} values, one for each input, found {len(values)}", "give as many")
        arrays = [self._rows(each, self.input_names, f"rows[{i}]") for i, each in enumerate(rows)]
        ahead = [None if known is None else self._rows(known[i], self.known_names, f"known[{i}]") for i in range(n)]
        found = self._forecaster(threads).predict(
            arrays,
            ahead,
            [""] * n if series is None else [str(each) for each in series],
            [[]] * n if statics is None else [[str(value) for value in each] for each in statics],
            [float(level) for level in levels],
        )
        return [Forecast(values, dict(zip(map(float, levels), quantiles))) for values, quantiles in found]


class Network(Model):
    """A network of layers: imported from another program, or trained from a description in TOML."""

    _verb = "network"

    #: What `import_model` recognised, one line each.
    notes: list[str] = []

    @property
    def inputs(self) -> dict[str, list[int]]:
        """Shape of each input by name; -1 stands for any size."""
        return {name: dims for name, _, dims in _core.network_ports(self._core)[0]}

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return _core.network_ports(self._core)[1]

    def run(
        self,
        inputs: Any,
        *,
        lengths: ArrayLike | None = None,
        state: NDArray[np.float32] | None = None,
        return_state: bool = False,
        threads: int = 1,
    ) -> Any:
        """Runs the network on one sequence or a batch of sequences.

        Args:
            inputs: an array, or a dict of arrays by input name. One sequence: [steps, features...]; a batch:
                [sequences, steps, features...]. float32, float64 or integers.
            lengths: [sequences] number of time steps of each sequence in a padded batch. None: all steps.
            state: initial state, float32 [sequences, state_size]. None: the network's initial state.
            return_state: also return the final state.
            threads: number of threads; 0: one per processor.

        Returns:
            The output array, or a dict of arrays by name if there are several outputs. A single sequence has no batch
            axis. With `return_state`, a pair (outputs, state [sequences, state_size]).

        Raises:
            TypeError: wrong element type.
            ValueError: wrong shape, unknown input name, NaN or infinity.
        """
        given = dict(inputs) if isinstance(inputs, Mapping) else {next(iter(self.inputs)): inputs}
        arrays: dict[str, NDArray[Any]] = {}
        ports = self.inputs
        for name, value in given.items():
            if name not in ports:
                raise InputError(
                    f"inputs: expected arrays for {', '.join(ports)}, found one for {name!r}", "name the network's inputs"
                )
            array = np.asarray(value)
            if array.dtype.kind not in "fiub":
                raise TypeError(f"{name}: expected an array of numbers, found {array.dtype}")
            arrays[str(name)] = np.ascontiguousarray(array)
        if lengths is not None:
            found = np.asarray(lengths)
            if found.dtype.kind not in "iu" or found.ndim != 1:
                raise TypeError(
                    f"lengths: expected integers [sequences], found {found.dtype} {list(found.shape)}; give one number of "
                    "time steps per sequence"
                )
            arrays["lengths"] = np.ascontiguousarray(found, dtype=np.int64)
        outputs, last = _core.run_network(self._core, arrays, state, threads)
        answer = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        return (answer, last) if return_state else answer
