// Keras's layers over windows of time steps: convolution, pooling, and what adds or takes away steps.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

std::string padding_of(const KerasSite& site) {
  const std::string out = site.text("padding", site.text("border_mode", "valid"));
  if (out != "valid" && out != "same" && out != "causal") {
    site.fail(fmt::format("padding: expected valid, same or causal, found '{}'", visible(out)));
  }
  return out;
}

// The axis of the windows: the steps, or, within TimeDistributed, the rows of a frame.
size_t window_axis(const KerasSite& site, const KerasValue& x) {
  if (x.is_symbols || x.dims.size() < 2) site.fail("expected sequences of numbers", "it is damaged");
  if (x.dims.size() > 3 || (x.dims.size() == 3) != site.per_step) site.fail("expected sequences of rows of numbers");
  if (site.text("data_format", "channels_last") != "channels_last") site.fail("expected channels_last");
  return x.dims.size() - 2;
}

// How many windows of `span` rows there are; -1 where the number of rows is not known.
int64_t rows_after(const KerasSite& site, int64_t rows, int64_t span, int64_t stride) {
  if (rows < 0) return -1;
  if (rows < span) site.fail(fmt::format("expected at least {} steps, found {}", span, rows), "the file is damaged");
  return (rows - span) / stride + 1;
}

// A kernel [K, I, O] as a node.
KerasValue convolved(const KerasSite& site, KerasValue x, const graph::Array& kernel, const graph::Array* bias,
                     int64_t groups, const std::string& suffix) {
  const size_t axis = window_axis(site, x);
  const std::string padding = padding_of(site);
  const int64_t stride = site.first(site.config.contains("strides") ? "strides" : "subsample_length", 1);
  const int64_t dilation = site.first("dilation_rate", 1), span = dilation * (kernel.dims[0] - 1) + 1;
  NetworkBuilder::Attributes attributes = {{"padding", padding}};
  if (padding == "causal" && (stride > 1 || site.per_step)) attributes["padding"] = std::vector<int64_t>{span - 1, 0};
  if (stride > 1) attributes["stride"] = stride;
  if (dilation > 1) attributes["dilation"] = dilation;
  if (groups > 1) attributes["groups"] = groups;
  NetworkBuilder::Weights weights = {{"weight", keras_kernel(kernel)}};
  if (bias != nullptr) weights["bias"] = *bias;
  x.name = suffix.empty() ? site.add("conv1d", {x.name}, attributes, std::move(weights))
                          : site.part("conv1d", suffix, {x.name}, attributes, std::move(weights));
  x.dims[axis] = rows_after(site, x.dims[axis], padding == "valid" ? span : 1, stride);
  x.dims.back() = kernel.dims[2];
  if (!site.per_step) x.mask.clear();
  return x;
}

KerasValues add_convolution(const KerasSite& site) {
  const KerasArrays& arrays = site.take(1, 2);
  graph::Array kernel = arrays[0].second;
  if (kernel.dims.size() == 4 && kernel.dims[1] == 1) kernel.dims.erase(kernel.dims.begin() + 1);  // version 1
  if (kernel.dims.size() != 3) site.fail("expected a kernel [K, I, O]", "the file is damaged");
  const graph::Array* bias = arrays.size() == 2 ? &arrays[1].second : nullptr;
  return {site.activated(convolved(site, site.only_input(), kernel, bias, site.first("groups", 1), ""))};
}

// [K, C, M] as the kernel [K, 1, C M] of C groups.
graph::Array depthwise_kernel(const KerasSite& site, const graph::Array& kernel) {
  if (kernel.dims.size() != 3) site.fail("expected a kernel [K, C, M]", "the file is damaged");
  graph::Array out = kernel;
  out.dims = {kernel.dims[0], 1, kernel.dims[1] * kernel.dims[2]};
  return out;
}

KerasValues add_depthwise(const KerasSite& site) {
  const KerasArrays& arrays = site.take(1, 2);
  const graph::Array* bias = arrays.size() == 2 ? &arrays[1].second : nullptr;
  const KerasValue x = site.only_input();
  return {site.activated(convolved(site, x, depthwise_kernel(site, arrays[0].second), bias, x.width(), ""))};
}

KerasValues add_separable(const KerasSite& site) {
  const KerasArrays& arrays = site.take(2, 3);
  const KerasValue x = site.only_input();
  KerasValue out = convolved(site, x, depthwise_kernel(site, arrays[0].second), nullptr, x.width(), "depthwise");
  const graph::Array& point = arrays[1].second;
  if (point.dims.size() != 3 || point.dims[0] != 1 || point.dims[1] != out.width()) {
    site.fail("expected a kernel [1, C M, O]", "the file is damaged");
  }
  NetworkBuilder::Weights weights = {{"weight", keras_kernel(point)}};
  if (arrays.size() == 3) weights["bias"] = arrays[2].second;
  out.name = site.add("conv1d", {out.name}, {}, std::move(weights));
  out.dims.back() = point.dims[2];
  return {site.activated(out)};
}

// Means over the steps that the mask leaves: sum of mask * x / sum of mask.
KerasValue masked_mean(const KerasSite& site, const KerasValue& x) {
  const std::string mask = site.part("Cast", "mask", {x.mask}, {{"to", "float"}});
  const std::string column = site.part("Unsqueeze", "column", {mask, site.whole("last", {-1})});
  const std::string rows = site.part("Mul", "rows", {x.name, column});
  const std::string sum = site.part("pool", "mean", {rows}, {{"kind", "mean"}});
  const std::string share = site.part("pool", "share", {column}, {{"kind", "mean"}});
  return {.name = site.add("Div", {sum, share}), .dims = {x.width()}};
}

