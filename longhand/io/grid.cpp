#include "longhand/io/grid.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/toml_options.h"

namespace longhand::io {
namespace {

constexpr const char* kRangeAdvice = "write {min = 0.1, max = 0.5}, with scale = \"log\" or a step if you like";

double round_to(double value, double unit) {
  // Through a division where the unit is below 1: its inverse is exact, and so is the decimal that comes out.
  const double inverse = std::round(1.0 / unit);
  const double out = unit < 1.0 ? std::round(value * inverse) / inverse : std::round(value / unit) * unit;
  return std::isfinite(out) ? out : value;  // of the smallest and the largest numbers that there are
}

// The power of ten that is at most `value`.
double power_below(double value) { return std::pow(10.0, std::floor(std::log10(value))); }

std::string number_text(double value, bool whole) {
  return whole ? fmt::format("{}", static_cast<int64_t>(std::llround(value))) : shortest(value);
}

class RangeReader {
 public:
  RangeReader(OptionTable& table, const Option& option, const toml::table& node, const std::string& where)
      : table_(table), option_(option), node_(node), where_(where) {}

  GridRange read() {
    GridRange out;
    out.whole = std::holds_alternative<int64_t*>(option_.value);
    if (!out.whole && !std::holds_alternative<double*>(option_.value)) {
      throw usage_error(where_ + ": expected a list of values, found a range; the option is no number",
                        "write `" + option_.name + " = [...]`");
    }
    check_keys();
    out.min = bound("min");
    out.max = bound("max");
    if (!(out.min < out.max)) {
      throw usage_error(fmt::format("{}: expected min below max, found {} and {}", where_, out.min, out.max),
                        kRangeAdvice);
    }
    read_scale(out);
    if (node_.contains("step")) read_step(out);
    return out;
  }

 private:
  void check_keys() const {
    const std::vector<std::string> known = {"min", "max", "scale", "step"};
    for (const auto& [key, value] : node_) {
      const std::string name(key.str());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      throw usage_error(fmt::format("{}: expected min, max, scale and step in a range, found {}", where_, name),
                        kRangeAdvice + did_you_mean(name, known));
    }
  }

  double number(const char* key) const {
    const toml::node* node = node_.get(key);
    std::optional<double> value;
    if (node != nullptr && node->is_floating_point()) value = node->value<double>();
    if (node != nullptr && node->is_integer()) value = static_cast<double>(*node->value<int64_t>());
    if (value && std::isfinite(*value)) return *value;
    throw usage_error(fmt::format("{}: {}: expected a number, found {}", where_, key,
                                  node == nullptr ? "none" : scalar_text(*node).value_or("something else")),
                      kRangeAdvice);
  }

  // Also one that the option accepts.
  double bound(const char* key) const {
    const double value = number(key);
    set_scalar(table_, option_, *node_.get(key), fmt::format("{}: {}", where_, key));
    if (std::holds_alternative<int64_t*>(option_.value) && std::abs(value) > 0x1p53) {
      throw usage_error(fmt::format("{}: {}: expected an integer of at most 2^53, found {}", where_, key, value),
                        kRangeAdvice);
    }
    return value;
  }

  void read_scale(GridRange& out) const {
    if (!node_.contains("scale")) return;
    const std::string scale = scalar_text(*node_.get("scale")).value_or("something else");
    if (scale != "linear" && scale != "log") {
      throw usage_error(fmt::format("{}: scale: expected \"linear\" or \"log\", found {}", where_, scale),
                        kRangeAdvice);
    }
    out.logarithmic = scale == "log";
    if (out.logarithmic && out.min <= 0.0) {
      throw usage_error(
          fmt::format("{}: min: expected a number above 0 with a logarithmic scale, found {}", where_, out.min),
          "raise it, or leave out the scale");
    }
  }

  void read_step(GridRange& out) const {
    out.step = number("step");
    const bool fits = out.step > 0.0 && out.step <= out.max - out.min && (out.max - out.min) / out.step < 1e9;
    if (!fits || (out.whole && out.step != std::floor(out.step))) {
      throw usage_error(fmt::format("{}: step: expected {} above 0 and at most max - min, found {}", where_,
                                    out.whole ? "an integer" : "a number", out.step),
                        kRangeAdvice);
    }
    if (out.logarithmic) {
      throw usage_error(where_ + ": expected a step or a logarithmic scale, found both", "leave one of them out");
    }
  }

  OptionTable& table_;
  const Option& option_;
  const toml::table& node_;
  const std::string& where_;
};

GridAxis read_list(OptionTable& table, const Option& option, const toml::array& list, const std::string& where) {
  GridAxis axis{table.today(option).name, {}};
  for (const toml::node& element : list) {
    set_scalar(table, option, element, where);
    if (std::find(axis.values.begin(), axis.values.end(), option.text()) != axis.values.end()) {
      throw usage_error(fmt::format("{}: expected different values, found {} twice", where, visible(option.text())),
                        "give each value once");
    }
    axis.values.push_back(option.text());
  }
  if (axis.values.empty()) {
    throw usage_error(where + ": expected a list of values, found an empty one", "give some, or remove the line");
  }
  return axis;
}

}  // namespace

int64_t GridRange::count() const {
  if (step > 0.0) return static_cast<int64_t>(std::floor((max - min) / step * (1.0 + 1e-12))) + 1;
  const double integers = max - min + 1.0;
  return whole && integers < static_cast<double>(kMany) ? static_cast<int64_t>(integers) : kMany;
}

// Sums of steps like 0.1 are rounded to the decimals that they stand for.
std::string GridRange::value(int64_t index) const {
  const double exact = min + static_cast<double>(index) * (step > 0.0 ? step : 1.0);
  if (whole) return number_text(exact, true);
  return shortest(std::min(max, round_to(exact, power_below(step) * 1e-6)));
}

std::string GridRange::at(double place) const {
  if (!logarithmic && count() < kMany) {
    const int64_t n = count();
    return value(std::min(n - 1, static_cast<int64_t>(place * static_cast<double>(n))));
  }
  // An integer has the half below and above it, so that the ends are as likely as the rest.
  const double low = whole ? min - 0.5 : min, high = whole ? max + 0.5 : max;
  double exact =
      logarithmic ? std::exp(std::log(low) + place * (std::log(high) - std::log(low))) : low + place * (high - low);
  if (!whole) exact = round_to(exact, power_below(logarithmic ? exact : max - min) * 1e-3);
  return number_text(std::clamp(whole ? std::round(exact) : exact, min, max), whole);
}

std::vector<GridAxis> read_grid(const std::string& path, OptionTable& table) {
  std::vector<std::pair<int64_t, GridAxis>> axes;  // by line: the parser has its keys in alphabetic order
  for_each_key(path, table, [&](const Option& option, const toml::node& node, const std::string& where) {
    if (!node.is_array() && !node.is_table()) return set_scalar(table, option, node, where);
    const std::string before = option.text();
    GridAxis axis{table.today(option).name, {}};
    if (node.is_array()) {
      axis = read_list(table, option, *node.as_array(), where);
    } else {
      axis.range = RangeReader(table, option, *node.as_table(), where).read();
    }
    table.set(table.today(option), before, where);
    axes.emplace_back(node.source().begin.line, std::move(axis));
  });
  std::stable_sort(axes.begin(), axes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<GridAxis> out;
  for (auto& [line, axis] : axes) out.push_back(std::move(axis));
  return out;
}

}  // namespace longhand::io
