#!/usr/bin/env python3
"""Writes the files in tests/fixtures: what PyTorch computes for small recurrent layers, optimizers, schedules of the
learning rate and a loss, for the tests to compare with.

    python tools/make_fixtures.py [OUTPUT_FOLDER]

Run by hand, where the packages torch and safetensors are installed, and only to add or change a case: the files are
kept in the repository, and neither building nor testing needs Python. The same PyTorch on the same kind of processor
writes the same bytes again.

Each case is one safetensors file. A layer's has its inputs and parameters, its outputs, an upstream gradient for each
output, and, as grad.NAME, the gradient of each input and parameter, where the loss is the sum of outputs * upstream
gradients. All is float32 and time-major: T steps, B rows, I inputs, H hidden units. What the others have is said at the
functions that make them.
"""
import json
import pathlib
import sys
import zlib
from functools import partial

import safetensors.torch
import torch
from torch.nn.functional import cross_entropy, layer_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim import lr_scheduler


def draw(*shape, mean=0.0, deviation=1.0):
    """An input or parameter: a tensor whose gradient is wanted."""
    return (mean + deviation * torch.randn(shape)).requires_grad_()


def torch_layer(kind, T, B, I, H, lengths=None, **sizes):
    """A layer of PyTorch's own: its inputs and parameters, its outputs, its constants."""
    layer = kind(I, H, **sizes)
    stack = layer.num_layers * (2 if layer.bidirectional else 1)
    leaves = {"x": draw(T, B, I), "h0": draw(stack, B, layer.proj_size or H)}
    is_lstm = kind is torch.nn.LSTM
    if is_lstm:
        leaves["c0"] = draw(stack, B, H)
    state = (leaves["h0"], leaves["c0"]) if is_lstm else leaves["h0"]
    constants = {}
    if lengths:
        constants["lengths"] = torch.tensor(lengths, dtype=torch.float32)
        y, last = layer(pack_padded_sequence(leaves["x"], lengths, enforce_sorted=False), state)
        y, _ = pad_packed_sequence(y, total_length=T)
    else:
        y, last = layer(leaves["x"], state)
    outputs = {"y": y, "h_n": last[0], "c_n": last[1]} if is_lstm else {"y": y, "h_n": last}
    return leaves | dict(layer.named_parameters()), outputs, constants


def run_cell(step, leaves):
    """The outputs of one layer, one direction, whose cell is step(t, x, h, c) -> h, c."""
    h, c = leaves["h0"][0], leaves["c0"][0]
    y = []
    for t, x in enumerate(leaves["x"]):
        h, c = step(t, x, h, c)
        y.append(h)
    return {"y": torch.stack(y), "h_n": h[None], "c_n": c[None]}


def cell_leaves(T, B, I, H):
    return {
        "x": draw(T, B, I), "h0": draw(1, B, H), "c0": draw(1, B, H),
        "weight_ih_l0": draw(4 * H, I, deviation=0.3), "weight_hh_l0": draw(4 * H, H, deviation=0.3),
        "bias_ih_l0": draw(4 * H, deviation=0.3),
    }


def layer_norm_cell(T, B, I, H):
    """An LSTM that normalises W_ih x and W_hh h, each over its four gates together, and c on its way to h."""
    leaves = cell_leaves(T, B, I, H) | {
        "gain_ih_l0": draw(4 * H, mean=1.0, deviation=0.3), "gain_hh_l0": draw(4 * H, mean=1.0, deviation=0.3),
        "gain_c_l0": draw(H, mean=1.0, deviation=0.3), "bias_c_l0": draw(H, deviation=0.3),
    }

    def step(_, x, h, c):
        from_x = layer_norm(x @ leaves["weight_ih_l0"].T, [4 * H], eps=1e-5)
        from_h = layer_norm(h @ leaves["weight_hh_l0"].T, [4 * H], eps=1e-5)
        a = leaves["gain_ih_l0"] * from_x + leaves["gain_hh_l0"] * from_h + leaves["bias_ih_l0"]
        i, f, g, o = a.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * (leaves["gain_c_l0"] * layer_norm(c, [H], eps=1e-5) + leaves["bias_c_l0"]).tanh(), c

    return leaves, run_cell(step, leaves), {}


def zoneout_cell(T, B, I, H):
    """An LSTM with zoneout: where its mask is one, a unit of h or c keeps its previous value."""
    leaves = cell_leaves(T, B, I, H) | {"bias_hh_l0": draw(4 * H, deviation=0.3)}
    masks = {name: (torch.rand(T, B, H) < 0.3).float() for name in ("zone_h", "zone_c")}

    def step(t, x, h, c):
        a = x @ leaves["weight_ih_l0"].T + leaves["bias_ih_l0"] + h @ leaves["weight_hh_l0"].T + leaves["bias_hh_l0"]
        i, f, g, o = a.chunk(4, dim=-1)
        new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        new_h = o.sigmoid() * new_c.tanh()
        zone_h, zone_c = masks["zone_h"][t], masks["zone_c"][t]
        return zone_h * h + (1 - zone_h) * new_h, zone_c * c + (1 - zone_c) * new_c

    return leaves, run_cell(step, leaves), masks


