"""The forecaster of longhand.sklearn: series, frames, intervals, and tools of scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from longhand.sklearn import LSTMForecaster

WAVE = np.sin(np.arange(330) / 5)
QUICK: dict[str, Any] = {"hidden": 16, "epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def fitted() -> LSTMForecaster:
    return LSTMForecaster(horizon=10, lr=0.01, epochs=15, random_state=0).fit(WAVE[:300])


def weather(rows: int = 20) -> Any:
    pandas = pytest.importorskip("pandas")
    t = np.arange(rows)
    return pandas.DataFrame(
        {"temp": 10 + 5 * np.sin(t / 3), "rain": t % 3}, index=pandas.date_range("2024-01-01", periods=rows)
    )


def test_vector(fitted: LSTMForecaster) -> None:
    assert np.abs(fitted.predict() - WAVE[300:310]).max() < 0.2
    assert fitted.predict(4).shape == (4,)
    np.testing.assert_array_equal(fitted.predict(4), fitted.predict()[:4])
    assert np.abs(fitted.predict(30) - WAVE[300:330]).max() < 0.6
    np.testing.assert_array_equal(fitted.predict(X=WAVE[:300]), fitted.predict())
    assert fitted.score(WAVE) > 0.95
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(), fitted.predict())


def test_intervals(fitted: LSTMForecaster) -> None:
    interval = fitted.predict_interval()
    assert interval.shape == (10, 2) and (interval[:, 0] < interval[:, 1]).all()
    wider = fitted.predict_interval(0.99)
    assert (wider[:, 0] < interval[:, 0]).all() and (wider[:, 1] > interval[:, 1]).all()
    quantiles = fitted.predict_quantiles([0.1, 0.5, 0.9], horizon=3)
    np.testing.assert_allclose(quantiles[:, [0, 2]], interval[:3], rtol=1e-6)
    np.testing.assert_allclose(quantiles[:, 1], fitted.predict(3), rtol=1e-5, atol=1e-6)
    inside = [
        (low <= value) & (value <= high)
        for end in range(100, 320)
        for (low, high), value in zip(fitted.predict_interval(X=WAVE[:end]), WAVE[end : end + 10])
    ]
    assert np.mean(inside) > 0.6
    for call in (
        lambda: fitted.predict_interval(1.0),
        lambda: fitted.predict_interval(horizon=11),
        lambda: fitted.predict_quantiles([]),
        lambda: fitted.predict_quantiles([0.0]),
        lambda: LSTMForecaster(window=5, distribution="point", **QUICK).fit(WAVE).predict_interval(),
    ):
        with pytest.raises(ValueError):
            call()


def test_series_and_frames_keep_their_index() -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(WAVE[:60], index=pandas.date_range("2024-01-01", periods=60, freq="h"), name="tide")
    model = LSTMForecaster(horizon=4, window=12, **QUICK).fit(series)
    found = model.predict(6)
    assert found.name == "tide" and list(found.index) == list(pandas.date_range(series.index[-1], periods=7, freq="h")[1:])
    assert list(model.predict_interval().columns) == ["lower", "upper"]
    for index, after in (
        (pandas.RangeIndex(10, 130, 2), [130, 132]),
        (pandas.period_range("2020-01", periods=60, freq="M"), list(pandas.period_range("2025-01", periods=2, freq="M"))),
        (pandas.Index(np.random.default_rng(0).permutation(60)), [1, 2]),
        (pandas.Index([f"row {i}" for i in range(60)]), [1, 2]),
    ):
        series.index = index
        assert list(clone(model).set_params(horizon=2).fit(series).predict().index) == after


def test_twenty_rows_of_weather() -> None:
    frame = weather()
    both = LSTMForecaster(horizon=2, window=5, **QUICK).fit(frame)
    assert list(both.predict().columns) == ["temp", "rain"] and both.predict(5).shape == (5, 2)
    assert list(both.predict_interval().columns) == [
        ("temp", "lower"), ("temp", "upper"), ("rain", "lower"), ("rain", "upper"),
    ]  # fmt: skip
    one = LSTMForecaster(horizon=2, window=5, target="temp", **QUICK).fit(frame)
    assert one.input_names_ == ["temp", "rain"] and list(one.predict().columns) == ["temp"]
    with pytest.raises(ValueError, match="at most 2"):
        one.predict(3)
    known = LSTMForecaster(horizon=2, window=5, known="rain", **QUICK).fit(frame)
    future = frame[:2].reset_index(drop=True)  # without times
    assert known.predict(future=future[["rain"]]).shape == (2, 1)
    assert not np.array_equal(known.predict(future=future), known.predict(future=future + 5))
    with pytest.raises(ValueError, match="future"):
        known.predict()
    with pytest.raises(ValueError, match="future"):
        known.predict(future=frame[:1])


def test_arrays_of_columns() -> None:
    table = np.stack([WAVE, WAVE**2], axis=1)
    model = LSTMForecaster(horizon=3, window=8, target="2", **QUICK).fit(table)
    assert model.predict().shape == (3, 1) and model.predict_interval().shape == (3, 1, 2)
    assert LSTMForecaster(horizon=3, window=8, **QUICK).fit(table).predict(7).shape == (7, 2)


def test_several_series() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.concat([weather(30).assign(city=city, sea=sea) for city, sea in (("Oslo", "yes"), ("Bern", "no"))])
    model = LSTMForecaster(horizon=2, window=5, target="temp", series="city", static="sea", **QUICK).fit(frame)
    found = model.predict()
    assert list(found.index) == [("Oslo", 1), ("Oslo", 2), ("Bern", 1), ("Bern", 2)]
    assert model.predict_interval().shape == (4, 2) and np.isfinite(model.score(frame))
    only = model.predict(X=frame[frame.city == "Bern"])
    np.testing.assert_allclose(only.to_numpy(), found.to_numpy()[2:])


def test_searches_over_time() -> None:
    splits = TimeSeriesSplit(2)
    assert len(cross_val_score(LSTMForecaster(horizon=5, window=12, **QUICK), WAVE, cv=splits)) == 2
    search = GridSearchCV(LSTMForecaster(window=12, **QUICK), {"lr": [1e-5, 0.02]}, cv=splits, n_jobs=2).fit(WAVE)
    assert search.best_params_ == {"lr": 0.02} and search.best_estimator_.predict().shape == (1,)


def test_score_reaches_back_where_the_index_goes_on() -> None:
    frame = weather(60)
    model = LSTMForecaster(horizon=2, window=12, **QUICK).fit(frame[:50])
    assert np.isfinite(model.score(frame[50:]))
    with pytest.raises(ValueError, match="14 rows"):
        model.score(frame[52:])


@pytest.mark.parametrize(
    ("parameters", "data", "message"),
    [
        ({}, WAVE[:20], "too short"),
        ({"horizon": 0}, WAVE, "horizon"),
        ({"target": "x"}, WAVE, "'x'"),
        ({"window": -1}, WAVE, "window"),
        ({"distribution": "cauchy"}, WAVE, "distribution"),
        ({"residual_of": "luck"}, WAVE, "residual_of"),
        ({"patience": 2, "valid_fraction": 0}, WAVE, "held-out"),
        ({}, np.append(WAVE, np.nan), "NaN"),
        ({}, np.append(WAVE, np.inf), "infinity"),
        ({}, [], "0 sample"),
        ({}, None, "NoneType"),
        ({}, "file.csv", "str"),
        ({}, np.zeros((30, 2, 2)), "dim 3|array"),
    ],
)
def test_forecaster_refuses(parameters: dict[str, Any], data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTMForecaster(**{**QUICK, **parameters}).fit(data)


def test_frames_at_fault() -> None:
    frame = weather(40)
    for bad, message in (
        (frame.assign(day="Monday"), "'day'"),
        (frame.assign(temp=frame.temp.where(frame.temp > 8)), "'temp', row"),
        (frame.rename(columns={"temp": "a,b"}), "commas"),
        (frame.rename(columns={"temp": "rain"}), "different names"),
        (frame[:0], "0 sample"),
    ):
        with pytest.raises(ValueError, match=message):
            LSTMForecaster(window=5, **QUICK).fit(bad)
    model = LSTMForecaster(window=5, **QUICK).fit(frame)
    with pytest.raises(ValueError, match="window=5"):
        model.predict(X=frame[:3])
    with pytest.raises(ValueError, match="'rain'"):
        model.predict(X=frame[["temp"]])


def test_times_increase_and_go_on() -> None:
    pandas = pytest.importorskip("pandas")
    index = pandas.date_range("2020-01-01", periods=60, freq="D")
    frame = pandas.DataFrame({"y": np.arange(60.0) % 7, "price": np.arange(60.0) % 5}, index=index)
    forecaster = LSTMForecaster(horizon=3, window=7, target="y", known="price", epochs=1)
    for wrong in (frame[::-1], pandas.concat([frame, frame])):
        with pytest.raises(ValueError, match="increasing"):
            forecaster.fit(wrong)
    forecaster.fit(frame)
    ahead = pandas.DataFrame({"price": [0.0, 1, 2]}, index=pandas.date_range("2020-03-01", periods=3, freq="D"))
    assert len(forecaster.predict(future=ahead)) == 3
    late = ahead.set_axis(pandas.date_range("2021-03-01", periods=3, freq="D"))
    with pytest.raises(ValueError, match="expected rows from 2020-03-01"):
        forecaster.predict(future=late)
    with pytest.raises(ValueError, match="expected 3 rows"):
        forecaster.predict(future=pandas.concat([ahead, late]))
