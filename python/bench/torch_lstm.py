"""`longhand.torch.LSTM` beside `torch.nn.LSTM` on the CPU: time steps a second, forward and backward together.

    python3 python/bench/torch_lstm.py [--threads 1,2] [--rounds 7] [--seconds 0.5] [--only NAME] [--busy N]

Both modules have the same weights and read the same input. They take turns, and the ratio is the median of the rounds'
ratios. Steps that are padding are not counted. `--busy N` measures beside N other processes that compute all the time.
"""

import argparse
import multiprocessing
import statistics
import time
import warnings

import torch
from torch.nn.utils.rnn import pack_padded_sequence

import longhand.torch

# batch, steps, hidden (and input) size, options, whether lengths are uniform in 1 .. steps, theirs, ours
WORKLOADS = {
    "full": (32, 64, 256, {}, False, "padded", "padded"),
    "ragged: padded, lengths": (32, 64, 256, {}, True, "padded", "lengths"),
    "ragged: packed, packed": (32, 64, 256, {}, True, "packed", "packed"),
    "ragged: packed, lengths": (32, 64, 256, {}, True, "packed", "lengths"),
    "projected to 128": (32, 64, 256, {"proj_size": 128}, False, "padded", "padded"),
    "deep: padded, padded": (32, 64, 256, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}, False, "padded",
                             "padded"),
    "deep: padded, lengths": (32, 64, 256, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}, True, "padded",
                              "lengths"),
    "deep: packed, packed": (32, 64, 256, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}, True, "packed",
                             "packed"),
    "long: padded, padded": (16, 500, 128, {}, False, "padded", "padded"),
    "long: packed, packed": (16, 500, 128, {}, True, "packed", "packed"),
    "long: packed, lengths": (16, 500, 128, {}, True, "packed", "lengths"),
    "batch_first": (32, 64, 256, {"batch_first": True}, False, "padded", "padded"),
}


class Side:
    """One of the two modules on a workload."""

    def __init__(self, module, x, lengths, how):
        self.module, self.x, self.lengths, self.how = module, x, lengths, how
        self.gradient = torch.randn_like(self.run())

    def run(self):
        if self.how == "packed":
            return self.module(pack_padded_sequence(self.x, self.lengths, enforce_sorted=False))[0].data
        if self.how == "lengths":
            return self.module(self.x, lengths=self.lengths)[0]
        return self.module(self.x)[0]

    def step(self):
        self.module.zero_grad(set_to_none=True)
        self.x.grad = None
        self.run().backward(self.gradient)

    def rate(self, seconds):
        """Steps a second that are no padding."""
        start, passes = time.perf_counter(), 0
        while passes < 2 or time.perf_counter() - start < seconds:
            self.step()
            passes += 1
        return passes * int(self.lengths.sum()) / (time.perf_counter() - start)


def sides(name):
    batch, steps, hidden, options, ragged, theirs, ours = WORKLOADS[name]
    torch.manual_seed(1)
    lengths = torch.randint(1, steps + 1, (batch,)) if ragged else torch.full((batch,), steps)
    lengths[0] = steps
    shape = (batch, steps) if options.get("batch_first") else (steps, batch)
    x = torch.randn(*shape, hidden, requires_grad=True)
    a, b = torch.nn.LSTM(hidden, hidden, **options), longhand.torch.LSTM(hidden, hidden, **options)
    b.load_state_dict(a.state_dict())
    return Side(a, x, lengths, theirs), Side(b, x, lengths, ours)


def compute_forever():
    x = 1
    while True:
        x = x * 1103515245 % 2147483647


def measure(name, threads, rounds, seconds):
    torch.set_num_threads(threads)
    theirs, ours = sides(name)
    theirs.step(), ours.step()
    pairs = [(theirs.rate(seconds), ours.rate(seconds)) for _ in range(rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    a, b = (statistics.median(side) for side in zip(*pairs))
    print(f"{name:<26}{threads:>7} {a:>10,.0f} {b:>10,.0f} {ratio:>6.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--only", default="", help="workloads whose name has this in it")
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute meanwhile")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    others = [multiprocessing.Process(target=compute_forever, daemon=True) for _ in range(options.busy)]
    for process in others:
        process.start()
    print(f"PyTorch {torch.__version__}, CPU; steps a second, {options.busy} other busy processes")
    print(f"{'workload: PyTorch, ours':<26}threads    PyTorch   Longhand   ratio")
    for threads in map(int, options.threads.split(",")):
        for name in WORKLOADS:
            if options.only in name:
                measure(name, threads, options.rounds, options.seconds)
    for process in others:
        process.terminate()


if __name__ == "__main__":
    main()
