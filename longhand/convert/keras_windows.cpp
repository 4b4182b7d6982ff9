#include "longhand/convert/keras_windows.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail_at(const KerasLayerPlace& place, const std::string& problem,
                          const std::string& advice = "export it as ONNX instead") {
  throw input_error(fmt::format("{} ({}): {}", place.where, visible(place.type), problem), advice);
}

// A number, or the first of a list.
int64_t first_of(const KerasLayerPlace& place, const char* key, const Json& otherwise) {
  const auto found = place.config.find(key);
  const Json& given = found == place.config.end() || found->is_null() ? otherwise : *found;
  return whole_of(given.is_array() && !given.empty() ? given.front() : given, 1, 1 << 20, place.where);
}

std::string padding_of(const KerasLayerPlace& place) {
  const std::string old = text_of(place.config, "border_mode", "valid", place.where);
  return text_of(place.config, "padding", old, place.where);
}

// How many windows of `span` steps there are; -1 where the number of steps is not known.
int64_t steps_after(const KerasLayerPlace& place, int64_t steps, int64_t span, int64_t stride) {
  if (steps < 0) return -1;
  if (steps < span) {
    fail_at(place, fmt::format("expected at least {} steps, found {}", span, steps), "the file is damaged");
  }
  return (steps - span) / stride + 1;
}

}  // namespace

KerasValue add_keras_convolution(NetworkBuilder& builder, const KerasLayerPlace& place, const KerasValue& x,
                                 const KerasArrays& arrays) {
  graph::Array kernel = arrays[0].second;
  if (kernel.dims.size() == 4 && kernel.dims[1] == 1) kernel.dims.erase(kernel.dims.begin() + 1);  // version 1
  if (kernel.dims.size() != 3 || !x.is_sequence) fail_at(place, "expected sequences and a kernel [K, I, O]");
  if (text_of(place.config, "data_format", "channels_last", place.where) != "channels_last") {
    fail_at(place, "expected channels_last");
  }
  const std::string padding = padding_of(place);
  const int64_t stride = first_of(place, place.config.contains("strides") ? "strides" : "subsample_length", 1);
  const int64_t dilation = first_of(place, "dilation_rate", 1), groups = first_of(place, "groups", 1);
  if (padding == "causal" && stride > 1) fail_at(place, "expected no strides of a causal convolution");
  NetworkBuilder::Attributes attributes = {{"padding", padding}};
  if (stride > 1) attributes["stride"] = stride;
  if (dilation > 1) attributes["dilation"] = dilation;
  if (groups > 1) attributes["groups"] = groups;
  NetworkBuilder::Weights weights = {{"weight", keras_kernel(kernel)}};
  if (arrays.size() == 2) weights["bias"] = arrays[1].second;
  KerasValue out = x;
  out.name = builder.add("conv1d", place.layer, {x.name}, attributes, std::move(weights));
  out.width = kernel.dims[2];
  const int64_t span = dilation * (kernel.dims[0] - 1) + 1;
  out.steps = steps_after(place, x.steps, padding == "valid" ? span : 1, stride);
  return out;
}

KerasValue add_keras_pooling(NetworkBuilder& builder, const KerasLayerPlace& place, const KerasValue& x) {
  KerasValue out = x;
  if (!out.is_sequence) fail_at(place, "expected a sequence, found one row", "it is damaged");
  const bool mean = place.type.find("Average") != std::string::npos;
  if (place.type.starts_with("Global")) {
    if (place.config.contains("keepdims") && place.config["keepdims"] == true) {
      fail_at(place, "expected keepdims to be false");
    }
    out.name = builder.add("pool", place.layer, {out.name}, {{"kind", mean ? "mean" : "max"}});
    out.is_sequence = false;
    return out;
  }
  const int64_t kernel = first_of(place, place.config.contains("pool_size") ? "pool_size" : "pool_length", 2);
  const int64_t stride = first_of(place, place.config.contains("strides") ? "strides" : "stride", kernel);
  if (const std::string padding = padding_of(place); padding != "valid") {
    fail_at(place, fmt::format("expected the padding valid, found '{}'", visible(padding)));
  }
  out.name = builder.add(mean ? "avg-pool1d" : "max-pool1d", place.layer, {out.name},
                         {{"kernel", kernel}, {"stride", stride}});
  out.steps = steps_after(place, out.steps, kernel, stride);
  return out;
}

}  // namespace longhand::convert
