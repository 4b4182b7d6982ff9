#include "longhand/lab/microscope_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/io/csv.h"

namespace longhand::lab {
namespace {

const char* direction_name(const Microscope& found, size_t part) {
  return part % static_cast<size_t>(found.directions) == 0 ? "forward" : "backward";
}

size_t layer_of(const Microscope& found, size_t part) { return part / static_cast<size_t>(found.directions); }

nlohmann::ordered_json unit_json(const Microscope& found, const FoundUnit& unit) {
  return {{"layer", layer_of(found, unit.value.part)},
          {"direction", direction_name(found, unit.value.part)},
          {"unit", unit.value.unit},
          {"quantity", std::string(1, unit.value.quantity)},
          {"r", unit.r}};
}

// Numbers that JSON has, or null.
nlohmann::ordered_json finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json explanation_json(const Microscope& found, const Explanation& explanation) {
  const Subject& subject = found.subject;
  const Decision& decision = explanation.decision;
  nlohmann::ordered_json symbols = nlohmann::ordered_json::array();
  for (int64_t at = decision.first; at < decision.last; ++at) {
    const auto i = static_cast<size_t>(at - decision.first);
    symbols.push_back(
        {{"position", at},
         {"symbol", subject.text.names[static_cast<size_t>(subject.text.symbols[static_cast<size_t>(at)])]},
         {"gradient", finite(static_cast<double>(explanation.gradient[i]))},
         {"gradient_input", finite(static_cast<double>(explanation.gradient_input[i]))},
         {"replaced", finite(static_cast<double>(explanation.replaced[i]))}});
  }
  return {{"position", decision.position},
          {"target", subject.outputs.names[static_cast<size_t>(decision.target)]},
          {"score", finite(explanation.score)},
          {"symbols", symbols}};
}

// Three decimals without the sign of a zero.
std::string signed_text(float value) { return fmt::format("{:.3f}", std::abs(value) < 0.0005F ? 0.0F : value); }

// A few symbols of the text up to a position.
std::string words_before(const Subject& subject, int64_t position) {
  std::string out;
  const int64_t start = subject.text.starts[static_cast<size_t>(subject.text.sequence_of(position))];
  for (int64_t at = std::max(start, position - (subject.text.spaced ? 6 : 24)); at < position; ++at) {
    out += subject.text.names[static_cast<size_t>(subject.text.symbols[static_cast<size_t>(at)])];
    if (subject.text.spaced) out += " ";
  }
  return out;
}

std::string explanation_lines(const Microscope& found, const Explanation& explanation) {
  constexpr size_t kShown = 5;
  const Subject& subject = found.subject;
  const Decision& decision = explanation.decision;
  const auto symbol = [&](int64_t at) {
    return subject.text.names[static_cast<size_t>(subject.text.symbols[static_cast<size_t>(at)])];
  };
  const std::string& target = subject.outputs.names[static_cast<size_t>(decision.target)];
  std::string out =
      fmt::format("\n{} {}: {}[{}]{}, {} {:.3f}\n", subject.noun, decision.position,
                  words_before(subject, decision.position), symbol(decision.position),
                  subject.asks.starts_with("next") ? std::string() : fmt::format(" {} {}", subject.asks, target),
                  subject.score, explanation.score);
  std::vector<size_t> order(explanation.replaced.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::abs(explanation.replaced[a]) > std::abs(explanation.replaced[b]);
  });
  out += fmt::format("  {:>8}  {}  change if replaced  gradient\n", "position", left_aligned(subject.noun, 16));
  for (size_t i = 0; i < std::min(order.size(), kShown); ++i) {
    const int64_t at = decision.first + static_cast<int64_t>(order[i]);
    out += fmt::format("  {:>8}  {}  {:>18}  {:>8.4f}\n", at, left_aligned(cut_to_width(symbol(at), 16), 16),
                       signed_text(explanation.replaced[order[i]]), explanation.gradient[order[i]]);
  }
  return out;
}

}  // namespace

std::string microscope_table(const Microscope& found) {
  size_t width = 8, units = 4;
  for (const PropertyUnits& property : found.properties) {
    width = std::max(width, display_width(property.property));
    for (const FoundUnit& unit : property.best) units = std::max(units, found.name(unit.value).size());
  }
  std::string out =
      fmt::format("{}  {}       r  by chance\n", left_aligned("property", width), left_aligned("unit", units));
  std::string absent;
  for (const PropertyUnits& property : found.properties) {
    if (property.best.empty()) absent += (absent.empty() ? "" : ", ") + property.property;
    for (size_t i = 0; i < property.best.size(); ++i) {
      out += fmt::format("{}  {}  {:>6.3f}", left_aligned(i == 0 ? property.property : "", width),
                         left_aligned(found.name(property.best[i].value), units), property.best[i].r);
      const bool found_by_chance = std::abs(property.best[i].r) <= property.chance;
      out += i == 0 ? fmt::format("  {:>9.3f}{}\n", property.chance, found_by_chance ? "  no more than chance" : "")
                    : "\n";
    }
  }
  out += fmt::format(
      "\nr: Pearson's correlation over {} {}s, the largest of {} units; by chance: the same search with the\n"
      "property shifted by half of the text. Layers, units and positions are counted from 0.\n",
      found.subject.text.size(), found.subject.noun, found.units);
  if (!absent.empty()) out += "the same in the whole text: " + absent + "\n";
  for (size_t i = 0; i < found.asked; ++i) out += explanation_lines(found, found.explanations[i]);
  if (found.asked > 0) out += "\nreplaced by: " + found.subject.replacement + "\n";
  return out;
}

std::string microscope_json(const Microscope& found, const std::string& model, const std::string& text, int indent) {
  const Subject& subject = found.subject;
  nlohmann::ordered_json out = {{"model", model},
                                {"task", subject.task},
                                {"text", text},
                                {"symbols", subject.text.size()},
                                {"sequences", subject.text.sequences()},
                                {"units", found.units},
                                {"units_in_page", found.kept.size()},
                                {"notes", subject.notes}};
  out["properties"] = nlohmann::ordered_json::array();
  for (const PropertyUnits& property : found.properties) {
    nlohmann::ordered_json units = nlohmann::ordered_json::array();
    for (const FoundUnit& unit : property.best) units.push_back(unit_json(found, unit));
    out["properties"].push_back({{"property", property.property},
                                 {"n", property.n},
                                 {"constant", property.constant},
                                 {"chance_r", property.chance},
                                 {"units", units}});
  }
  out["replaced_by"] = subject.replacement;
  out["score"] = subject.score;
  out["explanations"] = nlohmann::ordered_json::array();
  for (const Explanation& each : found.explanations) out["explanations"].push_back(explanation_json(found, each));
  return out.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string microscope_csv(const Microscope& found) {
  std::string out = "property,rank,layer,direction,unit,quantity,r,n,chance_r\n";
  for (const PropertyUnits& property : found.properties) {
    for (size_t i = 0; i < property.best.size(); ++i) {
      const FoundUnit& unit = property.best[i];
      out += fmt::format("{},{},{},{},{},{},{:.6f},{},{:.6f}\n", io::csv_field(property.property), i + 1,
                         layer_of(found, unit.value.part), direction_name(found, unit.value.part), unit.value.unit,
                         unit.value.quantity, unit.r, property.n, property.chance);
    }
  }
  return out;
}

}  // namespace longhand::lab
