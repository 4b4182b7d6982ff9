#include "longhand/lab/selftest_text.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "longhand/kernels/target.h"

namespace longhand::lab {
namespace {

constexpr const char* kCheckNames[kChecks] = {"fused", "bf16", "tape", "differences"};
constexpr size_t kFailuresShown = 10;

std::string options_of(const LatticePoint& point) {
  std::string out;
  for (int t = 0; t < kToggles; ++t) {
    const auto toggle = static_cast<Toggle>(t);
    if (point.on(toggle)) out += (out.empty() ? "" : ", ") + std::string(toggle_name(toggle));
  }
  if (out.empty()) out = "plain";
  return point.cell == "lstm" ? out : point.cell + ", " + out;
}

// The worst difference of each check, as a part of its tolerance, over the points that have something in common.
struct Row {
  std::string name;
  size_t points = 0;
  double difference[kChecks] = {};
  double share[kChecks] = {};

  void add(const PointResult& result) {
    ++points;
    for (int c = 0; c < kChecks; ++c) {
      difference[c] = std::max(difference[c], result.checks[c].difference);
      share[c] = std::max(share[c], result.checks[c].share());
    }
  }
};

// A row for each option of LSTM layers, over the points with it and one other at most; then those with nearly all,
// which would drown the others; then the other cells; then all. On the full lattice each option's row has all its
// points.
std::vector<Row> rows_by_option(const std::vector<PointResult>& results, bool full) {
  std::vector<Row> rows, cells;
  for (int t = 0; t < kToggles; ++t) rows.push_back({.name = toggle_name(static_cast<Toggle>(t))});
  Row nearly_all{.name = "nearly all together"}, every{.name = "every point"};
  for (const PointResult& result : results) {
    every.add(result);
    if (result.point.cell != "lstm") {
      const std::string name = "cell " + result.point.cell;
      if (cells.empty() || cells.back().name != name) cells.push_back({.name = name});
      cells.back().add(result);
      continue;
    }
    const bool alone = full || std::popcount(result.point.toggles) <= 2;
    for (int t = 0; t < kToggles; ++t) {
      if (alone && result.point.on(static_cast<Toggle>(t))) rows[static_cast<size_t>(t)].add(result);
    }
    if (!alone) nearly_all.add(result);
  }
  if (!full) rows.push_back(nearly_all);
  rows.insert(rows.end(), cells.begin(), cells.end());
  rows.push_back(every);
  return rows;
}

std::vector<const PointResult*> failures_of(const std::vector<PointResult>& results) {
  std::vector<const PointResult*> out;
  for (const PointResult& result : results) {
    if (!result.passed()) out.push_back(&result);
  }
  return out;
}

bool all_passed(const std::vector<EquationResult>& results) {
  return std::all_of(results.begin(), results.end(), [](const EquationResult& r) { return r.passed(); });
}

}  // namespace

std::string to_text(const std::vector<PointResult>& results, double seconds, bool full) {
  const std::vector<const PointResult*> failures = failures_of(results);
  std::string out;
  out += fmt::format(
      "Outputs, states and gradients of LSTM stacks, and of stacks of other cells, compared with the\n"
      "reference engine in double: the fused kernels (on {}) in float, and with\n"
      "products in bf16 ({}); autograd in double; and central differences.\n"
      "Each figure is the largest difference, relative to the largest value, over the points\n"
      "of its row; in brackets, the largest fraction of the tolerance.\n\n",
      fmt::join(kernels::simd_targets(), ", "), kernels::bf16_is_native() ? "native and emulated" : "emulated");
  out += fmt::format("{:<20} {:>6}", "option", "points");
  for (const char* name : kCheckNames) out += fmt::format(" {:>16}", name);
  out += "\n";
  for (const Row& row : rows_by_option(results, full)) {
    out += fmt::format("{:<20} {:>6}", row.name, row.points);
    for (int c = 0; c < kChecks; ++c) {
      out += fmt::format(" {:>16}", fmt::format("{:.1e} ({:.0f} %)", row.difference[c], 100.0 * row.share[c]));
    }
    out += "\n";
  }
  out += fmt::format("\nTolerances\n");
  for (const std::string& line : tolerance_notes()) out += fmt::format("  {}\n", line);
  out += "\n";
  for (size_t i = 0; i < std::min(failures.size(), kFailuresShown); ++i) {
    const PointResult& f = *failures[i];
    out += fmt::format("FAILED  T {} B {} I {} H {} P {}: {}\n", f.point.steps, f.point.batch, f.point.inputs,
                       f.point.hidden, f.point.proj, options_of(f.point));
    for (int c = 0; c < kChecks; ++c) {
      if (f.checks[c].passed()) continue;
      out += fmt::format("        {}: {:.2e} in {}, tolerance {:.2e}\n", kCheckNames[c], f.checks[c].difference,
                         f.checks[c].where, f.checks[c].tolerance);
    }
  }
  if (failures.empty()) {
    out += fmt::format("All {} points agree ({:.0f} s).\n", results.size(), seconds);
  } else {
    out += fmt::format("FAILED: {} of {} points ({:.0f} s).\n", failures.size(), results.size(), seconds);
  }
  return out;
}

std::string to_json(const std::vector<PointResult>& results, double seconds, bool full) {
  const std::vector<const PointResult*> failures = failures_of(results);
  nlohmann::ordered_json options;
  for (const Row& row : rows_by_option(results, full)) {
    nlohmann::ordered_json& entry = options[row.name];
    entry["points"] = row.points;
    for (int c = 0; c < kChecks; ++c) {
      entry[kCheckNames[c]] = {{"difference", row.difference[c]}, {"of_tolerance", row.share[c]}};
    }
  }
  nlohmann::ordered_json failed = nlohmann::ordered_json::array();
  for (const PointResult* f : failures) {
    for (int c = 0; c < kChecks; ++c) {
      if (f->checks[c].passed()) continue;
      failed.push_back({{"shape", {f->point.steps, f->point.batch, f->point.inputs, f->point.hidden, f->point.proj}},
                        {"options", options_of(f->point)},
                        {"check", kCheckNames[c]},
                        {"where", f->checks[c].where},
                        {"difference", f->checks[c].difference},
                        {"tolerance", f->checks[c].tolerance}});
    }
  }
  const nlohmann::ordered_json out = {{"passed", failures.empty()}, {"points", results.size()},
                                      {"failures", failed},         {"simd_targets", kernels::simd_targets()},
                                      {"seconds", seconds},         {"options", options}};
  return out.dump();
}

std::string to_text(const std::vector<EquationResult>& results) {
  std::string out = fmt::format(
      "The equations of docs/derivatives.md in double: largest difference between the formula and the\n"
      "tape (tolerance {:.0e}), and central differences ({:.0e}).\n\n{:>4}  {:<32} {:>10} {:>12}\n",
      results[0].tolerance_tape, results[0].tolerance_differences, "", "derivative", "tape", "differences");
  for (const EquationResult& r : results) {
    out += fmt::format("{:>4}  {:<32} {:>10.1e} {:>12.1e}{}\n", fmt::format("({})", r.number), r.what, r.tape,
                       r.differences, r.passed() ? "" : "  FAILED");
  }
  return out + (all_passed(results) ? "\nAll derivatives are right.\n" : "\nFAILED: a formula is wrong.\n");
}

std::string to_json(const std::vector<EquationResult>& results) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const EquationResult& r : results) {
    out.push_back({{"equation", r.number},
                   {"derivative", r.what},
                   {"tape", r.tape},
                   {"differences", r.differences},
                   {"passed", r.passed()}});
  }
  return nlohmann::ordered_json({{"passed", all_passed(results)}, {"derivatives", out}}).dump();
}

}  // namespace longhand::lab
