"""Gradients through time and activations of units as arrays and frames."""

from __future__ import annotations

import os
import pathlib
import signal
import threading

import numpy as np
import pytest
from conftest import make_pairs, make_sentences, make_table

import longhand


def test_gradients() -> None:
    found = longhand.lab.gradients(
        cells=["rnn", "lstm-1"], updates="0", depths="0", reach=20, hidden=8, window=16, batch=4, sequences=4, seed=2
    )
    assert [cell.cell for cell in found.cells] == ["rnn", "lstm-1"]
    rnn, lstm = found.cells
    assert rnn.h.shape[1] == 3 and rnn.h[0, 0] == pytest.approx(1.0) and len(rnn.c) == 0
    assert len(lstm.c) == len(lstm.h)
    assert (lstm.h[:, 1] <= lstm.h[:, 0]).all() and (lstm.h[:, 0] <= lstm.h[:, 2]).all()
    assert rnn.h[10, 0] < 1.0
    assert found.summary and "<svg" in found.page and found._repr_html_().startswith("<iframe")
    pandas = pytest.importorskip("pandas")
    frame = found.frame()
    assert isinstance(frame, pandas.DataFrame) and len(frame) > 10


def test_stacks() -> None:
    found = longhand.lab.gradients(
        cells="lstm-1", updates=[0], depths="3", reach=5, hidden=4, window=8, batch=2, sequences=2
    )
    assert found.stacks and all(stack.norms.shape == (3,) for stack in found.stacks)


def test_gradients_refuse() -> None:
    with pytest.raises(TypeError, match="did you mean 'cells'"):
        longhand.lab.gradients(cell="rnn")
    with pytest.raises(ValueError):
        longhand.lab.gradients(cells="transformer")
    with pytest.raises(ValueError):
        longhand.lab.gradients(hidden=0)


def test_gradients_stop_at_ctrl_c() -> None:
    threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        longhand.lab.gradients(cells="lstm-1", updates="1000000", depths="0", hidden=64, reach=50)


def test_activations_are_those_of_the_stream(
    language_model: longhand.LanguageModel, network: longhand.Network
) -> None:
    text = "the cat sat on a mat."
    found = language_model.activations([text], "hc")
    h = found.values[0, "forward", "h"]
    assert h.shape == (len(found.symbols), 24) and h.dtype == np.float32
    assert found.values[0, "forward", "c"].shape == h.shape
    assert "".join(found.symbols).startswith("the") and found.starts[-1] == len(found.symbols)
    assert (np.abs(h) <= 1).all() and np.std(h) > 0
    shorter = language_model.activations([text[:10]], "h")
    np.testing.assert_array_equal(shorter.values[0, "forward", "h"][:10], h[:10])
    frame = found.frame()
    assert frame.shape == (len(found.symbols), 48)
    np.testing.assert_array_equal(frame[0, "forward", "h", 3].to_numpy(), h[:, 3])
    with pytest.raises(ValueError, match="quantities"):
        language_model.activations([text], "z")


def test_activations_of_every_task(
    tagger: longhand.Tagger, classifier: longhand.Classifier, regressor: longhand.Regressor
) -> None:
    for model, data in ((tagger, make_sentences(5)), (classifier, make_pairs(5)), (regressor, make_table(60))):
        values = model.activations(data).values
        assert values and all(len(each) > 0 and np.isfinite(each).all() for each in values.values())


def test_microscope(language_model: longhand.LanguageModel, tmp_path: pathlib.Path) -> None:
    seen = language_model.microscope(["the cat sat on a mat. " * 20], explain_most=2)
    assert seen._repr_html_().startswith("<iframe") and seen.data
    assert len(seen.frame()) > 0
    assert pathlib.Path(seen.save(tmp_path / "page.html")).read_text() == seen.page
    with pytest.raises(longhand.OptionError):
        language_model.microscope(["the cat"], explan=3)
