"""Forecasts of an exported regressor beside those of `longhand predict`: the largest relative differences.

    python3 bench/export_forecasts.py MODEL TABLE.csv [--longhand build/release/bin/longhand] [--to onnx,pytorch,c]

The model is exported; its inputs are filled from the table with what the file's metadata say (`ports`, `vocabulary`,
`options`, `distribution`) and nothing else, so this is also an example of how to use such a file. Every window of the
table is forecast (`longhand predict --all`). onnx needs onnxruntime, pytorch needs torch, c needs a C compiler; a
format whose packages are absent is left out, with a line that says so.
"""

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import numpy


class Table:
    """The rows of each series, in the order of the file."""

    def __init__(self, path, series_column):
        self.series = {}
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                self.series.setdefault(row.get(series_column) if series_column else None, []).append(row)

    @staticmethod
    def numbers(rows, columns):
        return numpy.array([[float(row[c]) if row[c] != "" else numpy.nan for c in columns] for row in rows])


def scales_of(vocabulary, name, past):
    """Mean and scale of the targets of a series: of its training rows, or, for a new one, of all its rows so far."""
    if name in vocabulary["series"]:
        scales = numpy.array(vocabulary["series_scales"][vocabulary["series"].index(name)])
        return scales[:, 0], scales[:, 1]
    if vocabulary["series_scale"] == "mean-absolute":
        mean, scale = numpy.zeros(past.shape[1]), numpy.abs(past).mean(0)
    else:
        mean, scale = past.mean(0), past.std(0)
    return mean, numpy.where(scale > 1e-7 * numpy.abs(past).max(0), scale, 1.0)


def window_inputs(texts, table):
    """Yields (series, last row, inputs by name) of each window, in the order of `longhand predict --all`."""
    options, vocabulary = json.loads(texts["options"]), json.loads(texts["vocabulary"])
    options = options[0] if isinstance(options, list) else options
    ports = {p["name"]: p for p in json.loads(texts["ports"])}
    length = int(options["window"])
    ahead = int(options["horizon"]) if vocabulary.get("known") else 0
    for name, rows in table.series.items():
        read = [c for p in ("inputs", "targets", "series_scale") if p in ports for c in ports[p]["columns"]]
        filled = sum(all(row[c] != "" for c in read) for row in rows)
        for begin in range(min(filled, len(rows) - ahead) - length + 1):
            window, end = rows[begin : begin + length], begin + length
            feed = {}
            for port in ports.values():
                columns = port["columns"]
                if port["name"] in ("inputs", "targets", "known"):
                    feed[port["name"]] = Table.numbers(window, columns)
                elif port["name"] == "known_ahead":
                    feed[port["name"]] = Table.numbers(rows[end : end + ahead], columns)
                elif port["name"] == "static_numbers":
                    feed[port["name"]] = Table.numbers(rows[:1], columns)[0]
                elif "values" in port:
                    text = rows[0][columns[0]]
                    feed[port["name"]] = port["values"].index(text) if text in port["values"][1:] else 0
                elif port["name"] in ("series_mean", "series_scale"):
                    both = scales_of(vocabulary, name, Table.numbers(rows[:end], columns))
                    feed[port["name"]] = both[port["name"] == "series_scale"]
            yield name, end, feed


def typed(name, values, ports):
    return numpy.array(values, numpy.int64 if "values" in ports[name] else numpy.float32)


def batch_of(feeds, texts):
    ports = {p["name"]: p for p in json.loads(texts["ports"])}
    return {name: typed(name, numpy.stack([f[name] for f in feeds]), ports) for name in feeds[0]}


def exported(longhand, model, to, path, *more):
    subprocess.run([longhand, "export", model, "--to", to, "--out", path, *more], check=True, stdout=subprocess.DEVNULL)
    return path


def run_onnx(longhand, model, table, folder):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported(longhand, model, "onnx", os.path.join(folder, "m.onnx")))
    texts = session.get_modelmeta().custom_metadata_map
    windows = list(window_inputs(texts, table))
    feed = batch_of([feed for _, _, feed in windows], texts)
    shapes = {i.name: i.shape for i in session.get_inputs()}
    for state in json.loads(texts["states"]):
        shape = shapes[state["input"]]
        initial = numpy.array(state.get("initial", 0.0), numpy.float32)
        one = initial.reshape([1 if d == "batch" else d for d in shape]) if "initial" in state else initial
        feed[state["input"]] = numpy.broadcast_to(one, [len(windows) if d == "batch" else d for d in shape]).copy()
    names = [o.name for o in session.get_outputs()]
    return texts, windows, dict(zip(names, session.run(names, feed)))


