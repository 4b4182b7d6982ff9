// ONNX's LSTM, GRU and RNN, and the LSTM with weights of 8 bits.
#include <algorithm>

#include "longhand/graph/cell_options.h"
#include "longhand/graph/node_types.h"
#include "longhand/graph/onnx_recurrent.h"
#include "longhand/kernels/elementwise.h"
#include "longhand/kernels/lstm_step.h"
#include "longhand/kernels/recurrent.h"

namespace longhand::graph {
namespace {

// One direction's weights in the kernels' order, and packed.
struct OnnxLstmWeights {
  std::vector<float> w_ih, w_hh, bias, peepholes;
  kernels::PackedLstm packed;
  kernels::PackedLstmStep step;

  kernels::LstmWeights<float> view() const {
    kernels::LstmWeights<float> out = {w_ih.data(), w_hh.data(), bias.data()};
    out.peepholes = peepholes.empty() ? nullptr : peepholes.data();
    return out;
  }
};

struct OnnxGruWeights {
  std::vector<float> w_ih, w_hh, bias_ih, bias_hh;
  kernels::PackedRecurrent packed;

  kernels::RecurrentWeights<float> view(bool two_biases) const {
    return {w_ih.data(), w_hh.data(), bias_ih.data(), two_biases ? bias_hh.data() : nullptr};
  }
};

// What is made for all plans, or, of weights that are not the network's own, for this one.
template <class T, class Make>
const T& kept_weights(NodeBuild& node, bool shareable, const std::string& key, const Make& make) {
  return shareable ? node.shared<T>(key, make) : node.keep(make());
}

// The memory of one direction.
struct DirectionMemory {
  DirectionMemory(NodeBuild& node, const OnnxRecurrent& r, int64_t direction)
      : all(node.floats_memory((r.steps + 1) * r.batch * padded(r.hidden)).data()),
        carried(node.floats_memory(r.batch * padded(r.hidden)).data()),
        cell(node.floats_memory(r.batch * padded(r.hidden)).data()) {
    const kernels::LstmShape shape = r.shape(direction);
    first = all + shape.initial_slot() * r.batch * padded(r.hidden);
    outputs = all + (shape.reverse ? 0 : r.batch * padded(r.hidden));
  }