KerasValues add_global_pooling(const KerasSite& site) {
  KerasValue x = site.only_input();
  const size_t axis = window_axis(site, x);
  const bool mean = site.type.find("Average") != std::string::npos;
  const bool keeps = site.flag("keepdims", false);
  if (mean && !x.mask.empty() && !site.per_step && site.keras.version > 1) {
    x = masked_mean(site, x);
  } else {
    x.name = site.add("pool", {x.name}, {{"kind", mean ? "mean" : "max"}});
    x.dims.erase(x.dims.begin() + static_cast<std::ptrdiff_t>(axis));
    if (!site.per_step) x.mask.clear();
  }
  if (!keeps) return {x};
  if (site.per_step) site.fail("expected keepdims to be false");
  x.name = site.part("Unsqueeze", "kept", {x.name, site.whole("axes_kept", {1})});
  x.dims.insert(x.dims.begin(), 1);
  return {x};
}

// Windows that go beyond the ends, of `same`, read what is there alone.
KerasValues add_pooling(const KerasSite& site) {
  KerasValue x = site.only_input();
  const size_t axis = window_axis(site, x);
  const bool mean = site.type.starts_with("Average");
  const int64_t kernel = site.first(site.config.contains("pool_size") ? "pool_size" : "pool_length", 2);
  const int64_t stride = site.first(site.config.contains("strides") ? "strides" : "stride", kernel);
  const std::string padding = padding_of(site);
  if (padding == "valid") {
    x.name = site.add(mean ? "avg-pool1d" : "max-pool1d", {x.name}, {{"kernel", kernel}, {"stride", stride}});
    x.dims[axis] = rows_after(site, x.dims[axis], kernel, stride);
  } else {
    if (site.per_step) site.fail(fmt::format("expected the padding valid, found '{}'", visible(padding)));
    site.expect_steps(x);
    const int64_t T = x.dims[axis], outs = (T + stride - 1) / stride;
    const int64_t all = std::max<int64_t>((outs - 1) * stride + kernel - T, 0), left = all / 2;
    const std::string turned = site.part("Transpose", "channels", {x.name}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    NetworkBuilder::Attributes attributes = {{"kernel_shape", std::vector<int64_t>{kernel}},
                                             {"strides", std::vector<int64_t>{stride}},
                                             {"pads", std::vector<int64_t>{left, all - left}}};
    const std::string pooled = site.part(mean ? "AveragePool" : "MaxPool", "pool", {turned}, std::move(attributes));
    x.name = site.add("Transpose", {pooled}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    x.dims[axis] = outs;
  }
  if (!site.per_step) x.mask.clear();
  return {x};
}

// One number for both sides, or one for each.
std::pair<int64_t, int64_t> sides_of(const KerasSite& site, const char* key) {
  const std::vector<int64_t> given = site.list(key);
  if (given.empty() || given.size() > 2 || given.front() < 0 || given.back() < 0) {
    site.fail(fmt::format("{}: expected steps at both ends", key), "it is damaged");
  }
  return {given.front(), given.back()};
}

KerasValues add_zero_padding(const KerasSite& site) {
  KerasValue x = site.only_input();
  const size_t axis = window_axis(site, x);
  const auto [left, right] = sides_of(site, "padding");
  x.name = site.add("pad", {x.name}, {{"left", left}, {"right", right}});
  if (x.dims[axis] >= 0) x.dims[axis] += left + right;
  x.mask.clear();
  return {x};
}

// For layers that change the number of steps.
KerasValue only_sequence(const KerasSite& site) {
  KerasValue x = site.only_input();
  if (site.per_step) site.fail("expected time steps");
  window_axis(site, x);
  return x;
}

KerasValues add_cropping(const KerasSite& site) {
  KerasValue x = only_sequence(site);
  const auto [left, right] = sides_of(site, "cropping");
  site.expect_steps(x);
  if (left + right >= x.dims[0]) site.fail("expected steps that are left", "it is damaged");
  const std::vector<std::string> inputs = {x.name, site.whole("starts", {left}),
                                           site.whole("ends", {x.dims[0] - right}), site.whole("axes", {1})};
  x.name = site.add("Slice", inputs);
  x.dims[0] -= left + right;
  x.mask.clear();
  return {x};
}

// Each step `size` times.
KerasValues add_upsampling(const KerasSite& site) {
  KerasValue x = only_sequence(site);
  const int64_t size = site.first(site.config.contains("size") ? "size" : "length", 2);
  site.expect_steps(x);
  const std::string apart = site.part("Unsqueeze", "apart", {x.name, site.whole("axes", {2})});
  const std::string more = site.part("Expand", "repeated", {apart, site.whole("repeats", {1, 1, size, 1})});
  KerasValue out = x;
  out.name = more;
  return {site.reshaped(out, {x.dims[0] * size, x.width()}, "")};
}

const KerasTable kWindows = {
    {"Conv1D", add_convolution},
    {"Convolution1D", add_convolution},
    {"DepthwiseConv1D", add_depthwise},
    {"SeparableConv1D", add_separable},
    {"MaxPooling1D", add_pooling},
    {"AveragePooling1D", add_pooling},
    {"GlobalMaxPooling1D", add_global_pooling},
    {"GlobalAveragePooling1D", add_global_pooling},
    {"ZeroPadding1D", add_zero_padding},
    {"Cropping1D", add_cropping},
    {"UpSampling1D", add_upsampling},
};

}  // namespace

KerasFunction find_window_layer(const std::string& type) { return find_in(kWindows, type); }

}  // namespace longhand::convert
