// Layers that compute each time step independently, as ONNX: linear, embedding, activation, normalisation, elementwise
// arithmetic.
#include <algorithm>
#include <cmath>

#include "longhand/exporters/onnx_site.h"

namespace longhand::exporters {
namespace {

void write_linear(OnnxSite& site) {
  const std::string w = site.transposed_weight("weight"), x = site.in(0);
  if (!site.has_weight("bias")) return (void)site.make.op("MatMul", {x, w}, {}, site.out());
  site.make.op("Add", {site.make.op("MatMul", {x, w}), site.weight_value("bias")}, {}, site.out());
}

void write_embedding(OnnxSite& site) {
  site.make.op("Gather", {site.weight_value("weight"), site.in(0)}, {onnx::whole("axis", 0)}, site.out());
}

void write_one_hot(OnnxSite& site) {
  const std::string values = site.make.array(site.make.unique("one_hot_values"), graph::array({2}, {0.0F, 1.0F}));
  site.make.op("OneHot", {site.in(0), site.make.ints({site.integer("classes", 0)}), values}, {onnx::whole("axis", -1)},
               site.out());
}

// Returns a layer type as an ONNX name: "leaky-relu" becomes "LeakyRelu".
std::string in_capitals(const std::string& type) {
  std::string out;
  bool capital = true;
  for (const char c : type) {
    if (c != '-') out += capital && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    capital = c == '-';
  }
  return out;
}

void write_function(OnnxSite& site) {
  OnnxActivation f = usual_activation(in_capitals(site.node().type));
  if (site.text("approximate", "none") == "tanh") f.name = "GeluTanh";
  f.alpha = site.number("alpha", f.alpha);
  f.beta = site.number(f.name == "Selu" ? "gamma" : "beta", f.beta);
  add_activation(site.make, f, site.in(0), site.out());
}

void write_layer_softmax(OnnxSite& site) {
  const std::string type = site.node().type == "softmax" ? "Softmax" : "LogSoftmax";
  site.make.op(type, {site.in(0)}, {onnx::whole("axis", site.integer("axis", -1))}, site.out());
}

// Writes x * scale + shift over the last axis. Leaves out a scale of ones and a shift of zeros.
void write_scaled(OnnxSite& site, const std::string& x, const graph::Array& scale, const graph::Array& shift) {
  const auto all = [](const graph::Array& array, float value) {
    return std::all_of(array.floats.begin(), array.floats.end(), [&](float each) { return each == value; });
  };
  std::string y = x;
  const bool scales = !all(scale, 1.0F), shifts = !all(shift, 0.0F);
  const auto name = [&](const char* what) { return site.make.unique(site.node().name + "." + what); };
  if (scales) y = site.make.op("Mul", {y, site.make.array(name("scale"), scale)}, {}, shifts ? "" : site.out());
  if (shifts) y = site.make.op("Add", {y, site.make.array(name("shift"), shift)}, {}, site.out());
  if (!scales && !shifts) site.make.op("Identity", {y}, {}, site.out());
}

void write_layer_norm(OnnxSite& site) {
  const std::string y = site.make.normalised(site.in(0), site.number("epsilon", 1e-5));
  const graph::Dims width{site.width(0)};
  const auto n = static_cast<size_t>(width.front());
  write_scaled(site, y, site.has_weight("weight") ? site.weight("weight") : graph::array(width, std::vector(n, 1.0F)),
               site.has_weight("bias") ? site.weight("bias") : graph::array(width, std::vector(n, 0.0F)));
}

void write_batch_norm(OnnxSite& site) {
  const std::vector<float>&mean = site.weight("running_mean").floats, &variance = site.weight("running_var").floats;
  const auto epsilon = static_cast<float>(site.number("epsilon", 1e-5));
  std::vector<float> scale(mean.size(), 1.0F), shift(mean.size(), 0.0F);
  for (size_t c = 0; c < mean.size(); ++c) {
    const float gain = site.has_weight("weight") ? site.weight("weight").floats[c] : 1.0F;
    scale[c] = gain / std::sqrt(variance[c] + epsilon);
    shift[c] = (site.has_weight("bias") ? site.weight("bias").floats[c] : 0.0F) - mean[c] * scale[c];
  }
  const graph::Dims width{static_cast<int64_t>(mean.size())};
  write_scaled(site, site.in(0), graph::array(width, scale), graph::array(width, shift));
}

void write_scale(OnnxSite& site) {
  const auto n = static_cast<size_t>(site.width(0));
  const auto values = [&](const char* name, double otherwise) {
    if (site.has_weight(name)) return site.weight(name);
    std::vector<double> given = site.numbers(name);
    if (given.empty()) given = {otherwise};
    std::vector<float> out(given.begin(), given.end());
    if (out.size() == 1) out.resize(n, out.front());
    return graph::array({static_cast<int64_t>(n)}, out);
  };
  write_scaled(site, site.in(0), values("scale", 1.0), values("shift", 0.0));
}

// Writes a node with several inputs as a chain of operators with two inputs.
void write_several(OnnxSite& site) {
  const std::string& type = site.node().type;
  const std::string operation = type == "multiply" ? "Mul" : type == "subtract" ? "Sub" : in_capitals(type);
  const std::vector<std::string> inputs = site.all_inputs();
  std::string y = inputs.front();
  for (size_t i = 1; i < inputs.size(); ++i) {
    y = site.make.op(operation, {y, inputs[i]}, {}, i + 1 == inputs.size() ? site.out() : "");
  }
}

void write_concat(OnnxSite& site) { site.make.concat(site.all_inputs(), site.integer("axis", -1), site.out()); }

void write_layer_clip(OnnxSite& site) {
  const auto limit = [&](const char* name) {
    return site.has_attribute(name) ? site.make.number(site.number(name, 0.0)) : std::string();
  };
  site.make.op("Clip", {site.in(0), limit("min"), limit("max")}, {}, site.out());
}

}  // namespace

OnnxActivation usual_activation(const std::string& name) {
  static const std::map<std::string, std::pair<double, double>> kConstants = {
      {"LeakyRelu", {0.01, 0.0}},  {"ThresholdedRelu", {1.0, 0.0}},
      {"Elu", {1.0, 0.0}},         {"Celu", {1.0, 0.0}},
      {"HardSigmoid", {0.2, 0.5}}, {"ScaledTanh", {1.0, 1.0}},
      {"Affine", {1.0, 0.0}},      {"Selu", {1.67326319217681884765625, 1.05070102214813232421875}}};
  const auto found = kConstants.find(name);
  if (found == kConstants.end()) return {.name = name};
  return {.name = name, .alpha = found->second.first, .beta = found->second.second};
}

std::string add_activation(OnnxMaker& make, const OnnxActivation& f, const std::string& x, const std::string& output) {
  const auto times = [&](const std::string& a, const std::string& b) { return make.op("Mul", {a, b}, {}, output); };
  const auto scaled = [&](const std::string& a, double by) { return make.op("Mul", {a, make.number(by)}); };
  const auto half_of = [&](const std::string& one_based) {  // x (1 + f) / 2
    return times(scaled(x, 0.5), make.op("Add", {one_based, make.number(1.0)}));
  };
  if (f.name == "Silu" || f.name == "Swish") return times(x, make.op("Sigmoid", {x}));
  if (f.name == "Mish") return times(x, make.op("Tanh", {make.op("Softplus", {x})}));
  if (f.name == "HardSwish") {
    return times(x, make.op("HardSigmoid", {x}, {onnx::real("alpha", 1.0 / 6.0), onnx::real("beta", 0.5)}));
  }
  if (f.name == "Gelu") return half_of(make.op("Erf", {scaled(x, std::sqrt(0.5))}));
  if (f.name == "GeluTanh") {
    const std::string cube = make.op("Mul", {make.op("Mul", {x, x}), x});
    const std::string sum = make.op("Add", {x, scaled(cube, 0.044715)});
    return half_of(make.op("Tanh", {scaled(sum, 0.79788456080286535588)}));
  }
  if (f.name == "ScaledTanh") return times(make.op("Tanh", {scaled(x, f.beta)}), make.number(f.alpha));
  if (f.name == "Affine") return make.op("Add", {scaled(x, f.alpha), make.number(f.beta)}, {}, output);
  const bool has_alpha = usual_activation(f.name).alpha != 0.0;
  std::vector<convert::OnnxAttribute> attributes;
  if (has_alpha) attributes.push_back(onnx::real("alpha", f.alpha));
  if (f.name == "HardSigmoid") attributes.push_back(onnx::real("beta", f.beta));
  if (f.name == "Selu") attributes.push_back(onnx::real("gamma", f.beta));
  return make.op(f.name, {x}, std::move(attributes), output);
}

OnnxFunctions onnx_dense_functions() {
  OnnxFunctions out = {{"linear", write_linear},
                       {"embedding", write_embedding},
                       {"one-hot", write_one_hot},
                       {"softmax", write_layer_softmax},
                       {"log-softmax", write_layer_softmax},
                       {"layer-norm", write_layer_norm},
                       {"batch-norm", write_batch_norm},
                       {"scale", write_scale},
                       {"concat", write_concat},
                       {"clip", write_layer_clip}};
  for (const char* type : {"add", "subtract", "multiply", "max", "min"}) out[type] = write_several;
  for (const char* type : {"relu", "leaky-relu", "thresholded-relu", "elu", "celu", "selu", "gelu", "sigmoid", "silu",
                           "hard-sigmoid", "hard-swish", "mish", "tanh", "scaled-tanh", "softsign", "softplus",
                           "affine", "exp", "log", "sqrt", "abs", "neg", "reciprocal",
                           // ONNX's operators that opset 14 lacks or has in another form.
                           "Swish", "Gelu", "Mish", "HardSwish", "Affine", "ScaledTanh"}) {
    out[type] = write_function;
  }
  return out;
}

}  // namespace longhand::exporters