  float* all;      // [T+1, B, Hp]
  float* carried;  // [B, Hp] the state before the run, and after it
  float* cell;     // [B, Hp]
  float* first;    // the slot of the initial state
  float* outputs;  // [T, B, Hp]
};

std::vector<DirectionMemory> memory_of(NodeBuild& node, const OnnxRecurrent& r) {
  std::vector<DirectionMemory> out;
  for (int64_t d = 0; d < r.directions; ++d) out.emplace_back(node, r, d);
  return out;
}

template <class Pointer>
std::vector<Pointer> pick(const std::vector<DirectionMemory>& memory, float* DirectionMemory::*part) {
  std::vector<Pointer> out;
  for (const DirectionMemory& each : memory) out.push_back(each.*part);
  return out;
}

void add_outputs(NodeBuild& node, const OnnxRecurrent& r, const std::vector<DirectionMemory>& memory, bool cell) {
  r.add_y(node, pick<const float*>(memory, &DirectionMemory::outputs));
  r.add_last(node, 1, pick<const float*>(memory, &DirectionMemory::carried));
  if (cell) r.add_last(node, 2, pick<const float*>(memory, &DirectionMemory::cell));
}

// P [D, 3 H] of i o f, as the kernels have it: [3, H] of i f o. Empty: none.
std::vector<float> peepholes_of(NodeBuild& node, const OnnxRecurrent& r, int64_t direction) {
  if (!node.has(7)) return {};
  const Value& p = node.floats(7);
  const int64_t H = r.hidden;
  if (!p.constant || p.dims != Dims{r.directions, 3 * H}) {
    node.fail("P: expected a trained array " + shown({r.directions, 3 * H}) + ", found " + shown(p.dims));
  }
  std::vector<float> out;
  for (const int64_t block : {0, 2, 1}) {
    const float* from = p.floats + (3 * direction + block) * H;
    out.insert(out.end(), from, from + H);
  }
  return out;
}

void plan_lstm(NodeBuild& node, const OnnxRecurrent& r) {
  const std::vector<kernels::LstmCell> cells = read_cell_options(node, r.directions);
  const std::vector<DirectionMemory> memory = memory_of(node, r);
  r.add_initial(node, 5, "h", pick<float*>(memory, &DirectionMemory::carried));
  r.add_initial(node, 6, "c", pick<float*>(memory, &DirectionMemory::cell));
  const bool steps = r.batch == 1 && r.steps <= 16 && r.lengths == nullptr;
  for (int64_t d = 0; d < r.directions; ++d) {
    const bool single = steps && !r.reverse(d);
    const kernels::LstmCell cell = cells[static_cast<size_t>(d)];
    const auto make = [&] {
      const std::vector<int64_t> order = {0, 2, 3, 1};  // ONNX has i o f c
      auto out = std::make_shared<OnnxLstmWeights>();
      out->w_ih = r.w_of(d, order);
      out->w_hh = r.r_of(d, order);
      out->bias = r.b_of(d, 0, order);
      const std::vector<float> second = r.b_of(d, 1, order);
      for (size_t i = 0; i < second.size(); ++i) out->bias[i] += second[i];
      out->peepholes = peepholes_of(node, r, d);
      if (single) {
        kernels::pack_lstm_step(r.shape(d), cell, out->view(), true, kernels::WeightType::kFloat, out->step,
                                node.context());
      } else {
        kernels::pack_lstm(r.shape(d), out->view(), true, kernels::PackFor::kInference, out->packed, node.context());
      }
      return out;
    };
    const auto& weights =
        kept_weights<OnnxLstmWeights>(node, r.shareable, "lstm/" + std::to_string(d) + (single ? "/steps" : ""), make);
    const DirectionMemory m = memory[static_cast<size_t>(d)];
    const int64_t state = r.batch * padded(r.hidden);
    if (single) {
      float* scratch = node.floats_memory(kernels::step_scratch(weights.step, r.steps)).data();
      node.step([=, &weights, x = r.x, T = r.steps, I = r.inputs] {
        std::copy_n(m.carried, state, m.first);
        kernels::lstm_step(weights.step,
                           {.steps = T, .x = x, .x_stride = I, .h = m.all, .c = m.cell, .scratch = scratch});
        std::copy_n(m.all + T * state, state, m.carried);
      });
      continue;
    }
    node.step([=, &weights, &context = node.context(), shape = r.shape(d), x = r.x] {
      std::copy_n(m.carried, state, m.first);
      kernels::LstmForward<float> args;
      args.shape = shape;
      args.cell = cell;
      args.weights = weights.view();
      args.input = {.x = x, .x_stride = shape.inputs};
      args.h = m.all;
      args.c = m.cell;
      args.h_last = m.carried;
      kernels::lstm_forward(args, weights.packed, context);
    });
  }
  add_outputs(node, r, memory, true);
}

void build_onnx_lstm(NodeBuild& node) { plan_lstm(node, OnnxRecurrent(node, 4, true)); }

// [D, K, 4H] of whole numbers, with a scale and a zero point for each direction, or for each of its outputs, as floats
// [D, 4H, K].
const Value& dequantised(NodeBuild& node, size_t input, size_t scale_input) {
  const Value &q = node.ints(input), &scale = node.floats(scale_input);
  const Value* zero = node.has(scale_input + 1) ? &node.ints(scale_input + 1) : nullptr;
  if (q.rank() != 3 || !q.constant || !scale.constant ||
      (zero != nullptr && (!zero->constant || zero->size != scale.size))) {
    node.fail("expected weights of whole numbers with trained scales");
  }
  const int64_t D = q.dim(0), K = q.dim(1), G = q.dim(2);
  if (scale.size != D && scale.size != D * G) node.fail("expected a scale for each direction, or each output");
  Buffer<float>& memory = node.floats_memory(q.size);
  for (int64_t i = 0; i < q.size; ++i) {
    const int64_t d = i / (K * G), k = i / G % K, g = i % G;
    const int64_t of = scale.size == D ? d : d * G + g;
    const auto whole = static_cast<float>(q.ints[i] - (zero == nullptr ? 0 : zero->ints[of]));
    memory[(d * G + g) * K + k] = whole * scale.floats[of];
  }
  Value& out = node.make<Value>();
  out.dims = {D, G, K};
  out.size = q.size;
  out.floats = memory.data();
  out.constant = true;
  return out;
}

void build_quantised_lstm(NodeBuild& node) {
  const Value &w = dequantised(node, 1, 8), &r = dequantised(node, 2, 10);
  plan_lstm(node, OnnxRecurrent(node, 4, true, &w, &r));
}

// GRU whose reset gate comes before the product (ONNX's default), which no kernel has:
//   n = tanh(W_n x + b_n + R_n (r * h) + b_Rn)
void plan_gru_reset_first(NodeBuild& node, const OnnxRecurrent& r, const std::vector<DirectionMemory>& memory) {
  const int64_t T = r.steps, B = r.batch, H = r.hidden, Hp = padded(H);
  for (int64_t d = 0; d < r.directions; ++d) {
    const DirectionMemory m = memory[static_cast<size_t>(d)];
    std::vector<float>& bias = node.make<std::vector<float>>(r.b_of(d, 0, {0, 1, 2}));
    const std::vector<float> second = r.b_of(d, 1, {0, 1, 2});
    for (size_t i = 0; i < bias.size(); ++i) bias[i] += second[i];
    const std::string key = r.shareable ? "gru/" + std::to_string(d) : "";
    const Dense inputs(
        node, key.empty() ? "" : key + "/w", 3 * H, r.inputs, T * B,
        [&] {
          return r.w_of(d, {0, 1, 2});
        },
        bias.data());
    const Dense gates(
        node, key.empty() ? "" : key + "/zr", 2 * H, H, B,
        [&] {
          return r.r_of(d, {0, 1});
        },
        nullptr);
    const Dense news(
        node, key.empty() ? "" : key + "/n", H, H, B, [&] { return r.r_of(d, {2}); }, nullptr);
    float* pre = node.floats_memory(T * B * 3 * H).data();
    float* zr = node.floats_memory(B * 2 * H).data();
    float* n = node.floats_memory(B * H).data();
    node.step([=, shape = r.shape(d), x = r.x] {
      using kernels::Function;
      inputs.run(T * B, x, shape.inputs, pre, 3 * H);
      for (int64_t work = 0; work < T; ++work) {
        const int64_t t = shape.time(work);
        float* h = m.outputs + t * B * Hp;
        gates.run(B, m.carried, Hp, zr, 2 * H);
        for (int64_t b = 0; b < B; ++b) {
          const float* own = pre + (t * B + b) * 3 * H;
          for (int64_t j = 0; j < 2 * H; ++j) zr[b * 2 * H + j] += own[j];
        }
        kernels::apply(Function::kSigmoid, 0.0F, 0.0F, zr, zr, B * 2 * H);
        for (int64_t b = 0; b < B; ++b) {
          for (int64_t j = 0; j < H; ++j) h[b * Hp + j] = zr[(2 * b + 1) * H + j] * m.carried[b * Hp + j];
        }
        news.run(B, h, Hp, n, H);
        for (int64_t b = 0; b < B; ++b) {
          for (int64_t j = 0; j < H; ++j) n[b * H + j] += pre[((t * B + b) * 3 + 2) * H + j];
        }
        kernels::apply(Function::kTanh, 0.0F, 0.0F, n, n, B * H);
        for (int64_t b = 0; b < B; ++b) {
          const bool runs = t < shape.length(b);
          for (int64_t j = 0; j < H; ++j) {
            const float z = zr[2 * b * H + j];
            const float now = (1.0F - z) * n[b * H + j] + z * m.carried[b * Hp + j];
            h[b * Hp + j] = runs ? now : 0.0F;
            if (runs) m.carried[b * Hp + j] = now;
          }
        }
      }
    });
  }
}

void plan_recurrent(NodeBuild& node, const OnnxRecurrent& r, kernels::RecurrentCell cell,
                    const std::vector<int64_t>& order, const std::vector<DirectionMemory>& memory) {
  const bool gru = cell == kernels::RecurrentCell::kGru;
  for (int64_t d = 0; d < r.directions; ++d) {
    const auto make = [&] {
      auto out = std::make_shared<OnnxGruWeights>();
      out->w_ih = r.w_of(d, order);
      out->w_hh = r.r_of(d, order);
      out->bias_ih = r.b_of(d, 0, order);
      out->bias_hh = r.b_of(d, 1, order);
      for (size_t i = 0; !gru && i < out->bias_ih.size(); ++i) out->bias_ih[i] += out->bias_hh[i];
      kernels::pack_recurrent(cell, r.shape(d), out->view(gru), true, kernels::PackFor::kInference, out->packed,
                              node.context());
      return out;
    };
    const auto& weights = kept_weights<OnnxGruWeights>(node, r.shareable, "recurrent/" + std::to_string(d), make);
    const DirectionMemory m = memory[static_cast<size_t>(d)];
    const int64_t state = r.batch * padded(r.hidden);
    node.step([=, &weights, &context = node.context(), shape = r.shape(d), x = r.x] {
      std::copy_n(m.carried, state, m.first);
      kernels::RecurrentForward<float> args;
      args.cell = cell;
      args.shape = shape;
      args.weights = weights.view(gru);
      args.input = {.x = x, .x_stride = shape.inputs};
      args.h = m.all;
      args.h_last = m.carried;
      kernels::recurrent_forward(args, weights.packed, context);
    });
  }
}

// Throws unless each direction has the activations of `usual`; returns whether plain layers have Relu.
bool read_activations(NodeBuild& node, int64_t directions, const std::vector<std::string>& usual) {
  const std::vector<std::string> given = node.texts("activations");
  if (node.number("clip", 0.0) != 0.0) node.fail("expected a cell without clipping");
  const bool relu = usual.size() == 1 && !given.empty() && given.front() == "Relu";
  bool known = given.empty() || given.size() == usual.size() * static_cast<size_t>(directions);
  for (size_t i = 0; i < given.size(); ++i) known = known && given[i] == (relu ? "Relu" : usual[i % usual.size()]);
  if (!known) node.fail("expected the cell's usual activations, found others");
  return relu;
}

void build_onnx_gru(NodeBuild& node) {
  const OnnxRecurrent r(node, 3, false);
  read_activations(node, r.directions, {"Sigmoid", "Tanh"});
  const std::vector<DirectionMemory> memory = memory_of(node, r);
  r.add_initial(node, 5, "h", pick<float*>(memory, &DirectionMemory::carried));
  if (node.integer("linear_before_reset", 0) != 0) {
    plan_recurrent(node, r, kernels::RecurrentCell::kGru, {1, 0, 2}, memory);  // ONNX has z r h
  } else {
    plan_gru_reset_first(node, r, memory);
  }
  add_outputs(node, r, memory, false);
}

void build_onnx_rnn(NodeBuild& node) {
  const OnnxRecurrent r(node, 1, false);
  const bool relu = read_activations(node, r.directions, {"Tanh"});
  const std::vector<DirectionMemory> memory = memory_of(node, r);
  r.add_initial(node, 5, "h", pick<float*>(memory, &DirectionMemory::carried));
  plan_recurrent(node, r, relu ? kernels::RecurrentCell::kRelu : kernels::RecurrentCell::kTanh, {0}, memory);
  add_outputs(node, r, memory, false);
}

}  // namespace

std::vector<NodeType> onnx_recurrent_node_types() {
  const std::vector<const char*> attributes = {"activations", "activation_alpha", "activation_beta", "clip",
                                               "direction",   "hidden_size",      "layout",          "keep_state"};
  const auto with = [&](std::vector<const char*> more) {
    more.insert(more.end(), attributes.begin(), attributes.end());
    return more;
  };
  return {
      {"LSTM", "ONNX", 3, 8, 3, with({"input_forget"}), {}, build_onnx_lstm},
      {"GRU", "ONNX", 3, 6, 2, with({"linear_before_reset"}), {}, build_onnx_gru},
      {"RNN", "ONNX", 3, 6, 2, attributes, {}, build_onnx_rnn},
      {"DynamicQuantizeLSTM",
       "onnxruntime's: the weights as floats, the arithmetic in floats",
       12,
       12,
       3,
       with({"input_forget"}),
       {},
       build_quantised_lstm},
  };
}

}  // namespace longhand::graph
