#include "longhand/lab/microscope_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "longhand/fetch/sha256.h"
#include "longhand/io/chart.h"
#include "longhand/lab/microscope_files.h"  // made by CMake from the files in lab/microscope

namespace longhand::lab {
namespace {

static_assert(std::endian::native == std::endian::little, "the page's arrays are little-endian");

// JSON in which nothing can end the element that it stands in: all but ASCII is escaped, and so are < > &.
std::string json_for_html(const nlohmann::ordered_json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)) {
    switch (c) {
      case '<': out += "\\u003c"; break;
      case '>': out += "\\u003e"; break;
      case '&': out += "\\u0026"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

// An element that holds an array, which the script finds by its id.
void add_block(const std::string& id, const char* type, std::string_view bytes, std::string& html) {
  html += fmt::format("<script type=\"application/octet-stream\" id=\"{}\" data-type=\"{}\">", id, type);
  html += base64(bytes);
  html += "</script>\n";
}

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Numbers below `limit`, or -1, in 16 bits where these are enough; -1 is the largest.
void add_numbers(const std::string& id, const std::vector<int32_t>& values, size_t limit, std::string& html) {
  if (limit >= 0xFFFF) {
    add_block(id, "u32", bytes_of(values), html);
    return;
  }
  std::vector<uint16_t> narrow;
  narrow.reserve(values.size());
  for (const int32_t value : values) narrow.push_back(static_cast<uint16_t>(value));
  add_block(id, "u16", bytes_of(narrow), html);
}

void add_arrays(const Microscope& found, std::string& html) {
  const Subject& subject = found.subject;
  const ModelOutputs& outputs = subject.outputs;
  add_numbers("symbols", subject.text.symbols, subject.text.names.size(), html);
  add_block("starts", "f64", bytes_of(std::vector<double>(subject.text.starts.begin(), subject.text.starts.end())),
            html);
  if (!outputs.nats.empty()) {
    add_numbers("top", outputs.top, outputs.names.size(), html);
    add_numbers("right", outputs.right, outputs.names.size(), html);
    std::vector<uint16_t> probabilities;
    for (const float p : outputs.probability) {
      probabilities.push_back(static_cast<uint16_t>(std::lround(65535.0F * std::clamp(p, 0.0F, 1.0F))));
    }
    add_block("probability", "u16", bytes_of(probabilities), html);
    add_block("nats", "f32", bytes_of(outputs.nats), html);
  }
  for (size_t u = 0; u < found.kept.size(); ++u) {
    for (const KeptUnit::Values& values : found.kept[u].values) {
      add_block(fmt::format("u{}{}", u, values.quantity), "u8", bytes_of(values.levels), html);
    }
  }
}

// Four digits are more than a screen shows.
nlohmann::ordered_json rounded(const std::vector<float>& values) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const float value : values) {
    if (!std::isfinite(value)) {
      out.push_back(nullptr);
      continue;
    }
    out.push_back(std::stod(fmt::format("{:.4g}", value)));
  }
  return out;
}

nlohmann::ordered_json found_json(const Microscope& found) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const PropertyUnits& property : found.properties) {
    nlohmann::ordered_json best = nlohmann::ordered_json::array();
    for (const FoundUnit& unit : property.best) {
      best.push_back({{"part", unit.value.part},
                      {"unit", unit.value.unit},
                      {"q", std::string(1, unit.value.quantity)},
                      {"r", unit.r}});
    }
    out.push_back({{"name", property.property}, {"chance", property.chance}, {"n", property.n}, {"best", best}});
  }
  return out;
}

nlohmann::ordered_json page_data(const Microscope& found, const std::string& model, const std::string& text,
                                 const std::string& command) {
  const Subject& subject = found.subject;
  nlohmann::ordered_json out = {{"model", model},
                                {"text", text},
                                {"command", command},
                                {"task", subject.task},
                                {"noun", subject.noun},
                                {"asks", subject.asks},
                                {"score", subject.score},
                                {"replacement", subject.replacement},
                                {"notes", subject.notes},
                                {"n", subject.text.size()},
                                {"spaced", subject.text.spaced},
                                {"names", subject.text.names},
                                {"endsLine", subject.text.ends_line},
                                {"layers", found.layers},
                                {"directions", found.directions},
                                {"quantities", found.quantities},
                                {"unitsTotal", found.units},
                                {"keptAll", found.kept_all},
                                {"ofSequences", subject.outputs.of_sequences},
                                {"outputNames", subject.outputs.names},
                                {"forecasts", subject.outputs.forecasts},
                                {"properties", found_json(found)}};
  nlohmann::ordered_json units = nlohmann::ordered_json::array();
  for (const KeptUnit& unit : found.kept) {
    nlohmann::ordered_json values = nlohmann::ordered_json::object();
    for (const KeptUnit::Values& v : unit.values) values[std::string(1, v.quantity)] = {v.low, v.high};
    units.push_back({{"part", unit.part}, {"unit", unit.unit}, {"range", values}});
  }
  out["units"] = units;
  nlohmann::ordered_json explanations = nlohmann::ordered_json::array();
  for (const Explanation& each : found.explanations) {
    const Decision& d = each.decision;
    explanations.push_back({{"position", d.position},
                            {"first", d.first},
                            {"begin", d.begin},
                            {"end", d.end},
                            {"target", d.target},
                            {"score", std::isfinite(each.score) ? nlohmann::ordered_json(each.score) : nullptr},
                            {"gradient", rounded(each.gradient)},
                            {"product", rounded(each.gradient_input)},
                            {"replaced", rounded(each.replaced)}});
  }
  out["explanations"] = explanations;
  return out;
}

// The hash of an inline script as a content security policy has it.
std::string csp_hash(std::string_view script) {
  const std::string hex = fetch::sha256(script);
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return "sha256-" + base64(bytes);
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t j = 0; j < 3; ++j) {
      three = three << 8U | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(i + j <= bytes.size() ? kDigits[three >> (18 - 6 * j) & 63U] : '=');
    }
  }
  return out;
}

std::string microscope_page(const Microscope& found, const std::string& model, const std::string& text,
                            const std::string& command) {
  std::string script;
  for (const std::string_view part :
       {std::string_view(kPageData, sizeof(kPageData)), std::string_view(kPageText, sizeof(kPageText)),
        std::string_view(kPagePanels, sizeof(kPagePanels)), std::string_view(kPageControls, sizeof(kPageControls))}) {
    script += part;
  }
  const std::string_view style(kPageStyle, sizeof(kPageStyle));
  const std::string_view body(kPageBody, sizeof(kPageBody));
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Longhand microscope: "
      "{}</title>\n",
      csp_hash(script), io::escape_html(model));
  html.append("<style>").append(style).append("</style></head>\n").append(body);
  html += "<script type=\"application/json\" id=\"data\">" + json_for_html(page_data(found, model, text, command)) +
          "</script>\n";
  add_arrays(found, html);
  html.append("<script>").append(script).append("</script>\n</html>\n");
  return html;
}

}  // namespace longhand::lab
