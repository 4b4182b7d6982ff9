// A short self-test, linked with a kernel in which an error was planted: 0 where all points agree, 3 where one does
// not.
#include <bit>

#include "longhand/lab/selftest.h"

namespace {

using namespace longhand::lab;

bool agrees(const LatticePoint& point) {
  return run_lattice({point}, 1, [](size_t) {}).front().passed();
}

}  // namespace

int main() {
  for (const LatticePoint& point : pairwise_lattice()) {
    const int on = std::popcount(point.toggles);
    const bool sampled = point.hidden == 4 && on != 2;
    // Where rows end, and where the last mask is, tells errors in the penalties apart.
    const bool penalised = point.hidden == 5 && on == 2 && point.on(Toggle::kActivationReg);
    // All functions that activations are drawn from, in each place.
    const bool activated = point.hidden == 4 && on == 2 &&
                           (point.on(Toggle::kGateActivation) || point.on(Toggle::kCandidateActivation) ||
                            point.on(Toggle::kOutputActivation));
    if ((sampled || penalised || activated) && !agrees(point)) return 3;
  }
  for (const LatticePoint& point : other_cells_lattice(false)) {
    if (point.hidden == 4 && std::popcount(point.toggles) != 2 && !agrees(point)) return 3;
  }
  return 0;
}
