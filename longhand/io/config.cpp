#include "longhand/io/config.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "longhand/base/error.h"
#include "longhand/base/json_depth.h"
#include "longhand/io/file.h"
#include "longhand/io/toml_options.h"

namespace longhand::io {
namespace {

std::string toml_text(const std::string& text) {
  std::ostringstream out;
  out << toml::value<std::string>(text);
  return out.str();
}

// TOML wants a floating-point number to look like one.
std::string toml_value(const Option& option) {
  std::string text = option.text();
  if (std::holds_alternative<std::string*>(option.value) || option.is_word(text)) return toml_text(text);
  if (std::holds_alternative<double*>(option.value) && text.find_first_of(".e") == std::string::npos) {
    return text + ".0";
  }
  return text;
}

}  // namespace

std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto integer = node.value_exact<int64_t>()) return std::to_string(*integer);
  if (const auto number = node.value_exact<double>()) return shortest(*number);
  if (const auto text = node.value_exact<std::string>()) return *text;
  return std::nullopt;
}

void set_scalar(OptionTable& table, const Option& option, const toml::node& node, const std::string& where) {
  const std::optional<std::string> text = scalar_text(node);
  if (!text) {
    throw usage_error(where + ": expected " + option.expectation() + ", found a table, a list or a date",
                      "write `" + option.name + " = value`");
  }
  table.set(option, *text, where);
}

nlohmann::json parse_json(std::string_view text, const std::string& path) {
  constexpr int kDeepest = 64;  // models within models, in configurations of Keras, are nested 20 deep and more
  std::vector<std::set<std::string>> names;
  std::string problem;
  const auto callback = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key && !names.back().insert(parsed.get<std::string>()).second) {
      problem = "it has the name '" + parsed.get<std::string>() + "' twice";
    }
    return true;
  };
  nlohmann::json out;
  try {
    if (json_nests_deeper(text, kDeepest)) {
      problem = "it is nested too deep";
    } else {
      out = nlohmann::json::parse(text, callback);
    }
  } catch (const nlohmann::json::exception&) {
    problem = "it cannot be parsed";
  }
  if (!problem.empty()) {
    throw input_error(path + ": not valid JSON: " + problem,
                      "it is truncated, altered or of another format; use an intact copy");
  }
  return out;
}

std::vector<std::string> read_toml(const std::string& path, OptionTable& table) {
  std::vector<std::string> names;
  for_each_key(path, table, [&](const Option& option, const toml::node& node, const std::string& where) {
    set_scalar(table, option, node, where);
    names.push_back(table.today(option).name);
  });
  return names;
}

std::string to_toml(const OptionTable& table) {
  std::string out;
  for (const Option& option : table.options()) {
    out += fmt::format("# {}\n{} = {}\n", option.help, option.name, toml_value(option));
  }
  return out;
}

nlohmann::ordered_json to_json(const OptionTable& table) {
  nlohmann::ordered_json object;
  for (const Option& option : table.options()) {
    std::visit([&](const auto* value) { object[option.name] = *value; }, option.value);
  }
  return object;
}

void from_json(const nlohmann::json& object, const std::string& path, OptionTable& table) {
  const std::string advice = "use a file that this version of longhand, or an earlier one, wrote";
  if (!object.is_object()) throw input_error(path + ": its configuration is not a JSON object", advice);
  for (const auto& [name, value] : object.items()) {
    const std::string where = fmt::format("{}: configuration: {}", path, name);
    const Option* option = table.find(name);
    if (option == nullptr) throw input_error(where + ": no option has this name", advice);
    if (value.is_structured()) throw input_error(where + ": expected one value, found a list or an object", advice);
    const std::string text = value.is_string()         ? value.get<std::string>()
                             : value.is_number_float() ? shortest(value.get<double>())
                                                       : value.dump();
    try {
      table.set(*option, text, where);
    } catch (const Error& e) {
      throw input_error(e.what(), advice);
    }
  }
}

}  // namespace longhand::io
