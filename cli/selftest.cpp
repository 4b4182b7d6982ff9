// longhand selftest: the gradients of the recurrent layers, checked on this machine.
#include <algorithm>
#include <chrono>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "longhand/base/error.h"
#include "longhand/lab/selftest_text.h"

namespace longhand::cli {
namespace {

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
    json ? write_json(lab::to_json(results)) : put("{}", lab::to_text(results));
    return std::all_of(results.begin(), results.end(), [](const auto& r) { return r.passed(); }) ? 0 : 1;
  }

  int run_lattice() const {
    const auto start = std::chrono::steady_clock::now();
    std::vector<lab::LatticePoint> points = thorough ? lab::full_lattice() : lab::pairwise_lattice();
    for (lab::LatticePoint& point : lab::other_cells_lattice(thorough)) points.push_back(std::move(point));
    WorkProgress progress("points", json);
    const std::vector<lab::PointResult> results = lab::run_lattice(points, static_cast<int>(threads), [&](size_t done) {
      progress.on_done(static_cast<double>(done), static_cast<double>(points.size()));
    });
    progress.clear();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    json ? write_json(lab::to_json(results, seconds, thorough)) : put("{}", lab::to_text(results, seconds, thorough));
    return std::all_of(results.begin(), results.end(), [](const auto& r) { return r.passed(); }) ? 0 : 1;
  }
};

}  // namespace

void declare_selftest(const Verb& longhand) {
  longhand.add_command<SelfTest>("selftest", "Check the gradients of every option on this machine");
}

}  // namespace longhand::cli
