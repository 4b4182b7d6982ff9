// Functions of one number, softmax, and scales.
#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/graph/function_names.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

using kernels::Function;

constexpr FunctionRow kFunctions[] = {
    {"relu", "Relu", Function::kRelu},
    {"leaky-relu", "LeakyRelu", Function::kLeakyRelu, 0.01F},
    {"thresholded-relu", "ThresholdedRelu", Function::kThresholded, 1.0F},
    {"elu", "Elu", Function::kElu, 1.0F},
    {"celu", "Celu", Function::kCelu, 1.0F},
    {"selu", "Selu", Function::kSelu, 1.67326319F, 1.05070102F, "alpha", "gamma"},
    {"sigmoid", "Sigmoid", Function::kSigmoid},
    {"hard-sigmoid", "HardSigmoid", Function::kHardSigmoid, 0.2F, 0.5F},
    {"hard-swish", "HardSwish", Function::kHardSwish},
    {"silu", "Swish", Function::kSilu},
    {"mish", "Mish", Function::kMish},
    {"tanh", "Tanh", Function::kTanh},
    {"scaled-tanh", "ScaledTanh", Function::kScaledTanh, 1.0F, 1.0F},
    {"softsign", "Softsign", Function::kSoftsign},
    {"softplus", "Softplus", Function::kSoftplus},
    {"affine", "Affine", Function::kAffine, 1.0F, 0.0F},
    {"exp", "Exp", Function::kExp},
    {"log", "Log", Function::kLog},
    {"sqrt", "Sqrt", Function::kSqrt},
    {"abs", "Abs", Function::kAbs},
    {"neg", "Neg", Function::kNeg},
    {"reciprocal", "Reciprocal", Function::kReciprocal},
    {"", "Floor", Function::kFloor},
    {"", "Ceil", Function::kCeil},
    {"", "Round", Function::kRound},
    {"", "Sign", Function::kSign},
    {"", "Sin", Function::kSin},
    {"", "Cos", Function::kCos},
    {"", "Erf", Function::kErf},
};

void build_function(NodeBuild& node) {
  const auto [function, alpha, beta] = read_function(node);
  const Value& x = node.in(0);
  if (x.type == ElementType::kInt && (function == Function::kNeg || function == Function::kAbs)) {
    Value& y = node.out(0, ElementType::kInt, x.dims);
    const bool neg = function == Function::kNeg;
    node.step([&x, &y, neg] {
      for (int64_t i = 0; i < x.size; ++i)
        y.ints[i] = neg || x.ints[i] < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x.ints[i])) : x.ints[i];
    });
    return;
  }
  node.floats(0);
  Value& y = node.out(0, x.dims);
  node.step([&x, &y, f = function, alpha = alpha, beta = beta] {
    kernels::apply(f, alpha, beta, x.floats, y.floats, x.size);
  });
}

void build_gelu(NodeBuild& node) {
  const Value& x = node.floats(0);
  Value& y = node.out(0, x.dims);
  node.step([&x, &y, f = read_function(node).function] { kernels::apply(f, 0.0F, 0.0F, x.floats, y.floats, x.size); });
}

// Softmax, or its logarithm, over the middle axis of [outer, n, inner].
void softmax(bool logarithm, int64_t outer, int64_t n, int64_t inner, const float* x, float* y) {
  for (int64_t i = 0; i < outer; ++i) {
    for (int64_t j = 0; j < inner; ++j) {
      const float* from = x + i * n * inner + j;
      float* to = y + i * n * inner + j;
      float largest = from[0];
      for (int64_t k = 1; k < n; ++k) largest = std::max(largest, from[k * inner]);
      float sum = 0.0F;
      for (int64_t k = 0; k < n; ++k) {
        const float e = std::exp(from[k * inner] - largest);
        sum += e;
        to[k * inner] = logarithm ? from[k * inner] - largest : e;
      }
      const float with = logarithm ? std::log(sum) : 1.0F / sum;
      for (int64_t k = 0; k < n; ++k) to[k * inner] = logarithm ? to[k * inner] - with : to[k * inner] * with;
    }
  }
}

// Before opset 13, ONNX's softmax is over all axes from `axis` on together (`flat`), which importers say.
void build_softmax(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.dims.empty()) node.fail("expected rows, found one number");
  const std::string& type = node.node().type;
  const bool flat = node.integer("flat", 0) != 0;
  const auto at = static_cast<size_t>(node.axis(node.integer("axis", flat ? 1 : -1), x.rank()));
  if (!type.empty() && type[0] >= 'a' && x.rank() == 3 && at == 1) node.needs_whole("is over all time steps");
  Value& y = node.out(0, x.dims);
  const int64_t outer = count(x.dims, 0, at), n = flat ? count(x.dims, at, x.dims.size()) : x.dims[at];
  const int64_t inner = flat ? 1 : count(x.dims, at + 1, x.dims.size());
  const bool logarithm = type == "log-softmax" || type == "LogSoftmax";
  if (n == 0) return;
  node.step([=, &x, &y] { softmax(logarithm, outer, n, inner, x.floats, y.floats); });
}

