"""Training from Python: data in memory, the command line's bits, callbacks, Ctrl-C, resuming."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import make_pairs, make_sentences, make_table, make_text

import longhand

SMALL: dict[str, Any] = {"hidden": 16, "epochs": 2, "bptt": 16, "batch": 4, "seed": 7, "progress": False}


def bits(folder: object) -> bytes:
    return pathlib.Path(str(folder), "model.safetensors").read_bytes()


def test_same_seed_same_bits_as_the_command_line(
    tmp_path: pathlib.Path, text_file: pathlib.Path, command: Callable[..., str]
) -> None:
    result = longhand.train("lm", text_file, out=tmp_path / "python", dropout=0.1, lr=0.003, **SMALL)
    command("train", "lm", "--data", text_file, "--out", tmp_path / "told", "--hidden", 16, "--epochs", 2, "--bptt", 16,
            "--batch", 4, "--seed", 7, "--dropout", 0.1, "--lr", 0.003, "--no-baseline")  # fmt: skip
    assert bits(result.path) == bits(tmp_path / "told")
    threads = longhand.train("lm", text_file, out=tmp_path / "threads", dropout=0.1, lr=0.003, threads=2, **SMALL)
    assert bits(threads.path) == bits(result.path)
    other = longhand.train("lm", text_file, out=tmp_path / "other", dropout=0.1, lr=0.003, **{**SMALL, "seed": 8})
    assert bits(other.path) != bits(result.path)


def test_tables_in_memory_give_the_bits_of_the_file(tmp_path: pathlib.Path, command: Callable[..., str]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(make_table(200), columns=["a", "b"])
    frame.to_csv(tmp_path / "table.csv", index=False)
    given: dict[str, Any] = {"target": "b", "window": 8, "hidden": 8, "epochs": 1, "progress": False}
    one = longhand.train("regressor", frame, out=tmp_path / "frame", **given)
    command("train", "regressor", "--data", tmp_path / "table.csv", "--out", tmp_path / "told", "--target", "b",
            "--window", 8, "--hidden", 8, "--epochs", 1, "--no-baseline")  # fmt: skip
    assert bits(one.path) == bits(tmp_path / "told")


def test_lists_in_memory_give_the_bits_of_the_file(tmp_path: pathlib.Path) -> None:
    lines = make_text(100).splitlines()
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    one = longhand.train("lm", lines, out=tmp_path / "list", **SMALL)
    other = longhand.train("lm", str(tmp_path / "text.txt"), out=tmp_path / "file", **SMALL)
    assert bits(one.path) == bits(other.path)


def test_classifier_data_in_every_form(tmp_path: pathlib.Path) -> None:
    pairs = make_pairs(60)
    given: dict[str, Any] = {"hidden": 8, "epochs": 1, "progress": False}
    one = longhand.train("classifier", pairs, out=tmp_path / "pairs", valid=pairs[:20], **given)
    texts, labels = [text for text, _ in pairs], np.array([label for _, label in pairs])
    other = longhand.train("classifier", (texts, labels), out=tmp_path / "tuple", valid=pairs[:20], **given)
    assert bits(one.path) == bits(other.path)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": texts, "label": labels})
    third = longhand.train("classifier", frame, out=tmp_path / "frame", valid=frame[:20], **given)
    assert set(third.model.classes) == {"pos", "neg"}
    newline = [(text.replace(" ", "\n"), label) for text, label in pairs]
    assert longhand.train("classifier", newline, out=tmp_path / "lines", **given).epochs == 1


def test_network_from_arrays(tmp_path: pathlib.Path) -> None:
    description = tmp_path / "net.toml"
    description.write_text(
        '[[inputs]]\nname = "x"\nsize = 2\n\n[[layers]]\ntype = "lstm"\nunits = 6\n\n[[layers]]\ntype = "linear"\nunits = 1\n'
    )
    x = np.random.default_rng(4).normal(size=(12, 30, 2)).astype(np.float32)
    y = np.cumsum(x[:, :, :1], axis=1).astype(np.float32)
    result = longhand.train("network", (x, y), network=description, out=tmp_path / "run", epochs=2, progress=False)
    assert result.model.run(x[0]).shape == (30, 1)
    assert result.history["train_loss"].shape == (2,)


def test_history_metrics_and_report(folder: pathlib.Path, language_model: longhand.LanguageModel) -> None:
    del language_model
    history = longhand.read_history(folder / "lm")
    assert history["epoch"].tolist() == [1, 2] and history["epoch"].dtype == np.int64
    for name in ("train_loss", "valid_loss", "valid_perplexity", "learning_rate", "gradient_norm", "seconds"):
        assert history[name].shape == (2,) and np.isfinite(history[name]).all()
    assert history["train_loss"][1] < history["train_loss"][0]


def test_result(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    result = longhand.train("lm", text_file, test=text_file, out=tmp_path / "run", **SMALL)
    assert result.outcome == "finished" and result.epochs == 2 and result.best_epoch == 2 and not result.diverged
    assert result.metrics["valid_perplexity"] == pytest.approx(np.exp(result.metrics["valid_loss"]))
    assert result.metrics["test_perplexity"] > 1
    assert isinstance(result.model, longhand.LanguageModel)
    shown = result._repr_html_()
    assert shown.startswith("<iframe") and "svg" in shown and "finished" in repr(result)


def test_unknown_option_names_the_nearest(text_file: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="'hiden'; did you mean 'hidden'"):
        longhand.train("lm", text_file, hiden=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "hidden"),
        ({"hidden": "many"}, "hidden"),
        ({"clip_norm": -1}, "`clip_norm`"),
        ({"engine": "steam"}, "engine"),
        ({"dropout": float("nan")}, "dropout"),
    ],
)
def test_bad_values_have_two_lines(
    tmp_path: pathlib.Path, text_file: pathlib.Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(longhand.OptionError, match=message) as caught:
        longhand.train("lm", text_file, out=tmp_path / "run", progress=False, **options)
    assert isinstance(caught.value, ValueError) and caught.value.advice
    assert str(caught.value).count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("task", "data"),
    [
        ("lm", []),
        ("lm", [1, 2]),
        ("lm", 5),
        ("lm", b"bytes"),
        ("lm", "/no/such/file.txt"),
        ("classifier", []),
        ("classifier", [("text",)]),
        ("classifier", [("text", 1.5)]),
        ("classifier", (["a", "b"], ["x"])),
        ("tagger", []),
        ("tagger", [[("word", "")]]),
        ("tagger", [[("two\twords", "TAG")]]),
        ("regressor", np.zeros((0, 2))),
        ("regressor", np.full((10, 2), np.nan)),
        ("regressor", np.zeros((2, 2, 2))),
        ("regressor", [["a", "b"]]),
        ("network", {"x": ["a"]}),
        ("network", 7),
        ("weather", [1]),
    ],
)
def test_bad_data(tmp_path: pathlib.Path, task: str, data: object) -> None:
    with pytest.raises(ValueError) as caught:
        longhand.train(task, data, out=tmp_path / "run", progress=False)
    assert isinstance(caught.value, longhand.Error) and caught.value.advice
    assert not (tmp_path / "run").exists()


def test_open_closed_and_empty_files(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    with text_file.open() as file:
        one = longhand.train("lm", file, out=tmp_path / "file", **SMALL)
    assert bits(one.path) == bits(longhand.train("lm", text_file, out=tmp_path / "path", **SMALL).path)
    with pytest.raises(longhand.InputError, match="closed"):
        longhand.train("lm", file, out=tmp_path / "closed", **SMALL)
    (tmp_path / "empty").write_text("")
    with (tmp_path / "empty").open() as file, pytest.raises(longhand.InputError, match="empty"):
        longhand.train("lm", file, out=tmp_path / "closed", **SMALL)


def test_missing_data_is_named() -> None:
    with pytest.raises(longhand.OptionError, match="`data`"):
        longhand.train("lm", progress=False)


def test_folder_with_a_run_is_kept_unless_overwritten(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    first = longhand.train("lm", text_file, out=tmp_path / "run", **SMALL)
    kept = bits(first.path)
    with pytest.raises(longhand.OptionError, match="holds a run"):
        longhand.train("lm", text_file, out=tmp_path / "run", **{**SMALL, "seed": 1})
    assert bits(first.path) == kept
    longhand.train("lm", text_file, out=tmp_path / "run", overwrite=True, **{**SMALL, "seed": 1})
    assert bits(first.path) != kept


def test_default_folder(tmp_path: pathlib.Path, text_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert longhand.train("lm", text_file, **SMALL).path == os.path.join("runs", "text")
    assert longhand.train("lm", text_file, **SMALL).path == os.path.join("runs", "text-2")
    assert longhand.train("lm", [make_text(50)], **SMALL).path == os.path.join("runs", "lm")


def test_callback_stops_and_resume_goes_on_to_the_same_bits(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    whole = longhand.train("lm", text_file, out=tmp_path / "whole", **{**SMALL, "epochs": 3})
    seen: list[dict[str, Any]] = []

    def stop(evaluation: dict[str, Any]) -> bool:
        seen.append(evaluation)
        return evaluation["epoch"] == 1

    part = longhand.train("lm", text_file, out=tmp_path / "part", callbacks=[stop], **{**SMALL, "epochs": 3})
    assert part.outcome == "interrupted" and len(seen) == 1
    assert {"epoch", "step", "train_loss", "valid_loss", "learning_rate", "gradient_norm", "best"} <= set(seen[0])
    assert isinstance(part.model, longhand.LanguageModel)
    rest = longhand.resume(part.path, progress=False)
    assert rest.outcome == "finished"
    assert bits(rest.path) == bits(whole.path)
    with pytest.raises(longhand.OptionError, match="hidden"):
        longhand.resume(part.path, hidden=5, progress=False)
    with pytest.raises(FileNotFoundError):
        longhand.resume(tmp_path / "none")


def test_a_callbacks_exception_passes_through(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    def fail(evaluation: dict[str, Any]) -> None:
        raise KeyError(evaluation["epoch"])

    with pytest.raises(KeyError):
        longhand.train("lm", text_file, out=tmp_path / "run", callbacks=[fail], **SMALL)
    assert (tmp_path / "run/checkpoint.safetensors").exists()
    assert longhand.resume(tmp_path / "run", progress=False).outcome == "finished"


def test_data_from_memory_can_be_resumed_with_the_same_data(tmp_path: pathlib.Path) -> None:
    sentences = make_sentences(60)
    given: dict[str, Any] = {"hidden": 8, "epochs": 3, "progress": False}
    whole = longhand.train("tagger", sentences, out=tmp_path / "whole", **given)
    part = longhand.train("tagger", sentences, out=tmp_path / "part", callbacks=[lambda e: e["epoch"] == 2], **given)
    with pytest.raises(longhand.InputError, match="memory"):
        longhand.resume(part.path, progress=False)
    with pytest.raises(longhand.InputError):
        longhand.resume(part.path, data=make_sentences(59), progress=False)
    assert bits(longhand.resume(part.path, data=sentences, progress=False).path) == bits(whole.path)


def test_ctrl_c_leaves_the_checkpoint(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="longhand.resume"):
        longhand.train("lm", text_file, out=tmp_path / "run", **{**SMALL, "epochs": 100_000})
    assert time.monotonic() - start < 60
    assert longhand.load(tmp_path / "run").task == "language model"
    done = int(longhand.read_history(tmp_path / "run")["epoch"][-1])
    resumed = longhand.resume(tmp_path / "run", epochs=done + 1, progress=False)
    assert resumed.epochs >= done


def test_other_threads_run_while_it_trains(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.01)

    thread = threading.Thread(target=tick)
    thread.start()
    longhand.train("lm", text_file, out=tmp_path / "run", **{**SMALL, "epochs": 60})
    done.set()
    thread.join()
    assert len(ticks) > 5


def test_progress_lines(tmp_path: pathlib.Path, text_file: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    longhand.train("lm", text_file, out=tmp_path / "lines", **{**SMALL, "progress": "lines"})
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert any("valid_loss" in line for line in lines)
    longhand.train("lm", text_file, out=tmp_path / "quiet", **SMALL)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="progress"):
        longhand.train("lm", text_file, out=tmp_path / "bad", **{**SMALL, "progress": "loud"})


def test_progress_bar(tmp_path: pathlib.Path, text_file: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    longhand.train("lm", text_file, out=tmp_path / "run", **{**SMALL, "progress": True})
    assert "epoch 2/2" in capsys.readouterr().err


def test_options_are_those_of_the_command_line(command: Callable[..., str]) -> None:
    for task in ("lm", "tagger", "classifier", "regressor", "network"):
        told = command("train", task, "--help")
        names = longhand.options(task)
        assert len(names) > 20
        for name, option in names.items():
            dashed = name.replace("_", "-")
            assert f"--{dashed}" in told or f"--no-{dashed}" in told, name
            assert option["help"]


def test_diverging_training_is_an_error(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    bad: dict[str, Any] = {**SMALL, "optimizer": "sgd", "clip_norm": 0, "epochs": 3}
    assert longhand.train("lm", text_file, out=tmp_path / "grown", **{**bad, "lr": 1e4}).diverged
    with pytest.raises(longhand.DivergenceError, match="finite") as caught:
        longhand.train("lm", text_file, out=tmp_path / "run", **{**bad, "lr": 1e38})
    assert caught.value.advice


def test_import_needs_neither_pandas_nor_torch_nor_tqdm() -> None:
    code = (
        "import sys\n"
        "for name in ('pandas', 'torch', 'tqdm', 'sklearn'): sys.modules[name] = None\n"
        "import longhand, json; print(json.dumps(longhand.machine()))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert json.loads(out)["threads"] >= 1


def test_a_stop_keeps_the_figures_of_its_epoch(tmp_path: pathlib.Path, text_file: pathlib.Path) -> None:
    found = longhand.train(
        "lm", text_file, out=tmp_path / "run", **{**SMALL, "epochs": 5, "callbacks": lambda e: e["epoch"] == 2}
    )
    assert found.outcome == "interrupted" and found.epochs == 2
    assert found.metrics["train_loss"] == pytest.approx(found.history["train_loss"][-1])


def test_notes_are_kept_without_progress(tmp_path: pathlib.Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"day": [f"2024-01-{29 - i:02d}" for i in range(28)] * 2, "y": np.arange(56.0) % 7})
    found = longhand.train(
        "regressor", frame, target="y", inputs="y", time="day", window=4, hidden=4, epochs=1, progress=False,
        out=tmp_path / "run",
    )
    assert any("'day'" in note for note in found.notes)


def test_large_unsigned_integers(tmp_path: pathlib.Path) -> None:
    table = np.arange(2**63, 2**63 + 64 * 2**20, 2**20, dtype=np.uint64)
    found = longhand.train("regressor", table, window=4, hidden=4, epochs=1, progress=False, out=tmp_path / "run")
    assert found.model.forecast(table[:24].astype(np.float64)[:, None]).min() > 2.0**62
