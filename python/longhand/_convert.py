"""Import of models from other programs, and conversion from and to PyTorch modules."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._errors import InputError
from ._model import Path
from ._models import load
from ._number_models import Network

if TYPE_CHECKING:
    from ._model import Model


def _as_file(numbers: Any, name: str, folder: str) -> str:
    if isinstance(numbers, (str, os.PathLike)):
        return os.fspath(numbers)
    path = os.path.join(folder, name + ".npy")
    np.save(path, np.asarray(numbers))
    return path


def import_model(
    path: Path | None = None,
    out: Path | None = None,
    *,
    network: Path | None = None,
    part: str = "",
    symbols: str = "",
    values: Mapping[str, ArrayLike] | None = None,
    dims: Mapping[str, Sequence[int]] | None = None,
    states: Mapping[str, str] | None = None,
    verify: tuple[Any, Any] | None = None,
    tolerance: float = 1e-4,
    seed: int = 1,
) -> Network:
    """Imports a model file: ONNX, PyTorch, safetensors, Keras, TensorFlow, or JSON of audio plug-ins.

    Args:
        path: model file. None: build `network` with random initial weights.
        out: model file to write. None: keep the model in memory only.
        network: TOML file that describes the layers; required if `path` contains weights only.
        part: name of the part to import, if the file has several.
        symbols: vocabulary of an input of symbol indices, one character per index.
        values: constant values for inputs of an ONNX model, by input name.
        dims: shapes for ONNX inputs with symbolic dimensions, by input name; -1 keeps a dimension dynamic.
        states: recurrent states of an ONNX model, {input name: output name}. {}: no states. None: detect them.
        verify: (input, expected output), arrays or paths. The import fails if the outputs differ.
        tolerance: maximum error for `verify`: absolute, and relative for expected values above 1.
        seed: seed of the random initial weights.

    Returns:
        A Network. `Network.notes` lists what the import recognised.

    Raises:
        FileNotFoundError: `path` or `network` does not exist.
        InputError: the file is invalid or contains an unsupported operation, or `verify` fails.
        OptionError: an argument is invalid.
    """
    for name in (path, network):
        if name is not None and not os.path.exists(name):
            raise FileNotFoundError(2, "expected a file, found none", os.fspath(name))
    with tempfile.TemporaryDirectory() as folder:
        written = os.path.join(folder, "model.safetensors") if out is None else os.fspath(out)
        pair = ("", "")
        if verify is not None:
            pair = (_as_file(verify[0], "input", folder), _as_file(verify[1], "expected", folder))
        notes = _core.import_model(
            "" if path is None else os.fspath(path),
            written,
            "" if network is None else os.fspath(network),
            part,
            symbols,
            {name: np.ascontiguousarray(value) for name, value in (values or {}).items()},
            {name: list(extents) for name, extents in (dims or {}).items()},
            list((states or {}).items()),
            states is not None and not states,
            pair,
            tolerance,
            seed,
        )
        if out is not None:
            model = load(written)
        else:
            with open(written, "rb") as file:
                model = load(file.read())
    assert isinstance(model, Network)
    model.notes = notes
    return model


def from_torch(
    module: Any,
    example: Any = None,
    *,
    network: Path | None = None,
    symbols: str = "",
    tolerance: float = 1e-4,
) -> Network:
    """Converts a PyTorch module to a Network.

    The layers are inferred from the names and shapes in the state dict (an embedding; LSTM, GRU or plain recurrent
    layers; one linear layer), or described by `network`. A module made by `Model.to_torch` contains its description.

    Args:
        module: a `torch.nn.Module`. It runs in evaluation mode; its mode is restored afterwards.
        example: input of the module, a tensor or array. The module and the network both run on it, and their outputs
            are compared (the first one, if the module returns a tuple). None: no comparison.
        network: TOML file that describes the layers, if they cannot be inferred.
        symbols: vocabulary of an input of symbol indices, one character per index.
        tolerance: maximum error of the comparison: absolute, and relative for expected values above 1.

    Raises:
        TypeError: `module` is not a `torch.nn.Module`.
        InputError: the layers cannot be inferred or are not supported, or the outputs differ.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, found {type(module).__name__}")
    state = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    if not state:
        raise InputError("module: expected weights, found none", "give a module with layers")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "module.pt")
        exported = sys.modules.get(type(module).__module__)
        if type(module).__module__.startswith("longhand_export_") and exported is not None:
            path = os.path.join(folder, "module.safetensors")
            exported.save(module, path)
        else:
            torch.save(state, path)
        model = import_model(path, network=network, symbols=symbols)
    if example is not None:
        _compare(module, model, example, tolerance)
    return model


def _compare(module: Any, model: Network, example: Any, tolerance: float) -> None:
    import torch

    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            tensor = torch.as_tensor(example)
            expected = module(tensor)
    finally:
        module.train(was_training)
    while isinstance(expected, (tuple, list)):
        expected = expected[0]
    found = model.run(tensor.numpy())
    if isinstance(found, dict):
        found = next(iter(found.values()))
    wanted = expected.detach().cpu().numpy()
    if found.shape != wanted.shape and found.size == wanted.size:
        found = found.reshape(wanted.shape)
    if found.shape != wanted.shape:
        raise InputError(
            f"module: expected outputs {list(wanted.shape)}, found {list(found.shape)}",
            "describe the layers with `network`, and give an example [sequences, steps, numbers]",
        )
    difference = float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), 1.0))) if found.size else 0.0
    if not difference <= tolerance:
        raise InputError(
            f"module: expected the same outputs on the example, found a difference of {difference:.3g}, above {tolerance:g}",
            "the state dict does not say all of the module: describe the layers with `network`",
        )


def to_torch(model: Model) -> Any:
    """Exports the model to a Python file, imports that, and returns its module with the weights, in evaluation mode."""
    importlib.import_module("torch")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.py")
        model.export(path, "pytorch")
        name = f"longhand_export_{uuid.uuid4().hex}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        exported = importlib.util.module_from_spec(spec)
        sys.modules[name] = exported  # `from_torch` looks up `save` here
        spec.loader.exec_module(exported)
        return exported.load()
