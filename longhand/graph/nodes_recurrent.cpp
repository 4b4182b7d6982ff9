// LSTM, GRU and plain recurrent layers over the time steps of sequences, [B, T, I] -> [B, T, D R], or within frames,
// [B, T, L, I] -> [B, T, L, D R].
#include <fmt/core.h>

#include <algorithm>

#include "longhand/graph/general_cells.h"
#include "longhand/graph/node_types.h"
#include "longhand/graph/recurrent_frame.h"
#include "longhand/graph/recurrent_layers.h"

namespace longhand::graph {
namespace {

// The trained initial state of a layer and direction; empty: zeros.
std::vector<float> initial_state(NodeBuild& node, const char* which, size_t layer, bool reverse, int64_t width) {
  const std::string role = std::string(which) + "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
  const float* values = node.optional_weight(role, {width});
  return values == nullptr ? std::vector<float>() : std::vector<float>(values, values + width);
}

void add_layer_states(NodeBuild& node, const RecurrentLayers& layers, int64_t batch,
                      const std::function<std::pair<float*, float*>(size_t)>& memory) {
  const nn::LstmOptions& lstm = layers.lstm();
  for (size_t l = 0; l < layers.stack().layers().size(); ++l) {
    const auto [h, c] = memory(l);
    const std::string called = lstm.layers > 1 ? fmt::format("{}.{}", node.name(), l) : node.name();
    const int64_t R = lstm.state(), H = lstm.hidden;
    node.add_state({called + ".h", h, batch, R, padded(R), initial_state(node, "h_0", l, false, R)});
    if (c == nullptr) continue;
    node.add_state({called + ".c", c, batch, H, padded(H), initial_state(node, "c_0", l, false, H)});
  }
}

// Returns a row of `width` copies of a zoneout probability; null for 0.
const float* constant_row(NodeBuild& node, double value, int64_t width) {
  if (value == 0.0) return nullptr;
  float* row = node.floats_memory(padded(width)).data();
  std::fill_n(row, width, static_cast<float>(value));
  return row;
}

// A few steps of one sequence.
void build_single_steps(NodeBuild& node, const RecurrentFrame& f, const RecurrentLayers& layers, const Value& x,
                        Value& y) {
  const RecurrentSteps& packed =
      node.shared<RecurrentSteps>("steps", [&] { return std::make_shared<RecurrentSteps>(layers); });
  struct LayerMemory {
    float* h;
    float* c;
    float* sum;  // of a residual layer
  };
  const int64_t Rp = padded(f.state), H = layers.lstm().hidden, T = f.steps;
  const float* zone_h = constant_row(node, layers.lstm().zoneout, f.state);
  const float* zone_c = constant_row(node, layers.lstm().zoneout_cell, H);
  std::vector<LayerMemory> memory;
  int64_t scratch_size = 0;
  for (const kernels::PackedLstmStep& layer : packed.layers) {
    scratch_size = std::max(scratch_size, kernels::step_scratch(layer, T));
    const bool residual = layers.stack().layers()[memory.size()].residual;
    memory.push_back({node.floats_memory((T + 1) * Rp).data(), node.floats_memory(padded(H)).data(),
                      residual ? node.floats_memory(T * Rp).data() : nullptr});
  }
  add_layer_states(node, layers, 1, [&](size_t l) { return std::pair(memory[l].h, memory[l].c); });
  float* scratch = node.floats_memory(scratch_size).data();
  const RecurrentInput input = add_input(node, f, x);
  node.step([=, &packed, &y] {
    const float* below = input.x;
    int64_t stride = f.inputs;
    for (size_t l = 0; l < memory.size(); ++l) {
      const LayerMemory& own = memory[l];
      kernels::lstm_step(packed.layers[l], {.steps = T,
                                            .x = below,
                                            .x_stride = stride,
                                            .symbols = l == 0 ? input.symbols : nullptr,
                                            .h = own.h,
                                            .c = own.c,
                                            .zone_h = zone_h,
                                            .zone_c = zone_c,
                                            .scratch = scratch});
      const float* outputs = own.h + Rp;
      for (int64_t t = 0; own.sum != nullptr && t < T; ++t) {
        for (int64_t j = 0; j < f.state; ++j) own.sum[t * Rp + j] = outputs[t * Rp + j] + below[t * stride + j];
      }
      below = own.sum != nullptr ? own.sum : outputs;
      stride = Rp;
    }
    write_outputs(f, below, Rp, y.floats);
    for (const LayerMemory& own : memory) std::copy_n(own.h + T * Rp, Rp, own.h);
  });
}

// The rows of the state of one layer and direction, what they begin with, and which output they become.
struct StateRows {
  float* rows;
  int64_t width;
  std::vector<float> initial;  // trained; empty: zeros
  size_t port;                 // 0: h, 1: c
  int64_t direction;
};

// Each run begins anew: with states that are inputs (h_0 is input 2, c_0 is input 3, [B, D R] and [B, D H]), with
// trained ones, or zeros.
void add_begin(NodeBuild& node, const RecurrentFrame& f, const std::vector<StateRows>& states) {
  for (const StateRows& state : states) {
    const Value* given = node.has(2 + state.port) ? &node.floats(2 + state.port) : nullptr;
    const int64_t all = f.directions * state.width;
    if (given != nullptr && given->dims != Dims{f.batch, all}) {
      node.fail("expected an initial state " + shown({f.batch, all}) + ", found " + shown(given->dims));
    }
    node.step([given, state, all, batch = f.batch] {
      for (int64_t b = 0; b < batch; ++b) {
        float* to = state.rows + b * padded(state.width);
        std::fill_n(to, padded(state.width), 0.0F);
        if (given != nullptr) {
          std::copy_n(given->floats + b * all + state.direction * state.width, state.width, to);
        } else {
          std::copy(state.initial.begin(), state.initial.end(), to);
        }
      }
    });
  }
}

// Outputs 1 and 2: the last states, [B, D R] and [B, D H].
void add_state_outputs(NodeBuild& node, const RecurrentFrame& f, const std::vector<StateRows>& states) {
  for (size_t port = 0; port < 2; ++port) {
    if (!node.wants(1 + port)) continue;
    Value* y = nullptr;
    for (const StateRows& state : states) {
      if (state.port != port) continue;
      const int64_t all = f.directions * state.width;
      if (y == nullptr) y = &node.out(1 + port, {f.batch, all});
      node.step([y, state, all, batch = f.batch] {
        for (int64_t b = 0; b < batch; ++b) {
          std::copy_n(state.rows + b * padded(state.width), state.width,
                      y->floats + b * all + state.direction * state.width);
        }
      });
    }
    if (y == nullptr) node.fail("expected outputs that its cell has, found a cell state");
  }
}

// A masked layer that goes on from run to run: what its outputs were before.
const float* add_before(NodeBuild& node, const RecurrentFrame& f, const float* rows) {
  if (f.mask == nullptr || f.fresh) return nullptr;
  const int64_t n = f.batch * padded(f.state);
  float* before = node.floats_memory(n).data();
  node.step([=] { std::copy_n(rows, n, before); });
  return before;
}

// Sequences side by side, both directions, and cells that have no kernel for single steps.
void build_passes(NodeBuild& node, RecurrentFrame f, const RecurrentLayers& layers, const Value& x, Value& y) {
  auto& state = node.make<nn::StackState<float>>(layers.stack());
  auto& workspace = node.make<nn::StackWorkspace<float>>(layers.stack());
  state.resize(f.batch);
  const nn::LstmOptions& lstm = layers.lstm();
  std::vector<StateRows> states;
  for (size_t part = 0; part < layers.stack().parts(); ++part) {
    const auto D = static_cast<size_t>(f.directions);
    const bool reverse = part % D == 1;
    const auto add = [&](const char* which, float* rows, int64_t width, size_t port) {
      states.push_back({rows, width, initial_state(node, which, part / D, reverse, width), port, reverse ? 1 : 0});
    };
    add("h_0", state.h(part).data(), lstm.state(), 0);
    if (lstm.is_lstm()) add("c_0", state.c(part).data(), lstm.hidden, 1);
  }
  if (layers.stack().layers().size() > 1 && (node.has(2) || node.wants(1) || node.wants(2))) {
    node.fail("expected one layer with states as inputs or outputs", "make each layer a node of its own");
  }
  if (f.fresh) {
    add_begin(node, f, states);
  } else {
    add_layer_states(node, layers, f.batch, [&](size_t l) {
      return std::pair(state.h(l).data(), lstm.is_lstm() ? state.c(l).data() : nullptr);
    });
  }
  f.before = add_before(node, f, state.h(layers.stack().parts() - 1).data());
  const RecurrentInput input = add_input(node, f, x);
  node.step([=, &layers, &state, &workspace, &y, &context = node.context()] {
    const float* h = workspace.forward(layers.weights(), state,
                                       {.steps = f.steps,
                                        .batch = f.batch,
                                        .lengths = f.lengths,
                                        .x = input.x,
                                        .x_stride = f.inputs,
                                        .symbols = input.symbols},
                                       nn::Pass::kInference, nn::Engine::kFused, context);
    write_outputs(f, h, padded(f.width()), y.floats);
  });
  add_state_outputs(node, f, states);
}

// A layer's input [B, T, I]. Frames [B, T, L, I] are read as [B T, L, I]: the rows of each frame are a sequence.
struct LayerInput {
  const Value& x;
  Dims outer;  // axes of the input before the time axis

