"""Conversion of NumPy and pandas data to tables of named columns, oldest row first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

Columns = dict[str, Any]


class Table(NamedTuple):
    """A table of named columns."""

    kind: str  #: "vector" [rows], "array" [rows, columns], "Series" or "DataFrame"
    columns: Columns  #: arrays [rows] by name
    index: Any  #: the pandas index; None for arrays

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def numbers(self, names: Sequence[str], where: str) -> NDArray[np.float64]:
        """Returns the columns `names` as float64 [rows, columns].

        Raises:
            ValueError: a column is missing, not numeric, or contains NaN or infinity.
        """
        out = []
        for name in names:
            self._check_has(name, where)
            column = np.asarray(self.columns[name])
            if column.dtype.kind not in "fiub":
                try:
                    column = column.astype(np.float64)
                except (TypeError, ValueError):
                    raise ValueError(
                        f"{where}: expected numbers in the column {name!r}, found {column.dtype}\n"
                        "leave the column out, or make it the index"
                    ) from None
            finite = np.isfinite(column)
            if not finite.all():
                row = int(np.argmin(finite))
                found = "NaN" if np.isnan(column[row]) else "infinity"
                raise ValueError(
                    f"Input {where} contains {found}: in the column {name!r}, row {row}\n"
                    "fill the gaps before, for example with DataFrame.interpolate"
                )
            out.append(column.astype(np.float64))
        return np.stack(out, axis=1) if out else np.zeros((len(self), 0))

    def texts(self, names: Sequence[str], where: str) -> list[list[str]]:
        """Returns the values of the columns `names` in each row, as strings. Raises ValueError if one is missing."""
        for name in names:
            self._check_has(name, where)
        return [[str(value) for value in row] for row in zip(*(self.columns[name] for name in names))]

    def _check_has(self, name: str, where: str) -> None:
        if name not in self.columns:
            raise ValueError(f"{where}: expected a column {name!r}, found {', '.join(map(repr, self.columns))}")

    def data(self, names: Sequence[str]) -> Any:
        """Returns the data for `longhand.train`: a DataFrame of the columns `names`; for array data an array of all
        columns.
        """
        if self.index is None:
            return np.stack([self.columns[name] for name in self.columns], axis=1)
        import pandas

        return pandas.DataFrame({name: np.asarray(self.columns[name]) for name in names})


def read_table(data: Any, where: str) -> Table:
    """Converts a Series, a DataFrame, an array [rows] or an array [rows, columns] to a Table. The columns of an array
    get the names "1", "2", ...

    Raises:
        ValueError: other types or shapes, no rows or columns, duplicate column names, or names that are empty or
            contain a comma.
    """
    if data is None or isinstance(data, str):
        raise ValueError(f"{where}: expected a Series, a DataFrame or an array, found {type(data).__name__}")
    if type(data).__name__ == "Series" and hasattr(data, "to_frame"):
        table = Table("Series", {"y" if data.name is None else str(data.name): data.to_numpy()}, data.index)
    elif type(data).__name__ == "DataFrame" and hasattr(data, "to_csv"):
        names = [str(name) for name in data.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"{where}: expected columns of different names, found {', '.join(map(repr, names))}")
        table = Table("DataFrame", {name: data.iloc[:, i].to_numpy() for i, name in enumerate(names)}, data.index)
    else:
        array = check_array(data, dtype=np.float64, ensure_2d=False, input_name=where)
        if array.ndim not in (1, 2):
            raise ValueError(f"{where}: expected an array [rows] or [rows, columns], found {list(array.shape)}")
        columns = array[:, None] if array.ndim == 1 else array
        named = {str(i + 1): columns[:, i] for i in range(columns.shape[1])}
        table = Table("vector" if array.ndim == 1 else "array", named, None)
    if not table.columns or len(table) == 0:
        raise ValueError(f"Found array with 0 sample(s) while a minimum of 1 is required: {where} has no rows or columns")
    for name in table.columns:
        if not name or "," in name:
            raise ValueError(f"{where}: expected column names without commas, found {name!r}\nrename the column")
    return table


def check_increasing(table: Table, where: str, several: bool) -> None:
    """Raises a ValueError if the times of one series, a DatetimeIndex or PeriodIndex, do not increase."""
    if several or table.index is None:
        return
    import pandas

    index = table.index
    if not isinstance(index, (pandas.DatetimeIndex, pandas.PeriodIndex)):
        return
    if not (index.is_monotonic_increasing and index.is_unique):
        raise ValueError(f"{where}: expected an index of increasing times, found others\nsort the rows: data.sort_index()")


def check_follows(table: Table, index: Any, where: str, several: bool) -> None:
    """Raises a ValueError if `table` has an index of times that does not begin after the last time of `index`."""
    if several or index is None or table.index is None:
        return
    import pandas

    times = (pandas.DatetimeIndex, pandas.PeriodIndex)
    if not isinstance(index, times) or not isinstance(table.index, times):
        return
    check_increasing(table, where, several)
    after = index_after(index, 1)
    if type(table.index) is type(after) and table.index[0] != after[0]:
        raise ValueError(f"{where}: expected rows from {after[0]} on, found {table.index[0]}\ngive the rows after X")


def index_after(index: Any, steps: int) -> Any:
    """Continues a pandas index by `steps` labels. Returns 1, 2, ... if the index has no regular step."""
    import pandas

    plain = pandas.RangeIndex(1, steps + 1, name="step")
    if isinstance(index, pandas.PeriodIndex):
        return pandas.period_range(index[-1] + 1, periods=steps, freq=index.freq, name=index.name)
    if isinstance(index, pandas.DatetimeIndex):
        freq = index.freq or (pandas.infer_freq(index) if len(index) > 2 else None)
        if freq is None:
            return plain
        return pandas.date_range(index[-1], periods=steps + 1, freq=freq, name=index.name)[1:]
    if pandas.api.types.is_integer_dtype(index.dtype) and len(index) > 1:
        step = index[-1] - index[-2]
        if step != 0 and (np.diff(index) == step).all():
            return pandas.RangeIndex(index[-1] + step, index[-1] + (steps + 1) * step, step, name=index.name)
    return plain
