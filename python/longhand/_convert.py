"""Models of other programs, in and out."""

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
from ._models import Network, Path, load

if TYPE_CHECKING:
    from ._models import Model


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
    """Reads a model of another program: ONNX, PyTorch, safetensors, Keras, TensorFlow, JSON of audio programs.

    Args:
        path: the file; None: weights are drawn for `network`.
        out: model file to write; None: none.
        network: description of the layers (TOML), where the file does not say them.
        part: which part of a file with several.
        symbols: symbols that the input's numbers stand for, a character each.
        values: inputs of an ONNX model that become constants.
        dims: extents that an ONNX model leaves open, -1 where they stay so.
        states: inputs of an ONNX model and the outputs that go back in; {}: none; None: those that are recognised.
        verify: an input and the output expected, arrays or files: the model is refused if its outputs differ.
        tolerance: the largest difference that `verify` accepts, relative to expected numbers above 1.
        seed: of the weights that are drawn.

    Returns:
        A Network, whose `notes` say what was recognised.

    Raises:
        FileNotFoundError: where there is no file.
        InputError, OptionError: for what cannot be read or is not understood whole, and where `verify` fails.
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
    """A module of PyTorch as a Network, from its weights.

    The layers follow from the names and shapes of the state dict (an embedding; LSTM, GRU or plain recurrent layers; one
    linear layer), or from `network`; a module that `Model.to_torch` made says itself which network it is.

    Args:
        module: a `torch.nn.Module`, which is put into evaluation mode while it is run.
        example: input to compare both on: a tensor or array of the module's input. (Of a tuple of outputs, the first one
            is compared.) None: nothing is compared.
        network: description of the layers (TOML), where names and shapes do not say them.
        symbols: symbols that the input's numbers stand for, a character each.
        tolerance: the largest difference accepted, relative to numbers above 1.

    Raises:
        InputError: for a module that is not understood whole, and where the outputs differ.
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
    """The model as a module of PyTorch: its exported Python file, loaded with its weights, in evaluation mode."""
    importlib.import_module("torch")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.py")
        model.export(path, "pytorch")
        name = f"longhand_export_{uuid.uuid4().hex}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        exported = importlib.util.module_from_spec(spec)
        sys.modules[name] = exported  # where `from_torch` finds how its weights are saved
        spec.loader.exec_module(exported)
        return exported.load()
