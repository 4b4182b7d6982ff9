"""The two pyproject.toml, of the checkout and of python/, describe the same package."""

from __future__ import annotations

import pytest
from conftest import ROOT


def test_both_projects_are_the_same() -> None:
    tomllib = pytest.importorskip("tomllib")
    top = tomllib.loads((ROOT / "pyproject.toml").read_text())
    inner = tomllib.loads((ROOT / "python/pyproject.toml").read_text())
    assert top["build-system"] == inner["build-system"]
    assert {**top["project"], "readme": ""} == {**inner["project"], "readme": ""}
