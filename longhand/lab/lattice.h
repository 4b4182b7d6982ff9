// The points at which the self-test compares the engines: sets of options, and shapes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::lab {

/// What can be on or off in a point of the lattice: the options of nn::LstmOptions, and how the stack is used.
enum class Toggle {
  kLayers,
  kBidirectional,
  kProj,
  kDropout,
  kDropoutInput,
  kDropoutOutput,
  kVariational,
  kDropoutRecurrent,
  kWeightDrop,
  kZoneout,
  kZoneoutCell,
  kLayerNorm,
  kResidual,
  kTrainInitialState,
  kRagged,         // lengths that differ, 0 and 1 among them
  kOneHot,         // symbols instead of dense input
  kGivenState,     // an initial state that is not zero
  kEvaluation,     // gradients of the model as it is used, without random masks and penalties
  kActivationReg,  // activation_reg and temporal_reg
  // Variants of the LSTM's cell; each activation is one that the point draws.
  kPeepholes,
  kCoupledGates,
  kGateClip,
  kCellClip,
  kGateActivation,
  kCandidateActivation,
  kOutputActivation,
};
inline constexpr int kToggles = 26;

const char* toggle_name(Toggle toggle);

/// A point of the lattice: which toggles are on, by bit, the shape, and the cell as `cell` names it.
struct LatticePoint {
  uint32_t toggles = 0;
  int64_t steps = 1, batch = 1, inputs = 1, hidden = 1, proj = 1;
  std::string cell = "lstm";

  bool on(Toggle toggle) const { return (toggles >> static_cast<uint32_t>(toggle) & 1U) != 0; }
};

/// The shapes: 1 everywhere, and hidden sizes around the width of a vector.
const std::vector<LatticePoint>& lattice_shapes();

/// LSTM layers with nothing on, each toggle alone, each pair, everything, and everything but one, the latter two also
/// with the standard cell; on every shape.
std::vector<LatticePoint> pairwise_lattice();
/// The full product of the toggles that change the layers, on two small shapes in turn; the others, of use and loss,
/// vary among the points, and in a quarter of them those of the cell.
std::vector<LatticePoint> full_lattice();
/// The other cells, with the toggles that they have a place for. The same sets of these: on every shape, or else pairs
/// on one shape in turn, and the other sets on the second shape and on one in turn.
std::vector<LatticePoint> other_cells_lattice(bool every_shape);

}  // namespace longhand::lab
