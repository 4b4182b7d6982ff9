#include "longhand/exporters/port_texts.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace longhand::exporters {
namespace {

std::vector<std::string> port_list(const nlohmann::json& port, const char* name) {
  std::vector<std::string> out;
  if (!port.contains(name) || !port[name].is_array()) return out;
  for (const nlohmann::json& each : port[name]) {
    if (each.is_string()) out.push_back(each.get<std::string>());
  }
  return out;
}

// Joins the texts up to about 80 bytes, then adds the number of those left out.
std::string shortened(const std::vector<std::string>& texts) {
  constexpr size_t kLongest = 80;
  std::string out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0 && out.size() + texts[i].size() > kLongest) return fmt::format("{}, ... ({} in all)", out, texts.size());
    out += (i == 0 ? "" : ", ") + texts[i].substr(0, kLongest);
  }
  return out;
}

}  // namespace

std::string PortText::line() const {
  std::string out = what;
  if (!columns.empty()) out += ": " + shortened(columns);
  if (!values.empty()) out += fmt::format(" (values: {})", shortened(values));
  return out;
}

std::map<std::string, PortText> port_texts(const ExportModel& model) {
  std::map<std::string, PortText> out;
  const auto text = model.texts.find("ports");
  if (text == model.texts.end()) return out;
  const nlohmann::json ports = nlohmann::json::parse(text->second, nullptr, false);
  if (!ports.is_array()) return out;
  for (const nlohmann::json& port : ports) {
    if (!port.is_object() || !port.contains("name") || !port["name"].is_string()) continue;
    PortText& one = out[port["name"].get<std::string>()];
    if (port.contains("what") && port["what"].is_string()) one.what = port["what"].get<std::string>();
    one.columns = port_list(port, "columns");
    one.values = port_list(port, "values");
  }
  return out;
}

}  // namespace longhand::exporters