// y = x * scale + shift, each one number or one for each of the last axis.
void build_scale(NodeBuild& node) {
  const Value& x = node.floats(0);
  const int64_t width = x.last();
  const auto values = [&](const char* name, float otherwise) {
    std::vector<float> out(static_cast<size_t>(width), otherwise);
    const std::vector<double> given = node.numbers(name);
    if (const float* trained = node.optional_weight(name, {width})) {
      std::copy_n(trained, width, out.begin());
    } else if (given.size() == 1 || static_cast<int64_t>(given.size()) == width) {
      for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(given[given.size() == 1 ? 0 : i]);
    } else if (!given.empty()) {
      node.fail(std::string(name) + ": expected 1 or " + std::to_string(width) + " numbers, found " +
                std::to_string(given.size()));
    }
    return out;
  };
  Value& y = node.out(0, x.dims);
  node.step([&x, &y, width, scale = values("scale", 1.0F), shift = values("shift", 0.0F)] {
    for (int64_t row = 0; row < x.rows(); ++row) {
      for (int64_t j = 0; j < width; ++j) {
        const auto at = static_cast<size_t>(j);
        y.floats[row * width + j] = x.floats[row * width + j] * scale[at] + shift[at];
      }
    }
  });
}

}  // namespace

std::span<const FunctionRow> function_rows() { return kFunctions; }

const FunctionRow* find_function(const std::string& type) {
  const auto* row = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                 [&](const FunctionRow& each) { return type == each.name || type == each.onnx; });
  return row == std::end(kFunctions) ? nullptr : row;
}

NamedFunction read_function(NodeBuild& node) {
  const std::string& type = node.node().type;
  if (type == "gelu" || type == "Gelu") {
    const bool approximate = node.choice("approximate", "none", {"none", "tanh"}) == "tanh";
    return {approximate ? Function::kGeluTanh : Function::kGelu};
  }
  if (type == "clip") {
    constexpr auto kMost = static_cast<double>(std::numeric_limits<float>::max());
    return {Function::kClip, static_cast<float>(node.number("min", -kMost)),
            static_cast<float>(node.number("max", kMost))};
  }
  const FunctionRow* row = find_function(type);
  LONGHAND_CHECK(row != nullptr);
  return {row->function, static_cast<float>(node.number(row->alpha_name, static_cast<double>(row->alpha))),
          static_cast<float>(node.number(row->beta_name, static_cast<double>(row->beta)))};
}

std::vector<std::string> function_names() {
  std::vector<std::string> out;
  for (const FunctionRow& row : kFunctions) {
    if (*row.name != 0) out.emplace_back(row.name);
  }
  return out;
}

std::vector<NodeType> activation_node_types() {
  std::vector<NodeType> out;
  for (const FunctionRow& row : kFunctions) {
    std::vector<const char*> attributes;
    const bool has_alpha = row.alpha != 0.0F || row.beta != 0.0F;
    if (has_alpha) attributes.push_back(row.alpha_name);
    if (has_alpha) attributes.push_back(row.beta_name);
    if (*row.name != 0) out.push_back({row.name, "of each number", 1, 1, 1, attributes, {}, build_function, true});
    out.push_back({row.onnx, "ONNX", 1, 1, 1, attributes, {}, build_function});
  }
  out.push_back({"gelu", "of each number", 1, 1, 1, {"approximate"}, {}, build_gelu, true});
  out.push_back({"Gelu", "ONNX", 1, 1, 1, {"approximate"}, {}, build_gelu});
  out.push_back({"softmax", "over the last axis", 1, 1, 1, {"axis"}, {}, build_softmax, true});
  out.push_back({"log-softmax", "its logarithm", 1, 1, 1, {"axis"}, {}, build_softmax, true});
  out.push_back({"Softmax", "ONNX", 1, 1, 1, {"axis", "flat"}, {}, build_softmax});
  out.push_back({"LogSoftmax", "ONNX", 1, 1, 1, {"axis", "flat"}, {}, build_softmax});
  out.push_back({"scale",
                 "x * scale + shift, each one number or one for each of the last axis",
                 1,
                 1,
                 1,
                 {"scale", "shift"},
                 {"scale", "shift"},
                 build_scale,
                 true});
  return out;
}

}  // namespace longhand::graph
