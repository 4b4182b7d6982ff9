"""Steps of imported networks beside onnxruntime on the files that they come from, in turns: medians and their ratio.

    python3 bench/onnx_runtime.py MODEL=FILE.onnx ... [--set sr=16000] [--rounds 15] [--seconds 0.3]
                                  [--program build/release/bench/longhand_networks] [--longhand build/release/bin/longhand]

onnxruntime and onnx come from PyPI, into an environment of your own. Both sides run one step a call on one thread, with
random inputs, and carry the states on. onnxruntime runs in two ways: `run` with arrays, and with bound inputs and outputs
that it need not copy or allocate; the ratio is that of the faster one. Its Python interface costs something: what a call
of an empty model takes is shown, and the last ratio is without that. Before, both compute the same steps, and the largest
difference of their outputs is shown.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy
import onnx
import onnxruntime

FRAMES = 64


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Theirs:
    """A session, its states, and random frames. `input` is a name, `states` pairs of an input's and an output's name."""

    def __init__(self, model, name, dims, output, states, constants):
        self.session = open_session(model)
        self.name, self.output = name, output
        self.state_names = [(i, o) for i, o, _ in states]
        self.constants = constants
        self.initial = {i: numpy.zeros(shape, numpy.float32) for i, _, shape in states}
        generator = numpy.random.default_rng(1)
        self.frames = [generator.uniform(-0.5, 0.5, dims).astype(numpy.float32) for _ in range(FRAMES)]
        self.reset()
        self.bind()

    def reset(self):
        self.feed = dict(self.constants) | {i: a.copy() for i, a in self.initial.items()}

    def run(self, frame):
        self.feed[self.name] = frame
        found = self.session.run(self.wanted, self.feed)
        for (state, _), array in zip(self.state_names, found[1:]):
            self.feed[state] = array
        return found[0]

    @property
    def wanted(self):
        return [self.output] + [o for _, o in self.state_names]

    def bind(self):
        """Two bindings in turn: each reads the states that the other wrote."""
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        self.x = value(self.frames[0].copy())
        self.y = value(numpy.zeros_like(self.run(self.frames[0])))
        self.reset()
        sides = [[value(array.copy()) for array in self.initial.values()] for _ in range(2)]
        self.kept = [sides, [value(array) for array in self.constants.values()]]
        self.bindings = []
        for before, after in (sides, sides[::-1]):
            binding = self.session.io_binding()
            binding.bind_ortvalue_input(self.name, self.x)
            binding.bind_ortvalue_output(self.output, self.y)
            for name, constant in zip(self.constants, self.kept[1]):
                binding.bind_ortvalue_input(name, constant)
            for (read, written), a, b in zip(self.state_names, before, after):
                binding.bind_ortvalue_input(read, a)
                binding.bind_ortvalue_output(written, b)
            self.bindings.append(binding)
        self.turn = 0

    def run_bound(self, frame):
        self.x.update_inplace(frame)
        self.session.run_with_iobinding(self.bindings[self.turn])
        self.turn ^= 1
        return self.y

    def microseconds(self, step, seconds):
        for frame in self.frames:
            step(frame)
        start, steps, taken = time.perf_counter(), 0, 0.0
        while taken < seconds:
            for frame in self.frames:
                step(frame)
            steps += FRAMES
            taken = time.perf_counter() - start
        return 1e6 * taken / steps


def empty_model():
    """Copies one number."""
    one = onnx.TensorProto.FLOAT
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph(
        [node], "empty", [onnx.helper.make_tensor_value_info("x", one, [1])], [onnx.helper.make_tensor_value_info("y", one, [1])]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 15)], ir_version=8)
    return Theirs(model.SerializeToString(), "x", [1], "y", [], {})


def theirs_of(model, file, options):
    """The session of a file, with the inputs and states that the import found."""
    network = json.loads(subprocess.check_output([options.longhand, "info", "--json", model]))["network"]
    whole = lambda dims: [max(1, n) for n in dims]
    if len(network["inputs"]) != 1 or len(network["outputs"]) != 1:
        raise SystemExit(f"error: {model}: expected a network of one input and one output\n  give another")
    shapes = {each["name"]: whole(each["dims"]) for each in network["state_inputs"]}
    states = [(s["input"], s["output"], shapes[s["input"]]) for s in network["states"]]
    types = {"tensor(int64)": numpy.int64, "tensor(float)": numpy.float32}
    declared = {i.name: i for i in open_session(file).get_inputs()}
    given = dict(each.split("=") for each in options.set or [])
    constants = {n: numpy.array(float(v), types[declared[n].type]) for n, v in given.items() if n in declared}
    x = network["inputs"][0]
    return Theirs(file, x["name"], whole(x["dims"]), network["outputs"][0]["name"], states, constants)


def largest_difference(model, theirs, options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.f32")
        numpy.concatenate([frame.ravel() for frame in theirs.frames]).tofile(path)
        command = [options.longhand, "run", model, "--input", path, "--output-format", "raw"]
        ours = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    ours = numpy.frombuffer(ours, numpy.float32).reshape(FRAMES, -1)
    theirs.reset()
    plain = numpy.stack([theirs.run(frame).ravel() for frame in theirs.frames])
    bound = numpy.stack([theirs.run_bound(frame).numpy().ravel().copy() for frame in theirs.frames])
    assert numpy.array_equal(plain, bound), "onnxruntime's two ways differ"
    return float(numpy.abs(ours - plain).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", nargs="+", metavar="MODEL=FILE.onnx")
    parser.add_argument("--set", action="append", metavar="NAME=NUMBER", help="input that is a constant")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--program", default="build/release/bench/longhand_networks")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    options = parser.parse_args()
    program = subprocess.Popen([options.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def our_microseconds(model):
        program.stdin.write(f"{options.seconds} {model}\n")
        program.stdin.flush()
        return float(program.stdout.readline())

    empty = empty_model()
    calls = [min(empty.microseconds(step, 0.05) for _ in range(10)) for step in (empty.run, empty.run_bound)]
    print(f"onnxruntime {onnxruntime.__version__} beside Longhand; us of a step on one thread, medians of {options.rounds} rounds in turns")
    print(f"a call of an empty model: run {calls[0]:.1f} us, bound {calls[1]:.1f} us")
    print("model            run    bound  Longhand   ratio  without the call  difference")
    for pair in options.pairs:
        model, file = pair.split("=", 1)
        theirs = theirs_of(model, file, options)
        difference = largest_difference(model, theirs, options)
        our_microseconds(model)
        rounds = []
        for turn in range(options.rounds):
            sides = [
                lambda: theirs.microseconds(theirs.run, options.seconds),
                lambda: theirs.microseconds(theirs.run_bound, options.seconds),
                lambda: our_microseconds(model),
            ]
            order = (0, 1, 2) if turn % 2 == 0 else (2, 1, 0)
            times = {i: sides[i]() for i in order}
            rounds.append([times[i] for i in range(3)])
        plain, bound, ours = (statistics.median(side) for side in zip(*rounds))
        faster = 0 if plain < bound else 1
        ratio = statistics.median(r[faster] / r[2] for r in rounds)
        without = statistics.median((r[faster] - calls[faster]) / r[2] for r in rounds)
        print(f"{os.path.basename(model):<13} {plain:>6.1f} {bound:>8.1f} {ours:>9.1f} {ratio:>6.2f}x {without:>16.2f}x {difference:>11.1e}", flush=True)


if __name__ == "__main__":
    main()
