"""Answers of an exported language model or classifier beside those of longhand itself: the largest differences.

    python3 bench/export_answers.py MODEL TEXT [--longhand build/release/bin/longhand] [--to onnx,pytorch]

A language model reads the characters of TEXT that it knows: their mean nats beside those of `longhand eval`. A classifier
reads sentences of words of its vocabulary (TEXT is not read): the probabilities beside those of `longhand classify`. Single
models, ensembles and quantised ones; symbols and words become numbers by the metadata of the exported file. onnx needs
onnxruntime, pytorch needs torch; a format whose packages are absent is left out, with a line that says so.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy


def answer_of(command, text=None):
    return subprocess.run(command, check=True, capture_output=True, text=True, input=text).stdout


class Onnx:
    def __init__(self, longhand, model, folder):
        import onnxruntime

        path = os.path.join(folder, "model.onnx")
        answer_of([longhand, "export", model, "--to", "onnx", "--out", path])
        self.session = onnxruntime.InferenceSession(path)
        self.texts = self.session.get_modelmeta().custom_metadata_map
        self.shapes = {i.name: i.shape for i in self.session.get_inputs()}
        self.inputs = list(self.shapes)

    def probabilities(self, feed):
        feed = {name: values for name, values in feed.items() if name in self.shapes}
        for state in json.loads(self.texts["states"]):
            shape = [1 if d == "batch" else d for d in self.shapes[state["input"]]]
            initial = state.get("initial") or numpy.zeros(shape)
            feed[state["input"]] = numpy.array(initial, numpy.float32).reshape(shape)
        return self.session.run(["probabilities"], feed)[0][0]


class PyTorch:
    def __init__(self, longhand, model, folder):
        import torch

        self.torch = torch
        path = os.path.join(folder, "exported.py")
        answer_of([longhand, "export", model, "--to", "pytorch", "--out", path])
        spec = importlib.util.spec_from_file_location("exported", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.model = module.load()
        self.texts = self.model.metadata
        self.inputs = list(self.model.forward.__annotations__)

    def probabilities(self, feed):
        given = {n: self.torch.from_numpy(v) for n, v in feed.items() if n in self.inputs}
        with self.torch.no_grad():
            found = self.model(**given)
        if isinstance(found[0], tuple):  # beside the state
            found = found[0]
        return found[1].numpy()[0]


def nats_of_text(longhand, path, text, program, folder):
    symbols = json.loads(program.texts["vocabulary"])["symbols"]
    known = "".join(c for c in text if c in symbols)
    data = os.path.join(folder, "known.txt")
    with open(data, "w", encoding="utf-8", newline="") as file:
        file.write(known)
    numbers = [symbols.index(c) for c in known]
    found = program.probabilities({"symbols": numpy.array([numbers[:-1]], numpy.int64)})
    theirs = -numpy.log(found[numpy.arange(len(numbers) - 1), numbers[1:]].astype(numpy.float64)).mean()
    ours = json.loads(answer_of([longhand, "eval", path, "--data", data, "--json"]))["nats_per_symbol"]
    return f"{len(known)} characters, nats per symbol", abs(theirs - ours)


def words_as_numbers(words, vocabulary):
    """The inputs for small ASCII words that the vocabulary has."""
    length = max(len(word) for word in words)
    characters = numpy.zeros((1, len(words), length), numpy.int64)
    mask = numpy.zeros_like(characters)
    index = {c: i for i, c in enumerate(vocabulary.get("characters", []))}
    for w, word in enumerate(words):
        for c, character in enumerate(word):
            characters[0, w, c], mask[0, w, c] = index.get(character, 0), 1
    shapes = [re.sub(r"x{3,}", "xx", "x" * len(word)) for word in words]
    known = {s: i for i, s in enumerate(vocabulary.get("shapes", []))}
    return {
        "words": numpy.array([[vocabulary["words"].index(word) for word in words]], numpy.int64),
        "shapes": numpy.array([[known.get(shape, 0) for shape in shapes]], numpy.int64),
        "characters": characters,
        "character_mask": mask,
        "mask": numpy.ones((1, len(words)), numpy.int64),
    }


def probabilities_of_classes(longhand, path, program):
    vocabulary, labels = json.loads(program.texts["vocabulary"]), json.loads(program.texts["labels"])
    words = [w for w in vocabulary["words"] if re.fullmatch("[a-z]+", w)][:60]
    sentences = [words[i : i + 3 + i % 7] for i in range(0, len(words) - 9, 4)]
    lines = answer_of([longhand, "classify", path, "--data", "-", "--json", "--top", "100000"],
                      "".join(" ".join(s) + "\n" for s in sentences)).splitlines()
    worst = 0.0
    for sentence, line in zip(sentences, lines, strict=True):
        theirs = program.probabilities(words_as_numbers(sentence, vocabulary))
        for each in json.loads(line)["classes"]:
            worst = max(worst, abs(float(theirs[labels.index(each["class"])]) - each["probability"]))
    return f"{len(sentences)} sentences, probabilities of classes", worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--longhand", default="build/release/bin/longhand")
    parser.add_argument("--to", default="onnx,pytorch")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    with open(options.text, encoding="utf-8", newline="") as file:
        text = file.read()
    failed = False
    for to in options.to.split(","):
        with tempfile.TemporaryDirectory() as folder:
            try:
                program = {"onnx": Onnx, "pytorch": PyTorch}[to](options.longhand, options.model, folder)
            except ImportError as error:
                print(f"{to}: left out: {error}")
                continue
            if program.texts["task"] == "language_model":
                what, worst = nats_of_text(options.longhand, options.model, text, program, folder)
            else:
                what, worst = probabilities_of_classes(options.longhand, options.model, program)
        failed = failed or not worst <= options.tolerance
        print(f"{options.model}, {to}: {what}: largest difference {worst:.1e}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
