"""Memory and threads over many trainings and streams in one process.

    python python/bench/memory.py [TRAININGS] [STREAMS]

Makes and drops 100 trainings and 10,000 streams (by default), and prints resident memory, the bytes that malloc has
given out, and threads, after a tenth of them and at the end. Fails where the second half grows by more than 5 MB, or
where threads are left.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pathlib
import random
import sys
import tempfile

import numpy as np

import longhand

LIMIT = 5.0  # MB


def resident() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def measured() -> tuple[float, int]:
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return resident(), threads()


def watch(name: str, count: int, work) -> bool:  # type: ignore[no-untyped-def]
    """Calls work(i) `count` times; whether memory and threads stay flat."""
    at, before = {}, threads()
    for i in range(count):
        work(i)
        if i + 1 in (max(count // 10, 1), count // 2, count):
            at[i + 1] = measured()
    for n, (megabytes, running) in at.items():
        print(f"{name}: after {n:6d}: {megabytes:7.1f} MB resident, {running} threads")
    grown = at[count][0] - at[count // 2][0]
    print(f"{name}: second half: {grown:+.1f} MB")
    return grown < LIMIT and at[count][1] <= before


def main() -> int:
    trainings = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    streams = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    rng = random.Random(1)
    text = ["".join(rng.choice("abcdefgh .") for _ in range(60)) for _ in range(60)]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run")

        def train(i: int) -> None:
            longhand.train(
                "lm", text, out=path, overwrite=True, hidden=16, epochs=1, bptt=16, batch=4, seed=i, threads=2,
                progress=False,
            )  # fmt: skip

        good &= watch("trainings", trainings, train)
        model = longhand.load(path)
        symbols = np.zeros(20, np.int32)

        def stream(i: int) -> None:
            one = model.stream()
            one.process(symbols)
            if i % 10 == 0:
                many = model.streams(8)
                many.step(np.array([many.open()]), symbols[:1])
                next(model.generate("a", 5))  # left before its end
                longhand.load(path).stream().step(0)

        good &= watch("streams", streams, stream)
    print("flat" if good else "GROWS")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
