#include "longhand/exporters/torch_functions.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

// `form` is an expression with {x}, and {a} and {b} for alpha and beta.
struct TorchFunction {
  const char* name;  // without hyphens, in lower case: also matches ONNX's name
  const char* form;
  double alpha = 0.0, beta = 0.0;
};

constexpr TorchFunction kTorchFunctions[] = {
    {"relu", "torch.relu({x})"},
    {"leakyrelu", "F.leaky_relu({x}, {a})", 0.01},
    {"thresholdedrelu", "F.threshold({x}, {a}, 0.0)", 1.0},
    {"elu", "F.elu({x}, {a})", 1.0},
    {"celu", "F.celu({x}, {a})", 1.0},
    {"selu", "{b} * F.elu({x}, {a})", 1.67326319, 1.05070102},
    {"gelu", "F.gelu({x})"},
    {"gelutanh", "F.gelu({x}, approximate=\"tanh\")"},
    {"sigmoid", "torch.sigmoid({x})"},
    {"hardsigmoid", "({a} * {x} + {b}).clamp(0.0, 1.0)", 0.2, 0.5},
    {"hardswish", "F.hardswish({x})"},
    {"silu", "F.silu({x})"},
    {"swish", "F.silu({x})"},
    {"mish", "F.mish({x})"},
    {"tanh", "torch.tanh({x})"},
    {"scaledtanh", "{a} * torch.tanh({b} * {x})", 1.0, 1.0},
    {"softsign", "F.softsign({x})"},
    {"softplus", "F.softplus({x})"},
    {"affine", "{a} * {x} + {b}", 1.0, 0.0},
    {"exp", "torch.exp({x})"},
    {"log", "torch.log({x})"},
    {"sqrt", "torch.sqrt({x})"},
    {"abs", "torch.abs({x})"},
    {"neg", "-{x}"},
    {"reciprocal", "torch.reciprocal({x})"},
    {"floor", "torch.floor({x})"},
    {"ceil", "torch.ceil({x})"},
    {"round", "torch.round({x})"},
    {"sign", "torch.sign({x})"},
    {"sin", "torch.sin({x})"},
    {"cos", "torch.cos({x})"},
    {"erf", "torch.erf({x})"},
    {"isnan", "torch.isnan({x}).long()"},
    {"not", "({x} == 0).long()"},
};

const TorchFunction* find_torch_function(const std::string& name) {
  std::string small;
  for (const char c : name) {
    if (c != '-') small += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  const auto* row = std::find_if(std::begin(kTorchFunctions), std::end(kTorchFunctions),
                                 [&](const TorchFunction& each) { return small == each.name; });
  return row == std::end(kTorchFunctions) ? nullptr : row;
}

bool form_has(const TorchFunction* row, const char* what) {
  return row != nullptr && std::string(row->form).find(what) != std::string::npos;
}

void write_function(TorchNode& node) {
  TorchConstants constants;
  const std::string& type = node.node().type;
  const bool selu = type == "selu" || type == "Selu";
  const auto read = [&](const char* name, double& value, bool& has) {
    has = node.has_attribute(name);
    value = node.number(name, 0.0);
  };
  read("alpha", constants.alpha, constants.has_alpha);
  read(selu ? "gamma" : "beta", constants.beta, constants.has_beta);
  node.assign(torch_function(type, constants, node.in(0)));
}

void write_gelu(TorchNode& node) {
  node.assign(torch_function(node.text("approximate", "none") == "tanh" ? "gelutanh" : "gelu", {}, node.in(0)));
}

void write_softmax(TorchNode& node) {
  const std::string& type = node.node().type;
  const bool logarithm = type == "log-softmax" || type == "LogSoftmax", flat = node.integer("flat", 0) != 0;
  const int64_t given = node.integer("axis", flat ? 1 : -1);
  const int64_t axis = node.axis("axis", flat ? 1 : -1, node.rank());
  const auto last = static_cast<int64_t>(node.rank()) - 1;
  const char* name = logarithm ? "log_softmax" : "softmax";
  const std::string x = node.in(0);
  if (flat && axis < last) {
    return node.assign(fmt::format("torch.{}({}.flatten({}), -1).reshape({}.shape)", name, x, axis, x));
  }
  node.assign(fmt::format("torch.{}({}, {})", name, x, axis == last ? -1 : given));
}

// The limits are inputs or attributes.
void write_clip(TorchNode& node) {
  std::string limits;
  for (const size_t input : {size_t{1}, size_t{2}}) {
    const char* name = input == 1 ? "min" : "max";
    if (node.has(input)) {
      const auto number = node.program().number_of(node.node().inputs[input]);
      const auto known = node.known_ints(input);
      if (!number && !known) node.refuse("its limits are computed as the model runs");
      limits +=
          fmt::format("{}{}={}", limits.empty() ? "" : ", ", name,
                      node.is_int(0) && known ? std::to_string(known->front()) : python_float(number.value_or(0)));
    } else if (node.has_attribute(name)) {
      limits += fmt::format("{}{}={}", limits.empty() ? "" : ", ", name,
                            python_float(static_cast<float>(node.number(name, 0.0))));
    }
  }
  if (limits.empty()) return node.pass_on();
  node.assign(fmt::format("{}.clamp({})", node.in(0), limits));
}

}  // namespace