LSTM = partial(torch_layer, torch.nn.LSTM)
RNN = partial(torch_layer, torch.nn.RNN)
GRU = partial(torch_layer, torch.nn.GRU)

LAYERS = {
    "lstm_plain": (LSTM, dict(T=5, B=3, I=4, H=5)),
    "lstm_hidden_16": (LSTM, dict(T=3, B=7, I=17, H=16)),
    "lstm_hidden_33": (LSTM, dict(T=4, B=2, I=5, H=33)),
    "lstm_smallest": (LSTM, dict(T=1, B=1, I=1, H=1)),
    "lstm_two_layers": (LSTM, dict(T=5, B=3, I=4, H=5, num_layers=2)),
    "lstm_three_layers": (LSTM, dict(T=5, B=3, I=4, H=5, num_layers=3)),
    "lstm_bidirectional": (LSTM, dict(T=5, B=3, I=4, H=5, bidirectional=True)),
    "lstm_two_layers_bidirectional": (LSTM, dict(T=5, B=3, I=4, H=5, num_layers=2, bidirectional=True)),
    "lstm_proj": (LSTM, dict(T=5, B=3, I=4, H=6, proj_size=3)),
    "lstm_two_layers_bidirectional_proj": (
        LSTM, dict(T=5, B=3, I=4, H=6, num_layers=2, bidirectional=True, proj_size=3)),
    "lstm_ragged": (LSTM, dict(T=5, B=3, I=4, H=5, lengths=[5, 1, 3])),
    "lstm_ragged_two_layers_bidirectional_proj": (
        LSTM, dict(T=6, B=4, I=4, H=6, lengths=[2, 5, 1, 5], num_layers=2, bidirectional=True, proj_size=3)),
    "rnn_tanh": (RNN, dict(T=5, B=3, I=4, H=5, nonlinearity="tanh")),
    "rnn_relu": (RNN, dict(T=5, B=3, I=4, H=5, nonlinearity="relu")),
    "gru": (GRU, dict(T=5, B=3, I=4, H=5)),
    "layer_norm": (layer_norm_cell, dict(T=5, B=3, I=4, H=5)),
    "zoneout": (zoneout_cell, dict(T=5, B=3, I=4, H=5)),
}


def differentiate(leaves, outputs):
    """Draws the upstream gradients, and returns them with the gradients that follow from them."""
    upstream = {"d" + name: torch.randn_like(output) for name, output in outputs.items()}
    sum((output * upstream["d" + name]).sum() for name, output in outputs.items()).backward()
    return upstream | {"grad." + name: leaf.grad for name, leaf in leaves.items()}


def layer(build, options):
    """The arrays and the metadata of a layer's file."""
    leaves, outputs, constants = build(**options)
    return leaves | constants | outputs | differentiate(leaves, outputs), {
        "layers": options.get("num_layers", 1), "bidirectional": options.get("bidirectional", False),
        "proj": options.get("proj_size", 0), "hidden": options["H"], "inputs": options["I"],
    }


# Of an optimizer's options, those that change how it computes and not what.
NOT_HYPERPARAMETERS = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}


def optimizer(kind, **options):
    """Ten steps with drawn gradients: the weights w0 before them, and after each (for ASGD, their averages too)."""
    steps, n = 10, 37
    weights = torch.randn(n).requires_grad_()
    gradients = 10 ** torch.linspace(-4, 1, n) * torch.randn(steps, n)
    gradients[:3, 0::6] = 0  # nothing yet,
    gradients[4:7, 3::6] = 0  # nothing for a while,
    gradients[:, 20] = 0  # nothing ever
    tensors = {"w0": weights.detach().clone(), "gradients": gradients}
    rule = kind([weights], foreach=False, **options)
    history = {"weights": []} | ({"averages": []} if kind is torch.optim.ASGD else {})
    for gradient in gradients:
        weights.grad = gradient.clone()
        rule.step()
        history["weights"].append(weights.detach().clone())
        if "averages" in history:
            history["averages"].append(rule.state[weights]["ax"].clone())
    hyperparameters = {k: v for k, v in rule.param_groups[0].items() if k not in NOT_HYPERPARAMETERS}
    if "betas" in hyperparameters:
        hyperparameters["beta1"], hyperparameters["beta2"] = hyperparameters.pop("betas")
    return tensors | {name: torch.stack(values) for name, values in history.items()}, hyperparameters


# Small improvements that add up to one that counts, one in a cooldown, one just before patience ends, and the floor.
PLATEAU_LOSSES = [4, 3, 2.99, 2.98, 2.96, 3.1, 2.95, 2.94, 2.9, 3.2, 2.9, 2.89, 2.88, 3, 3,
                  3, 2.5, 2.6, 2.6, 2.6, 2.7, 2.7, 2.7, 2.6, 2.5, 2.5, 2.5, 2.6, 2.6, 2.6]


