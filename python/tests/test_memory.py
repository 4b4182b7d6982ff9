"""A short run of bench/memory.py: memory and threads stay flat."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.timeout(300)
def test_memory_is_flat() -> None:
    script = ROOT / "python/bench/memory.py"
    out = subprocess.run(
        [sys.executable, str(script), "20", "1000"], capture_output=True, text=True, timeout=280, check=False
    )
    assert out.returncode == 0, out.stdout + out.stderr
