// LSTM, GRU and plain recurrent layers as ONNX.
#include <algorithm>
#include <limits>

#include "longhand/exporters/onnx_recurrent.h"

namespace longhand::exporters {
namespace {

// Activation functions of ONNX's recurrent operators.
const char* const kOperatorFunctions[] = {"Sigmoid",    "Tanh", "Relu",   "Softsign",   "Softplus",
                                          "LeakyRelu",  "Elu",  "Affine", "ScaledTanh", "ThresholdedRelu",
                                          "HardSigmoid"};

std::string in_small_letters(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

// Returns the activation function with ONNX's spelling. ONNX ignores case.
std::string onnx_function(const std::string& name) {
  for (const char* each : kOperatorFunctions) {
    if (in_small_letters(each) == in_small_letters(name)) return each;
  }
  return name;
}

std::vector<OnnxActivation> read_cell_functions(OnnxSite& site, const std::string& cell, int64_t directions) {
  std::vector<std::string> names = site.texts("activations");
  if (cell == "rnn") names.assign(static_cast<size_t>(directions), site.text("activation", "tanh"));
  if (names.empty()) {
    for (int64_t d = 0; d < directions; ++d) {
      names.insert(names.end(), {"Sigmoid", "Tanh"});
      if (cell == "lstm") names.emplace_back("Tanh");
    }
  }
  const std::vector<double> alphas = site.numbers("activation_alpha"), betas = site.numbers("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<OnnxActivation> out;
  for (const std::string& name : names) {
    OnnxActivation& f = out.emplace_back(usual_activation(onnx_function(name)));
    if (has_constant(f.name, false) && f.name != "Selu" && alpha < alphas.size()) f.alpha = alphas[alpha++];
    if (has_constant(f.name, true) && f.name != "Selu" && beta < betas.size()) f.beta = betas[beta++];
  }
  return out;
}

// Writes the stacked layers of a recurrent node. Inside, the time axis comes first.
class RecurrentExport {
 public:
  explicit RecurrentExport(OnnxSite& site)
      : site_(site),
        make_(site.make),
        frames_(site.rank(0) == 4),
        backwards_(site.integer("go_backwards", 0) != 0),
        layers_(static_cast<size_t>(site.integer("layers", 1))) {}

  void write() {
    std::string x = steps_first();
    std::string last;
    for (size_t l = 0; l < layers_; ++l) {
      const OnnxLayer layer = read_onnx_layer(site_, l);
      const OnnxLayerOutput y = write_layer(layer, x);
      const bool adds = site_.integer("residual", 0) != 0 && l > 0;
      x = adds ? make_.op("Add", {y.y, x}) : y.y;
      last = adds ? "" : rows_of_states(y.h_n, layer);
      if (l + 1 == layers_) write_states(y, layer);
      if (l + 1 == layers_) write_output(layer, x, last);
    }
  }

 private:
  bool fresh() const {
    const bool both = site_.integer("bidirectional", 0) != 0;
    return frames_ || both || site_.integer("carry", 1) == 0 || site_.has(2);
  }

  // Returns x [B, T, I] as [T, B, I], or frames [B, T, L, I] as [L, B T, I]; reversed in time for go_backwards.
  std::string steps_first() {
    std::string x = site_.in(0);
    if (frames_) {
      outer_ = make_.extents(x, 0, 2);
      x = make_.op("Reshape", {x, make_.concat({make_.ints({-1}), make_.extents(x, 2, 4)}, 0)});
    }
    return in_order(make_.transpose(x, {1, 0, 2}));
  }

  std::string in_order(const std::string& x) {
    if (!backwards_) return x;
    return make_.op("Slice", {x, make_.ints({-1}), make_.ints({kToBegin}), make_.ints({0}), make_.ints({-1})});
  }

  // Whether the mask only masks steps at the end of sequences. This holds for masks that are inputs of the model.
  bool masks_the_end() const {
    const auto& inputs = site_.graph().inputs;
    return !backwards_ && std::any_of(inputs.begin(), inputs.end(),
                                      [&](const graph::Port& port) { return port.name == site_.node().inputs[1]; });
  }

  OnnxLayerOutput write_layer(const OnnxLayer& layer, const std::string& x) {
    OnnxLayerInput input{.x = x};
    input.masked_zeros = site_.text("masked_outputs", "before") == "zeros" || site_.text("return", "") == "last";
    bool as_operator = has_operator(site_, layer);
    if (site_.has(1)) {
      as_operator = as_operator && masks_the_end() && input.masked_zeros;
      std::string mask = site_.in(1);
      if (frames_) mask = make_.op("Reshape", {mask, make_.concat({make_.ints({-1}), make_.extents(mask, 2, 3)}, 0)});
      if (as_operator) {
        input.lengths = make_.as(io::DType::kI32, make_.reduce("ReduceSum", mask, {1}, false));
      } else {
        const std::string turned = make_.transpose(make_.as(io::DType::kF32, mask), {1, 0});
        input.mask = make_.unsqueeze(in_order(turned), {2});
      }
    }
    add_initial(layer, input);
    const OnnxLayerOutput out = as_operator ? write_operator(site_, layer, input) : write_scan(site_, layer, input);
    if (!h_state_.empty()) site_.end_state(h_state_, out.h_n);
    if (!c_state_.empty()) site_.end_state(c_state_, out.c_n);
    return out;
  }

  void add_initial(const OnnxLayer& layer, OnnxLayerInput& input) {
    h_state_.clear();
    c_state_.clear();
    if (!fresh()) {
      const std::string name = layers_ > 1 ? site_.node().name + "_" + std::to_string(layer.number) : site_.node().name;
      input.h_0 = h_state_ = site_.begin_state(name + "_h", {1, -1, layer.state}, trained(layer, "h_0", 0));
      if (layer.has_cell()) {
        input.c_0 = c_state_ = site_.begin_state(name + "_c", {1, -1, layer.hidden}, trained(layer, "c_0", 0));
      }
      return;
    }
    input.h_0 = site_.has(2) ? states_of_rows(site_.in(2), layer) : repeated(layer, input.x, "h_0", layer.state);
    if (layer.has_cell()) {
      input.c_0 = site_.has(3) ? states_of_rows(site_.in(3), layer) : repeated(layer, input.x, "c_0", layer.hidden);
    }
  }

  std::vector<float> trained(const OnnxLayer& layer, const char* name, int64_t d) const {
    const std::string role = layer.role(name, d);
    return site_.has_weight(role) ? site_.weight(role).floats : std::vector<float>();
  }

  // Returns the trained initial states [D, 1, width] repeated for all sequences: [D, B, width]; empty: zeros.
  std::string repeated(const OnnxLayer& layer, const std::string& x, const char* name, int64_t width) {
    if (!site_.has_weight(layer.role(name, 0))) return "";
    std::vector<graph::Array> rows;
    for (int64_t d = 0; d < layer.directions; ++d) rows.push_back(graph::array({1, width}, trained(layer, name, d)));
    const std::string array = make_.array(make_.unique(site_.node().name + "." + name), stacked(rows));
    return make_.op(
        "Expand",
        {array, make_.concat({make_.ints({layer.directions}), make_.extents(x, 1, 2), make_.ints({width})}, 0)});
  }

  // [B, D R] -> [D, B, R], and the inverse.
  std::string states_of_rows(const std::string& rows, const OnnxLayer& layer) {
    return make_.transpose(make_.reshape(rows, {0, layer.directions, -1}), {1, 0, 2});
  }
  std::string rows_of_states(const std::string& states, const OnnxLayer& layer) {
    if (states.empty()) return "";
    if (layer.directions == 1) return make_.squeeze(states, {0});
    return make_.reshape(make_.transpose(states, {1, 0, 2}), {0, -1});
  }

  void write_states(const OnnxLayerOutput& y, const OnnxLayer& layer) {
    if (site_.wants(1)) make_.op("Identity", {rows_of_states(y.h_n, layer)}, {}, site_.node().outputs[1]);
    if (site_.wants(2)) make_.op("Identity", {rows_of_states(y.c_n, layer)}, {}, site_.node().outputs[2]);
  }

  // Merges the outputs of both directions, the two halves of the last axis.
  std::string merged(const OnnxLayer& layer, const std::string& y) {
    const std::string merge = site_.text("merge", "concat");
    if (merge == "concat" || layer.directions == 1) return y;
    const std::string a = make_.slice(y, -1, 0, layer.state), b = make_.slice(y, -1, layer.state, kToEnd);
    const std::string both = make_.op(merge == "mul" ? "Mul" : "Add", {a, b});
    return merge == "ave" ? make_.op("Mul", {both, make_.number(0.5)}) : both;
  }

  void write_output(const OnnxLayer& layer, const std::string& y, const std::string& last) {
    const bool one = site_.text("return", "sequences") == "last";
    if (one && last.empty()) site_.fail("expected sequences of residual layers", "make each layer a node of its own");
    const std::string out = merged(layer, one ? last : make_.transpose(y, {1, 0, 2}));
    if (!frames_) return (void)make_.op("Identity", {out}, {}, site_.out());
    const std::string inner = one ? make_.extents(out, 1, 2) : make_.extents(out, 1, 3);
    make_.op("Reshape", {out, make_.concat({outer_, inner}, 0)}, {}, site_.out());
  }

  OnnxSite& site_;
  OnnxMaker& make_;
  bool frames_, backwards_;
  size_t layers_;
  std::string outer_, h_state_, c_state_;
};

void write_recurrent(OnnxSite& site) { RecurrentExport(site).write(); }

}  // namespace

bool has_constant(const std::string& function, bool beta) {
  const OnnxActivation usual = usual_activation(function);
  return beta ? function == "Affine" || usual.beta != 0.0 : usual.alpha != 0.0;
}

std::string OnnxLayer::role(const std::string& name, int64_t direction) const {
  return name + "_l" + std::to_string(number) + (direction == 1 ? "_reverse" : "");
}

OnnxLayer read_onnx_layer(OnnxSite& site, size_t number) {
  OnnxLayer out{.cell = site.node().type, .number = number};
  out.directions = site.integer("bidirectional", 0) != 0 ? 2 : 1;
  const graph::Array &w = site.weight(out.role("weight_ih", 0)), &r = site.weight(out.role("weight_hh", 0));
  out.inputs = w.dims[1];
  out.hidden = r.dims[0] / out.gates();
  out.state = r.dims[1];
  out.functions = read_cell_functions(site, out.cell, out.directions);
  out.gate_clip = site.number("clip", 0.0);
  out.cell_clip = site.number("cell_clip", 0.0);
  out.zone_h = site.number("zoneout", 0.0);
  out.zone_c = site.number("zoneout_cell", 0.0);
  out.coupled = site.integer("input_forget", 0) != 0;
  out.reset_after = site.integer("reset_after", 1) != 0;
  return out;
}

bool has_operator(const OnnxSite& site, const OnnxLayer& layer) {
  const auto known = [&](const OnnxActivation& f) {
    return std::find(std::begin(kOperatorFunctions), std::end(kOperatorFunctions), f.name) !=
           std::end(kOperatorFunctions);
  };
  const bool more = layer.state != layer.hidden || site.has_weight(layer.role("weight_hr", 0)) ||
                    site.has_weight(layer.role("gain_ih", 0)) || layer.cell_clip > 0.0 || layer.zone_h > 0.0 ||
                    layer.zone_c > 0.0;
  if (more || !std::all_of(layer.functions.begin(), layer.functions.end(), known)) return false;
  if (layer.cell == "lstm") return true;
  const std::string last = layer.functions.back().name;
  if (layer.cell == "rnn") return last == "Tanh" || last == "Relu";
  return std::all_of(layer.functions.begin(), layer.functions.end(), [&](const OnnxActivation& f) {
    const auto at = static_cast<size_t>(&f - layer.functions.data());
    return f.name == (at % 2 == 0 ? "Sigmoid" : "Tanh");
  });
}

OnnxFunctions onnx_layer_functions() {
  return {{"lstm", write_recurrent}, {"gru", write_recurrent}, {"rnn", write_recurrent}};
}

}  // namespace longhand::exporters
