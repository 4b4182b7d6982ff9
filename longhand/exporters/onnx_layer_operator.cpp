// LSTM, GRU and plain recurrent layers as ONNX's operators.
#include <algorithm>

#include "longhand/convert/gate_order.h"
#include "longhand/exporters/onnx_recurrent.h"

namespace longhand::exporters {
namespace {

convert::GateOrder order_of(const OnnxLayer& layer) {
  return layer.cell == "lstm"  ? convert::GateOrder::kOnnxLstm
         : layer.cell == "gru" ? convert::GateOrder::kOnnxGru
                               : convert::GateOrder::kPlain;
}

graph::Array in_onnx_order(const OnnxLayer& layer, const graph::Array& rows) {
  return order_of(layer) == convert::GateOrder::kPlain ? rows : convert::to_order(order_of(layer), rows);
}

// Returns the arrays make(d) of all directions d, stacked along a new first axis.
template <class Make>
graph::Array of_directions(const OnnxLayer& layer, const Make& make) {
  std::vector<graph::Array> parts;
  for (int64_t d = 0; d < layer.directions; ++d) parts.push_back(make(d));
  return stacked(parts);
}

graph::Array biases(OnnxSite& site, const OnnxLayer& layer, int64_t d) {
  const int64_t G = layer.gates() * layer.hidden;
  std::vector<float> both;
  for (const char* name : {"bias_ih", "bias_hh"}) {
    const std::string role = layer.role(name, d);
    graph::Array bias = graph::array({G}, std::vector<float>(static_cast<size_t>(G), 0.0F));
    if (site.has_weight(role)) bias = site.weight(role);
    const graph::Array ordered = in_onnx_order(layer, bias);
    both.insert(both.end(), ordered.floats.begin(), ordered.floats.end());
  }
  return graph::array({2 * G}, both);
}

// Returns the peephole weights [3, H] in the order i f o as ONNX's [3 H] in the order i o f.
graph::Array peepholes(OnnxSite& site, const OnnxLayer& layer, int64_t d) {
  graph::Array out = convert::permuted(site.weight(layer.role("weight_peephole", d)), {0, 2, 1});
  out.dims = {3 * layer.hidden};
  return out;
}

std::string direction_name(const OnnxLayer& layer) { return layer.directions == 2 ? "bidirectional" : "forward"; }

std::vector<convert::OnnxAttribute> operator_attributes(const OnnxLayer& layer) {
  std::vector<convert::OnnxAttribute> out{onnx::whole("hidden_size", layer.hidden),
                                          onnx::text("direction", direction_name(layer))};
  if (layer.cell == "gru") out.push_back(onnx::whole("linear_before_reset", layer.reset_after ? 1 : 0));
  if (layer.gate_clip > 0.0) out.push_back(onnx::real("clip", layer.gate_clip));
  if (layer.coupled) out.push_back(onnx::whole("input_forget", 1));
  const bool usual = std::all_of(layer.functions.begin(), layer.functions.end(), [&](const OnnxActivation& f) {
    const auto at = static_cast<size_t>(&f - layer.functions.data());
    return layer.cell == "lstm" && f.name == (at % 3 == 0 ? "Sigmoid" : "Tanh");
  });
  if (usual || layer.cell == "gru") return out;
  std::vector<std::string> names;
  std::vector<double> alphas, betas;
  for (const OnnxActivation& f : layer.functions) {
    names.push_back(f.name);
    if (has_constant(f.name, false)) alphas.push_back(f.alpha);
    if (has_constant(f.name, true)) betas.push_back(f.beta);
  }
  out.push_back(onnx::texts("activations", names));
  if (!alphas.empty()) out.push_back(onnx::reals("activation_alpha", alphas));
  if (!betas.empty()) out.push_back(onnx::reals("activation_beta", betas));
  return out;
}

}  // namespace

graph::Array stacked(const std::vector<graph::Array>& parts) {
  graph::Array out = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    out.floats.insert(out.floats.end(), parts[i].floats.begin(), parts[i].floats.end());
  }
  out.dims.insert(out.dims.begin(), static_cast<int64_t>(parts.size()));
  return out;
}

OnnxLayerOutput write_operator(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input) {
  OnnxMaker& make = site.make;
  const std::string prefix = site.node().name + "." + std::to_string(layer.number) + ".";
  const auto matrix = [&](const char* name, const std::string& called) {
    return make.array(make.unique(prefix + called), of_directions(layer, [&](int64_t d) {
                        return in_onnx_order(layer, site.weight(layer.role(name, d)));
                      }));
  };
  std::vector<std::string> inputs{input.x, matrix("weight_ih", "W"), matrix("weight_hh", "R"), ""};
  if (site.has_weight(layer.role("bias_ih", 0)) || site.has_weight(layer.role("bias_hh", 0))) {
    inputs[3] =
        make.array(make.unique(prefix + "B"), of_directions(layer, [&](int64_t d) { return biases(site, layer, d); }));
  }
  inputs.insert(inputs.end(), {input.lengths, input.h_0});
  if (layer.has_cell()) inputs.push_back(input.c_0);
  if (site.has_weight(layer.role("weight_peephole", 0))) {
    inputs.push_back(make.array(make.unique(prefix + "P"),
                                of_directions(layer, [&](int64_t d) { return peepholes(site, layer, d); })));
  }
  const std::string type = layer.cell == "lstm" ? "LSTM" : layer.cell == "gru" ? "GRU" : "RNN";
  std::vector<std::string> outputs{make.fresh("Y"), make.fresh("Y_h")};
  if (layer.has_cell()) outputs.push_back(make.fresh("Y_c"));
  make.add(type, inputs, outputs, operator_attributes(layer));
  OnnxLayerOutput out{.h_n = outputs[1], .c_n = layer.has_cell() ? outputs[2] : ""};
  if (layer.directions == 1) {
    out.y = make.squeeze(outputs[0], {1});
  } else {
    out.y = make.reshape(make.transpose(outputs[0], {0, 2, 1, 3}), {0, 0, -1});
  }
  return out;
}

}  // namespace longhand::exporters
