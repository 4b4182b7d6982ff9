#include "longhand/lab/lattice.h"

#include <bit>

#include "longhand/base/rng.h"

namespace longhand::lab {
namespace {

constexpr const char* kNames[kToggles] = {"layers",
                                          "bidirectional",
                                          "proj",
                                          "dropout",
                                          "dropout-input",
                                          "dropout-output",
                                          "variational",
                                          "dropout-recurrent",
                                          "weight-drop",
                                          "zoneout",
                                          "zoneout-cell",
                                          "layer-norm",
                                          "residual",
                                          "train-initial-state",
                                          "ragged lengths",
                                          "one-hot input",
                                          "given state",
                                          "evaluation",
                                          "activation-reg",
                                          "peepholes",
                                          "coupled-gates",
                                          "gate-clip",
                                          "cell-clip",
                                          "gate-activation",
                                          "candidate-activation",
                                          "output-activation"};

constexpr uint32_t kAll = (1U << kToggles) - 1;
constexpr uint32_t bit(Toggle toggle) { return 1U << static_cast<uint32_t>(toggle); }

constexpr uint32_t kOfTheCell = bit(Toggle::kPeepholes) | bit(Toggle::kCoupledGates) | bit(Toggle::kGateClip) |
                                bit(Toggle::kCellClip) | bit(Toggle::kGateActivation) |
                                bit(Toggle::kCandidateActivation) | bit(Toggle::kOutputActivation);

// Nothing, each of these toggles alone, each pair, all of them, and all but one.
std::vector<uint32_t> pairwise_sets(uint32_t all) {
  std::vector<uint32_t> sets = {0, all};
  for (uint32_t i = 0; i < kToggles; ++i) {
    if ((all >> i & 1U) == 0) continue;
    sets.push_back(1U << i);
    sets.push_back(all & ~(1U << i));
    for (uint32_t j = 0; j < i; ++j) {
      if ((all >> j & 1U) != 0) sets.push_back(1U << i | 1U << j);
    }
  }
  return sets;
}

}  // namespace

const char* toggle_name(Toggle toggle) { return kNames[static_cast<int>(toggle)]; }

const std::vector<LatticePoint>& lattice_shapes() {
  static const std::vector<LatticePoint> shapes = {
      {.steps = 1, .batch = 1, .inputs = 1, .hidden = 1, .proj = 1},
      {.steps = 3, .batch = 2, .inputs = 3, .hidden = 4, .proj = 2},
      {.steps = 4, .batch = 4, .inputs = 2, .hidden = 5, .proj = 3},
      {.steps = 3, .batch = 3, .inputs = 5, .hidden = 15, .proj = 16},
      {.steps = 2, .batch = 7, .inputs = 4, .hidden = 16, .proj = 7},
      {.steps = 3, .batch = 5, .inputs = 17, .hidden = 17, .proj = 15},
      {.steps = 5, .batch = 4, .inputs = 6, .hidden = 33, .proj = 17},
  };
  return shapes;
}

std::vector<LatticePoint> pairwise_lattice() {
  std::vector<uint32_t> sets = pairwise_sets(kAll);
  // Nearly all once more with the standard cell: that has code of its own, and no bends, so that bf16 is compared.
  for (const uint32_t set : pairwise_sets(kAll & ~kOfTheCell)) {
    if (std::popcount(set) > 2) sets.push_back(set);
  }
  std::vector<LatticePoint> points;
  for (const uint32_t set : sets) {
    for (LatticePoint point : lattice_shapes()) {
      point.toggles = set;
      points.push_back(point);
    }
  }
  return points;
}

std::vector<LatticePoint> other_cells_lattice(bool every_shape) {
  constexpr uint32_t kOfTheLstm = kOfTheCell | bit(Toggle::kProj) | bit(Toggle::kDropoutRecurrent) |
                                  bit(Toggle::kZoneout) | bit(Toggle::kZoneoutCell) | bit(Toggle::kLayerNorm);
  std::vector<LatticePoint> points;
  for (const char* cell : {"gru", "rnn", "rnn-relu"}) {
    size_t turn = 0;
    for (const uint32_t set : pairwise_sets(kAll & ~kOfTheLstm)) {
      const size_t in_turn = turn++ % lattice_shapes().size();
      for (size_t shape = 0; shape < lattice_shapes().size(); ++shape) {
        const bool second = shape == 1 && std::popcount(set) != 2;
        if (!every_shape && shape != in_turn && !second) continue;
        LatticePoint point = lattice_shapes()[shape];
        point.toggles = set;
        point.cell = cell;
        points.push_back(point);
      }
    }
  }
  return points;
}

std::vector<LatticePoint> full_lattice() {
  constexpr uint32_t kVarying =
      bit(Toggle::kOneHot) | bit(Toggle::kGivenState) | bit(Toggle::kEvaluation) | bit(Toggle::kActivationReg);
  std::vector<LatticePoint> points;
  for (uint32_t set = 0; set < bit(Toggle::kOneHot); ++set) {
    // By parity, so that the sets with a toggle on, and those with it off, are half on the one shape and half on the
    // other.
    LatticePoint point = lattice_shapes()[1 + static_cast<size_t>(std::popcount(set) % 2)];
    const uint32_t varying = points.size() % 4 == 0 ? kVarying | kOfTheCell : kVarying;
    point.toggles = set | (CounterRng(11, 2, RngPlace::kSample).bits(points.size()) & varying);
    points.push_back(point);
  }
  return points;
}

}  // namespace longhand::lab
