#include "longhand/data/generators.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/rng.h"

namespace longhand::data {
namespace {

// y = 42 x + noise, x standard normal, the noise's deviation 10.
std::string linear() {
  const CounterRng rng(1, 0, RngPlace::kSample);
  std::string out = "x,y\n";
  for (uint64_t i = 0; i < 1000; ++i) {
    const double x = rng.normal(2 * i);
    out += fmt::format("{:.6f},{:.6f}\n", x, 42.0 * x + 10.0 * rng.normal(2 * i + 1));
  }
  return out;
}

// Three periods that have no small common multiple.
std::string sines() {
  std::string out = "t,value\n";
  for (int t = 0; t < 3000; ++t) {
    const auto wave = [t](double period) { return std::sin(2.0 * std::numbers::pi * t / period); };
    out += fmt::format("{},{:.6f}\n", t, wave(17.0) + 0.7 * wave(41.0) + 0.4 * wave(97.0));
  }
  return out;
}

// Hochreiter and Schmidhuber 1997, section 5.4: add the two numbers that are marked, one in each half of a sequence.
std::string adding() {
  constexpr uint64_t kSequences = 5000, kLongest = 60;
  std::string out = "sequence,value,marker,sum\n";
  for (uint64_t s = 0; s < kSequences; ++s) {
    const CounterRng rng(2, s, RngPlace::kSample);
    const uint64_t length = 40 + rng.below(0, kLongest - 40 + 1), half = length / 2;
    const uint64_t first = rng.below(1, half), second = half + rng.below(2, length - half);
    const auto value = [&](uint64_t t) { return std::round(1e6 * static_cast<double>(rng.uniform(3 + t))) / 1e6; };
    const double sum = value(first) + value(second);
    for (uint64_t t = 0; t < length; ++t) {
      out += fmt::format("{},{:.6f},{},{:.6f}\n", s, value(t), t == first || t == second ? 1 : 0, sum);
    }
  }
  return out;
}

}  // namespace

const std::vector<GeneratedTable>& generated_tables() {
  static const std::vector<GeneratedTable> kTables = {
      {"linear", "y = 42 x with noise: 1,000 rows (`inputs` x `horizon` 0 `window` 1)", linear},
      {"sines", "a sum of three sines: 3,000 rows (`target` value)", sines},
      {"adding", "the adding problem: 5,000 sequences (`inputs` value,marker `horizon` 0 `window` 0 `group` sequence)",
       adding}};
  return kTables;
}

const GeneratedTable* find_generated(std::string_view name) {
  const auto& tables = generated_tables();
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const auto& table) { return table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace longhand::data
