#include "longhand/convert/json_tools.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"

namespace longhand::convert {
namespace {

constexpr const char* kJsonAdvice = "the file is damaged, or of another format; use an intact copy";
constexpr size_t kMostAxes = 8;

void append_numbers(const nlohmann::json& json, const graph::Dims& dims, size_t level, const std::string& where,
                    std::vector<float>& out) {
  if (level == dims.size()) {
    const double value = json.is_number() ? json.get<double>() : std::nan("");
    const auto small = static_cast<float>(value);
    if (!std::isfinite(small)) {
      throw input_error(where + ": expected finite numbers, found " + json.dump().substr(0, 40), kJsonAdvice);
    }
    out.push_back(small);
    return;
  }
  if (!json.is_array() || static_cast<int64_t>(json.size()) != dims[level]) {
    throw input_error(fmt::format("{}: expected lists of {} numbers, found another", where, dims[level]), kJsonAdvice);
  }
  for (const nlohmann::json& each : json) append_numbers(each, dims, level + 1, where, out);
}

}  // namespace

graph::Array numbers_of(const nlohmann::json& json, const std::string& where) {
  graph::Dims dims;
  const nlohmann::json* at = &json;
  while (at->is_array() && dims.size() < kMostAxes) {
    dims.push_back(static_cast<int64_t>(at->size()));
    if (at->empty()) break;
    at = &at->front();
  }
  std::vector<float> values;
  append_numbers(json, dims, 0, where, values);
  return graph::array(std::move(dims), std::move(values));
}

const nlohmann::json& member(const nlohmann::json& object, const char* name, const std::string& where) {
  if (object.is_object()) {
    const auto found = object.find(name);
    if (found != object.end()) return *found;
  }
  throw input_error(fmt::format("{}: expected a member '{}', found none", where, name), kJsonAdvice);
}

int64_t whole_of(const nlohmann::json& json, int64_t least, int64_t most, const std::string& where) {
  const bool whole = json.is_number_integer() || json.is_number_unsigned();
  const double value = json.is_number() ? json.get<double>() : std::nan("");
  if (whole && value >= static_cast<double>(least) && value <= static_cast<double>(most)) return json.get<int64_t>();
  throw input_error(
      fmt::format("{}: expected a number from {} to {}, found {}", where, least, most, json.dump().substr(0, 40)),
      kJsonAdvice);
}

std::string text_of(const nlohmann::json& object, const char* name, const std::string& otherwise,
                    const std::string& where) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_string()) {
    throw input_error(fmt::format("{}: {}: expected a text, found {}", where, name, found->dump().substr(0, 40)),
                      kJsonAdvice);
  }
  return found->get<std::string>();
}

}  // namespace longhand::convert