  Dims outputs(const RecurrentFrame& f) const {
    Dims out = outer;
    if (!f.last) out.push_back(f.steps);
    out.push_back(f.outputs());
    return out;
  }
};

LayerInput layer_input(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() == 3) return {x, {x.dim(0)}};
  if (x.rank() != 4) node.fail("expected [B, T, C] or [B, T, L, C], found " + shown(x.dims));
  auto& rows = node.make<Value>(x);
  rows.dims = {x.dim(0) * x.dim(1), x.dim(2), x.last()};
  return {rows, {x.dim(0), x.dim(1)}};
}

void build_general(NodeBuild& node, const std::vector<GeneralCell>& cells, const LayerInput& input_of) {
  const Value& x = input_of.x;
  const int64_t D = static_cast<int64_t>(cells.size()), G = cells.front().gates();
  const int64_t H = node.weight("weight_hh_l0", {-1, -1}).dims[0] / G;
  if (H < 1) node.fail("weight_hh_l0: expected rows for each gate, found none");
  RecurrentFrame f = read_frame(node, x, H, D);
  Value& y = node.out(0, input_of.outputs(f));
  auto& layer = node.make<GeneralLayer>(node, cells, f.inputs, H, f.steps, f.batch);
  std::vector<StateRows> states;
  for (size_t d = 0; d < cells.size(); ++d) {
    const auto direction = static_cast<int64_t>(d);
    states.push_back({layer.h(d), H, initial_state(node, "h_0", 0, d == 1, H), 0, direction});
    if (layer.c(d) != nullptr)
      states.push_back({layer.c(d), H, initial_state(node, "c_0", 0, d == 1, H), 1, direction});
  }
  if (f.fresh) {
    add_begin(node, f, states);
  } else {
    for (const StateRows& state : states) {
      const std::string called = node.name() + (state.port == 0 ? ".h" : ".c");
      node.add_state({called, state.rows, f.batch, H, padded(H), state.initial});
    }
  }
  f.before = add_before(node, f, layer.h(0));
  if (x.symbols != nullptr && f.mask == nullptr)
    node.fail("expected rows of numbers, found symbols", "use an embedding");
  const RecurrentInput input = add_input(node, f, x);
  node.step([=, &layer, &y] { write_outputs(f, layer.run(input.x, f.lengths), layer.stride(), y.floats); });
  add_state_outputs(node, f, states);
}

void build_recurrent(NodeBuild& node, const std::string& cell) {
  const LayerInput layer = layer_input(node);
  const Value& x = layer.x;
  const int64_t directions = node.integer("bidirectional", 0) != 0 ? 2 : 1;
  if (const auto general = read_general_cells(node, cell, directions)) return build_general(node, *general, layer);
  RecurrentOptions options = read_recurrent(node, x, cell);
  options.one_hot = options.one_hot && !node.has(1);
  const RecurrentFrame f = read_frame(node, x, options.lstm.state(), options.lstm.directions());
  if (f.merge != Merge::kConcat && options.lstm.layers > 1) {
    node.fail("expected one bidirectional layer to merge", "make each layer a node of its own");
  }
  Value& y = node.out(0, layer.outputs(f));
  const RecurrentLayers& layers = node.shared<RecurrentLayers>(
      options.one_hot ? "symbols" : "numbers", [&] { return std::make_shared<RecurrentLayers>(node, options); });
  constexpr int64_t kMostSteps = 16;  // beyond that, the products of many steps at once are faster
  const bool plain = f.mask == nullptr && !f.fresh && !node.wants(1) && !node.wants(2);
  if (plain && f.batch == 1 && f.steps <= kMostSteps && options.lstm.is_lstm()) {
    build_single_steps(node, f, layers, x, y);
  } else {
    build_passes(node, f, layers, x, y);
  }
}

void build_lstm(NodeBuild& node) { build_recurrent(node, "lstm"); }
void build_gru(NodeBuild& node) { build_recurrent(node, "gru"); }
void build_rnn(NodeBuild& node) { build_recurrent(node, "rnn"); }

NodeType recurrent_type(const char* name, const char* help, void (*build)(NodeBuild&)) {
  NodeType out{name,
               help,
               1,
               4,
               3,
               {"units", "layers", "bidirectional", "projection", "layer_norm", "residual", "go_backwards", "merge",
                "return", "initial_state", "carry", "masked_outputs"},
               {"weight_ih*", "weight_hh*", "bias_ih*", "bias_hh*", "h_0*"},
               build,
               true};
  return out;
}

}  // namespace

std::vector<NodeType> recurrent_node_types() {
  NodeType lstm = recurrent_type("lstm", "LSTM layers, one above the other", build_lstm);
  for (const char* role : {"weight_hr*", "weight_peephole*", "gain_ih*", "gain_hh*", "gain_c*", "bias_c*", "c_0*"})
    lstm.weights.push_back(role);
  for (const char* option : {"activations", "activation_alpha", "activation_beta", "clip", "cell_clip", "input_forget",
                             "zoneout", "zoneout_cell"}) {
    lstm.attributes.push_back(option);
  }
  NodeType gru = recurrent_type("gru", "GRU layers", build_gru);
  for (const char* option : {"activations", "activation_alpha", "activation_beta", "reset_after"}) {
    gru.attributes.push_back(option);
  }
  NodeType rnn = recurrent_type("rnn", "plain recurrent layers", build_rnn);
  for (const char* option : {"activation", "activation_alpha", "activation_beta"}) rnn.attributes.push_back(option);
  return {lstm, gru, rnn};
}

}  // namespace longhand::graph
