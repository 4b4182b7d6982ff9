#include "longhand/graph/onnx_recurrent.h"

#include <algorithm>

namespace longhand::graph {
namespace {

const Value& trained(NodeBuild& node, size_t input, const Value* given) {
  const Value& value = given != nullptr ? *given : node.floats(input);
  if (!value.constant) node.fail("expected weights that are known before the run, found computed ones");
  return value;
}

std::vector<float> blocks_of(const float* from, int64_t block, const std::vector<int64_t>& order) {
  std::vector<float> out;
  for (const int64_t k : order) out.insert(out.end(), from + k * block, from + (k + 1) * block);
  return out;
}

}  // namespace

OnnxRecurrent::OnnxRecurrent(NodeBuild& node, int64_t gate_count, bool has_cell, const Value* given_w,
                             const Value* given_r)
    : gates(gate_count) {
  const Value& in = node.floats(0);
  const Value &w_in = trained(node, 1, given_w), &r_in = trained(node, 2, given_r);
  const std::string direction = node.choice("direction", "forward", {"forward", "reverse", "bidirectional"});
  directions = direction == "bidirectional" ? 2 : 1;
  first_reverse = direction == "reverse";
  batch_first = node.integer("layout", 0) != 0;
  keeps = node.integer("keep_state", 0) != 0;
  if (in.rank() != 3 || w_in.rank() != 3 || r_in.rank() != 3) node.fail("expected X, W and R with 3 axes");
  steps = in.dim(batch_first ? 1 : 0);
  batch = in.dim(batch_first ? 0 : 1);
  inputs = in.dim(2);
  hidden = r_in.dim(2);
  if (node.integer("hidden_size", hidden) != hidden || w_in.dims != Dims{directions, gates * hidden, inputs} ||
      r_in.dims != Dims{directions, gates * hidden, hidden} || hidden < 1) {
    node.fail("expected W and R for " + std::to_string(inputs) + " inputs and " + std::to_string(directions) +
              " directions, found " + shown(w_in.dims) + " and " + shown(r_in.dims));
  }
  if (steps < 1 || batch < 1) node.fail("expected at least one time step of one sequence");
  w = w_in.floats;
  r = r_in.floats;
  shareable = node.is_trained(1) && node.is_trained(2);
  if (node.has(3)) {
    const Value& bias = trained(node, 3, nullptr);
    if (bias.dims != Dims{directions, 2 * gates * hidden})
      node.fail("expected B with two biases, found " + shown(bias.dims));
    b = bias.floats;
    shareable = shareable && node.is_trained(3);
  }
  if (node.has(4)) {
    const Value& given = node.ints(4);
    if (given.size != batch) node.fail("expected a length for each sequence, found " + shown(given.dims));
    lengths = node.ints_memory(batch).data();
    node.step([&given, to = lengths, most = steps, fault = node.fault()] {
      for (int64_t i = 0; i < given.size; ++i) {
        if (given.ints[i] < 0 || given.ints[i] > most) fault("a length is out of range");
        to[i] = static_cast<int32_t>(std::clamp<int64_t>(given.ints[i], 0, most));
      }
    });
  }
  x = in.floats;
  if (batch_first && batch > 1) {
    float* turned = node.floats_memory(in.size).data();
    node.step([&in, turned, T = steps, B = batch, I = inputs] {
      for (int64_t row = 0; row < T * B; ++row) {
        std::copy_n(in.floats + (row % B * T + row / B) * I, I, turned + row * I);
      }
    });
    x = turned;
  }
  if (directions == 2) node.needs_whole("is bidirectional");
  if (first_reverse) node.needs_whole("reads sequences from their end");
  if (!keeps) node.forgets_between_runs();
  if (keeps && has_cell && !node.has(5) && node.has(6)) node.fail("expected both initial states, or none");
}

std::vector<float> OnnxRecurrent::w_of(int64_t direction, const std::vector<int64_t>& order) const {
  return blocks_of(w + direction * gates * hidden * inputs, hidden * inputs, order);
}

std::vector<float> OnnxRecurrent::r_of(int64_t direction, const std::vector<int64_t>& order) const {
  return blocks_of(r + direction * gates * hidden * hidden, hidden * hidden, order);
}

std::vector<float> OnnxRecurrent::b_of(int64_t direction, int64_t which, const std::vector<int64_t>& order) const {
  if (b == nullptr) return std::vector<float>(order.size() * static_cast<size_t>(hidden), 0.0F);
  return blocks_of(b + (2 * direction + which) * gates * hidden, hidden, order);
}

kernels::LstmShape OnnxRecurrent::shape(int64_t direction) const {
  return {.steps = steps,
          .batch = batch,
          .inputs = inputs,
          .hidden = hidden,
          .lengths = lengths,
          .reverse = reverse(direction)};
}

void OnnxRecurrent::add_initial(NodeBuild& node, size_t input, const char* called,
                                const std::vector<float*>& rows) const {
  const Value* given = node.has(input) ? &node.floats(input) : nullptr;
  const Dims dims = batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  if (given != nullptr && given->dims != dims) {
    node.fail("expected an initial state " + shown(dims) + ", found " + shown(given->dims));
  }
  // Where the row of a direction and a sequence begins in an array of states.
  const auto place = [*this](int64_t d, int64_t s) {
    return (batch_first ? s * directions + d : d * batch + s) * hidden;
  };
  if (keeps) {
    if (given != nullptr && !given->constant) node.fail("expected an initial state that is known before the run");
    for (int64_t d = 0; d < directions; ++d) {
      StateSlot slot{node.name() + "." + called + (d == 1 ? ".reverse" : ""),
                     rows[static_cast<size_t>(d)],
                     batch,
                     hidden,
                     padded(hidden),
                     {}};
      for (int64_t s = 0; given != nullptr && s < batch; ++s) {
        const float* from = given->floats + place(d, s);
        slot.initial.insert(slot.initial.end(), from, from + hidden);
      }
      node.add_state(std::move(slot));
    }
    return;
  }
  node.step([=, rows = rows, batch = batch, hidden = hidden] {
    for (size_t d = 0; d < rows.size(); ++d) {
      for (int64_t s = 0; s < batch; ++s) {
        float* to = rows[d] + s * padded(hidden);
        given == nullptr ? (void)std::fill_n(to, hidden, 0.0F)
                         : (void)std::copy_n(given->floats + place(static_cast<int64_t>(d), s), hidden, to);
      }
    }
  });
}

void OnnxRecurrent::add_y(NodeBuild& node, const std::vector<const float*>& h) const {
  if (!node.wants(0)) return;
  Value& y = node.out(0, batch_first ? Dims{batch, steps, directions, hidden} : Dims{steps, directions, batch, hidden});
  node.step([*this, h, &y] {
    for (size_t d = 0; d < h.size(); ++d) {
      for (int64_t row = 0; row < steps * batch; ++row) {
        const int64_t t = row / batch, s = row % batch, D = directions;
        const auto at = static_cast<int64_t>(d);
        const int64_t to = batch_first ? (s * steps + t) * D + at : (t * D + at) * batch + s;
        std::copy_n(h[d] + row * padded(hidden), hidden, y.floats + to * hidden);
      }
    }
  });
}

void OnnxRecurrent::add_last(NodeBuild& node, size_t output, const std::vector<const float*>& rows) const {
  if (!node.wants(output)) return;
  Value& y = node.out(output, batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden});
  node.step([*this, rows, &y] {
    for (size_t d = 0; d < rows.size(); ++d) {
      for (int64_t s = 0; s < batch; ++s) {
        const auto at = static_cast<int64_t>(d);
        const int64_t to = batch_first ? s * directions + at : at * batch + s;
        std::copy_n(rows[d] + s * padded(hidden), hidden, y.floats + to * hidden);
      }
    }
  });
}

}  // namespace longhand::graph
