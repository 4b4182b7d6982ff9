"""Time of a step of a Stream from Python, in microseconds: with arrays of its own, with `out`, and in one call of many."""

from __future__ import annotations

import tempfile
import time

import numpy as np

import longhand


def main() -> None:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        table = rng.normal(size=(300, 8)).cumsum(axis=0)
        model = longhand.train(
            "regressor", table, out=f"{folder}/run", inputs=[f"x{i + 1}" for i in range(8)], target="x1", window=16,
            hidden=64, epochs=1, progress=False,
        ).model  # fmt: skip
    stream = model.stream()
    x = table.astype(np.float32)
    out = np.empty(stream.outputs, np.float32)
    rows = [x[i % 300] for i in range(20_000)]
    best: dict[str, float] = {}
    for _ in range(5):
        for name, run in (
            ("step(x)", lambda: [stream.step(row) for row in rows]),
            ("step(x, out)", lambda: [stream.step(row, out) for row in rows]),
            ("process", lambda: stream.process(np.stack(rows))),
        ):
            begin = time.perf_counter()
            run()
            best[name] = min(best.get(name, 1e9), (time.perf_counter() - begin) / len(rows) * 1e6)
    for name, microseconds in best.items():
        print(f"{name:14s} {microseconds:6.2f} microseconds a step (LSTM of 64 units, 8 inputs)")


if __name__ == "__main__":
    main()
