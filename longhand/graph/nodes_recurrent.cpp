// LSTM, GRU and plain recurrent layers over the time steps of sequences, [B, T, I] -> [B, T, D R].
#include <fmt/core.h>

#include <algorithm>

#include "longhand/graph/node_types.h"
#include "longhand/graph/recurrent_layers.h"

namespace longhand::graph {
namespace {

// How a layer's two directions become one output.
enum class Merge { kConcat, kSum, kMul, kAve };

// What a recurrent node does besides its layers.
struct RecurrentFrame {
  int64_t batch = 0, steps = 0, inputs = 0;
  int64_t state = 0;       // R
  int64_t directions = 1;  // D
  bool backwards = false;  // reads the sequence from its end, and writes what it makes in that order
  bool last = false;       // the last outputs alone
  Merge merge = Merge::kConcat;

  int64_t width() const { return directions * state; }
  int64_t outputs() const { return merge == Merge::kConcat ? width() : state; }
};

void merge_row(const RecurrentFrame& f, const float* forward, const float* reverse, float* y) {
  std::copy_n(forward, f.state, y);
  if (f.directions == 1) return;
  if (f.merge == Merge::kConcat) {
    std::copy_n(reverse, f.state, y + f.state);
    return;
  }
  for (int64_t j = 0; j < f.state; ++j) {
    y[j] = f.merge == Merge::kMul   ? y[j] * reverse[j]
           : f.merge == Merge::kSum ? y[j] + reverse[j]
                                    : 0.5F * (y[j] + reverse[j]);
  }
}

// From h, whose row of time t and sequence b begins at h(t, b), to [B, T, outputs] or [B, outputs].
template <class Row>
void write_outputs(const RecurrentFrame& f, const Row& h, float* y) {
  for (int64_t b = 0; b < f.batch; ++b) {
    if (f.last) {
      merge_row(f, h(f.steps - 1, b), h(0, b) + f.state, y + b * f.outputs());
      continue;
    }
    for (int64_t t = 0; t < f.steps; ++t) {
      merge_row(f, h(t, b), h(t, b) + f.state, y + (b * f.steps + t) * f.outputs());
    }
  }
}

// [B, T] symbols in the order of work, [T, B]; returns whether all are below `most`.
bool order_symbols(const RecurrentFrame& f, const int64_t* from, int64_t most, int32_t* to) {
  bool known = true;
  for (int64_t b = 0; b < f.batch; ++b) {
    for (int64_t t = 0; t < f.steps; ++t) {
      const int64_t s = from[b * f.steps + (f.backwards ? f.steps - 1 - t : t)];
      known = known && s >= 0 && s < most;
      to[t * f.batch + b] = static_cast<int32_t>(s);
    }
  }
  return known;
}

void order_rows(const RecurrentFrame& f, const float* from, float* to) {
  for (int64_t b = 0; b < f.batch; ++b) {
    for (int64_t t = 0; t < f.steps; ++t) {
      const int64_t source = f.backwards ? f.steps - 1 - t : t;
      std::copy_n(from + (b * f.steps + source) * f.inputs, f.inputs, to + (t * f.batch + b) * f.inputs);
    }
  }
}

// The input as the layers read it.
struct RecurrentInput {
  const float* x = nullptr;
  const int32_t* symbols = nullptr;
};

// Adds the step that orders the input, if it is not in order.
RecurrentInput add_input(NodeBuild& node, const RecurrentFrame& f, const Value& x) {
  if (x.symbols != nullptr) {
    int32_t* symbols = node.ints_memory(f.batch * f.steps).data();
    node.step([f, &x, symbols, fault = node.fault()] {
      if (!order_symbols(f, x.symbols->ints, f.inputs, symbols)) fault("a symbol is none of its classes");
    });
    return {nullptr, symbols};
  }
  if (f.batch == 1 && !f.backwards) return {x.floats, nullptr};
  float* rows = node.floats_memory(x.size).data();
  node.step([f, &x, rows] { order_rows(f, x.floats, rows); });
  return {rows, nullptr};
}

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
                                            .scratch = scratch});
      const float* outputs = own.h + Rp;
      for (int64_t t = 0; own.sum != nullptr && t < T; ++t) {
        for (int64_t j = 0; j < f.state; ++j) own.sum[t * Rp + j] = outputs[t * Rp + j] + below[t * stride + j];
      }
      below = own.sum != nullptr ? own.sum : outputs;
      stride = Rp;
    }
    write_outputs(
        f, [&](int64_t t, int64_t) { return below + t * Rp; }, y.floats);
    for (const LayerMemory& own : memory) std::copy_n(own.h + T * Rp, Rp, own.h);
  });
}

