#!/usr/bin/env python3
"""Writes the files tests/fixtures/onnx_*: what onnxruntime computes for LSTM operators with variants of the cell, for the
tests to compare with.

    python tools/make_onnx_fixtures.py [OUTPUT_FOLDER]

Run by hand, where the packages onnx, onnxruntime, numpy and safetensors are installed, and only to add or change a case:
the files are kept in the repository, and neither building nor testing needs Python.

Each case is one safetensors file of one layer, forward alone. It has the inputs x, h0, c0 and lengths, the parameters
under PyTorch's names and in Longhand's order of gates (i f g o, and i f o in weight_peephole), and the outputs y, h_n,
c_n. All is float32 and time-major. The metadata has Longhand's options.
"""
import json
import pathlib
import sys
import zlib

import numpy as np
import onnx
import onnxruntime
import safetensors.numpy
from onnx import TensorProto, helper

T, B, I, H = 6, 4, 3, 5
LENGTHS = [6, 1, 4, 3]  # onnxruntime has rows of no step end in zeros, whatever they begin with

# ONNX's name of an activation, and its constants, as Longhand's option.
NAMES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Relu": "relu",
    "Affine": "affine",
    "LeakyRelu": "leaky-relu",
    "ThresholdedRelu": "thresholded-relu",
    "ScaledTanh": "scaled-tanh",
    "HardSigmoid": "hard-sigmoid",
    "Elu": "elu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}


def option(activation):
    """An activation's text for Longhand."""
    name, *constants = activation
    return ":".join([NAMES[name]] + [repr(float(np.float32(c))) for c in constants])


def from_onnx(array, blocks, order):
    """Blocks of H rows in another order."""
    return np.concatenate([array.reshape(blocks, H, -1)[k] for k in order]).squeeze()


def make(name, functions=None, both=False, peepholes=False, coupled=False, clip=None, lengths=True):
    """The arrays and metadata of a case. `functions` are f, g, h with their constants."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    directions = 2 if both else 1

    def draw(*shape, scale=1.0):
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    x, h0, c0 = draw(T, B, I), draw(directions, B, H, scale=0.5), draw(directions, B, H, scale=0.5)
    w, r = draw(directions, 4 * H, I, scale=0.5), draw(directions, 4 * H, H, scale=0.3)
    bias, p = draw(directions, 8 * H, scale=0.3), draw(directions, 3 * H, scale=0.4)
    functions = functions or [("Sigmoid",), ("Tanh",), ("Tanh",)]
    attributes = {"hidden_size": H, "direction": "bidirectional" if both else "forward", "input_forget": int(coupled)}
    attributes["activations"] = [f[0] for f in functions] * directions
    alphas, betas = [f[1] for f in functions if len(f) > 1], [f[2] for f in functions if len(f) > 2]
    if alphas:
        attributes["activation_alpha"] = alphas * directions
    if betas:
        attributes["activation_beta"] = betas * directions
    if clip is not None:
        attributes["clip"] = clip
    arrays = {"X": x, "W": w, "R": r, "B": bias, "L": np.array(LENGTHS if lengths else [T] * B, np.int32), "H0": h0, "C0": c0}
    if peepholes:
        arrays["P"] = p
    node = helper.make_node("LSTM", list(arrays), ["Y", "Y_h", "Y_c"], **attributes)
    inputs = [
        helper.make_tensor_value_info(key, TensorProto.INT32 if key == "L" else TensorProto.FLOAT, value.shape)
        for key, value in arrays.items()
    ]
    outputs = [helper.make_tensor_value_info(key, TensorProto.FLOAT, None) for key in ("Y", "Y_h", "Y_c")]
    model = helper.make_model(helper.make_graph([node], name, inputs, outputs), opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y, h_n, c_n = session.run(None, arrays)
    tensors = {
        "x": x,
        "h0": h0,
        "c0": c0,
        "y": y.transpose(0, 2, 1, 3).reshape(T, B, directions * H),
        "h_n": h_n,
        "c_n": c_n,
        "lengths": arrays["L"].astype(np.float32),
    }
    for k in range(directions):
        suffix = "_l0" + ("_reverse" if k else "")
        tensors["weight_ih" + suffix] = from_onnx(w[k], 4, [0, 2, 3, 1])
        tensors["weight_hh" + suffix] = from_onnx(r[k], 4, [0, 2, 3, 1])
        tensors["bias_ih" + suffix] = from_onnx(bias[k][: 4 * H], 4, [0, 2, 3, 1])
        tensors["bias_hh" + suffix] = from_onnx(bias[k][4 * H :], 4, [0, 2, 3, 1])
        if peepholes:
            tensors["weight_peephole" + suffix] = from_onnx(p[k], 3, [0, 2, 1]).reshape(3, H)
    metadata = {
        "onnxruntime": onnxruntime.__version__,
        "case": name,
        "hidden": H,
        "bidirectional": both,
        "peepholes": peepholes,
        "coupled-gates": coupled,
        "gate-clip": clip or 0,
        "gate-activation": option(functions[0]),
        "candidate-activation": option(functions[1]),
        "output-activation": option(functions[2]),
    }
    return tensors, metadata


CASES = {
    "onnx_peepholes": dict(peepholes=True, both=True),
    "onnx_coupled": dict(coupled=True, peepholes=True, both=True),
    "onnx_clip": dict(clip=0.6, peepholes=True, both=True),
    "onnx_hard_sigmoid": dict(functions=[("HardSigmoid", 0.2, 0.5), ("Tanh",), ("Tanh",)], both=True),
    "onnx_relu": dict(functions=[("Relu",), ("LeakyRelu", 0.1), ("Relu",)], clip=1.0),
    "onnx_affine": dict(functions=[("Affine", 0.3, 0.4), ("ScaledTanh", 1.5, 0.7), ("Softsign",)], both=True),
    "onnx_elu": dict(functions=[("Elu", 0.5), ("Softplus",), ("ThresholdedRelu", 0.2)], clip=0.8),
    "onnx_everything": dict(
        functions=[("HardSigmoid", 0.3, 0.4), ("Softsign",), ("Elu", 0.7)], coupled=True, peepholes=True, clip=0.9, both=True
    ),
}


def to_bytes(tensors, metadata):
    """A safetensors file whose metadata are sorted, so that the same case gives the same bytes."""
    metadata = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in metadata.items()}
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    data = safetensors.numpy.save(tensors, metadata)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    return data[:8] + text.ljust(size) + data[8 + size :]


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures")
    for name, case in CASES.items():
        tensors, metadata = make(name, **case)
        (folder / f"{name}.safetensors").write_bytes(to_bytes(tensors, metadata))
        print(name, {key: value.shape for key, value in tensors.items() if key in ("y", "h_n")})


if __name__ == "__main__":
    main()
