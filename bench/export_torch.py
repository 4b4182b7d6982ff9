"""Models that `longhand export --to pytorch` wrote, run in PyTorch and beside longhand: the largest differences.

    python3 bench/export_torch.py MODEL ... [--longhand build/release/bin/longhand] [--keep FOLDER]

PyTorch and NumPy come from PyPI, into an environment of your own. For each model (a model file or a run's folder) this
exports the module, and compares with what `longhand run` gives for the network of the module that was imported again:

- whole:   several sequences of random inputs;
- alone:   the same sequences one by one, each with its own length;
- in two:  a sequence cut in two, with the state handed over (modules with a state);
- trained: after a step of gradient descent in PyTorch, saved with save() and imported, and with torch.save() and imported
           with --network.

It fails where a difference is above 1e-5, relative to outputs above 1.
"""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

TOLERANCE = 1e-5


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Inputs:
    """Random inputs for a graph's ports, in their order. Masks are ones and then zeros."""

    def __init__(self, graph, weights, generator):
        self.graph, self.generator = graph, generator
        self.symbols = {}
        for node in graph["nodes"]:
            if node["type"] == "embedding":
                self.symbols[node["inputs"][0]] = weights[node["weights"]["weight"]]
            if node["type"] == "one-hot":
                self.symbols[node["inputs"][0]] = node["attributes"]["classes"]
            if node["type"] == "Gather" and node["inputs"][0] in weights:
                self.symbols[node["inputs"][1]] = weights[node["inputs"][0]]

    def make(self, batch, steps, lengths=None):
        out = {}
        for port in self.graph["inputs"]:
            dims = [
                batch if axis == port["batch_axis"] else steps if axis == port["time_axis"] else (5 if size < 0 else size)
                for axis, size in enumerate(port["dims"])
            ]
            if port["type"] == "float":
                out[port["name"]] = self.generator.uniform(-1, 1, dims).astype(numpy.float32)
            elif "mask" in port["name"]:
                ends = self.generator.integers(1, dims[-1] + 1, dims[:-1])
                if port["name"] == "mask" and lengths is not None:
                    ends = numpy.array(lengths)
                out[port["name"]] = (numpy.arange(dims[-1]) < ends[..., None]).astype(numpy.int64)
            else:
                out[port["name"]] = self.generator.integers(0, self.symbols.get(port["name"], 2), dims)
        return out


class Longhand:
    """The network, run on arrays by `longhand run`."""

    def __init__(self, program, model, graph, folder):
        self.program, self.model, self.graph, self.folder = program, model, graph, folder

    def __call__(self, arrays):
        numpy.savez(self.folder / "in.npz", **arrays)
        run([self.program, "run", self.model, "--input", self.folder / "in.npz", "--output", self.folder / "out.npz"])
        found = numpy.load(self.folder / "out.npz")
        return [found[port["name"]] for port in self.graph["outputs"]]


def call(model, arrays, **more):
    with torch.no_grad():
        return model(*[torch.from_numpy(numpy.ascontiguousarray(each)) for each in arrays.values()], **more)


def outputs_of(found, stateful):
    y = found[0] if stateful else found
    return [each.numpy() for each in (y if isinstance(y, tuple) else (y,))]


def difference(a, b):
    if a.size != b.size:
        raise SystemExit(f"shapes {a.shape} and {b.shape}")
    b = b.reshape(a.shape)  # of a network without time `longhand run` writes a row for each run
    return float(numpy.max(numpy.abs(a - b) / numpy.maximum(1.0, numpy.abs(b)), initial=0.0))


def largest(found, expected):
    return max(difference(a, b) for a, b in zip(found, expected))


def cut(arrays, axes, begin, end):
    """Steps `begin` to `end` of the inputs that have time; the others as they are."""
    return {name: numpy.take(each, range(begin, end), axes[name]) if axes[name] >= 0 else each
            for name, each in arrays.items()}


