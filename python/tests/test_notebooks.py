"""The notebooks run from beginning to end, with small models."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = ["a_poem_in_ten_minutes", "why_gradients_vanish"]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("LONGHAND_QUICK_NOTEBOOKS", "1")
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(cell.execution_count for cell in code)
    assert (tmp_path / "runs").is_dir()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_published_without_outputs_and_paths(name: str) -> None:
    text = (EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    words = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert code and len(words) >= len(code) // 2
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert not re.search(r"/(home|root|tmp|work)/", text)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