std::string torch_function(const std::string& name, const TorchConstants& constants, const std::string& x) {
  const TorchFunction* row = find_torch_function(name);
  if (row == nullptr) return "";
  const auto shown = [](double value) { return python_float(static_cast<float>(value)); };
  // An expression of several terms needs parentheses where it is multiplied.
  const bool wraps =
      std::string(row->form).find(" {x}") != std::string::npos || std::string(row->form).starts_with("-");
  const bool bare = x.find(' ') == std::string::npos;
  return fmt::format(fmt::runtime(row->form), fmt::arg("x", wraps && !bare ? fmt::format("({})", x) : x),
                     fmt::arg("a", shown(constants.has_alpha ? constants.alpha : row->alpha)),
                     fmt::arg("b", shown(constants.has_beta ? constants.beta : row->beta)));
}

bool torch_function_has_alpha(const std::string& name) {
  const TorchFunction* row = find_torch_function(name);
  return form_has(row, "{a}") && std::string(row->name) != "selu";
}
bool torch_function_has_beta(const std::string& name) {
  const TorchFunction* row = find_torch_function(name);
  return form_has(row, "{b}") && std::string(row->name) != "selu";
}

std::vector<TorchNodeType> torch_function_types() {
  std::vector<TorchNodeType> out;
  for (const char* name : {"relu",
                           "leaky-relu",
                           "thresholded-relu",
                           "elu",
                           "celu",
                           "selu",
                           "sigmoid",
                           "hard-sigmoid",
                           "hard-swish",
                           "silu",
                           "mish",
                           "tanh",
                           "scaled-tanh",
                           "softsign",
                           "softplus",
                           "affine",
                           "exp",
                           "log",
                           "sqrt",
                           "abs",
                           "neg",
                           "reciprocal",
                           "Relu",
                           "LeakyRelu",
                           "ThresholdedRelu",
                           "Elu",
                           "Celu",
                           "Selu",
                           "Sigmoid",
                           "HardSigmoid",
                           "HardSwish",
                           "Swish",
                           "Mish",
                           "Tanh",
                           "ScaledTanh",
                           "Softsign",
                           "Softplus",
                           "Affine",
                           "Exp",
                           "Log",
                           "Sqrt",
                           "Abs",
                           "Neg",
                           "Reciprocal",
                           "Floor",
                           "Ceil",
                           "Round",
                           "Sign",
                           "Sin",
                           "Cos",
                           "Erf",
                           "IsNaN",
                           "Not"}) {
    out.push_back({name, write_function});
  }
  for (const char* name : {"gelu", "Gelu"}) out.push_back({name, write_gelu});
  for (const char* name : {"softmax", "log-softmax", "Softmax", "LogSoftmax"}) out.push_back({name, write_softmax});
  for (const char* name : {"clip", "Clip"}) out.push_back({name, write_clip});
  return out;
}

}  // namespace longhand::exporters
