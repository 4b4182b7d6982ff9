// longhand selftest: the gradients of the LSTM layers, checked on this machine.
#include "longhand/lab/selftest.h"
#include "cli/console.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "longhand/kernels/target.h"
#include "longhand/lab/derivatives.h"

namespace longhand::cli {
namespace {

constexpr const char* kCheckNames[lab::kChecks] = {"fused", "tape", "differences"};
constexpr size_t kFailuresShown = 10;

std::string options_of(const lab::LatticePoint& point) {
  std::string out;
  for (int t = 0; t < lab::kToggles; ++t) {
    const auto toggle = static_cast<lab::Toggle>(t);
    if (point.on(toggle)) out += (out.empty() ? "" : ", ") + std::string(lab::toggle_name(toggle));
  }
  return out.empty() ? "plain" : out;
}

// The worst difference of each check, as a part of its tolerance, over the points that have something in common.
struct Row {
  std::string name;
  size_t points = 0;
  double difference[lab::kChecks] = {};
  double share[lab::kChecks] = {};

  void add(const lab::PointResult& result) {
    ++points;
    for (int c = 0; c < lab::kChecks; ++c) {
      difference[c] = std::max(difference[c], result.checks[c].difference);
      share[c] = std::max(share[c], result.checks[c].share());
    }
  }
};

// A row for each option, over the points with it and one other at most; then those with nearly all, which would drown
// the others; then all. On the full lattice each option's row has all its points.
std::vector<Row> rows_by_option(const std::vector<lab::PointResult>& results, bool full) {
  std::vector<Row> rows;
  for (int t = 0; t < lab::kToggles; ++t) rows.push_back({.name = lab::toggle_name(static_cast<lab::Toggle>(t))});
  Row nearly_all{.name = "nearly all together"}, every{.name = "every point"};
  for (const lab::PointResult& result : results) {
    const bool alone = full || std::popcount(result.point.toggles) <= 2;
    for (int t = 0; t < lab::kToggles; ++t) {
      if (alone && result.point.on(static_cast<lab::Toggle>(t))) rows[static_cast<size_t>(t)].add(result);
    }
    if (!alone) nearly_all.add(result);
    every.add(result);
  }
  if (!full) rows.push_back(nearly_all);
  rows.push_back(every);
  return rows;
}

struct SelfTest {
  bool derivatives = false;
  bool thorough = false;
  bool json = false;
  int64_t threads = 0;
  OptionTable table;
  GivenOptions given;

  SelfTest() {
    table.add("derivatives", derivatives, "check the equations of docs/derivatives.md one by one");
    table.add("thorough", thorough,
              "check every combination of the layer options, alternating between two small shapes (about 15 minutes)");
    table.add("threads", threads, "number of threads; 0: one per processor", between(0, 1024));
    table.add("json", json, "print the result as a JSON object");
  }

  void declare(const Verb& verb) { verb.add_options(table, given); }

  int run() {
    given.apply(table);
    if (derivatives && thorough) {
      throw usage_error("longhand selftest: expected one of --derivatives and --thorough, found both", "leave one out");
    }
    return derivatives ? run_derivatives() : run_lattice();
  }

  int run_derivatives() const {
    const std::vector<lab::EquationResult> results = lab::check_derivatives();
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    bool passed = true;
    if (!json) {
      put("The equations of docs/derivatives.md in double: largest difference between the formula and the\n"
          "tape (tolerance {:.0e}), and central differences ({:.0e}).\n\n{:>4}  {:<32} {:>10} {:>12}\n",
          results[0].tolerance_tape, results[0].tolerance_differences, "", "derivative", "tape", "differences");
    }
    for (const lab::EquationResult& r : results) {
      passed = passed && r.passed();
      if (json) {
        out.push_back({{"equation", r.number},
                       {"derivative", r.what},
                       {"tape", r.tape},
                       {"differences", r.differences},
                       {"passed", r.passed()}});
      } else {
        put("{:>4}  {:<32} {:>10.1e} {:>12.1e}{}\n", fmt::format("({})", r.number), r.what, r.tape, r.differences,
            r.passed() ? "" : "  FAILED");
      }
    }
    if (json) {
      write_json(nlohmann::ordered_json({{"passed", passed}, {"derivatives", out}}).dump());
    } else {
      put("\n{}\n", passed ? "All derivatives are right." : "FAILED: a formula is wrong.");
    }
    return passed ? 0 : 1;
  }

