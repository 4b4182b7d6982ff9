#include "longhand/graph/recurrent_layers.h"

#include <algorithm>

#include "longhand/graph/cell_options.h"
#include "longhand/nn/activation_text.h"

namespace longhand::graph {
namespace {

// "_l1_reverse"
std::string layer_suffix(size_t layer, bool reverse) {
  return "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
}

void read_variants(NodeBuild& node, nn::LstmOptions& lstm) {
  const std::vector<kernels::LstmCell> cells = read_cell_options(node, lstm.directions());
  if (cells.back() != cells.front()) node.fail("expected the same activations in both directions");
  lstm.gate_activation = nn::activation_text(cells.front().gate);
  lstm.candidate_activation = nn::activation_text(cells.front().candidate);
  lstm.output_activation = nn::activation_text(cells.front().output);
  lstm.gate_clip = cells.front().gate_clip;
  lstm.cell_clip = node.number("cell_clip", 0.0);
  lstm.coupled_gates = cells.front().coupled;
  lstm.peepholes = node.has_weight("weight_peephole_l0");
  const auto share = [&](const char* name) {
    const double value = node.number(name, 0.0);
    if (!(value >= 0.0 && value <= 1.0)) node.fail(std::string(name) + ": expected a number from 0 to 1");
    return value;
  };
  lstm.zoneout = share("zoneout");
  lstm.zoneout_cell = share("zoneout_cell");
}

void read_cell(NodeBuild& node, const std::string& cell, nn::LstmOptions& lstm) {
  lstm.cell = cell;
  if (cell == "lstm") read_variants(node, lstm);
  if (cell == "rnn" && node.text("activation", "tanh") == "relu") lstm.cell = "rnn-relu";
}

}  // namespace

RecurrentOptions read_recurrent(NodeBuild& node, const Value& x, const std::string& cell) {
  RecurrentOptions out;
  nn::LstmOptions& lstm = out.lstm;
  lstm.bidirectional = node.integer("bidirectional", 0) != 0;
  read_cell(node, cell, lstm);
  out.inputs = x.last();
  out.one_hot = x.symbols != nullptr;
  const Array& w_hh = node.weight("weight_hh_l0", {-1, -1});
  lstm.hidden = w_hh.dims[0] / lstm.gates();
  lstm.proj = node.has_weight("weight_hr_l0") ? w_hh.dims[1] : 0;
  lstm.layers = node.in_range("layers", node.integer("layers", 1), 1, 1000);
  lstm.layer_norm = node.has_weight("gain_ih_l0");
  lstm.residual = node.integer("residual", 0) != 0;
  if (w_hh.dims[0] != lstm.gates() * lstm.hidden || lstm.hidden < 1 || lstm.state() != w_hh.dims[1]) {
    node.fail("weight_hh_l0: expected " + std::to_string(lstm.gates()) +
              " rows for each column (or a projection, weight_hr_l0), found " + shown(w_hh.dims));
  }
  const std::string misplaced = lstm.misplaced();
  if (!misplaced.empty()) node.fail("has no place for " + misplaced);
  if (lstm.coupled_gates && lstm.layer_norm) node.fail("expected coupled gates or layer normalisation, found both");
  return out;
}

RecurrentLayers::RecurrentLayers(NodeBuild& node, const RecurrentOptions& options)
    : stack_({.lstm = options.lstm, .inputs = options.inputs, .one_hot = options.one_hot, .init = {}}, arena_),
      weights_(stack_) {
  arena_.allocate();
  fill(node);
  weights_.set_values(arena_.values().data());
  weights_.pack(nn::Pass::kInference, node.context());
}

// The arena's parameters are called as the node's roles are, after a prefix. Biases that the node does not have are
// zero; two that are added become one.
void RecurrentLayers::fill(NodeBuild& node) {
  const bool two_biases = lstm().kind() == nn::Cell::kGru;
  for (size_t i = 0; i < arena_.parameters().size(); ++i) {
    const Parameter& p = arena_.parameters()[i];
    const std::string role = p.name.substr(p.name.rfind('.') + 1);
    const bool is_bias = role.starts_with("bias_ih") || role.starts_with("bias_hh");
    if (!is_bias || node.has_weight(role)) {
      const Array& from = node.weight(role, p.shape);
      std::copy(from.floats.begin(), from.floats.end(), arena_.value(i));
    }
    if (!is_bias || two_biases) continue;
    const float* second = node.optional_weight("bias_hh" + role.substr(7), p.shape);
    for (int64_t k = 0; second != nullptr && k < p.size; ++k) arena_.value(i)[k] += second[k];
  }
  for (const auto& [role, array] : node.node().weights) {
    const std::string last = role.substr(role.find("_l") + 2);
    const size_t layer = std::stoul(last);
    const bool reverse = role.ends_with("_reverse");
    if (layer >= static_cast<size_t>(lstm().layers) || (reverse && !lstm().bidirectional)) {
      node.fail("expected weights of " + std::to_string(lstm().layers) + " layers" +
                (lstm().bidirectional ? "" : " in one direction") + ", found '" + role + "'");
    }
  }
  const bool has_second = node.has_weight("bias_hh_l0");
  for (size_t l = 0; l < static_cast<size_t>(lstm().layers); ++l) {
    if (node.has_weight("bias_hh" + layer_suffix(l, false)) != has_second) node.fail("expected all biases, or none");
  }
}

RecurrentSteps::RecurrentSteps(const RecurrentLayers& from) {
  kernels::Context context(1);
  for (const nn::LstmStack::Layer& layer : from.stack().layers()) {
    const nn::LstmStack::Direction& direction = layer.directions.front();
    const bool dense = !layers.empty() || !from.stack().options().one_hot;
    kernels::pack_lstm_step(from.stack().shape(direction, 1, 1, nullptr), from.stack().cell(),
                            direction.offsets.view(from.values()), dense, kernels::WeightType::kFloat,
                            layers.emplace_back(), context);
  }
}

}  // namespace longhand::graph
