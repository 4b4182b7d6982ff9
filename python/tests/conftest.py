"""Small data that the tests make themselves, models trained on them once, and where shared data are."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import longhand

ROOT = pathlib.Path(__file__).resolve().parents[2]
Pairs = list[tuple[str, str]]


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Lets SIGINT raise KeyboardInterrupt, which Python leaves out where it was started with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def make_text(lines: int = 300) -> str:
    rng = random.Random(1)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "ran"]
    return "".join(" ".join(rng.choice(words) for _ in range(8)) + ".\n" for _ in range(lines))


def make_pairs(count: int = 120) -> Pairs:
    rng = random.Random(2)
    good, bad, other = ["good", "fine", "lovely"], ["bad", "poor", "awful"], ["film", "plot", "scene", "very"]
    out = []
    for i in range(count):
        label = "pos" if i % 2 else "neg"
        words = [rng.choice(other) for _ in range(4)] + [rng.choice(good if label == "pos" else bad)]
        rng.shuffle(words)
        out.append((" ".join(words), label))
    return out


def make_sentences(count: int = 80) -> list[list[tuple[str, str]]]:
    rng = random.Random(3)
    tags = {"the": "DET", "cat": "NOUN", "dog": "NOUN", "sees": "VERB", "runs": "VERB", "a": "DET"}
    return [[(word, tags[word]) for word in (rng.choice(list(tags)) for _ in range(6))] for _ in range(count)]


def make_table(rows: int = 400) -> np.ndarray:
    t = np.arange(rows)
    return np.stack([np.sin(t / 5.0), np.cos(t / 7.0)], axis=1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def text_file(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "text.txt"
    path.write_text(make_text())
    return path


@pytest.fixture(scope="session")
def language_model(folder: pathlib.Path, text_file: pathlib.Path) -> longhand.LanguageModel:
    out = longhand.train(
        "lm", text_file, out=folder / "lm", hidden=24, epochs=2, bptt=16, batch=4, seed=5, progress=False
    )
    return out.model


@pytest.fixture(scope="session")
def classifier(folder: pathlib.Path) -> longhand.Classifier:
    return longhand.train(
        "classifier", make_pairs(), out=folder / "classifier", hidden=16, epochs=12, lr=0.01, progress=False
    ).model


@pytest.fixture(scope="session")
def tagger(folder: pathlib.Path) -> longhand.Tagger:
    return longhand.train(
        "tagger", make_sentences(), out=folder / "tagger", hidden=16, epochs=8, lr=0.01, progress=False
    ).model


@pytest.fixture(scope="session")
def regressor(folder: pathlib.Path) -> longhand.Regressor:
    return longhand.train(
        "regressor", make_table(), out=folder / "regressor", inputs="x1,x2", target="x1", window=12, horizon=3, hidden=16,
        epochs=3, progress=False,
    ).model  # fmt: skip


@pytest.fixture(scope="session")
def network(folder: pathlib.Path) -> longhand.Network:
    description = folder / "net.toml"
    description.write_text(
        '[[inputs]]\nname = "x"\nsize = 2\n\n[[layers]]\ntype = "lstm"\nunits = 5\n\n[[layers]]\ntype = "linear"\nunits = 1\n'
    )
    return longhand.import_model(network=description)


@pytest.fixture(scope="session")
def binary() -> pathlib.Path:
    """The command line, where it is built."""
    path = pathlib.Path(os.environ.get("LONGHAND_BINARY", ROOT / "build/release/bin/longhand"))
    if not path.is_file():
        pytest.skip(f"{path} is not built: nothing to compare with")
    return path


@pytest.fixture(scope="session")
def command(binary: pathlib.Path) -> Callable[..., str]:
    def run(*arguments: object) -> str:
        words = [str(binary), *map(str, arguments)]
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=100).stdout

    return run


def shared(name: str) -> pathlib.Path:
    """A file of the shared data; skips the test where they are not here."""
    path = ROOT.parent / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path
