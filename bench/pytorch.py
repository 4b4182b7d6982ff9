"""Whole training steps beside PyTorch, in turns: medians and their ratio.

    python3 bench/pytorch.py [--threads 1,2] [--rounds 7] [--only NAME] [--precision bf16]
                             [--program build/release/bench/longhand_training]

PyTorch comes from PyPI, into an environment of your own. Both sides train the same model with the same optimizer on
random symbols: forward, cross-entropy, backward, clipping by norm, update. The precision is ours; PyTorch's is float32.
"""

import argparse
import math
import statistics
import subprocess
import time

import torch

# symbols, embed (0: one-hot), hidden, layers, rows, steps, outputs, optimizer, dropout, bidirectional
WORKLOADS = {
    "characters": (28, 0, 256, 1, 32, 35, 28, "sgd", 0.0, False),
    "words": (8293, 512, 512, 1, 128, 48, 8293, "adam", 0.0, False),
    "ptb-small": (10000, 200, 200, 2, 20, 20, 10000, "sgd", 0.0, False),
    "ptb-medium": (10000, 650, 650, 2, 20, 35, 10000, "sgd", 0.5, False),
    "deep": (100, 256, 256, 4, 16, 64, 100, "adam", 0.0, False),
    "tagger": (20000, 100, 200, 1, 32, 30, 17, "adam", 0.0, True),
}


class Model(torch.nn.Module):
    def __init__(self, symbols, embed, hidden, layers, outputs, dropout, bidirectional):
        super().__init__()
        self.symbols = symbols
        self.embedding = torch.nn.Embedding(symbols, embed) if embed else None
        self.drop = torch.nn.Dropout(dropout)
        self.lstm = torch.nn.LSTM(
            embed or symbols, hidden, layers, bidirectional=bidirectional, dropout=dropout if layers > 1 else 0.0
        )
        self.linear = torch.nn.Linear(hidden * (2 if bidirectional else 1), outputs)

    def forward(self, x):
        if self.embedding is None:
            x = torch.nn.functional.one_hot(x, self.symbols).float()
        else:
            x = self.drop(self.embedding(x))
        return self.linear(self.drop(self.lstm(x)[0]))


class Theirs:
    def __init__(self, name, threads):
        symbols, embed, hidden, layers, rows, steps, outputs, optimizer, dropout, bidirectional = WORKLOADS[name]
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(1)
        self.model = Model(symbols, embed, hidden, layers, outputs, dropout, bidirectional)
        rule = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
        self.optimizer = rule(self.model.parameters(), lr=1e-3)
        self.x = torch.randint(symbols, (steps, rows))
        self.y = torch.randint(outputs, (steps * rows,))
        self.step()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.model(self.x)
        torch.nn.functional.cross_entropy(logits.view(len(self.y), -1), self.y).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()

    def milliseconds(self, seconds):
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            self.step()
            steps += 1
        return 1e3 * (time.perf_counter() - start) / steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--only")
    parser.add_argument("--precision", default="float32", choices=["float32", "bf16"])
    parser.add_argument("--program", default="build/release/bench/longhand_training")
    options = parser.parse_args()
    ours = subprocess.Popen([options.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def our_milliseconds(name, threads):
        ours.stdin.write(f"{name} {options.precision} {threads} {options.seconds}\n")
        ours.stdin.flush()
        return float(ours.stdout.readline())

    print(f"PyTorch {torch.__version__} beside Longhand in {options.precision}; ms of a training step, medians of {options.rounds} rounds in turns")
    print("workload    threads  PyTorch  Longhand  ratio")
    for threads in map(int, options.threads.split(",")):
        ratios = []
        for name in WORKLOADS:
            if options.only not in (None, name):
                continue
            theirs = Theirs(name, threads)
            our_milliseconds(name, threads)
            pairs = [(theirs.milliseconds(options.seconds), our_milliseconds(name, threads)) for _ in range(options.rounds)]
            ratios.append(statistics.median(a / b for a, b in pairs))
            a, b = (statistics.median(side) for side in zip(*pairs))
            print(f"{name:<11} {threads:>7} {a:>8.1f} {b:>9.1f} {ratios[-1]:>5.2f}x", flush=True)
        print(f"geometric mean on {threads}: {math.exp(statistics.mean(map(math.log, ratios))):.2f}x", flush=True)


if __name__ == "__main__":
    main()
