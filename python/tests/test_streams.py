"""Streams over arrays, without copies, and what they refuse."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import longhand


@pytest.fixture()
def x() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(20, 2)).astype(np.float32)


def test_steps_are_the_whole(network: longhand.Network, x: np.ndarray) -> None:
    whole = network.stream().process(x)
    stream = network.stream()
    np.testing.assert_array_equal(np.stack([stream.step(row) for row in x]), whole)
    stream.reset()
    np.testing.assert_array_equal(stream.process(x), whole)


def test_out_is_written_in_place(network: longhand.Network, x: np.ndarray) -> None:
    out = np.full((20, 1), np.nan, np.float32)
    stream = network.stream()
    assert stream.process(x, out) is out
    np.testing.assert_array_equal(out, network.stream().process(x))
    row = np.empty(1, np.float32)
    stream.reset()
    assert stream.step(x[0], out=row) is row and row[0] == out[0, 0]


def test_state_in_and_out(network: longhand.Network, x: np.ndarray) -> None:
    stream = network.stream()
    stream.process(x[:10])
    state = stream.state
    assert state.shape == (stream.state_size,) and state.dtype == np.float32
    rest = stream.process(x[10:])
    other = network.stream()
    other.state = state
    np.testing.assert_array_equal(other.process(x[10:]), rest)


def test_fast_activations_are_near(network: longhand.Network, x: np.ndarray) -> None:
    stream = network.stream()
    stream.use_fast_activations()
    np.testing.assert_allclose(stream.process(x), network.stream().process(x), atol=1e-3)


def test_read_only_input_is_read(network: longhand.Network, x: np.ndarray) -> None:
    x.setflags(write=False)
    assert network.stream().process(x).shape == (20, 1)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.zeros(2), TypeError, r"float32 \[2\], found float64 \[2\]"),
        (np.zeros(3, np.float32), ValueError, r"float32 \[2\], found float32 \[3\]"),
        (np.zeros((1, 2), np.float32), ValueError, r"found float32 \[1, 2\]"),
        (np.zeros(4, np.float32)[::2], ValueError, "C-contiguous"),
        (np.array([0.0, np.nan], np.float32), ValueError, r"finite numbers, found nan at \[1\]"),
        (np.array([np.inf, 0.0], np.float32), ValueError, "inf"),
        (np.zeros(2, ">f4"), TypeError, "float32"),
        ([0.0, 1.0], TypeError, "found list"),
        (None, TypeError, "found NoneType"),
        ("ab", TypeError, "found str"),
        (np.array(["a", "b"]), TypeError, "float32"),
        (np.array([object(), object()]), TypeError, "float32"),
    ],
)
def test_bad_steps(network: longhand.Network, bad: object, error: type[Exception], message: str) -> None:
    stream = network.stream()
    before = stream.state
    with pytest.raises(error, match=message):
        stream.step(bad)
    np.testing.assert_array_equal(stream.state, before)


def test_bad_outputs(network: longhand.Network, x: np.ndarray) -> None:
    stream = network.stream()
    frozen = np.zeros(1, np.float32)
    frozen.setflags(write=False)
    for out, error in (
        (np.zeros(1), TypeError),
        (np.zeros(2, np.float32), ValueError),
        (frozen, TypeError),
        ([0.0], TypeError),
    ):
        with pytest.raises(error):
            stream.step(x[0], out=out)  # type: ignore[arg-type]
    both = np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="share"):
        stream.step(both, out=both[:1])
    with pytest.raises(ValueError):
        stream.state = np.zeros(stream.state_size + 1, np.float32)
    with pytest.raises(TypeError):
        stream.state = np.zeros(stream.state_size)  # type: ignore[assignment]
    with pytest.raises(ValueError):
        stream.state = np.full(stream.state_size, np.nan, np.float32)


def test_symbols(language_model: longhand.LanguageModel) -> None:
    stream = language_model.stream()
    symbols = language_model.encode("the cat")
    whole = stream.process(symbols)
    assert whole.shape == (7, len(language_model.symbols))
    stream.reset()
    np.testing.assert_array_equal(stream.step(int(symbols[0])), whole[0])
    for bad, error in ((-1, ValueError), (len(language_model.symbols), ValueError), ("t", TypeError), (1.5, TypeError)):
        with pytest.raises(error):
            stream.step(bad)
    with pytest.raises(TypeError, match="int32"):
        stream.process(symbols.astype(np.int64))
    with pytest.raises(ValueError, match="symbols"):
        stream.process(np.array([0, 9999], np.int32))


def test_models_without_streams_say_why(classifier: longhand.Classifier) -> None:
    assert not classifier.can_stream
    with pytest.raises(longhand.InputError):
        classifier.stream()


def test_streams_are_those_of_single_ones(regressor: longhand.Regressor, x: np.ndarray) -> None:
    streams = regressor.streams(4)
    a, b = streams.open(), streams.open()
    one, two = regressor.stream(), regressor.stream()
    for t in range(10):
        y = streams.step(np.array([a, b]), np.stack([x[t], x[t + 10]]))
        np.testing.assert_array_equal(y, np.stack([one.step(x[t]), two.step(x[t + 10])]))
    state = streams.get_state(a)
    streams.reset(a)
    streams.set_state(a, state)
    np.testing.assert_array_equal(streams.get_state(a), state)
    out = np.empty((1, 3), np.float32)
    assert streams.step(np.array([a]), x[:1], out) is out


def test_streams_refuse(regressor: longhand.Regressor, x: np.ndarray) -> None:
    streams = regressor.streams(2)
    a, b = streams.open(), streams.open()
    with pytest.raises(RuntimeError, match="2 streams"):
        streams.open()
    streams.close(b)
    for call in (
        lambda: streams.step(np.array([b]), x[:1]),
        lambda: streams.step(np.array([a, a]), x[:2]),
        lambda: streams.step(np.array([7]), x[:1]),
        lambda: streams.step(np.array([-1]), x[:1]),
        lambda: streams.step(np.array([a]), x[:2]),
        lambda: streams.close(b),
        lambda: streams.reset(99),
        lambda: streams.get_state(-3),
        lambda: streams.set_state(a, np.zeros(1, np.float32)),
        lambda: regressor.streams(0),
        lambda: regressor.streams(-5),
        lambda: regressor.streams(2, threads=-1),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        streams.step(np.array([a], np.int32), x[:1])  # type: ignore[arg-type]


def test_streams_of_symbols(language_model: longhand.LanguageModel, network: longhand.Network) -> None:
    streams = language_model.streams(3, threads=2)
    ids = np.array([streams.open(), streams.open()])
    symbols = language_model.encode("th")
    y = streams.step(ids, symbols)
    for symbol, row in zip(symbols, y):
        np.testing.assert_array_equal(language_model.stream().step(int(symbol)), row)
    with pytest.raises(ValueError, match="symbols"):
        streams.step(ids, np.array([0, -1], np.int32))
    with pytest.raises(longhand.InputError, match="network"):
        network.streams(2)


def test_threads_do_not_share_a_stream(network: longhand.Network) -> None:
    long = np.zeros((200_000, 2), np.float32)
    stream = network.stream()
    refused = []

    def work() -> None:
        for _ in range(20):
            try:
                stream.process(long)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("another thread" in message for message in refused)
    assert stream.step(long[0]).shape == (1,)
