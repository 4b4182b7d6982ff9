// Keras's layers of single steps: dense layers, embeddings, activations, masks, and what moves numbers.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

KerasValues add_silent(const KerasSite& site) { return {site.only_input()}; }

// Where symbols are 0, steps are left out.
std::string mask_of_symbols(const KerasSite& site, const std::string& symbols) {
  return site.part("Cast", "mask", {symbols}, {{"to", "bool"}});
}

KerasValues add_embedding(const KerasSite& site) {
  KerasValue x = site.only_input();
  const graph::Array& table = site.take(1, 1)[0].second;
  if (table.dims.size() != 2) site.fail("expected a table", "the file is damaged");
  if (!x.is_symbols) x.name = site.part("Cast", "symbols", {x.name}, {{"to", "int"}});
  KerasValue out = {.name = site.add("embedding", {x.name}, {}, {{"weight", table}}), .dims = x.dims};
  out.dims.push_back(table.dims[1]);
  if (site.flag("mask_zero", false)) out.mask = mask_of_symbols(site, x.name);
  return {out};
}

// Steps whose numbers all are mask_value are left out, and zeros.
KerasValues add_masking(const KerasSite& site) {
  KerasValue x = site.only_input();
  if (x.dims.size() != 2 || x.is_symbols) site.fail("expected sequences of numbers");
  const auto left_out = static_cast<float>(site.number("mask_value", 0.0));
  const std::string same = site.part("Equal", "same", {x.name, site.numbers("mask_value", {1}, {left_out})});
  const std::string other = site.part("Not", "other", {same});
  const std::string number = site.part("Cast", "number", {other}, {{"to", "float"}});
  const std::string row = site.part("ReduceMax", "row", {number, site.whole("axes", {-1})}, {{"keepdims", int64_t{1}}});
  const std::string step = site.part("flatten", "step", {site.part("slice", "first", {row}, {{"end", int64_t{1}}})});
  const std::string flat = site.part("Squeeze", "flat", {step, site.whole("axis", {-1})});
  x.mask = site.part("Cast", "mask", {flat}, {{"to", "int"}});
  x.name = site.add("Mul", {x.name, row});
  return {x};
}

KerasValues add_dense(const KerasSite& site) {
  const KerasValue x = site.only_input();
  const KerasArrays& arrays = site.take(1, 2);
  const graph::Array& kernel = arrays[0].second;
  if (kernel.dims.size() != 2 || kernel.dims[0] != x.width()) {
    site.fail(fmt::format("expected a kernel of {} rows, found {}", x.width(), graph::shown(kernel.dims)),
              "it is damaged");
  }
  NetworkBuilder::Weights weights = {{"weight", transposed(kernel)}};
  if (arrays.size() == 2) weights["bias"] = arrays[1].second;
  KerasValue out = x;
  out.name = site.add("linear", {x.name}, {}, std::move(weights));
  out.dims.back() = kernel.dims[1];
  return {site.activated(out)};
}

KerasValues add_activation(const KerasSite& site) {
  return {site.activated(site.only_input(), site.text("activation", ""))};
}

KerasValues add_leaky_relu(const KerasSite& site) {
  KerasValue x = site.only_input();
  const double slope = site.number("negative_slope", site.number("alpha", 0.3));
  x.name = site.add("leaky-relu", {x.name}, {{"alpha", slope}});
  return {x};
}

KerasValues add_elu(const KerasSite& site) {
  KerasValue x = site.only_input();
  x.name = site.add("elu", {x.name}, {{"alpha", site.number("alpha", 1.0)}});
  return {x};
}

KerasValues add_thresholded_relu(const KerasSite& site) {
  KerasValue x = site.only_input();
  x.name = site.add("thresholded-relu", {x.name}, {{"alpha", site.number("theta", 1.0)}});
  return {x};
}

// f(x) = max_value above it, x above the threshold, negative_slope (x - threshold) below.
KerasValues add_relu(const KerasSite& site) {
  KerasValue x = site.only_input();
  const double slope = site.number("negative_slope", 0.0), threshold = site.number("threshold", 0.0);
  const double most = site.number("max_value", -1.0);
  if (threshold != 0.0 && slope != 0.0) site.fail("expected a negative_slope or a threshold, found both");
  if (threshold != 0.0) {
    x.name = site.add("thresholded-relu", {x.name}, {{"alpha", threshold}});
  } else {
    x.name = slope == 0.0 ? site.add("relu", {x.name}) : site.add("leaky-relu", {x.name}, {{"alpha", slope}});
  }
  if (most >= 0.0)
    x.name = site.part("Min", "max_value", {x.name, site.numbers("most", {1}, {static_cast<float>(most)})});
  return {x};
}

// Slopes [T, C], or one for all steps.
KerasValues add_prelu(const KerasSite& site) {
  KerasValue x = site.only_input();
  graph::Array slopes = site.take(1, 1)[0].second;
  if (slopes.dims.size() != x.dims.size()) site.fail("expected slopes for the shape of its input", "it is damaged");
  bool fixed = false;
  for (size_t i = 0; i < slopes.dims.size(); ++i) {
    fixed = fixed || (i + 1 < slopes.dims.size() && slopes.dims[i] != 1);
    if (slopes.dims[i] != 1 && slopes.dims[i] != x.dims[i]) site.fail("expected slopes for the shape of its input");
  }
  if (fixed) site.expect_steps(x);
  x.name = site.add("PRelu", {x.name, site.builder.array(site.name + ".slopes", std::move(slopes))});
  return {x};
}