def schedules():
    """The learning rate by epoch or step, for several schedules: that with which each is run, before the scheduler's
    step; only after it for `plateau`, which has seen the epoch's loss in `plateau_losses` by then."""
    base = 0.5
    kinds = {
        "step": (lr_scheduler.StepLR, 12, dict(step_size=3, gamma=0.5)),
        "exponential": (lr_scheduler.ExponentialLR, 12, dict(gamma=0.9)),
        "cosine": (lr_scheduler.CosineAnnealingLR, 41, dict(T_max=40, eta_min=0.05)),
        "one_cycle": (lr_scheduler.OneCycleLR, 40, dict(
            max_lr=0.5, total_steps=40, pct_start=0.3, anneal_strategy="cos", div_factor=25, final_div_factor=1e4,
            three_phase=False, cycle_momentum=False)),
        "plateau": (lr_scheduler.ReduceLROnPlateau, len(PLATEAU_LOSSES), dict(
            mode="min", factor=0.3, patience=2, threshold=0.01, threshold_mode="rel", cooldown=2, min_lr=0.01,
            eps=1e-8)),
    }
    tensors, metadata = {"plateau_losses": torch.tensor(PLATEAU_LOSSES)}, {"lr": base}
    losses = tensors["plateau_losses"].tolist()  # as they are in the file, in single precision
    for name, (kind, count, options) in kinds.items():
        sgd = torch.optim.SGD([torch.zeros(1)], lr=base)
        scheduler = kind(sgd, **options)
        rates = [sgd.param_groups[0]["lr"]]
        for i in range(count):
            sgd.step()
            scheduler.step(*(losses[i:i + 1] if name == "plateau" else []))
            rates.append(sgd.param_groups[0]["lr"])
        tensors[name] = torch.tensor(rates[1:] if name == "plateau" else rates[:-1])
        metadata |= {f"{name}.{option}": value for option, value in options.items()}
    return tensors, metadata


def label_smoothing():
    """A linear layer and the cross-entropy, a mean over the rows, whose targets have a share given to all classes."""
    rows, inputs, classes, smoothing = 6, 5, 7, 0.1
    leaves = {"x": draw(rows, inputs), "w": draw(classes, inputs), "bias": draw(classes)}
    targets = torch.randint(classes, (rows,))
    loss = cross_entropy(leaves["x"] @ leaves["w"].T + leaves["bias"], targets, label_smoothing=smoothing)
    loss.backward()
    gradients = {"grad." + name: leaf.grad for name, leaf in leaves.items()}
    return leaves | {"targets": targets.float(), "loss": loss.reshape(1)} | gradients, {"smoothing": smoothing}


OTHERS = {
    "optimizer_sgd": partial(optimizer, torch.optim.SGD, lr=0.1),
    "optimizer_sgd_l2": partial(optimizer, torch.optim.SGD, lr=0.1, weight_decay=0.05),
    "optimizer_momentum": partial(optimizer, torch.optim.SGD, lr=0.05, momentum=0.9),
    "optimizer_nesterov": partial(optimizer, torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "optimizer_adagrad": partial(optimizer, torch.optim.Adagrad, lr=0.1),
    "optimizer_adadelta": partial(optimizer, torch.optim.Adadelta, lr=1.0),
    "optimizer_rmsprop": partial(optimizer, torch.optim.RMSprop, lr=0.01),
    "optimizer_adam": partial(optimizer, torch.optim.Adam, lr=0.05),
    "optimizer_adam_l2": partial(optimizer, torch.optim.Adam, lr=0.05, weight_decay=0.05),
    "optimizer_adamw": partial(optimizer, torch.optim.AdamW, lr=0.01, weight_decay=0.1),
    "optimizer_nadam": partial(optimizer, torch.optim.NAdam, lr=0.02),
    "optimizer_asgd": partial(optimizer, torch.optim.ASGD, lr=0.1, lambd=1e-4, alpha=0.75, t0=3),
    "optimizer_asgd_merity": partial(optimizer, torch.optim.ASGD, lr=0.1, lambd=0, t0=0),
    "schedules": schedules,
    "label_smoothing": label_smoothing,
}


def to_bytes(tensors, metadata):
    metadata = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in metadata.items()}
    own_memory = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(own_memory, metadata)
    # The package puts the metadata in another order at every run; sorted, the header is as long as before.
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    return data[:8] + header.ljust(end - 8) + data[end:]


def main(folder):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.set_flags(False)  # oneDNN has some of the layers, not all
    folder.mkdir(parents=True, exist_ok=True)
    cases = {name: partial(layer, *case) for name, case in LAYERS.items()} | OTHERS
    for name, make in cases.items():
        torch.manual_seed(zlib.crc32(name.encode()))  # of the name alone: a new case leaves the others as they are
        tensors, metadata = make()
        metadata = {"torch": torch.__version__, "case": name} | metadata
        (folder / f"{name}.safetensors").write_bytes(to_bytes(tensors, metadata))


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parent
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "tests" / "fixtures")
