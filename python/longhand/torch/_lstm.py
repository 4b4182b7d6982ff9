"""The module `LSTM`: constructor, parameters, and checks of the arguments of `forward`."""

from __future__ import annotations

from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from longhand import _core

from ._checks import check_lengths, check_probability, check_shape, check_supported, check_tensor, fail, fail_type
from ._pass import Batch, Layers, compute

State = tuple[Tensor, Tensor]


class LSTM(nn.LSTM):
    """Replacement for `torch.nn.LSTM` that computes on the CPU with Longhand.

    Constructor arguments, parameters, initialisation, inputs, outputs and `state_dict` are compatible with
    `torch.nn.LSTM`. Results are equal up to rounding. Dropout masks depend on `torch.manual_seed`, but differ from
    those of `torch.nn.LSTM`. Second derivatives are not supported.

    Args:
        input_size: number of input features.
        hidden_size: number of hidden units per direction, H.
        num_layers: number of stacked layers.
        bias: use the parameters `bias_ih` and `bias_hh`.
        batch_first: input and output are [batch, time, feature] instead of [time, batch, feature].
        dropout: dropout probability on the output of each layer except the last.
        bidirectional: make each layer bidirectional.
        proj_size: size of the projected hidden state; 0: no projection.
        device: CPU, or meta for initialisation. `forward` requires the CPU.
        dtype: torch.float32, or torch.float64 (slow reference implementation).

    Additional keyword arguments, not in `torch.nn.LSTM`:

    Args:
        layer_norm: layer normalisation of gates and cell state (Ba et al. 2016). Adds the parameters `gain_ih_l0`,
            `gain_hh_l0` [4 H], `gain_c_l0`, `bias_c_l0` [H] for each layer and direction.
        peepholes: peephole connections (Gers and Schmidhuber 2000). Adds `weight_peephole_l0` [3, H] for the input,
            forget and output gate, initialised to zeros.
        variational: use the same `dropout` mask for all time steps (Gal and Ghahramani 2016).
        dropout_recurrent: dropout probability on h in the recurrent product, with the same mask for all time steps.
        weight_drop: dropout probability on the elements of `weight_hh` (Merity et al. 2018).
        zoneout: probability that a unit of h keeps its previous value (Krueger et al. 2017). In evaluation mode the
            expected value is used.
        zoneout_cell: zoneout probability of the cell state.

    Raises:
        TensorError: wrong shape or value (a ValueError and a RuntimeError).
        TensorTypeError: wrong type, dtype or device (a TypeError, ValueError and RuntimeError).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Optional[torch.dtype] = None,
        *,
        layer_norm: bool = False,
        peepholes: bool = False,
        variational: bool = False,
        dropout_recurrent: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
                         device, dtype)
        weight = self.weight_ih_l0
        if weight.device.type != "meta":
            check_supported(weight.device, weight.dtype, "device and dtype")
        self.layer_norm = bool(layer_norm)
        self.peepholes = bool(peepholes)
        self.variational = bool(variational)
        self.dropout_recurrent = check_probability(dropout_recurrent, "dropout_recurrent")
        self.weight_drop = check_probability(weight_drop, "weight_drop")
        self.zoneout = check_probability(zoneout, "zoneout")
        self.zoneout_cell = check_probability(zoneout_cell, "zoneout_cell")
        self._layers: dict[torch.dtype, Layers] = {}
        self._parameter_names: list[str] = []
        for name, shape, *_ in self._layers_for(weight.dtype).parameters():
            self._parameter_names.append(name)
            if not hasattr(self, name):
                self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self._reset_extra_parameters()

    def reset_parameters(self) -> None:
        """Initialises the parameters of `torch.nn.LSTM` as PyTorch does, and all additional parameters."""
        for name in self._flat_weights_names:
            nn.init.uniform_(getattr(self, name), -self.hidden_size**-0.5, self.hidden_size**-0.5)
        self._reset_extra_parameters()

    def _reset_extra_parameters(self) -> None:
        for name, parameter in self.named_parameters(recurse=False):
            if name not in self._flat_weights_names:
                nn.init.constant_(parameter, 1.0 if name.startswith("gain") else 0.0)

    def extra_repr(self) -> str:
        out = str(super().extra_repr())
        for name in ("layer_norm", "peepholes", "variational", "dropout_recurrent", "weight_drop", "zoneout",
                     "zoneout_cell"):
            if getattr(self, name):
                out += f", {name}={getattr(self, name)}"
        return out

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        state["_layers"] = {}  # not picklable; rebuilt on first use
        return state

    def _layers_for(self, dtype: torch.dtype) -> Layers:
        if dtype not in self._layers:
            options = _core.LstmOptions()
            options.hidden = self.hidden_size
            options.layers = self.num_layers
            options.bidirectional = self.bidirectional
            options.proj = self.proj_size
            options.layer_norm = self.layer_norm
            options.peepholes = self.peepholes
            options.dropout = self.dropout
            options.dropout_input = 0.0
            options.dropout_output = 0.0
            options.variational = self.variational
            options.dropout_recurrent = self.dropout_recurrent
            options.weight_drop = self.weight_drop
            options.zoneout = self.zoneout
            options.zoneout_cell = self.zoneout_cell
            kind = _core.LstmLayersDouble if dtype == torch.float64 else _core.LstmLayersFloat
            directions = 2 if self.bidirectional else 1
            state = self.proj_size or self.hidden_size
            self._layers[dtype] = Layers(kind(options, self.input_size, self.bias), self.num_layers * directions,
                                         self.hidden_size, state, directions * state)
        return self._layers[dtype]

    def _draws_masks(self) -> bool:
        between = self.dropout > 0.0 and self.num_layers > 1
        inside = self.dropout_recurrent or self.weight_drop or self.zoneout or self.zoneout_cell
        return self.training and (between or inside > 0.0)

    def _checked_parameters(self) -> list[Tensor]:
        parameters: list[Tensor] = [getattr(self, name) for name in self._parameter_names]
        first = parameters[0]
        check_supported(first.device, first.dtype, self._parameter_names[0])
        for (name, shape, *_), parameter in zip(self._layers_for(first.dtype).parameters(), parameters):
            if parameter.dtype != first.dtype or parameter.device != first.device or parameter.shape != shape:
                check_tensor(parameter, name, first)
                check_shape(parameter, shape, "the options of the module", name)
        return parameters

    def _checked_state(self, hx: Any, batch: int, batched: bool, like: Tensor) -> tuple[Optional[Tensor], ...]:
        if hx is None:
            return None, None
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            fail_type("hx", "a pair (h_0, c_0)", type(hx).__name__, "give both states, or None for zeros")
        states = self.num_layers * (2 if self.bidirectional else 1)
        out = []
        for value, what, width in zip(hx, ("h_0", "c_0"), (self.proj_size or self.hidden_size, self.hidden_size)):
            value = check_tensor(value, what, like)
            if batched:
                check_shape(value, (states, batch, width), "layers times directions, batch, units", what)
            else:
                check_shape(value, (states, width), "layers times directions, units", what)
            out.append(value if batched else value.unsqueeze(1))
        return tuple(out)

    def forward(  # type: ignore[override]
        self,
        input: Union[Tensor, PackedSequence],
        hx: Optional[State] = None,
        *,
        lengths: Any = None,
    ) -> tuple[Union[Tensor, PackedSequence], State]:
        """Runs all layers on a batch of sequences.

        Args:
            input: [time, batch, input_size]; [batch, time, input_size] with `batch_first`; [time, input_size]
                (unbatched); or a PackedSequence.
            hx: initial states (h_0, c_0): h_0 [layers * directions, batch, proj_size or hidden_size], c_0 [layers *
                directions, batch, hidden_size], without the batch axis for an unbatched input. None: zeros.
            lengths: [batch] integers from 0 to time, in any order: number of time steps of each sequence in a padded
                batch. Padding is not computed. The reverse direction starts at the last valid step of each sequence.
                None: all time steps.

        Returns:
            output, (h_n, c_n). output has the layout of `input` with directions * (proj_size or hidden_size) features,
            and zeros at padded steps. h_n and c_n have the shapes of h_0 and c_0: the states after the last valid step.

        Raises:
            TensorError: wrong shape or value.
            TensorTypeError: wrong type, dtype or device.
        """
        parameters = self._checked_parameters()
        layers = self._layers_for(parameters[0].dtype)
        training = self._draws_masks()
        seed = int(torch.randint(2**63 - 1, ()).item()) if training else 0
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx, lengths, parameters, layers, training, seed)
        x = check_tensor(input, "input", parameters[0])
        if x.dim() not in (2, 3):
            fail("input", "2 dimensions (time, feature) or 3 with a batch", f"shape {tuple(x.shape)}", "reshape it")
        batched = x.dim() == 3
        if x.size(-1) != self.input_size:
            fail("input.size(-1)", f"input_size {self.input_size}", f"{x.size(-1)} of shape {tuple(x.shape)}",
                 "correct the shape of the input")
        batch_first = self.batch_first and batched
        if not batched:
            x = x.unsqueeze(1)
        batch, steps = x.shape[:2] if batch_first else (x.size(1), x.size(0))
        if steps == 0:
            fail("input", "at least one time step", f"shape {tuple(input.shape)}", "leave empty batches out")
        states = self._checked_state(hx, batch, batched, parameters[0])
        if lengths is not None and not batched:
            fail("lengths", "None for an unbatched input", "lengths", "cut the input to its length")
        list_of_lengths = None if lengths is None else check_lengths(lengths, batch, steps)
        y, h_n, c_n = compute(
            layers,
            Batch(_core.LstmBatch(steps, batch, list_of_lengths or []), steps, batch, batch_first, False, training,
                  seed),
            x, states, parameters)
        if not batched:
            return y.squeeze(1), (h_n.squeeze(1), c_n.squeeze(1))
        return y, (h_n, c_n)

    def _forward_packed(self, packed: PackedSequence, hx: Any, lengths: Any, parameters: list[Tensor], layers: Layers,
                        training: bool, seed: int) -> tuple[PackedSequence, State]:
        if lengths is not None:
            fail("lengths", "None for a PackedSequence, which has its own", "lengths", "leave them out")
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        x = check_tensor(data, "input.data", parameters[0])
        if x.dim() != 2 or x.size(-1) != self.input_size:
            fail("input.data", f"shape (rows, {self.input_size})", str(tuple(x.shape)), "correct the shape of the input")
        sizes: list[int] = batch_sizes.tolist()
        falls = all(a >= b for a, b in zip(sizes, sizes[1:]))
        if not sizes or min(sizes) < 1 or not falls or sum(sizes) != x.size(0):
            fail("input.batch_sizes", f"positive, descending sizes whose sum is {x.size(0)}", str(sizes[:8]),
                 "make it with pack_padded_sequence or pack_sequence")
        states = self._checked_state(hx, sizes[0], True, parameters[0])
        if sorted_indices is not None and states[0] is not None and states[1] is not None:
            states = states[0].index_select(1, sorted_indices), states[1].index_select(1, sorted_indices)
        y, h_n, c_n = compute(
            layers, Batch(_core.LstmBatch.packed(sizes), len(sizes), sizes[0], False, True, training, seed), x, states,
            parameters)
        if unsorted_indices is not None:
            h_n, c_n = h_n.index_select(1, unsorted_indices), c_n.index_select(1, unsorted_indices)
        return PackedSequence(y, batch_sizes, sorted_indices, unsorted_indices), (h_n, c_n)
