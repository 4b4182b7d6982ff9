// A short self-test, linked with a kernel in which an error was planted: 0 where all points agree, 3 where one does
// not.
#include <bit>

#include "longhand/lab/selftest.h"

int main() {
  using namespace longhand::lab;
  for (const LatticePoint& point : pairwise_lattice()) {
    const int on = std::popcount(point.toggles);
    const bool sampled = point.hidden == 4 && (on <= 1 || on >= kToggles - 1);
    // Where rows end, and where the last mask is, tells errors in the penalties apart.
    const bool penalised = point.hidden == 5 && on == 2 && point.on(Toggle::kActivationReg);
    if (!sampled && !penalised) continue;
    const PointResult result = run_lattice({point}, 1, [](size_t) {}).front();
    for (const Comparison& check : result.checks) {
      if (!check.passed()) return 3;
    }
  }
  return 0;
}
