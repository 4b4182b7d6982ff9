// Softmax and normalisation in C.
#include <fmt/core.h>

#include <cmath>

#include "longhand/exporters/c_functions.h"
#include "longhand/exporters/c_site.h"

namespace longhand::exporters {
namespace {

// Softmax or log-softmax over the middle axis of [outer, n, inner].
void write_softmax(const CSite& site) {
  const CView& x = site.in(0);
  const bool flat = site.integer("flat", 0) != 0;
  const int64_t given = site.integer("axis", flat ? 1 : -1), rank = static_cast<int64_t>(x.dims.size());
  const auto at = static_cast<size_t>(given < 0 ? given + rank : given);
  const int64_t outer = graph::count(x.dims, 0, at), n = flat ? graph::count(x.dims, at, x.dims.size()) : x.dims[at];
  const int64_t inner = flat ? 1 : graph::count(x.dims, at + 1, x.dims.size());
  const bool logarithm = site.node.type == "log-softmax" || site.node.type == "LogSoftmax";
  use_helper(site.program, "exp");
  if (logarithm) use_helper(site.program, "log");
  const char* end = logarithm ? "    sum = @log(sum);\n    for (int k = 0; k < $n; ++k) to[k * $inner] -= sum;\n"
                              : "    sum = 1.0f / sum;\n    for (int k = 0; k < $n; ++k) to[k * $inner] *= sum;\n";
  const char* begin = logarithm
                          ? "    for (int k = 0; k < $n; ++k) to[k * $inner] = from[k * $inner] - largest;\n"
                            "    for (int k = 0; k < $n; ++k) sum += @exp(to[k * $inner]);\n"
                          : "    for (int k = 0; k < $n; ++k) to[k * $inner] = @exp(from[k * $inner] - largest);\n"
                            "    for (int k = 0; k < $n; ++k) sum += to[k * $inner];\n";
  const CWords words = {{"n", n}, {"inner", inner}, {"outer", outer}, {"row", n * inner}};
  site.add(
      fmt::format("{}: of {} numbers", site.called(), n),
      c_fill(fmt::format("{}{}{}{}",
                         "for (int i = 0; i < $outer; ++i) {\n  for (int j = 0; j < $inner; ++j) {\n"
                         "    const float *from = x + i * $row + j;\n    float *@RESTRICT to = y + i * $row + j;\n"
                         "    float largest = from[0], sum = 0.0f;\n"
                         "    for (int k = 1; k < $n; ++k) largest = from[k * $inner] > largest ? from[k * $inner] "
                         ": largest;\n",
                         begin, end, "  }\n}\n"),
             words),
      {site.read("x", 0), site.write("y")});
}

// Adds an operation that normalises each row of n elements to mean 0 and variance 1, and then applies a gain and a bias
// per element or per row.
void add_normalisation(const CSite& site, int64_t n, float epsilon, const std::string& gain, const std::string& bias) {
  use_helper(site.program, "sqrt");
  const std::string last = gain.empty() && bias.empty()
                               ? ""
                               : fmt::format("    to[i] = to[i]{}{};\n", gain.empty() ? "" : fmt::format(" * {}", gain),
                                             bias.empty() ? "" : fmt::format(" + {}", bias));
  site.add(fmt::format("{}: of {} numbers", site.called(), n),
           c_fill("for (int row = 0; row < $rows; ++row) {\n"
                  "  const float *from = x + row * $n;\n  float *@RESTRICT to = y + row * $n;\n"
                  "  float mean = 0.0f, variance = 0.0f;\n  for (int i = 0; i < $n; ++i) mean += from[i];\n"
                  "  mean /= $n.0f;\n  for (int i = 0; i < $n; ++i) {\n    to[i] = from[i] - mean;\n"
                  "    variance += to[i] * to[i];\n  }\n"
                  "  variance = 1.0f / sqrtf(variance / $n.0f + $epsilon);\n"
                  "  for (int i = 0; i < $n; ++i) {\n    to[i] *= variance;\n$last  }\n}\n",
                  {{"rows", CSite::size(site.in(0)) / n}, {"n", n}, {"epsilon", c_float(epsilon)}, {"last", last}}),
           {site.read("x", 0), site.write("y")});
}

std::string named_constant(const CSite& site, const char* name, const std::vector<float>& values) {
  return values.empty() ? "" : fmt::format("@{}", site.program.constant(site.label() + name, values));
}

void write_layer_norm(const CSite& site) {
  const bool onnx = site.node.type == "LayerNormalization";
  const CView& x = site.in(0);
  const int64_t given = site.integer("axis", -1), rank = static_cast<int64_t>(x.dims.size());
  const auto axis = static_cast<size_t>(given < 0 ? given + rank : given);
  const int64_t n = onnx ? graph::count(x.dims, axis, x.dims.size()) : CSite::last(x);
  const auto values = [&](size_t input, const char* role) {
    return onnx ? (site.has(input) ? site.known_floats(input) : std::vector<float>()) : site.weights_or(role, {});
  };
  const std::string gain = named_constant(site, "_gain", values(1, "weight"));
  const std::string bias = named_constant(site, "_bias", values(2, "bias"));
  add_normalisation(site, n, static_cast<float>(site.number("epsilon", 1e-5)), gain.empty() ? "" : gain + "[i]",
                    bias.empty() ? "" : bias + "[i]");
}

void write_instance_norm(const CSite& site) {
  const CView& x = site.in(0);
  const std::string channels = fmt::format("[row % {}]", x.dims[1]);
  add_normalisation(site, graph::count(x.dims, 2, x.dims.size()), static_cast<float>(site.number("epsilon", 1e-5)),
                    named_constant(site, "_gain", site.known_floats(1)) + channels,
                    named_constant(site, "_bias", site.known_floats(2)) + channels);
}

// Batch normalisation with trained statistics: y = x * scale + shift per channel. A channel has `inner` adjacent
// elements.
void write_batch_norm(const CSite& site) {
  const bool onnx = site.node.type == "BatchNormalization";
  const CView& x = site.in(0);
  const int64_t channels = onnx ? x.dims.at(1) : CSite::last(x);
  const int64_t inner = onnx ? graph::count(x.dims, 2, x.dims.size()) : 1;
  const auto epsilon = static_cast<float>(site.number("epsilon", 1e-5));
  const auto values = [&](size_t input, const char* role, float otherwise) {
    if (onnx) return site.known_floats(input);
    return site.weights_or(role, std::vector<float>(static_cast<size_t>(channels), otherwise));
  };
  const std::vector<float> gain = values(1, "weight", 1.0F), bias = values(2, "bias", 0.0F),
                           mean = values(3, "running_mean", 0.0F), variance = values(4, "running_var", 1.0F);
  std::vector<float> scale, shift;
  for (size_t c = 0; c < gain.size(); ++c) {
    scale.push_back(gain[c] / std::sqrt(variance[c] + epsilon));
    shift.push_back(bias[c] - mean[c] * scale[c]);
  }
  site.add(fmt::format("{}: of {} channels", site.called(), channels),
           c_fill("for (int n = 0; n < $outer; ++n) {\n  for (int c = 0; c < $c; ++c) {\n"
                  "    for (int i = 0; i < $inner; ++i) {\n      const int at = (n * $c + c) * $inner + i;\n"
                  "      y[at] = x[at] * @$scale[c] + @$shift[c];\n    }\n  }\n}\n",
                  {{"outer", CSite::size(x) / (channels * inner)},
                   {"c", channels},
                   {"inner", inner},
                   {"scale", site.program.constant(site.label() + "_scale", scale)},
                   {"shift", site.program.constant(site.label() + "_shift", shift)}}),
           {site.read("x", 0), site.write("y")});
}

}  // namespace

std::vector<CNodeType> c_normalisation_types() {
  return {{{"softmax", "log-softmax", "Softmax", "LogSoftmax"}, write_softmax},
          {{"layer-norm", "LayerNormalization"}, write_layer_norm},
          {{"batch-norm", "BatchNormalization"}, write_batch_norm},
          {{"InstanceNormalization"}, write_instance_norm}};
}

}  // namespace longhand::exporters
