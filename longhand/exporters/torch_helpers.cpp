// Python classes and functions that PyTorch does not have. An exported file contains those that its module uses.
#include <map>

#include "longhand/base/error.h"
#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

const std::vector<std::pair<std::string, std::string>>& torch_helper_texts() {
  static const std::vector<std::pair<std::string, std::string>> kTexts = {
      {"pad_rows", R"(
def pad_rows(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """[..., L, C] with rows before the first and after the last; mode "reflect" or "replicate"."""
    rows = F.pad(x.flatten(0, -3).transpose(1, 2), (left, right), mode=mode)
    return rows.transpose(1, 2).unflatten(0, x.shape[:-2])
)"},
      {"pad_same", R"(
def pad_same(x: Tensor, span: int, stride: int) -> Tensor:
    """[..., L, C] with rows of zeros, so that windows of `span` rows give L / stride outputs, rounded up."""
    length = x.shape[-2]
    rows = max((-(-length // stride) - 1) * stride + span - length, 0)
    return F.pad(x, (0, 0, rows // 2, rows - rows // 2))
)"},
      {"convolve", R"(
def convolve(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution or pooling of PyTorch's along the second last axis of [..., L, C]."""
    return layer(x.flatten(0, -3).transpose(1, 2)).transpose(1, 2).unflatten(0, x.shape[:-2])
)"},
      {"take_rows", R"(
def take_rows(x: Tensor, indexes: Tensor, axis: int) -> Tensor:
    """Elements of an axis; negative indexes count from its end."""
    flat = torch.where(indexes < 0, indexes + x.shape[axis], indexes).reshape(-1)
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *indexes.shape, *x.shape[axis + 1 :])
)"},
      {"CausalConv1d", R"(
class CausalConv1d(nn.Conv1d):
    """Convolution over time [batch, time, channels] that reads no later step; its state is the rows before."""

    def forward(self, x: Tensor, past: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rows = (self.kernel_size[0] - 1) * self.dilation[0]
        if past is None:
            past = x.new_zeros(x.shape[0], rows, x.shape[2])
        x = torch.cat([past, x], dim=1)
        return super().forward(x.transpose(1, 2)).transpose(1, 2), x[:, x.shape[1] - rows :]
)"},
      {"normalise_channels", R"(
def normalise_channels(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Batch normalisation of the last axis."""
    return norm(x.reshape(-1, x.shape[-1])).reshape(x.shape)
)"},
      {"last_row", R"(
def last_row(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """[..., L, C] -> [..., C]: the last row, or that before `lengths` [...]; zeros where there is none."""
    if lengths is None:
        return x[..., -1, :]
    lengths = lengths.to(x.device)[..., None, None]
    row = x.gather(-2, (lengths - 1).clamp(min=0).expand(*x.shape[:-2], 1, x.shape[-1]))
    return torch.where(lengths > 0, row, 0.0)[..., 0, :]
)"},
      {"rows_there", R"(
def rows_there(x: Tensor, lengths: Tensor) -> Tensor:
    """[..., L] of truth values: which rows of [..., L, C] belong to the sequences."""
    return torch.arange(x.shape[-2], device=x.device) < lengths.to(x.device).unsqueeze(-1)
)"},
      {"mean_of_rows", R"(
def mean_of_rows(x: Tensor, there: Tensor | None = None) -> Tensor:
    """[..., L, C] -> [..., C]; of those rows that are there [..., L]; zeros where none is."""
    if there is None:
        return x.mean(-2)
    there = (there != 0).unsqueeze(-1)
    return torch.where(there, x, 0.0).sum(-2) / there.sum(-2).clamp(min=1)
)"},
      {"max_of_rows", R"(
def max_of_rows(x: Tensor, there: Tensor | None = None) -> Tensor:
    """[..., L, C] -> [..., C]; of those rows that are there [..., L]; zeros where none is."""
    if there is None:
        return x.amax(-2)
    there = (there != 0).unsqueeze(-1)
    return torch.where(there.any(-2), torch.where(there, x, float("-inf")).amax(-2), 0.0)
)"},
      {"attend_rows", R"(
def attend_rows(x: Tensor, query: Tensor, there: Tensor | None = None) -> Tensor:
    """[..., L, C] -> [..., C]: the sum of the rows, weighted by a softmax of query . tanh(row); of those rows that are
    there [..., L]; zeros where none is.
    """
    scores = torch.tanh(x) @ query
    if there is None:
        return (torch.softmax(scores, -1).unsqueeze(-1) * x).sum(-2)
    shares = torch.softmax(torch.where(there != 0, scores, torch.finfo(x.dtype).min), -1) * (there != 0)
    return (shares.unsqueeze(-1) * x).sum(-2)
)"},
      {"with_context", R"(
def with_context(x: Tensor, past: Tensor | None, size: int) -> tuple[Tensor, Tensor]:
    """[batch, time, C] -> [batch, time, size + C]: before the numbers of a step, the last of the step before."""
    if past is None:
        past = x.new_zeros(x.shape[0], 1, size)
    ends = torch.cat([past, x[..., x.shape[-1] - size :]], dim=1)
    return torch.cat([ends[:, :-1], x], dim=2), ends[:, -1:]
)"},
      {"magnitude", R"(
def magnitude(x: Tensor) -> Tensor:
    """[..., 2 F] -> [..., F]: of complex numbers, F real parts and then F imaginary ones."""
    real, imaginary = x.chunk(2, dim=-1)
    return torch.sqrt(real * real + imaginary * imaginary)
)"},
      {"InitialState", R"(
class InitialState(nn.Module):
    """Trained states that sequences begin with: h [layers, 1, units] and, of an LSTM, c [layers, 1, cells]."""

    def __init__(self, layers: int, units: int, cells: int = 0) -> None:
        super().__init__()
        self.h = nn.Parameter(torch.zeros(layers, 1, units))
        self.c = nn.Parameter(torch.zeros(layers, 1, cells)) if cells > 0 else None

    def forward(self, x: Tensor, state: State | None) -> State:
        """`state`, or, where it is None, the trained one for the rows of x [batch, ...]."""
        if state is not None:
            return state
        h = self.h.expand(-1, x.shape[0], -1).contiguous()
        return h if self.c is None else (h, self.c.expand(-1, x.shape[0], -1).contiguous())
)"},
      {"flip_rows", R"(
def flip_rows(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """[batch, time, ...] with the last step of each sequence first; what is behind its end stays there."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device).unsqueeze(0)
    ends = lengths.to(x.device).unsqueeze(1)
    order = torch.where(steps < ends, ends - 1 - steps, steps)
    return x[torch.arange(x.shape[0], device=x.device).unsqueeze(1), order]
)"},
      {"run_ragged", R"(
def run_ragged(layers: nn.Module, x: Tensor, start: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
    """Recurrent layers on padded sequences [batch, time, C], each read up to its length alone."""
    if lengths is None:
        return layers(x, start)
    if not isinstance(layers, nn.RNNBase):
        return layers(x, start, lengths)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    y, state = layers(packed, start)
    return nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], state
)"},
      {"run_masked", R"(
def run_masked(
    layers: nn.Module,
    x: Tensor,
    start: State | None,
    mask: Tensor,
    zeros: bool = False,
    last: bool = False,
    carried: bool = False,
) -> tuple[Tensor, State]:
    """Recurrent layers that leave out the steps where the mask [batch, time] is 0; their states stay. The outputs there
    are those before (zeros at the beginning, or, if `carried`, what `start` has), or all zeros. `last`: the last
    outputs alone.
    """
    there = mask != 0
    lengths, rows = there.sum(1), torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    read = x[rows, torch.argsort((~there).long(), dim=1, stable=True)]
    # The first step of a sequence without any is read, too; what it gives is left out.
    y, state = run_ragged(layers, read, start, lengths.clamp(min=1))
    y = torch.where((torch.arange(x.shape[1], device=x.device) < lengths.unsqueeze(1)).unsqueeze(2), y, 0.0)
    width = y.shape[2] // 2 if layers.bidirectional else y.shape[2]
    first = y.new_zeros(y.shape[0], 1, y.shape[2])
    if carried and start is not None:
        first = (start[0] if isinstance(start, tuple) else start)[-1].unsqueeze(1)
    # After `number` steps that were read, the forward direction is at that output, the other one at the next.
    number = lengths.unsqueeze(1) if last else there.long().cumsum(1)
    out = torch.cat([first[..., :width], y[..., :width]], dim=1)[rows, number]
    if layers.bidirectional:
        next_one = torch.zeros_like(number) if last else torch.where(there, number - 1, number)
        back = torch.cat([y[..., width:], first[..., width:]], dim=1)
        out = torch.cat([out, back[rows, next_one]], dim=2)
    if last:
        return out[:, 0], state
    return torch.where(there.unsqueeze(2), out, 0.0) if zeros else out, state
)"},
      {"last_of_directions", R"(
def last_of_directions(y: Tensor, lengths: Tensor | None = None) -> Tensor:
    """[..., L, 2 R] -> [..., 2 R]: the last output of both directions, each in its own order."""
    forward, backward = y.chunk(2, dim=-1)
    return torch.cat([last_row(forward, lengths), backward[..., 0, :]], dim=-1)
)"},
      {"SteppedLayers", R"(
class SteppedLayers(nn.Module):
    """Recurrent layers that are computed step by step. Arguments, states and names of parameters are those of nn.LSTM."""

    has_cell = True
    residual = False

    def __init__(
        self, inputs: int, units: int, layers: int = 1, directions: int = 1, outputs: int = 0, batch_first: bool = True
    ) -> None:
        super().__init__()
        self.units, self.outputs = units, outputs or units
        self.layers, self.directions, self.batch_first = layers, directions, batch_first
        self.bidirectional = directions == 2
        for layer in range(layers):
            for suffix in self.suffixes(layer):
                width = inputs if layer == 0 else directions * self.outputs
                for role, shape in self.shapes(width).items():
                    values = torch.ones(shape) if role.startswith("gain") else torch.empty(shape)
                    if not role.startswith("gain"):
                        nn.init.uniform_(values, -(units**-0.5), units**-0.5)
                    self.register_parameter(role + suffix, nn.Parameter(values))

    def suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.directions]

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def inputs(self, x: Tensor, p: dict[str, Tensor]) -> Tensor:
        """What the inputs of all steps add to the gates; p are the parameters of a layer in one direction."""
        raise NotImplementedError

    def step(self, a: Tensor, h: Tensor, c: Tensor, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The state after a step."""
        raise NotImplementedError

    def run(self, suffix: str, x: Tensor, h: Tensor, c: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """One layer in one direction on x [time, batch, inputs]."""
        p = {role: getattr(self, role + suffix) for role in self.shapes(x.shape[2])}
        a, outputs = self.inputs(x, p), []
        steps = list(range(x.shape[0]))
        for t in reversed(steps) if suffix.endswith("_reverse") else steps:
            new_h, new_c = self.step(a[t], h, c, p)
            if lengths is None:
                h, c = new_h, new_c
                outputs.append(h)
            else:
                there = (t < lengths.to(x.device)).unsqueeze(1)
                h, c = torch.where(there, new_h, h), torch.where(there, new_c, c)
                outputs.append(torch.where(there, new_h, 0.0))
        if suffix.endswith("_reverse"):
            outputs.reverse()
        return torch.stack(outputs), h, c

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if self.batch_first:
            x = x.transpose(0, 1)
        if state is None:
            parts = self.layers * self.directions
            h = x.new_zeros(parts, x.shape[1], self.outputs)
            c = x.new_zeros(parts, x.shape[1], self.units)
        else:
            h, c = state if self.has_cell else (state, state)
        last_h, last_c = [], []
        for layer in range(self.layers):
            outputs = []
            for suffix in self.suffixes(layer):
                part = len(last_h)
                y, h_part, c_part = self.run(suffix, x, h[part], c[part], lengths)
                outputs.append(y)
                last_h.append(h_part)
                last_c.append(c_part)
            y = torch.cat(outputs, dim=2)
            x = x + y if self.residual and layer > 0 else y
        if self.batch_first:
            x = x.transpose(0, 1)
        after = torch.stack(last_h)
        return x, (after, torch.stack(last_c)) if self.has_cell else after
)"},
  };
  return kTexts;
}

}  // namespace

const std::string& torch_helper(const std::string& name) {
  for (const auto& [known, text] : torch_helper_texts()) {
    if (known == name) return text;
  }
  LONGHAND_CHECK(false && "a helper that does not exist");
  throw std::logic_error(name);
}

std::vector<std::string> torch_helper_names() {
  std::vector<std::string> out;
  for (const auto& each : torch_helper_texts()) out.push_back(each.first);
  return out;
}

}  // namespace longhand::exporters
