#include "longhand/base/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

template <class T>
bool parse_number(const std::string& text, T& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

// Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other (Damerau 1964).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, substituted});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

OptionCheck at_least(double min) { return {.min = min}; }
OptionCheck more_than(double min) { return {.min = min, .open = true}; }
OptionCheck between(double min, double max) { return {.min = min, .max = max}; }
OptionCheck fraction() { return {.min = 0.0, .max = std::nextafter(1.0, 0.0)}; }
OptionCheck one_of(std::vector<std::string> choices) { return {.choices = std::move(choices)}; }

std::string shortest(double value) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof(text), value);
  return {text, result.ptr};
}

std::string Option::text() const {
  if (const auto* flag = std::get_if<bool*>(&value)) return **flag ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t*>(&value)) {
    const bool word = !check.also_called.empty() && static_cast<double>(**integer) == *check.also;
    return word ? check.also_called : std::to_string(**integer);
  }
  if (const auto* number = std::get_if<double*>(&value)) return shortest(**number);
  return *std::get<std::string*>(value);
}

std::string Option::expectation() const {
  if (is_flag()) return "true or false";
  if (!check.choices.empty()) return "one of " + joined(check.choices);
  if (std::holds_alternative<std::string*>(value)) return "a text";
  const std::string kind = std::holds_alternative<int64_t*>(value) ? "an integer" : "a number";
  const std::string limits = range();
  if (limits.empty()) return kind;
  const bool preposition = limits.starts_with("above") || limits.starts_with("between") || limits.starts_with("from");
  return kind + (preposition ? " " : " of ") + limits;
}

std::string Option::range() const {
  if (is_flag()) return "";
  if (!check.choices.empty()) return check.brief.empty() ? joined(check.choices) : check.brief;
  if (std::holds_alternative<std::string*>(value)) return "";
  const bool lower = check.min > -1e300, upper = check.max < 1e300;
  std::string out;
  if (upper && check.max < 1.0 && check.max > 0.9999) {
    out = "at least 0 and below 1";
  } else if (lower && upper) {
    out = check.open ? "between " + shortest(check.min) + " and " + shortest(check.max) + ", exclusive"
                     : "from " + shortest(check.min) + " to " + shortest(check.max);
  } else if (lower) {
    out = (check.open ? "above " : "at least ") + shortest(check.min);
  }
  if (!check.also) return out;
  return out + ", or " + (check.also_called.empty() ? shortest(*check.also) : check.also_called);
}

const Option* OptionTable::find(std::string_view name) const {
  for (const std::vector<Option>* options : {&options_, &former_}) {
    const auto found = std::find_if(options->begin(), options->end(), [&](const Option& o) { return o.name == name; });
    if (found != options->end()) return &*found;
  }
  return nullptr;
}

const Option& OptionTable::today(const Option& option) const {
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const Option& o) { return o.value == option.value; });
  return found == options_.end() ? option : *found;
}

void OptionTable::add_former(const std::string& name, const std::string& now,
                             std::map<std::string, std::string> values) {
  const Option* today = find(now);
  if (today == nullptr) return;
  Option& former = former_.emplace_back(*today);
  former.name = name;
  former.check.choices.clear();
  for (const auto& value : values) former.check.choices.push_back(value.first);
  former.former_values = std::move(values);
}

void OptionTable::set(const Option& option, const std::string& text, const std::string& where) {
  const auto refuse = [&]() -> Error {
    const std::optional<std::string> meant = nearest(text, option.check.choices);
    return usage_error(where + ": expected " + option.expectation() + ", found '" + text + "'",
                       meant ? "did you mean " + *meant + "?"
                             : "the default is " + (option.default_text.empty() ? "empty" : option.default_text));
  };
  const auto in_range = [&](double x) {
    const OptionCheck& c = option.check;
    if (c.also && c.also_called.empty() && x == *c.also) return true;
    return std::isfinite(x) && (c.open ? x > c.min && x < c.max : x >= c.min && x <= c.max);
  };
  if (const auto* flag = std::get_if<bool*>(&option.value)) {
    if (text != "true" && text != "false") throw refuse();
    **flag = text == "true";
  } else if (const auto* integer = std::get_if<int64_t*>(&option.value)) {
    int64_t parsed = 0;
    if (option.is_word(text)) {
      parsed = static_cast<int64_t>(*option.check.also);
    } else if (!parse_number(text, parsed) || !in_range(static_cast<double>(parsed))) {
      throw refuse();
    }
    **integer = parsed;
  } else if (const auto* number = std::get_if<double*>(&option.value)) {
    double parsed = 0.0;
    if (!parse_number(text, parsed) || !in_range(parsed)) throw refuse();
    **number = parsed;
  } else {
    const auto& choices = option.check.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) throw refuse();
    const auto former = option.former_values.find(text);
    *std::get<std::string*>(option.value) = former == option.former_values.end() ? text : former->second;
  }
  for (Option& each : options_) each.given = each.given || &each == &option;
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;  // bytes of what may be a mistyped name: time goes with the square
  std::optional<std::string> best;
  if (word.size() > kLongest) return best;
  // A single letter matches nothing: any other letter is one edit away.
  size_t fewest = std::min(word.size(), (word.size() < 4 ? 1 : std::max<size_t>(2, word.size() / 3)) + 1);
  for (const std::string& candidate : candidates) {
    // A word that was cut short is as good as a slip of the finger.
    const bool begins = word.size() >= 3 && candidate.size() <= kLongest && candidate.starts_with(word);
    const size_t longer = std::max(word.size(), candidate.size()), shorter = std::min(word.size(), candidate.size());
    if (!begins && longer - shorter >= fewest) continue;
    const size_t distance = begins ? 1 : edit_distance(word, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> guess = nearest(word, candidates);
  return guess ? "; did you mean " + *guess + "?" : "";
}

}  // namespace longhand