def run_pytorch(longhand, model, table, folder):
    import torch

    path = exported(longhand, model, "pytorch", os.path.join(folder, "forecaster.py"), "--name", "forecaster")
    spec = importlib.util.spec_from_file_location("forecaster", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded = module.load()
    texts = loaded.metadata
    windows = list(window_inputs(texts, table))
    feed = batch_of([feed for _, _, feed in windows], texts)
    ports = [p["name"] for p in json.loads(texts["ports"])]
    with torch.no_grad():
        found = loaded(*[torch.from_numpy(feed[name]) for name in ports if name in feed])
    if isinstance(found, tuple) and isinstance(found[-1], (tuple, dict)):  # the state
        found = found[0]
    found = found if isinstance(found, tuple) else (found,)
    return texts, windows, dict(zip([name for name in ports if name not in feed], [f.numpy() for f in found]))


def run_c(longhand, model, table, folder):
    # The metadata are those of another format: the header has the same inputs, in the same order.
    onnx = exported(longhand, model, "pytorch", os.path.join(folder, "texts.py"))
    with open(onnx.replace(".py", ".safetensors"), "rb") as file:
        texts = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
    options = json.loads(texts["options"])
    window = str((options[0] if isinstance(options, list) else options)["window"])
    header = exported(longhand, model, "c", os.path.join(folder, "m.h"), "--name", "m", "--steps", window)
    with open(header, encoding="utf-8") as file:
        text = file.read()
    lines = text[text.index("static m_state state;") :].split("\n\n")[0].split("\n")[1:]
    declared = [part.strip().rstrip(";") for line in lines for part in line.strip().rstrip(";").split(", ")]
    names = [part.split()[-1].split("[")[0] for part in declared if part and not part.split()[-1].startswith("out")]
    run = "m_run" if "m_run(" in text else "m_step"
    call = next(line.strip() for line in text.split("\n") if line.strip().startswith(f"{run}(&state"))
    reads = "".join(
        f"    if (fread({'' if f'{n}[' in text.split('static m_state state;')[1].split('out')[0] else '&'}{n}, "
        f"sizeof {n}, 1, stdin) != 1) return 0;\n" for n in names)
    length = f"  int length = {window};\n" if ", length" in call else ""
    source = os.path.join(folder, "m.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write('#include <stdio.h>\n#include "m.h"\nint main(void) {\n  static m_state state;\n' + length +
                   "\n".join(lines) + f"\n  for (;;) {{\n{reads}    m_reset(&state);\n    {call.split(';')[0]};\n"
                   "    fwrite(out, sizeof out, 1, stdout);\n  }\n}\n")
    program = os.path.join(folder, "m")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, source, "-lm"], check=True)
    windows = list(window_inputs(texts, table))
    ports = {p["name"]: p for p in json.loads(texts["ports"])}
    data = b""
    for _, _, feed in windows:
        for name in [p for p in ports if p in feed]:
            data += numpy.array(feed[name], numpy.int32 if "values" in ports[name] else numpy.float32).tobytes()
    answers = numpy.frombuffer(subprocess.run([program], input=data, check=True, capture_output=True).stdout, "f4")
    answers = answers.reshape(len(windows), -1)
    found, at = {}, 0
    for name, port in ports.items():
        if name in windows[0][2]:
            continue
        found[name] = answers[:, at : at + len(port["columns"])]
        at += len(port["columns"])
    return texts, windows, found


def largest_difference(longhand, model, path, texts, windows, found):
    """Relative to the number, or to the width of the distribution where that is larger."""
    options = json.loads(texts["options"])
    options = options[0] if isinstance(options, list) else options
    distribution = json.loads(texts["distribution"])
    targets = json.loads(texts["vocabulary"])["targets"]
    command = [longhand, "predict", model, "--data", path, "--all", "--json"]
    kind = distribution["kind"]
    if kind == "gaussian":
        command += ["--levels", "0.158655253931457,0.841344746068543"]  # one standard deviation
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    steps = len(answers) // len(windows)
    if len(answers) != steps * len(windows):
        raise SystemExit(f"{len(windows)} windows of {steps} steps, and {len(answers)} predictions")
    worst = 0.0

    def compare(ours, theirs, unit):
        nonlocal worst
        worst = max(worst, abs(ours - float(theirs)) / max(abs(ours), unit))

    for w, (name, row, _) in enumerate(windows):
        for a in range(steps):
            answer = answers[w * steps + a]
            if answer["row"] != row or answer.get("series") != name:
                raise SystemExit(f"expected row {row} of {name}, found {answer}")
            for o, target in enumerate(targets):
                one, at = answer["targets"][target], a * len(targets) + o
                quantiles = list(one.get("quantiles", {}).values())
                unit = quantiles[-1] - quantiles[0] if len(quantiles) > 1 else 0.0
                compare(one["forecast"], found["forecast"][w, at], unit)
                if kind == "gaussian":
                    compare(unit / 2, found["standard_deviation"][w, at], 0.0)
                if kind == "quantiles":
                    theirs = numpy.reshape(found["quantiles"][w], (steps * len(targets), -1))[at]
                    for k, value in enumerate(quantiles):
                        compare(value, theirs[k], unit)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("table")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    parser.add_argument("--to", default="onnx,pytorch,c")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    failed = False
    for to in options.to.split(","):
        runner = {"onnx": run_onnx, "pytorch": run_pytorch, "c": run_c}[to]
        with tempfile.TemporaryDirectory() as folder:
            stored = subprocess.run([options.longhand, "info", options.model, "--json"], check=True, capture_output=True,
                                    text=True).stdout
            table = Table(options.table, json.loads(stored)["options"].get("series-column", ""))
            try:
                texts, windows, found = runner(options.longhand, options.model, table, folder)
            except ImportError as error:
                print(f"{to}: left out: {error}")
                continue
            worst = largest_difference(options.longhand, options.model, options.table, texts, windows, found)
        failed = failed or not worst <= options.tolerance
        kind = json.loads(texts["distribution"])["kind"]
        print(f"{to}: {kind}, {len(windows)} windows: largest relative difference {worst:.1e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