  int run_lattice() const {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<lab::LatticePoint> points = thorough ? lab::full_lattice() : lab::pairwise_lattice();
    const bool live = !json && ::isatty(STDERR_FILENO) == 1;
    size_t tenths = 0;
    const std::vector<lab::PointResult> results = lab::run_lattice(points, static_cast<int>(threads), [&](size_t done) {
      if (live) {
        write_message(fmt::format("\r{} of {} points", done, points.size()));
      } else if (thorough && !json && 10 * done / points.size() > tenths) {  // minutes without a word look like a halt
        tenths = 10 * done / points.size();
        say("{} of {} points\n", done, points.size());
      }
    });
    if (live) write_message("\r\x1b[K");
    std::vector<const lab::PointResult*> failures;
    for (const lab::PointResult& result : results) {
      const auto* checks = result.checks;
      if (!std::all_of(checks, checks + lab::kChecks, [](const auto& c) { return c.passed(); })) {
        failures.push_back(&result);
      }
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (json) {
      print_json(results, failures, seconds);
    } else {
      print_table(results, failures, seconds);
    }
    return failures.empty() ? 0 : 1;
  }

 private:
  void print_json(const std::vector<lab::PointResult>& results, const std::vector<const lab::PointResult*>& failures,
                  double seconds) const {
    nlohmann::ordered_json options;
    for (const Row& row : rows_by_option(results, thorough)) {
      nlohmann::ordered_json& entry = options[row.name];
      entry["points"] = row.points;
      for (int c = 0; c < lab::kChecks; ++c) {
        entry[kCheckNames[c]] = {{"difference", row.difference[c]}, {"of_tolerance", row.share[c]}};
      }
    }
    nlohmann::ordered_json failed = nlohmann::ordered_json::array();
    for (const lab::PointResult* f : failures) {
      for (int c = 0; c < lab::kChecks; ++c) {
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
    write_json(out.dump());
  }

  void print_table(const std::vector<lab::PointResult>& results, const std::vector<const lab::PointResult*>& failures,
                   double seconds) const {
    put("Outputs, states and gradients of LSTM stacks, compared with the reference engine in double:\n"
        "the fused kernels in float (on {}), autograd in double, and central differences.\n"
        "Each figure is the largest difference, relative to the largest value, over the points\n"
        "of its row; in brackets, the largest fraction of the tolerance.\n\n",
        fmt::join(kernels::simd_targets(), ", "));
    put("{:<20} {:>6}", "option", "points");
    for (const char* name : kCheckNames) put(" {:>16}", name);
    put("\n");
    for (const Row& row : rows_by_option(results, thorough)) {
      put("{:<20} {:>6}", row.name, row.points);
      for (int c = 0; c < lab::kChecks; ++c) {
        put(" {:>16}", fmt::format("{:.1e} ({:.0f} %)", row.difference[c], 100.0 * row.share[c]));
      }
      put("\n");
    }
    put("\nTolerances\n");
    for (const std::string& line : lab::tolerance_notes()) put("  {}\n", line);
    put("\n");
    for (size_t i = 0; i < std::min(failures.size(), kFailuresShown); ++i) {
      const lab::PointResult& f = *failures[i];
      put("FAILED  T {} B {} I {} H {} P {}: {}\n", f.point.steps, f.point.batch, f.point.inputs, f.point.hidden,
          f.point.proj, options_of(f.point));
      for (int c = 0; c < lab::kChecks; ++c) {
        if (f.checks[c].passed()) continue;
        put("        {}: {:.2e} in {}, tolerance {:.2e}\n", kCheckNames[c], f.checks[c].difference, f.checks[c].where,
            f.checks[c].tolerance);
      }
    }
    if (failures.empty()) {
      put("All {} points agree ({:.0f} s).\n", results.size(), seconds);
    } else {
      put("FAILED: {} of {} points ({:.0f} s).\n", failures.size(), results.size(), seconds);
    }
  }
};

}  // namespace

void declare_selftest(const Verb& longhand) {
  longhand.add_command<SelfTest>("selftest", "Check the gradients of every option on this machine");
}

}  // namespace longhand::cli
