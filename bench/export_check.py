"""Models exported to ONNX, checked and run in onnxruntime beside Longhand: the largest differences, a line each.

    python3 bench/export_check.py MODEL ... [--longhand build/release/bin/longhand] [--keep FOLDER]

onnx and onnxruntime come from PyPI, into an environment of your own. Each model is exported; the file passes
onnx.checker (with shape inference); onnxruntime runs it on random inputs, several sequences of several lengths; the
same inputs go through `longhand run` on what `longhand import` makes of the ONNX file, and, of a network of layers, on the
model itself. Where there are states, each sequence is also cut in two, with the states handed over.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

SIZES = [(1, 1), (1, 7), (3, 12), (2, 33)]  # sequences, steps
OTHER = 5  # extent of axes that are neither: characters of the longest word


def extents(value, batch, time, other):
    names = {"batch": batch, "time": time}
    return [names.get(d, other) if isinstance(d, str) or d is None else d for d in value.shape]


def limits(model, name):
    """How many symbols an input may have: rows of the table that it picks from, or classes."""
    arrays = {i.name: i for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[1] == name and node.input[0] in arrays:
            return arrays[node.input[0]].dims[0]
        if node.op_type == "OneHot" and node.input[0] == name:
            return int(onnx.numpy_helper.to_array(arrays[node.input[1]])[0])
    return 2


def random_inputs(model, inputs, batch, time, generator):
    out = {}
    lengths = None
    for value in inputs:
        shape = extents(value, batch, time, OTHER)
        if value.type == "tensor(int64)" and value.name.endswith("mask"):
            axis = len(shape) - 1
            lengths = generator.integers(1, shape[-1] + 1, shape[:-1])
            out[value.name] = (numpy.arange(shape[axis]) < lengths[..., None]).astype(numpy.int64)
        elif value.type == "tensor(int64)":
            out[value.name] = generator.integers(0, limits(model, value.name), shape).astype(numpy.int64)
        else:
            out[value.name] = generator.normal(0, 0.5, shape).astype(numpy.float32)
    return out


def initial_states(session, states, batch):
    shapes = {i.name: i for i in session.get_inputs()}
    out = {}
    for state in states:
        shape = extents(shapes[state["input"]], batch, 1, 1)
        array = numpy.zeros(shape, numpy.float32)
        if "initial" in state:
            one = [1 if isinstance(d, str) else d for d in shapes[state["input"]].shape]
            array = numpy.broadcast_to(numpy.array(state["initial"], numpy.float32).reshape(one), shape).copy()
        out[state["input"]] = array
    return out


def run_ours(longhand, model, feed, outputs, folder):
    source, target = os.path.join(folder, "in.npz"), os.path.join(folder, "out.npz")
    numpy.savez(source, **feed)
    subprocess.run([longhand, "run", model, "--input", source, "--output", target], check=True, capture_output=True)
    found = numpy.load(target)
    return {name: found[name] for name in outputs}


def largest_difference(ours, theirs):
    worst = 0.0
    for name, array in theirs.items():
        a, b = ours[name].reshape(-1).astype(numpy.float64), array.reshape(-1).astype(numpy.float64)
        if a.shape != b.shape:
            raise SystemExit(f"{name}: expected {array.shape}, found {ours[name].shape}")
        scale = max(1.0, float(numpy.abs(b).max(initial=0.0)))
        worst = max(worst, float(numpy.abs(a - b).max(initial=0.0)) / scale)
    return worst


def check(longhand, path, folder):
    file = os.path.join(folder, "model.onnx")
    again = os.path.join(folder, "again.lh")
    subprocess.run([longhand, "export", path, "--to", "onnx", "--out", file], check=True, capture_output=True)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    texts = {p.key: p.value for p in model.metadata_props}
    states = json.loads(texts["states"])
    carried = {s["input"]: s["output"] for s in states}
    inputs = [i for i in session.get_inputs() if i.name not in carried]
    outputs = [o.name for o in session.get_outputs() if o.name not in carried.values()]
    dims = []
    for i in inputs:
        fixed = ["*" if d in ("batch", "time") else str(OTHER if isinstance(d, str) else d) for d in i.shape]
        if str(OTHER) in fixed and any(isinstance(d, str) and d not in ("batch", "time") for d in i.shape):
            dims.append(f"{i.name}={'x'.join(fixed)}")
    known = ["--dims", ",".join(dims)] if dims else []
    subprocess.run([longhand, "import", file, "--out", again] + known, check=True, capture_output=True)
    generator = numpy.random.default_rng(1)
    worst = {"imported again": 0.0, "cut in two": 0.0}
    if texts["task"] == "network":
        worst["the model"] = 0.0
    for batch, time in SIZES:
        time += int(texts.get("min_rows", 1)) - 1
        axes = [d for i in inputs for d in i.shape]
        if "batch" not in axes and batch > 1:
            continue
        if "time" not in axes and time > 1:
            continue
        feed = random_inputs(model, inputs, batch, time, generator)
        start = initial_states(session, states, batch)
        names = [o.name for o in session.get_outputs()]
        whole = dict(zip(names, session.run(names, feed | start)))
        theirs = {name: whole[name] for name in outputs}
        for what, ours in ("imported again", again), ("the model", path):
            if what in worst:
                found = run_ours(longhand, ours, feed, outputs, folder)
                worst[what] = max(worst[what], largest_difference(found, theirs))
        if not states or time < 2 or any("time" not in i.shape for i in inputs):
            continue
        parts, state = [], dict(start)
        for part in (slice(0, time // 3 + 1), slice(time // 3 + 1, None)):
            cut = {i.name: feed[i.name][tuple(part if d == "time" else slice(None) for d in i.shape)] for i in inputs}
            found = dict(zip(names, session.run(names, cut | state)))
            state = {s: found[o] for s, o in carried.items()}
            parts.append(found)
        for value in session.get_outputs():
            joined = parts[1][value.name]
            if "time" in value.shape:
                joined = numpy.concatenate([p[value.name] for p in parts], value.shape.index("time"))
            worst["cut in two"] = max(worst["cut in two"],
                                      largest_difference({value.name: joined}, {value.name: whole[value.name]}))
    if not states:
        del worst["cut in two"]
    return model, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    parser.add_argument("--keep", help="folder for the files that are made")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="relative to the largest output")
    options = parser.parse_args()
    failed = False
    for path in options.models:
        with tempfile.TemporaryDirectory() as folder:
            used = options.keep or folder
            try:
                model, worst = check(options.longhand, path, used)
            except subprocess.CalledProcessError as error:
                print(f"{path}: {error.stderr.decode()}", file=sys.stderr)
                failed = True
                continue
        failed = failed or max(worst.values()) > options.tolerance
        kinds = sorted({n.op_type for n in model.graph.node} & {"LSTM", "GRU", "RNN", "Scan", "Conv"})
        found = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
        print(f"{path}: opset {model.opset_import[0].version}, {' '.join(kinds)}: {found}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
