"""Forward and backward passes: an autograd function for training, and a plain call for inference."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional, Sequence

import torch
from torch import Tensor

NO_ROWS = (0, 0, 0)


@dataclasses.dataclass
class Batch:
    """Layout of a batch of B sequences with T time steps: [T, B, ...], [B, T, ...] or packed rows."""

    core: Any  # _core.LstmBatch
    steps: int
    batch: int
    batch_first: bool
    packed: bool
    training: bool
    seed: int

    def rows(self, x: Tensor) -> tuple[int, int, int]:
        """Address, stride from one time step to the next, and stride from one row to the next, in elements. Rows of `x`
        must be contiguous.
        """
        if self.packed:
            return x.data_ptr(), 0, x.stride(0)
        step, row = (1, 0) if self.batch_first else (0, 1)
        return x.data_ptr(), x.stride(step), x.stride(row)

    def shape(self, width: int, packed_rows: int) -> tuple[int, ...]:
        if self.packed:
            return packed_rows, width
        return (self.batch, self.steps, width) if self.batch_first else (self.steps, self.batch, width)


@dataclasses.dataclass
class Layers:
    """The layers of a module for one dtype."""

    core: Any  # _core.LstmLayersFloat or _core.LstmLayersDouble
    states: int  # layers * directions
    hidden: int
    state: int  # features of h per direction
    outputs: int

    def parameters(self) -> list[tuple[str, tuple[int, ...], int, int, bool]]:
        out: list[tuple[str, tuple[int, ...], int, int, bool]] = self.core.parameters
        return out


def with_rows(x: Tensor) -> Tensor:
    """Returns `x`, or a copy if the rows of `x` are not contiguous or its negative bit is set."""
    x = x.resolve_neg()
    return x if x.stride(-1) == 1 or x.size(-1) <= 1 else x.contiguous()


def contiguous(x: Optional[Tensor]) -> Optional[Tensor]:
    return None if x is None else x.resolve_neg().contiguous()


def address(x: Optional[Tensor]) -> int:
    return 0 if x is None else x.data_ptr()


def run(layers: Layers, batch: Batch, x: Tensor, hx: Sequence[Optional[Tensor]], parameters: Sequence[Tensor],
        gradients: bool) -> tuple[Tensor, Tensor, Tensor, Any]:
    """Runs the forward pass. Returns y, h_n, c_n, and the object that computes the backward pass (None without
    `gradients`).

    `hx`, `parameters` and the rows of `x` must be contiguous, and must not be freed before the call returns.
    """
    y = x.new_empty(batch.shape(layers.outputs, x.size(0)))
    h_n = x.new_empty(layers.states, batch.batch, layers.state)
    c_n = x.new_empty(layers.states, batch.batch, layers.hidden)
    kept = layers.core.forward(
        batch.core, batch.rows(x), [p.data_ptr() for p in parameters], (address(hx[0]), address(hx[1])), batch.rows(y),
        (h_n.data_ptr(), c_n.data_ptr()), batch.training, gradients, batch.seed, torch.get_num_threads())
    return y, h_n, c_n, kept


class Pass(torch.autograd.Function):
    """Autograd function of all layers."""

    @staticmethod
    def forward(ctx: Any, layers: Layers, batch: Batch, x: Tensor, h_0: Optional[Tensor], c_0: Optional[Tensor],
                *parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows = with_rows(x)
        h_0, c_0 = (contiguous(s) for s in (h_0, c_0))
        weights = [p.contiguous() for p in parameters]
        y, h_n, c_n, ctx.kept = run(layers, batch, rows, (h_0, c_0), weights, gradients=True)
        # The backward kernels read this memory again. `save_for_backward` does not keep it alive if saved-tensor hooks
        # move the tensors.
        ctx.rows = rows.detach()
        ctx.layers, ctx.batch = layers, batch
        ctx.save_for_backward(x, h_0, c_0, *parameters)
        ctx.set_materialize_grads(False)
        return y, h_n, c_n

    @staticmethod
    def backward(ctx: Any, dy: Optional[Tensor], dh_n: Optional[Tensor], dc_n: Optional[Tensor]) -> Any:
        layers, batch = ctx.layers, ctx.batch
        x, h_0, c_0, *parameters = ctx.saved_tensors  # raises if one was modified in place or freed
        weights = [p.contiguous() for p in parameters]
        kept, ctx.kept = ctx.kept, None
        rows = ctx.rows
        if kept is None:  # second backward with retain_graph: recompute the activations
            rows = with_rows(x)
            kept = run(layers, batch, rows, (h_0, c_0), weights, gradients=True)[3]
        dy = None if dy is None else with_rows(dy)
        dh_n, dc_n = (contiguous(d) for d in (dh_n, dc_n))
        needs_x, needs_h, needs_c, *needs = ctx.needs_input_grad[2:]
        dx = x.new_empty(batch.shape(x.size(-1), x.size(0))) if needs_x else None
        dh_0 = torch.empty_like(h_0) if needs_h else None
        dc_0 = torch.empty_like(c_0) if needs_c else None
        flat = x.new_empty(layers.core.extent)
        kept.backward([p.data_ptr() for p in weights], NO_ROWS if dy is None else batch.rows(dy),
                      (address(dh_n), address(dc_n)), NO_ROWS if dx is None else batch.rows(dx), flat.data_ptr(),
                      (address(dh_0), address(dc_0)), torch.get_num_threads())
        gradients = [dx, dh_0, dc_0, *gradients_of(layers, flat, needs)]
        if torch.is_grad_enabled():  # create_graph
            gradients = list(OnceDifferentiable.apply(*gradients, *ctx.saved_tensors))
        return (None, None, *gradients)


class OnceDifferentiable(torch.autograd.Function):
    """Identity on gradients that raises an error when it is differentiated. PyTorch's `once_differentiable` would
    return zero second derivatives without an error if the gradient of the outputs is a constant."""

    @staticmethod
    def forward(ctx: Any, *gradients_and_inputs: Optional[Tensor]) -> tuple[Optional[Tensor], ...]:
        gradients = gradients_and_inputs[: len(gradients_and_inputs) // 2]
        return tuple(None if g is None else g.view_as(g) for g in gradients)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError(
            "longhand.torch.LSTM has no second derivatives: expected create_graph=False, found a backward pass through "
            "its gradients\nuse torch.nn.LSTM for these, with the same state_dict")


def gradients_of(layers: Layers, flat: Tensor, needs: Sequence[bool]) -> list[Optional[Tensor]]:
    """Returns the gradient of each parameter as a view of `flat`, or None if not needed. bias_hh has the gradient of
    bias_ih and gets a copy.
    """
    out: list[Optional[Tensor]] = []
    for (_, shape, offset, size, second), needed in zip(layers.parameters(), needs):
        part = flat[offset : offset + size].view(shape) if needed else None
        out.append(part.clone() if part is not None and second else part)
    return out


def without_sequences(layers: Layers, batch: Batch, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns empty y, h_n and c_n for a batch of 0 sequences, with zero gradients for all inputs."""
    zero = sum(((t * 0.0).sum() for t in inputs), start=inputs[0].new_zeros(()))
    shapes = (batch.shape(layers.outputs, 0), (layers.states, 0, layers.state), (layers.states, 0, layers.hidden))
    y, h_n, c_n = (zero.new_empty(shape) + zero for shape in shapes)
    return y, h_n, c_n


@torch.compiler.disable
def compute(layers: Layers, batch: Batch, x: Tensor, hx: Sequence[Optional[Tensor]],
            parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Returns y, h_n and c_n. `x` and the states must have been checked."""
    inputs = [x, *(s for s in hx if s is not None), *parameters]
    if batch.batch == 0:
        return without_sequences(layers, batch, inputs)
    if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
        out: tuple[Tensor, Tensor, Tensor] = Pass.apply(layers, batch, x, hx[0], hx[1], *parameters)
        return out
    states = [contiguous(s) for s in hx]
    return run(layers, batch, with_rows(x), states, [p.contiguous() for p in parameters], gradients=False)[:3]
