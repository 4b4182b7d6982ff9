// Normalisation, with trained scales; and numbers of 8 bits with a scale.
#include <algorithm>
#include <cmath>

#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// y = (x - mean) / sqrt(variance + epsilon) of n numbers, the mean of squared deviations being the variance.
void normalise(const float* x, int64_t n, float epsilon, float* y) {
  float mean = 0.0F, variance = 0.0F;
  for (int64_t i = 0; i < n; ++i) mean += x[i];
  mean /= static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) {
    y[i] = x[i] - mean;
    variance += y[i] * y[i];
  }
  const float scale = 1.0F / std::sqrt(variance / static_cast<float>(n) + epsilon);
  for (int64_t i = 0; i < n; ++i) y[i] *= scale;
}

void scale_row(const float* gain, const float* bias, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = y[i] * (gain == nullptr ? 1.0F : gain[i]) + (bias == nullptr ? 0.0F : bias[i]);
}

void add_layer_norm(NodeBuild& node, const Value& x, int64_t n, float epsilon, const float* gain, const float* bias) {
  Value& y = node.out(0, x.dims);
  if (n == 0) return;
  node.step([=, &x, &y] {
    for (int64_t at = 0; at < x.size; at += n) {
      normalise(x.floats + at, n, epsilon, y.floats + at);
      scale_row(gain, bias, n, y.floats + at);
    }
  });
}

// Over the last axis (Ba et al. 2016).
void build_layer_norm(NodeBuild& node) {
  const Value& x = node.floats(0);
  const Dims dims = {x.last()};
  add_layer_norm(node, x, x.last(), static_cast<float>(node.number("epsilon", 1e-5)),
                 node.optional_weight("weight", dims), node.optional_weight("bias", dims));
}

// Null where an input that may be absent is.
const float* trained_floats(NodeBuild& node, size_t input, int64_t n, bool optional = false) {
  if (optional && !node.has(input)) return nullptr;
  const Value& value = node.floats(input);
  if (!value.constant || value.size != n) {
    node.fail("input " + std::to_string(input + 1) + ": expected " + std::to_string(n) + " trained numbers, found " +
              shown(value.dims));
  }
  return value.floats;
}

void build_layer_normalization(NodeBuild& node) {
  const Value& x = node.floats(0);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", -1), x.rank()));
  const int64_t n = count(x.dims, axis, x.dims.size());
  add_layer_norm(node, x, n, static_cast<float>(node.number("epsilon", 1e-5)), trained_floats(node, 1, n, true),
                 trained_floats(node, 2, n, true));
}

// Trained statistics make of each channel x * scale + shift. Channels are the axis with `inner` elements after it.
void add_batch_norm(NodeBuild& node, const Value& x, int64_t channels, int64_t inner, float epsilon, const float* gain,
                    const float* bias, const float* mean, const float* variance) {
  std::vector<float> scale(static_cast<size_t>(channels), 1.0F), shift(scale.size(), 0.0F);
  for (size_t c = 0; c < scale.size(); ++c) {
    if (variance[c] + epsilon <= 0.0F) node.fail("expected a variance above 0");
    scale[c] = (gain == nullptr ? 1.0F : gain[c]) / std::sqrt(variance[c] + epsilon);
    shift[c] = (bias == nullptr ? 0.0F : bias[c]) - mean[c] * scale[c];
  }
  Value& y = node.out(0, x.dims);
  if (y.size == 0) return;
  node.step([=, &x, &y] {
    for (int64_t i = 0; i < x.size; i += inner) {
      const auto c = static_cast<size_t>(i / inner % channels);
      for (int64_t k = i; k < i + inner; ++k) y.floats[k] = x.floats[k] * scale[c] + shift[c];
    }
  });
}

void build_batch_norm(NodeBuild& node) {
  const Value& x = node.floats(0);
  const Dims dims = {x.last()};
  add_batch_norm(node, x, x.last(), 1, static_cast<float>(node.number("epsilon", 1e-5)),
                 node.optional_weight("weight", dims), node.optional_weight("bias", dims),
                 node.weight("running_mean", dims).floats.data(), node.weight("running_var", dims).floats.data());
}

void build_batch_normalization(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() < 2) node.fail("expected [N, C, ...], found " + shown(x.dims));
  if (node.integer("training_mode", 0) != 0) node.fail("expected inference, found training_mode");
  const int64_t C = x.dim(1), inner = count(x.dims, 2, x.dims.size());
  add_batch_norm(node, x, C, inner, static_cast<float>(node.number("epsilon", 1e-5)), trained_floats(node, 1, C),
                 trained_floats(node, 2, C), trained_floats(node, 3, C), trained_floats(node, 4, C));
}

// Over all positions of each channel of each example (Ulyanov et al. 2016).
void build_instance_normalization(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() < 3) node.fail("expected [N, C, L], found " + shown(x.dims));
  const int64_t C = x.dim(1), n = count(x.dims, 2, x.dims.size());
  const float *gain = trained_floats(node, 1, C), *bias = trained_floats(node, 2, C);
  const auto epsilon = static_cast<float>(node.number("epsilon", 1e-5));
  Value& y = node.out(0, x.dims);
  if (y.size == 0) return;
  node.step([=, &x, &y] {
    for (int64_t row = 0; row < x.size / n; ++row) {
      float* to = y.floats + row * n;
      normalise(x.floats + row * n, n, epsilon, to);
      for (int64_t i = 0; i < n; ++i) to[i] = to[i] * gain[row % C] + bias[row % C];
    }
  });
}

// (x - zero point) * scale, for all or for each element of an axis.
void build_dequantize(NodeBuild& node) {
  const Value &x = node.ints(0), &scale = node.floats(1);
  const Value* zero = node.has(2) ? &node.ints(2) : nullptr;
  int64_t n = 1, inner = std::max<int64_t>(x.size, 1);
  if (scale.size != 1) {
    const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 1), x.rank()));
    n = x.dims[axis];
    inner = count(x.dims, axis + 1, x.dims.size());
  }
  if (scale.size != n || (zero != nullptr && zero->size != n))
    node.fail("expected one scale, or one for each of an axis");
  Value& y = node.out(0, x.dims);
  node.step([=, &x, &scale, &y] {
    for (int64_t i = 0; i < x.size; ++i) {
      const int64_t at = i / inner % n;
      y.floats[i] = static_cast<float>(x.ints[i] - (zero == nullptr ? 0 : zero->ints[at])) * scale.floats[at];
    }
  });
}

}  // namespace

std::vector<NodeType> normalisation_node_types() {
  return {
      {"layer-norm", "over the last axis", 1, 1, 1, {"epsilon"}, {"weight", "bias"}, build_layer_norm, true},
      {"batch-norm",
       "with trained statistics of the last axis",
       1,
       1,
       1,
       {"epsilon"},
       {"weight", "bias", "running_mean", "running_var"},
       build_batch_norm,
       true},
      {"LayerNormalization", "ONNX", 2, 3, 1, {"axis", "epsilon", "stash_type"}, {}, build_layer_normalization},
      {"BatchNormalization",
       "ONNX",
       5,
       5,
       1,
       {"epsilon", "momentum", "spatial", "training_mode"},
       {},
       build_batch_normalization},
      {"InstanceNormalization", "ONNX", 3, 3, 1, {"epsilon"}, {}, build_instance_normalization},
      {"DequantizeLinear", "ONNX", 2, 3, 1, {"axis"}, {}, build_dequantize},
  };
}

}  // namespace longhand::graph