def check(program, path, folder):
    module_file = folder / "exported.py"
    run([program, "export", path, "--to", "pytorch", "--out", module_file])
    python = load_module(module_file)
    model = python.load()
    described = json.loads(model.metadata["longhand"])
    graph = described["graph"]
    state = model.state_dict()
    firsts = {name: state[source["tensors"][0]] for name, source in described["arrays"].items() if "tensors" in source}
    rows = {name: first.shape[0] for name, first in firsts.items() if first.dim() > 0}
    imported = folder / "imported.lh"
    # Longhand's networks have a fixed number of characters in a word.
    dims = widths(graph)
    run([program, "import", folder / "exported.safetensors", *dims, "--out", imported])
    longhand = Longhand(program, imported, graph, folder)
    inputs = Inputs(graph, rows, numpy.random.default_rng(1))
    axes = {port["name"]: port["time_axis"] for port in graph["inputs"]}
    over_time = any(axis >= 0 for axis in axes.values())
    batched = all(port["batch_axis"] >= 0 for port in graph["inputs"])
    stateful = "state" in model.forward.__code__.co_varnames[: model.forward.__code__.co_argcount]
    ragged = "lengths" in model.forward.__code__.co_varnames[: model.forward.__code__.co_argcount]
    B, T = (3 if batched else 1), (23 + int(model.metadata.get("min_rows", 1)) if over_time else 1)
    if graph["states"]:
        B = 1  # longhand reads the rows of such a network one after the other
    found = {}
    whole = inputs.make(B, T, [T] + [T - 5] * (B - 1))
    found["whole"] = largest(outputs_of(call(model, whole), stateful), longhand(whole))
    if ragged:
        lengths = torch.tensor([T, T - 7, T - 11])
        y = outputs_of(call(model, whole, lengths=lengths), stateful)
        worst = 0.0
        for b, length in enumerate(lengths.tolist()):
            one = {name: each[b : b + 1] for name, each in whole.items()}
            alone = longhand(cut(one, axes, 0, length))
            for ours, theirs in zip(y, alone):
                part = ours[b : b + 1, :length] if ours.ndim > 2 else ours[b : b + 1]
                worst = max(worst, difference(part, theirs))
        found["alone"] = worst
    if stateful and over_time:
        y, state = call(model, cut(whole, axes, 0, 9))
        z, _ = call(model, cut(whole, axes, 9, T), state=state)
        both = outputs_of(call(model, whole), True)
        pairs = zip(both, y if isinstance(y, tuple) else (y,), z if isinstance(z, tuple) else (z,))
        worst = 0.0
        for all_steps, first, second in pairs:
            over = [axis for axis in range(all_steps.ndim) if (first.shape[axis], all_steps.shape[axis]) == (9, T)]
            parts = numpy.concatenate([first.numpy(), second.numpy()], over[0]) if over else second.numpy()
            worst = max(worst, difference(parts, all_steps))
        found["in two"] = worst
    train(model, whole, stateful)
    python.save(model, folder / "trained.safetensors")
    torch.save(model.state_dict(), folder / "trained.pt")
    after = outputs_of(call(model.eval(), whole), stateful)
    worst = 0.0
    for name, options in (("trained.safetensors", []), ("trained.pt", ["--network", folder / "exported.safetensors"])):
        run([program, "import", folder / name, *options, *dims, "--out", imported])
        worst = max(worst, largest(after, longhand(whole)))
    found["trained"] = worst
    return found


def widths(graph):
    """--dims for extents that are of no batch and no time."""
    out = []
    for port in graph["inputs"]:
        if -1 not in port["dims"][2:]:
            continue
        open_axes = (port["batch_axis"], port["time_axis"])
        extents = ["*" if axis in open_axes else str(5 if size < 0 else size) for axis, size in enumerate(port["dims"])]
        out.append(f"{port['name']}={'x'.join(extents)}")
    return ["--dims", ",".join(out)] if out else []


def train(model, arrays, stateful):
    model.train()
    for layer in model.modules():
        if isinstance(layer, (torch.nn.BatchNorm1d, torch.nn.Dropout)):
            layer.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    found = model(*[torch.from_numpy(numpy.ascontiguousarray(each)) for each in arrays.values()])
    y = found[0] if stateful else found
    loss = sum((each.float() ** 2).mean() for each in (y if isinstance(y, tuple) else (y,)))
    loss.backward()
    without = [name for name, each in model.named_parameters() if each.grad is None]
    if without:
        print(f"  no gradient reaches {', '.join(without)}")
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    parser.add_argument("--keep", help="folder for the modules")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    worst = 0.0
    print(f"{'model':30} {'whole':>9} {'alone':>9} {'in two':>9} {'trained':>9}")
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            if arguments.keep:
                folder = pathlib.Path(arguments.keep) / pathlib.Path(path).stem
                folder.mkdir(parents=True, exist_ok=True)
            found = check(arguments.longhand, path, folder)
        shown = " ".join(f"{found[what]:9.1e}" if what in found else f"{'-':>9}"
                         for what in ("whole", "alone", "in two", "trained"))
        name = pathlib.Path(path).parent.name if pathlib.Path(path).stem == "model" else pathlib.Path(path).stem
        print(f"{name:30} {shown}", flush=True)
        worst = max(worst, *found.values())
    if not worst <= TOLERANCE:
        sys.exit(f"expected differences of {TOLERANCE} or less, found {worst}")


if __name__ == "__main__":
    main()
