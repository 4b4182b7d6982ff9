// Keras's layers of normalisation and scales.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

double epsilon_of(const KerasSite& site) { return site.number("epsilon", 1e-3); }

// Which of the scale and the shift there are.
NetworkBuilder::Weights scales_of(const KerasSite& site, size_t others) {
  const bool scale = site.flag("scale", true), shift = site.flag("center", true);
  const size_t count = (scale ? 1U : 0U) + (shift ? 1U : 0U) + others;
  const KerasArrays& arrays = site.take(count, count);
  NetworkBuilder::Weights out;
  size_t at = 0;
  if (scale) out["weight"] = arrays[at++].second;
  if (shift) out["bias"] = arrays[at++].second;
  if (others == 2) {
    out["running_mean"] = arrays[at].second;
    out["running_var"] = arrays[at + 1].second;
  }
  return out;
}

void expect_last_axis(const KerasSite& site, const KerasValue& x) {
  for (const int64_t axis : site.list("axis")) {
    const auto last = static_cast<int64_t>(x.dims.size()) - (site.per_step ? 1 : 0);
    if (axis != -1 && axis != last) site.fail("expected the last axis");
  }
  if (site.list("axis").size() > 1) site.fail("expected the last axis alone");
}

KerasValues add_layer_norm(const KerasSite& site) {
  KerasValue x = site.only_input();
  expect_last_axis(site, x);
  if (site.flag("rms_scaling", false)) site.fail("expected rms_scaling to be false");
  x.name = site.add("layer-norm", {x.name}, {{"epsilon", epsilon_of(site)}}, scales_of(site, 0));
  return {x};
}

KerasValues add_batch_norm(const KerasSite& site) {
  KerasValue x = site.only_input();
  expect_last_axis(site, x);
  if (site.config.contains("mode") && site.config["mode"] != 0 && site.config["mode"] != 2) {
    site.fail("expected statistics of the training (mode 0 or 2)");
  }
  x.name = site.add("batch-norm", {x.name}, {{"epsilon", epsilon_of(site)}}, scales_of(site, 2));
  return {x};
}

// (x - mean) / sqrt(variance), from arrays (mean, variance, count) or the configuration.
KerasValues add_normalization(const KerasSite& site) {
  KerasValue x = site.only_input();
  const KerasArrays& arrays = site.take(0, 3);
  const auto n = static_cast<size_t>(x.width());
  const auto values_of = [&](size_t i, const char* key) {
    std::vector<float> out;
    if (i < arrays.size()) {
      out = arrays[i].second.floats;
    } else if (site.config.contains(key) && !site.config[key].is_null()) {
      out = numbers_of(site.config[key], site.where()).floats;
    }
    if (out.size() == 1) out.assign(n, out[0]);
    if (out.size() != n) site.fail("expected a mean and a variance for each number of the last axis");
    return out;
  };
  if (site.flag("invert", false)) site.fail("expected invert to be false");
  const std::vector<float> mean = values_of(0, "mean"), variance = values_of(1, "variance");
  std::vector<float> scale, shift;
  for (size_t i = 0; i < n; ++i) {
    scale.push_back(1.0F / std::max(std::sqrt(variance[i]), 1e-7F));
    shift.push_back(-mean[i] * scale.back());
  }
  const graph::Dims dims = {x.width()};
  x.name =
      site.add("scale", {x.name}, {}, {{"scale", graph::array(dims, scale)}, {"shift", graph::array(dims, shift)}});
  return {x};
}

KerasValues add_rescaling(const KerasSite& site) {
  KerasValue x = site.only_input();
  x.name = site.add("scale", {x.name}, {{"scale", site.number("scale", 1.0)}, {"shift", site.number("offset", 0.0)}});
  return {x};
}

// x / |x|
KerasValues add_unit_norm(const KerasSite& site) {
  KerasValue x = site.only_input();
  expect_last_axis(site, x);
  const std::string squares = site.part("Mul", "squares", {x.name, x.name});
  const std::string sum =
      site.part("ReduceSum", "sum", {squares, site.whole("axes", {-1})}, {{"keepdims", int64_t{1}}});
  const std::string safe = site.part("Max", "safe", {sum, site.numbers("least", {1}, {1e-12F})});
  x.name = site.add("Div", {x.name, site.part("Sqrt", "norm", {safe})});
  return {x};
}

const KerasTable kNormalisation = {
    {"LayerNormalization", add_layer_norm}, {"BatchNormalization", add_batch_norm},
    {"Normalization", add_normalization},   {"Rescaling", add_rescaling},
    {"UnitNormalization", add_unit_norm},
};

}  // namespace

KerasFunction find_normalisation_layer(const std::string& type) { return find_in(kNormalisation, type); }

}  // namespace longhand::convert
