#include "longhand/convert/keras_site.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"

namespace longhand::convert {

using Json = nlohmann::json;

void KerasSite::fail(const std::string& problem, const std::string& advice) const {
  builder.fail(fmt::format("layer '{}' ({}): {}", visible(name), visible(type), problem), advice);
}

std::string KerasSite::where() const { return fmt::format("{}: layer '{}'", builder.file(), visible(name)); }

KerasValues KerasSite::inputs() const {
  KerasValues out;
  for (const KerasOperand& each : operands) {
    if (!each.value && each.constant.is_null()) continue;
    if (!each.value) fail("is called with something other than layers");
    out.push_back(*each.value);
  }
  return out;
}

KerasValue KerasSite::only_input() const {
  KerasValues all = inputs();
  if (all.size() != 1) fail(fmt::format("expected one input, found {}", all.size()));
  return std::move(all.front());
}

KerasValues KerasSite::take_named(const std::string& key) const {
  KerasValues out;
  const auto found = named.find(key);
  if (found == named.end()) return out;
  for (const KerasOperand& each : found->second) {
    if (each.value) {
      out.push_back(*each.value);
    } else if (!each.constant.is_null()) {
      fail(fmt::format("{}: expected layers, found something else", visible(key)));
    }
  }
  return out;
}

bool KerasSite::is_on(const std::string& key) const {
  const auto found = named.find(key);
  return found != named.end() && found->second.size() == 1 && found->second[0].constant == true;
}

const KerasArrays& KerasSite::take(size_t least, size_t most) const {
  static const KerasArrays kNone;
  *took_arrays = true;
  const KerasArrays& own = arrays == nullptr ? kNone : *arrays;
  if (own.size() < least || own.size() > most) {
    fail(fmt::format("expected {} to {} arrays, found {}", least, most, own.size()), "the file is damaged");
  }
  return own;
}

std::string KerasSite::text(const char* key, const std::string& otherwise) const {
  return text_of(config, key, otherwise, where());
}

double KerasSite::number(const char* key, double otherwise) const {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return otherwise;
  // Version 2 may write a number as an array of NumPy's: {"type": "ndarray", "value": 0.3}.
  const Json& given = found->is_object() && found->contains("value") ? (*found)["value"] : *found;
  if (!given.is_number()) fail(fmt::format("{}: expected a number, found another", key), "it is damaged");
  return given.get<double>();
}

bool KerasSite::flag(const char* key, bool otherwise) const {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) fail(fmt::format("{}: expected true or false", key), "the file is damaged");
  return found->get<bool>();
}

int64_t KerasSite::first(const char* key, int64_t otherwise) const {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return otherwise;
  return whole_of(found->is_array() && !found->empty() ? found->front() : *found, 1, 1 << 20, where());
}

std::vector<int64_t> KerasSite::list(const char* key) const {
  std::vector<int64_t> out;
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return out;
  if (!found->is_array()) return {whole_of(*found, -(1 << 20), 1 << 24, where())};
  for (const Json& each : *found) out.push_back(whole_of(each, -(1 << 20), 1 << 24, where()));
  return out;
}

void KerasSite::expect_steps(const KerasValue& x) const {
  for (const int64_t extent : x.dims) {
    if (extent < 0) fail("expected a number of steps that the model fixes, found none", "fix it in the model's Input");
  }
  builder.fix_steps();
}

std::string KerasSite::numbers(const std::string& suffix, graph::Dims dims, std::vector<float> values) const {
  return builder.array(name + "." + suffix, graph::array(std::move(dims), std::move(values)));
}

std::string KerasSite::whole(const std::string& suffix, std::vector<int64_t> values) const {
  const auto n = static_cast<int64_t>(values.size());
  return builder.array(name + "." + suffix, graph::array_of_ints({n}, std::move(values)));
}

std::string KerasSite::add(const std::string& node, std::vector<std::string> inputs,
                           NetworkBuilder::Attributes attributes, NetworkBuilder::Weights weights) const {
  return builder.add(node, name, std::move(inputs), std::move(attributes), std::move(weights));
}

std::string KerasSite::part(const std::string& node, const std::string& suffix, std::vector<std::string> inputs,
                            NetworkBuilder::Attributes attributes, NetworkBuilder::Weights weights) const {
  return builder.add(node, name + "." + suffix, std::move(inputs), std::move(attributes), std::move(weights));
}

KerasValue KerasSite::activated(KerasValue value, const std::string& function) const {
  const auto put = [&](const char* node, NetworkBuilder::Attributes attributes) {
    value.name = part(node, function, {value.name}, std::move(attributes));
    return std::move(value);
  };
  if (function == "hard_sigmoid") {
    const auto [alpha, beta] = keras_hard_sigmoid(keras.version);
    return put("hard-sigmoid", {{"alpha", alpha}, {"beta", beta}});
  }
  if (function == "gelu") return put("gelu", {});
  if (function == "leaky_relu") return put("leaky-relu", {{"alpha", 0.2}});
  if (function == "relu6") return put("clip", {{"min", 0.0}, {"max", 6.0}});
  if (function == "hard_silu" || function == "hard_swish") return put("hard-swish", {});
  if (function == "celu") return put("celu", {{"alpha", 1.0}});
  if (function == "hard_tanh") return put("clip", {{"min", -1.0}, {"max", 1.0}});
  value.name = builder.activation(function, name, value.name);
  return value;
}

KerasValue KerasSite::reshaped(const KerasValue& x, const graph::Dims& dims, const std::string& suffix) const {
  KerasValue out = x;
  out.mask.clear();
  out.dims = dims;
  graph::Dims all = {-1};
  all.insert(all.end(), dims.begin(), dims.end());
  out.name = builder.add("Reshape", suffix.empty() ? name : name + "." + suffix, {x.name, whole("shape", all)});
  return out;
}

std::pair<double, double> keras_hard_sigmoid(int version) {
  return version < 3 ? std::pair(0.2, 0.5) : std::pair(1.0 / 6.0, 0.5);
}

KerasFunction find_in(const KerasTable& table, const std::string& type) {
  const auto found = table.find(type);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace longhand::convert
