"""Time series forecasting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from .._number_models import Forecast
from ._base import TrainedEstimator
from ._tables import Table, check_follows, check_increasing, index_after, read_table

Names = Union[str, Sequence[str], None]

_DISTRIBUTIONS = ("gaussian", "quantiles", "negative-binomial", "point")
_RESIDUALS = (None, "none", "linear", "naive", "seasonal")


class _Series(NamedTuple):
    """One time series, or the last window of it."""

    name: str  #: empty if there is only one series
    rows: NDArray[np.float64]  #: [rows, inputs]
    known: NDArray[np.float64]  #: [rows, known columns]
    statics: list[str]
    targets: NDArray[np.float64]  #: [rows, targets]


class LSTMForecaster(TrainedEstimator):
    """LSTM forecaster for one or several time series, with prediction intervals.

    Reads a window of rows and forecasts the `horizon` rows after it, with the model of `longhand.train("regressor")`.
    Works with `TimeSeriesSplit`.

    Args:
        horizon: number of rows to forecast.
        window: number of input rows. 0: all rows of the series.
        target: columns to forecast. None: all except `known`, `static` and `series`.
        inputs: input columns. None: all except `known`, `static` and `series`.
        known: columns with known future values; `predict` takes these as `future`.
        static: columns with one value per series, numbers or strings.
        series: column with the series name of each row. None: one series.
        distribution: predictive distribution: "gaussian", "quantiles", "negative-binomial" (counts), or "point" (no
            intervals).
        coverage: coverage probability of the prediction intervals, in (0, 1), calibrated on the held-out rows.
        residual_of: baseline forecast; the network learns its residuals: "linear", "naive" or "seasonal". None: none.
        season: season length in rows, for residual_of="seasonal".
        hidden: number of hidden units per layer. None: 64.
        layers: number of LSTM layers.
        dropout: dropout probability at the input, between the layers, and at the output. None: 0.
        epochs: number of epochs. None: 20.
        batch: number of windows per update. None: 32.
        lr: learning rate of Adam. None: 0.002.
        valid_fraction: fraction of the rows, at the end of the data, for validation. If > 0, the model of the best
            epoch is kept. None: 0.1.
        patience: number of epochs without improvement on the validation rows before training stops. 0: no early
            stopping.
        random_state: seed of `longhand.train`.
        n_jobs: number of threads. None: 1; -1: one per processor.
        verbose: show training progress.
        options: additional options of `longhand.train("regressor")`, for example {"difference": True}.

    Attributes:
        model_: the trained `longhand.Regressor`.
        target_names_, input_names_: names of the target and input columns.
        history_, metrics_: metrics of each evaluation, and final metrics.
        n_iter_: number of epochs trained.

    >>> wave = np.sin(np.arange(400) / 5)
    >>> LSTMForecaster(horizon=10, random_state=0).fit(wave).predict().shape
    (10,)
    """

    def __init__(
        self,
        horizon: int = 1,
        *,
        window: int = 24,
        target: Names = None,
        inputs: Names = None,
        known: Names = None,
        static: Names = None,
        series: str | None = None,
        distribution: str = "gaussian",
        coverage: float = 0.8,
        residual_of: str | None = None,
        season: int = 0,
        hidden: int | None = None,
        layers: int = 1,
        dropout: float | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        valid_fraction: float | None = None,
        patience: int = 0,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.horizon = horizon
        self.window = window
        self.target = target
        self.inputs = inputs
        self.known = known
        self.static = static
        self.series = series
        self.distribution = distribution
        self.coverage = coverage
        self.residual_of = residual_of
        self.season = season
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.valid_fraction = valid_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.options = options

    def fit(self, X: Any, y: None = None) -> LSTMForecaster:
        """Trains the forecaster.

        Args:
            X: past values, oldest row first: a Series, an array [rows], a DataFrame, or an array [rows, columns] with
                the column names "1", "2", ...
            y: ignored; present for compatibility with scikit-learn.

        Raises:
            ValueError: invalid data or parameters, too few rows, NaN or infinity.
        """
        if not isinstance(self.horizon, (int, np.integer)) or self.horizon < 1:
            raise ValueError(f"horizon: expected a number of rows from 1, found {self.horizon!r}")
        for name, values in (("distribution", _DISTRIBUTIONS), ("residual_of", _RESIDUALS)):
            if getattr(self, name) not in values:
                raise ValueError(f"{name}: expected one of {', '.join(map(repr, values))}, found {getattr(self, name)!r}")
        self.check_held_out()
        table = read_table(X, "X")
        check_increasing(table, "X", self.series is not None)
        self._choose_columns(table)
        series = self._series_of(table, "X")
        texts = ([self.series] if self.series is not None else []) + self._static
        used = [name for name in table.columns if name in {*self.input_names_, *self.target_names_, *self._known, *texts}]
        self.train_model("regressor", table.data(used), self._options())
        self._kind = table.kind
        self._index = table.index
        self._last = [self._end_of(each) for each in series]
        return self

    def _choose_columns(self, table: Table) -> None:
        self._known, self._static = _names(self.known), _names(self.static)
        others = {*self._known, *self._static, self.series}
        rest = [name for name in table.columns if name not in others]
        self.target_names_ = _names(self.target) or rest
        self.input_names_ = _names(self.inputs) or rest
        for name in (*self.target_names_, *self.input_names_, *self._known, *self._static):
            if name not in table.columns:
                raise ValueError(f"X: expected a column {name!r}, found {', '.join(map(repr, table.columns))}")

    def _options(self) -> dict[str, Any]:
        given = self.common_options()
        given |= {
            "horizon": self.horizon,
            "window": self.window,
            "inputs": ",".join(self.input_names_),
            "target": ",".join(self.target_names_),
            "output": self.distribution,
            "interval": self.coverage,
        }
        optional = {
            "known": ",".join(self._known),
            "static": ",".join(self._static),
            "series_column": self.series,
            "residual_of": self.residual_of,
            "season": self.season,
            "valid_fraction": self.valid_fraction,
        }
        return {**given, **{name: value for name, value in optional.items() if value not in (None, "")}}

    def _end_of(self, series: _Series) -> _Series:
        kept = slice(-self.window if self.window else None, None)
        return series._replace(rows=series.rows[kept], known=series.known[kept], targets=series.targets[kept])

    def _series_of(self, table: Table, where: str) -> list[_Series]:
        """Splits a table into its series, in order of first occurrence."""
        rows = table.numbers(self.input_names_, where)
        known = table.numbers(self._known, where)
        targets = table.numbers(self.target_names_, where)
        statics = table.texts(self._static, where) if self._static else [[]] * len(table)
        names = [row[0] for row in table.texts([self.series], where)] if self.series is not None else [""] * len(table)
        places: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            places.setdefault(name, []).append(i)
        return [_Series(name, rows[at], known[at], statics[at[0]], targets[at]) for name, at in places.items()]

    def _known_after(self, series: Sequence[_Series], future: Any, index: Any) -> list[NDArray[np.float64]]:
        """Returns the known columns of each series for the window and the forecast rows, [rows + horizon, columns]."""
        if not self._known:
            if future is not None:
                raise ValueError("future: expected None, since no columns are `known`")
            return []
        if future is None:
            raise ValueError(f"future: expected the next {self.horizon} rows of {', '.join(self._known)}, found none")
        table = read_table(future, "future")
        check_follows(table, index, "future", self.series is not None)
        values = table.numbers(self._known, "future")
        names = [row[0] for row in table.texts([self.series], "future")] if self.series is not None else [""] * len(table)
        out = []
        for each in series:
            ahead = values[[name == each.name for name in names]]
            if len(ahead) != self.horizon:
                where = f" of {each.name!r}" if each.name else ""
                raise ValueError(f"future: expected {self.horizon} rows{where}, found {len(ahead)}")
            out.append(np.concatenate([each.known, ahead]))
        return out

    def _forecast(
        self, series: Sequence[_Series], known: Sequence[NDArray[np.float64]], levels: Sequence[float] = ()
    ) -> list[Forecast]:
        found: list[Forecast] = self.model_.predict(
            [each.rows for each in series],
            known=known if self._known else None,
            series=[each.name for each in series] if self.series is not None else None,
            statics=[each.statics for each in series] if self._static else None,
            levels=levels,
            threads=self.threads(),
        )
        return found

    def _beginnings(self, X: Any) -> tuple[list[_Series], Any]:
        """Returns the last window of each series, and the pandas index of the data (None for arrays)."""
        check_is_fitted(self)
        if X is None:
            return self._last, self._index
        table = read_table(X, "X")
        series = self._series_of(table, "X")
        for each in series:
            if len(each.rows) < self.window:
                where = f" of {each.name!r}" if each.name else ""
                raise ValueError(f"X: expected at least window={self.window} rows{where}, found {len(each.rows)}")
        return [self._end_of(each) for each in series], table.index

    def _steps(self, horizon: int | None) -> int:
        if horizon is None:
            return int(self.horizon)
        if not isinstance(horizon, (int, np.integer)) or horizon < 1:
            raise ValueError(f"horizon: expected a number of rows from 1, found {horizon!r}")
        return int(horizon)

    def predict(self, horizon: int | None = None, X: Any = None, *, future: Any = None) -> Any:
        """Forecasts the next rows.

        Args:
            horizon: number of rows. None: `self.horizon`. A larger number is forecast recursively, with forecasts as
                inputs; this requires equal input and target columns, and no known columns.
            X: past values, at least `window` rows; the forecast starts after the last row. None: the data of `fit`.
            future: the `known` columns for the next rows. Required if there are known columns.

        Returns:
            An array [horizon] for data [rows], [horizon, targets] for data [rows, columns]. For pandas data a Series or
            DataFrame with the index continued. For several series a DataFrame with the index levels (`series`, "step").

        Raises:
            ValueError: invalid data or arguments, too few rows, NaN or infinity.
        """
        steps = self._steps(horizon)
        series, index = self._beginnings(X)
        if steps > self.horizon:
            self._check_can_go_on(steps)
        known = self._known_after(series, future, index)
        values = []
        for each, found in zip(series, self._forecast(series, known)):
            rows, out = each.rows, [found.values]
            while sum(map(len, out)) < steps:
                order = [self.target_names_.index(name) for name in self.input_names_]
                rows = np.concatenate([rows, out[-1][:, order]])
                out.append(self._forecast([each._replace(rows=rows)], [])[0].values)
            values.append(np.concatenate(out)[:steps])
        return self._shaped(series, index, [v[:, :, None] for v in values], [""])

    def _check_can_go_on(self, steps: int) -> None:
        if self._known or set(self.input_names_) != set(self.target_names_):
            raise ValueError(
                f"horizon: expected at most {self.horizon} rows, since columns are read that are not forecast, found {steps}\n"
                "fit with a larger horizon"
            )

    def predict_quantiles(
        self, levels: Sequence[float], horizon: int | None = None, X: Any = None, *, future: Any = None
    ) -> Any:
        """Forecasts quantiles of the next rows.

        Args:
            levels: quantile levels, each between 0 and 1.
            horizon: number of rows, at most `self.horizon`. None: `self.horizon`.
            X, future: as for `predict`.

        Returns:
            An array [horizon, levels] for data [rows], [horizon, targets, levels] for data [rows, columns]. For a
            Series a DataFrame with one column per level, for a DataFrame one with columns (target, level).

        Raises:
            ValueError: as for `predict`, or distribution="point".
        """
        levels = [float(level) for level in levels]
        if not levels or not all(0 < level < 1 for level in levels):
            raise ValueError(f"levels: expected numbers between 0 and 1, found {levels}")
        return self._distribution(levels, [f"{level:g}" for level in levels], horizon, X, future)

    def predict_interval(
        self, coverage: float | None = None, horizon: int | None = None, X: Any = None, *, future: Any = None
    ) -> Any:
        """Computes central prediction intervals for the next rows.

        Args:
            coverage: coverage probability, in (0, 1). None: `self.coverage`.
            horizon: number of rows, at most `self.horizon`. None: `self.horizon`.
            X, future: as for `predict`.

        Returns:
            Lower and upper bounds: an array [horizon, 2] for data [rows], [horizon, targets, 2] for data [rows,
            columns]. For a Series a DataFrame with the columns lower and upper, for a DataFrame one with columns
            (target, "lower") and (target, "upper").

        Raises:
            ValueError: as for `predict`, or distribution="point".
        """
        share = self.coverage if coverage is None else coverage
        if not 0 < share < 1:
            raise ValueError(f"coverage: expected a number between 0 and 1, found {share!r}")
        return self._distribution([(1 - share) / 2, (1 + share) / 2], ["lower", "upper"], horizon, X, future)

    def _distribution(
        self, levels: list[float], names: list[str], horizon: int | None, X: Any, future: Any
    ) -> Any:
        steps = self._steps(horizon)
        series, index = self._beginnings(X)
        if steps > self.horizon:
            raise ValueError(f"horizon: expected at most {self.horizon} rows, found {steps}\nfit with a larger horizon")
        if self.distribution == "point":
            raise ValueError("distribution='point': expected a forecast of a distribution\nfit with distribution='gaussian'")
        found = self._forecast(series, self._known_after(series, future, index), levels)
        values = [np.stack([each.quantiles[level] for level in levels], axis=-1)[:steps] for each in found]
        return self._shaped(series, index, values, names)

    def _shaped(
        self, series: Sequence[_Series], index: Any, values: Sequence[NDArray[np.float64]], names: Sequence[str]
    ) -> Any:
        """Converts values [steps, targets, names] of each series to the type of the training data. `names` = [""] drops
        the last axis.
        """
        first, is_plain = values[0], list(names) == [""]
        if index is None:
            out = first[:, 0] if self._kind == "vector" else first
            return out[..., 0] if is_plain else out
        import pandas

        columns: list[Any] = list(self.target_names_)
        if not is_plain:
            pairs = [(target, name) for target in columns for name in names]
            columns = list(names) if self._kind == "Series" else pairs
        frames = []
        for each, array in zip(series, values):
            after = pandas.RangeIndex(1, len(array) + 1, name="step") if self.series else index_after(index, len(array))
            frame = pandas.DataFrame(array.reshape(len(array), -1), index=after)
            frame.columns = pandas.MultiIndex.from_tuples(columns) if isinstance(columns[0], tuple) else columns
            if self.series:
                frame.index = pandas.MultiIndex.from_product([[each.name], after], names=[self.series, "step"])
            frames.append(frame)
        if self.series:
            return pandas.concat(frames)
        return frames[0].iloc[:, 0].rename(self.target_names_[0]) if is_plain and self._kind == "Series" else frames[0]

    def score(self, X: Any, y: None = None) -> float:
        """Returns R² of the forecasts from all windows of X, averaged over the targets.

        If the pandas index of X continues that of the data of `fit`, the first windows start in the data of `fit`.

        Raises:
            ValueError: X has fewer than `window` + `horizon` rows.
        """
        check_is_fitted(self)
        table = read_table(X, "X")
        series = self._series_of(table, "X")
        before = 0
        if self.series is None and table.index is not None and self._goes_on(table.index):
            before = len(self._last[0].rows)
            series = [_joined(self._last[0], series[0])]
        windows, wanted = [], []
        for each in series:
            for end in range(max(self.window, before, 1), len(each.rows) - self.horizon + 1):
                begin = end - self.window if self.window else 0
                windows.append((each._replace(rows=each.rows[begin:end]), each.known[begin : end + self.horizon]))
                wanted.append(each.targets[end : end + self.horizon])
        if len(windows) == 0:
            raise ValueError(
                f"X: expected at least {self.window + self.horizon} rows, window + horizon, found {len(table)}\n"
                "give more rows; TimeSeriesSplit has test_size"
            )
        found = self._forecast([each for each, _ in windows], [known for _, known in windows])
        shape = (-1, len(self.target_names_))
        return float(r2_score(np.stack(wanted).reshape(shape), np.stack([f.values for f in found]).reshape(shape)))

    def _goes_on(self, index: Any) -> bool:
        if self._index is None or type(index) is not type(self._index) or len(self._last[0].rows) < self.window:
            return False
        return bool(index_after(self._index, 1)[0] == index[0])


def _names(given: Names) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else [str(name) for name in given]


def _joined(a: _Series, b: _Series) -> _Series:
    return b._replace(
        rows=np.concatenate([a.rows, b.rows]),
        known=np.concatenate([a.known, b.known]),
        targets=np.concatenate([a.targets, b.targets]),
    )