// Everything else: sequences side by side, both directions, and cells that have no kernel for single steps.
void build_passes(NodeBuild& node, const RecurrentFrame& f, const RecurrentLayers& layers, const Value& x, Value& y) {
  auto& state = node.make<nn::StackState<float>>(layers.stack());
  auto& workspace = node.make<nn::StackWorkspace<float>>(layers.stack());
  state.resize(f.batch);
  const nn::LstmOptions& lstm = layers.lstm();
  if (lstm.bidirectional) {
    // Each run begins anew: what the reverse direction knows is of the end.
    std::vector<std::pair<Buffer<float>*, std::vector<float>>> initials;
    for (size_t part = 0; part < layers.stack().parts(); ++part) {
      const size_t layer = part / 2;
      initials.emplace_back(&state.h(part), initial_state(node, "h_0", layer, part % 2 == 1, lstm.state()));
      if (!lstm.is_lstm()) continue;
      initials.emplace_back(&state.c(part), initial_state(node, "c_0", layer, part % 2 == 1, lstm.hidden));
    }
    node.step([initials, batch = f.batch] {
      for (const auto& [rows, initial] : initials) {
        rows->fill(0.0F);
        for (int64_t b = 0; b < batch; ++b) {
          std::copy(initial.begin(), initial.end(), rows->data() + b * padded(static_cast<int64_t>(initial.size())));
        }
      }
    });
  } else {
    add_layer_states(node, layers, f.batch, [&](size_t l) {
      return std::pair(state.h(l).data(), lstm.is_lstm() ? state.c(l).data() : nullptr);
    });
  }
  const RecurrentInput input = add_input(node, f, x);
  node.step([=, &layers, &state, &workspace, &y, &context = node.context()] {
    const float* h = workspace.forward(
        layers.weights(), state,
        {.steps = f.steps, .batch = f.batch, .x = input.x, .x_stride = f.inputs, .symbols = input.symbols},
        nn::Pass::kInference, nn::Engine::kFused, context);
    const int64_t stride = padded(f.width());
    write_outputs(
        f, [&](int64_t t, int64_t b) { return h + (t * f.batch + b) * stride; }, y.floats);
  });
}

void build_recurrent(NodeBuild& node, const std::string& cell) {
  const Value& x = node.floats(0);
  if (x.rank() != 3) node.fail("expected [B, T, C], found " + shown(x.dims));
  const RecurrentOptions options = read_recurrent(node, x, cell);
  RecurrentFrame f{.batch = x.dim(0), .steps = x.dim(1), .inputs = x.last(), .state = options.lstm.state()};
  f.directions = options.lstm.directions();
  f.backwards = node.integer("go_backwards", 0) != 0;
  f.last = node.choice("return", "sequences", {"sequences", "last"}) == "last";
  const std::string merge = node.choice("merge", "concat", {"concat", "sum", "mul", "ave"});
  f.merge = merge == "sum" ? Merge::kSum : merge == "mul" ? Merge::kMul : merge == "ave" ? Merge::kAve : Merge::kConcat;
  if (f.merge != Merge::kConcat && (options.lstm.layers > 1 || !options.lstm.bidirectional)) {
    node.fail("expected one bidirectional layer for merge = \"" + merge + "\"", "make each layer a node of its own");
  }
  if (f.steps == 0 || f.batch == 0) node.fail("expected at least one time step of one sequence");
  if (options.lstm.bidirectional) node.needs_whole("is bidirectional");
  if (f.backwards) node.needs_whole("reads sequences from their end");
  Value& y = node.out(0, f.last ? Dims{f.batch, f.outputs()} : Dims{f.batch, f.steps, f.outputs()});
  const RecurrentLayers& layers = node.shared<RecurrentLayers>(
      options.one_hot ? "symbols" : "numbers", [&] { return std::make_shared<RecurrentLayers>(node, options); });
  constexpr int64_t kMostSteps = 16;  // beyond that, the products of many steps at once are faster
  if (f.batch == 1 && f.steps <= kMostSteps && options.lstm.is_lstm() && !options.lstm.bidirectional) {
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
               1,
               1,
               {"units", "layers", "bidirectional", "projection", "layer_norm", "residual", "go_backwards", "merge",
                "return", "initial_state"},
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
  for (const char* option :
       {"activations", "activation_alpha", "activation_beta", "clip", "cell_clip", "input_forget"}) {
    lstm.attributes.push_back(option);
  }
  NodeType gru = recurrent_type("gru", "GRU layers, with the reset gate after the product", build_gru);
  NodeType rnn = recurrent_type("rnn", "plain recurrent layers", build_rnn);
  rnn.attributes.push_back("activation");
  return {lstm, gru, rnn};
}

}  // namespace longhand::graph
