"""Models of other programs, in and out."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from conftest import shared

import longhand


def test_formats_and_files(language_model: longhand.LanguageModel, network: longhand.Network, tmp_path: pathlib.Path) -> None:
    path = language_model.to_onnx(tmp_path / "model.onnx")
    assert pathlib.Path(path).stat().st_size > 1000
    assert network.export(tmp_path / "net.h", "c", name="net")
    written = network.export(tmp_path / "net.py", "pytorch")
    assert [pathlib.Path(each).suffix for each in written] == [".py", ".safetensors"]
    with pytest.raises(longhand.OptionError, match="format"):
        network.export(tmp_path / "net.xyz", "xyz")
    with pytest.raises(longhand.OptionError):
        network.export(tmp_path / "net.onnx", "onnx", weights="int4")
    with pytest.raises(longhand.OptionError):
        network.export(tmp_path / "net.unknown")


def test_onnx_round_trip(network: longhand.Network, tmp_path: pathlib.Path) -> None:
    path = network.to_onnx(tmp_path / "net.onnx")
    again = longhand.import_model(path)
    assert again.notes
    x = np.random.default_rng(5).normal(size=(9, 2)).astype(np.float32)
    found = again.run(x)
    np.testing.assert_allclose(np.asarray(found).reshape(9, 1), network.run(x), atol=1e-6)


def test_onnxruntime_agrees(network: longhand.Network, tmp_path: pathlib.Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(network.to_onnx(tmp_path / "net.onnx"))
    x = np.random.default_rng(6).normal(size=(1, 9, 2)).astype(np.float32)
    feeds = {session.get_inputs()[0].name: x}
    for port in session.get_inputs()[1:]:
        feeds[port.name] = np.zeros([d if isinstance(d, int) else 1 for d in port.shape], np.float32)
    np.testing.assert_allclose(session.run(None, feeds)[0].reshape(9, 1), network.run(x[0]), atol=1e-5)


def test_verification(network: longhand.Network, tmp_path: pathlib.Path) -> None:
    path = network.to_onnx(tmp_path / "net.onnx")
    x = np.random.default_rng(7).normal(size=(1, 6, 2)).astype(np.float32)
    y = network.run(x)
    model = longhand.import_model(path, tmp_path / "net.lh", verify=(x, y))
    assert any("verified" in note for note in model.notes) and model.path == str(tmp_path / "net.lh")
    with pytest.raises(longhand.InputError, match="difference"):
        longhand.import_model(path, verify=(x, y + 0.1))


def test_import_refuses(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        longhand.import_model(tmp_path / "none.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\x08\x07garbage" * 10)
    with pytest.raises(longhand.InputError):
        longhand.import_model(damaged)
    with pytest.raises(longhand.OptionError):
        longhand.import_model()


def test_torch_there_and_back(language_model: longhand.LanguageModel, network: longhand.Network) -> None:
    torch = pytest.importorskip("torch")
    x = torch.randn(2, 7, 2)
    module = network.to_torch()
    y = module(x)
    y = y[0] if isinstance(y, tuple) else y
    np.testing.assert_allclose(y.detach().numpy(), network.run(x.numpy()), atol=1e-5)
    again = longhand.from_torch(module, x)
    np.testing.assert_allclose(again.run(x.numpy()), network.run(x.numpy()), atol=1e-6)
    assert isinstance(language_model.to_torch(), torch.nn.Module)


def test_from_torch_reads_modules(tmp_path: pathlib.Path) -> None:
    torch = pytest.importorskip("torch")

    class Forecaster(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(3, 8, num_layers=2, batch_first=True)
            self.fc = torch.nn.Linear(8, 2)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.fc(self.lstm(x)[0])

    x = torch.randn(2, 11, 3)
    model = longhand.from_torch(Forecaster(), x)
    assert model.run(x.numpy()).shape == (2, 11, 2)
    lstm = torch.nn.LSTM(3, 4, batch_first=True)
    np.testing.assert_allclose(longhand.from_torch(lstm, x).run(x.numpy()), lstm(x)[0].detach().numpy(), atol=1e-6)

    class Last(Forecaster):
        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.fc(torch.relu(self.lstm(x)[0]))

    with pytest.raises(longhand.InputError, match="difference"):
        longhand.from_torch(Last(), x)
    with pytest.raises(TypeError):
        longhand.from_torch([1, 2])
    with pytest.raises(longhand.InputError):
        longhand.from_torch(torch.nn.ReLU())


def test_models_of_others() -> None:
    models = shared("models")
    model = longhand.import_model(models / "dtln/model_1.onnx")
    assert model.parameters > 100_000 and model.notes
    amplifier = longhand.import_model(next((models / "nam").glob("*.nam")))
    x = np.random.default_rng(8).normal(scale=0.1, size=(500, 1)).astype(np.float32)
    whole = np.asarray(amplifier.run(x)).reshape(500, 1)
    np.testing.assert_allclose(amplifier.stream().process(x), whole, atol=1e-6)