// Softmax over the last axis, in which a mask leaves numbers out.
KerasValues add_softmax(const KerasSite& site) {
  KerasValue x = site.only_input();
  const std::vector<int64_t> axis = site.list("axis");
  const auto last = static_cast<int64_t>(x.dims.size());
  if (axis.size() > 1) site.fail("expected one axis");
  int64_t at = axis.empty() ? -1 : axis[0];
  if (at == last) at = -1;
  if (at != -1 && !(at == 1 && last == 2)) site.fail("expected the last axis, or the steps");
  if (!x.mask.empty() && site.keras.version >= 2 && site.keras.of_tensorflow) {
    site.fail("expected an input without a mask, which it would read");
  }
  if (at == 1) site.expect_steps(x);
  x.name = at == 1 ? site.add("Softmax", {x.name}, {{"axis", int64_t{1}}}) : site.add("softmax", {x.name});
  return {x};
}

int64_t product(const graph::Dims& dims, size_t begin) { return graph::count(dims, begin, dims.size()); }

KerasValues add_flatten(const KerasSite& site) {
  KerasValue x = site.only_input();
  if (site.text("data_format", "channels_last") != "channels_last") site.fail("expected channels_last");
  if (site.per_step && x.dims.size() > 1) {
    x.name = site.add("flatten", {x.name});
    x.dims = {x.dims[0], product(x.dims, 1)};
    return {x};
  }
  if (!x.is_sequence()) return {x};
  site.expect_steps(x);
  const int64_t all = product(x.dims, 0);
  return {{.name = site.add("Flatten", {x.name}), .dims = {all}}};
}

// One of the extents may be -1: what is left.
KerasValues add_reshape(const KerasSite& site) {
  KerasValue x = site.only_input();
  graph::Dims target = site.list(site.config.contains("target_shape") ? "target_shape" : "dims");
  const size_t begin = site.per_step ? 1 : 0;
  const auto open = std::find(target.begin(), target.end(), int64_t{-1});
  const bool keeps_steps = begin == 0 && x.is_sequence() && x.dims[0] < 0 && target.size() > 1 && target[0] == -1;
  const size_t from = keeps_steps ? 1 : begin;
  if (!keeps_steps && begin == 0) site.expect_steps(x);
  graph::Dims rest = target;
  if (keeps_steps) rest.erase(rest.begin());
  int64_t known = 1;
  for (const int64_t extent : rest) known *= extent > 0 && known < (1 << 30) ? extent : 1;
  const int64_t all = product(x.dims, from);
  if (!keeps_steps && open != target.end() && known > 0)
    std::replace(rest.begin(), rest.end(), int64_t{-1}, all / known);
  const bool whole = std::all_of(rest.begin(), rest.end(), [](int64_t extent) { return extent > 0; });
  if (!whole || rest.empty() || graph::count(rest) != all) {
    site.fail(fmt::format("expected a shape for {}, found {}", graph::shown(x.dims), graph::shown(target)));
  }
  if (from == 0) return {site.reshaped(x, rest, "")};
  x.name = site.add("reshape", {x.name}, {{"shape", rest}});
  x.dims.resize(1);
  x.dims.insert(x.dims.end(), rest.begin(), rest.end());
  return {x};
}

KerasValues add_permute(const KerasSite& site) {
  KerasValue x = site.only_input();
  std::vector<int64_t> perm = site.list("dims");
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i) + 1) site.fail("expected each axis once", "it is damaged");
  }
  if (perm.size() != x.dims.size()) site.fail("expected each axis once", "it is damaged");
  site.expect_steps(x);
  KerasValue out = x;
  out.mask.clear();
  for (size_t i = 0; i < perm.size(); ++i) out.dims[i] = x.dims[static_cast<size_t>(perm[i] - 1)];
  perm.insert(perm.begin(), 0);
  out.name = site.add("Transpose", {x.name}, {{"perm", perm}});
  return {out};
}

KerasValues add_repeat(const KerasSite& site) {
  const KerasValue x = site.only_input();
  if (x.is_sequence()) site.fail("expected one row, found a sequence", "it is damaged");
  const int64_t n = whole_of(member(site.config, "n", site.where()), 1, 1 << 20, site.where());
  const std::string row = site.part("Unsqueeze", "row", {x.name, site.whole("axes", {1})});
  return {{.name = site.add("Expand", {row, site.whole("shape", {1, n, 1})}), .dims = {n, x.width()}}};
}

const KerasTable kSimple = {
    {"Dropout", add_silent},
    {"SpatialDropout1D", add_silent},
    {"GaussianNoise", add_silent},
    {"GaussianDropout", add_silent},
    {"AlphaDropout", add_silent},
    {"ActivityRegularization", add_silent},
    {"Identity", add_silent},
    {"Embedding", add_embedding},
    {"Masking", add_masking},
    {"Dense", add_dense},
    {"TimeDistributedDense", add_dense},
    {"Activation", add_activation},
    {"LeakyReLU", add_leaky_relu},
    {"ELU", add_elu},
    {"ThresholdedReLU", add_thresholded_relu},
    {"ReLU", add_relu},
    {"PReLU", add_prelu},
    {"Softmax", add_softmax},
    {"Flatten", add_flatten},
    {"Reshape", add_reshape},
    {"Permute", add_permute},
    {"RepeatVector", add_repeat},
};

}  // namespace

KerasFunction find_simple_layer(const std::string& type) { return find_in(kSimple, type); }

}  // namespace longhand::convert
