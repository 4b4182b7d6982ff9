"""mypy --strict accepts the package, and knows the types of what it returns."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import longhand

USE = """
from typing import Iterator
import numpy as np
from numpy.typing import NDArray
import longhand

result: longhand.TrainingResult = longhand.train("lm", ["a text"], hidden=8)
loss: NDArray[np.float64] = result.history["train_loss"]
model = longhand.load("runs/text")
assert isinstance(model, longhand.LanguageModel)
pieces: Iterator[str] = model.generate("a", 5)
y: NDArray[np.float32] = model.stream().step(3)
reveal_type(model.score("a text").perplexity)
"""


def test_use_of_the_package_is_typed(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "use.py"
    script.write_text(USE)
    package = pathlib.Path(longhand.__file__).resolve().parents[1]
    path = {} if package.name == "site-packages" else {"MYPYPATH": str(package)}
    config = tmp_path / "mypy.ini"  # other packages, which take long to check, are not looked into
    config.write_text("[mypy-pandas.*,torch.*,tqdm.*]\nfollow_imports = skip\nignore_missing_imports = True\n")
    out = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(config), str(script)],
        capture_output=True, text=True, cwd=tmp_path, timeout=110, env={**os.environ, **path}, check=False,
    )  # fmt: skip
    assert out.returncode == 0, out.stdout
    assert 'Revealed type is "float"' in out.stdout or "builtins.float" in out.stdout, out.stdout
