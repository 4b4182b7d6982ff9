#include "longhand/lab/lattice_cell.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/kernels/reference_lstm.h"

namespace longhand::lab {
namespace {

using kernels::Activation;
using Kind = kernels::ActivationKind;

constexpr Activation kDrawnActivations[] = {
    {Kind::kRelu},
    {Kind::kAffine, 0.6, 0.3},
    {Kind::kLeakyRelu, 0.2},
    {Kind::kThresholdedRelu, 0.15},
    {Kind::kScaledTanh, 1.2, 0.7},
    {Kind::kHardSigmoid, 0.8, 0.5},
    {Kind::kElu, 0.7},
    {Kind::kSoftsign},
    {Kind::kSoftplus},
    {Kind::kSigmoid},  // tanh in its place, for gates
};

// Different ones for the different sets of toggles, shapes and roles.
Activation drawn_activation(const LatticePoint& point, Toggle role, const Activation& usual) {
  if (!point.on(role)) return usual;
  const CounterRng rng(11, 3, RngPlace::kSample, static_cast<uint32_t>(role));
  const uint64_t key = uint64_t{point.toggles} * 64 + static_cast<uint64_t>(point.hidden);
  const Activation f = kDrawnActivations[rng.below(key, std::size(kDrawnActivations))];
  return f == usual ? Activation{Kind::kTanh} : f;
}

// The distance of x from the nearest place where f bends.
double distance_to_bend(const Activation& f, double x) {
  switch (f.kind) {
    case Kind::kRelu:
    case Kind::kLeakyRelu:
    case Kind::kElu:
    case Kind::kSoftsign: return std::abs(x);
    case Kind::kThresholdedRelu: return std::abs(x - f.alpha);
    case Kind::kHardSigmoid: {
      const double y = f.alpha * x + f.beta;
      return std::min(std::abs(y), std::abs(y - 1.0)) / std::abs(f.alpha);
    }
    case Kind::kSigmoid:
    case Kind::kTanh:
    case Kind::kAffine:
    case Kind::kScaledTanh:
    case Kind::kSoftplus: return INFINITY;
  }
  return INFINITY;
}

bool bends_somewhere(const Activation& f) { return std::isfinite(distance_to_bend(f, 0.5)); }
bool grows_somewhere(const Activation& f) {
  return f.kind == Kind::kRelu || f.kind == Kind::kAffine || f.kind == Kind::kLeakyRelu ||
         f.kind == Kind::kThresholdedRelu || f.kind == Kind::kElu || f.kind == Kind::kSoftplus;
}

// The least of many.
class Least {
 public:
  void add(const Activation& f, double bound, double x) {
    if (x == 0.0) return;
    if (bound > 0.0) least_ = std::min(least_, std::abs(std::abs(x) - bound));
    least_ = std::min(least_, distance_to_bend(f, kernels::reference::clip(bound, x)));
  }
  double value() const { return least_; }

 private:
  double least_ = INFINITY;
};

// Those of one row of one layer and direction in one step.
void add_row(const kernels::LstmCell& cell, const double* gates, const double* sums, const double* c_prev,
             const kernels::LstmWeights<double>& weights, int64_t H, Least& least) {
  const int64_t Hp = padded(H);
  for (int64_t k = 0; sums != nullptr && k < 4 * H; ++k) {
    const int64_t gate = k / H;
    if (gate != 1 || !cell.coupled) least.add(cell.of(gate), cell.gate_clip, sums[gate * Hp + k % H]);
  }
  std::vector<double> c(static_cast<size_t>(Hp));
  for (int64_t k = 0; k < H; ++k) {
    const double unbounded = gates[Hp + k] * c_prev[k] + gates[k] * gates[2 * Hp + k];
    least.add({Kind::kSigmoid}, cell.cell_clip, unbounded);
    c[static_cast<size_t>(k)] = kernels::reference::clip(cell.cell_clip, unbounded);
  }
  std::vector<double> s = c;
  if (weights.gain_c != nullptr) {
    kernels::reference::normalise(c.data(), 1, H, s.data());
    for (int64_t k = 0; k < H; ++k) {
      s[static_cast<size_t>(k)] = weights.gain_c[k] * s[static_cast<size_t>(k)] + weights.bias_c[k];
    }
  }
  for (int64_t k = 0; k < H; ++k) least.add(cell.output, 0.0, s[static_cast<size_t>(k)]);
}

}  // namespace

kernels::LstmCell lattice_cell(const LatticePoint& point) {
  const kernels::LstmCell usual;
  return {.gate = drawn_activation(point, Toggle::kGateActivation, usual.gate),
          .candidate = drawn_activation(point, Toggle::kCandidateActivation, usual.candidate),
          .output = drawn_activation(point, Toggle::kOutputActivation, usual.output),
          .coupled = point.on(Toggle::kCoupledGates) && !point.on(Toggle::kLayerNorm),
          .gate_clip = point.on(Toggle::kGateClip) ? 0.6 : 0.0,
          .cell_clip = point.on(Toggle::kCellClip) ? 0.3 : 0.0};
}

bool bends(const kernels::LstmCell& cell) {
  return cell.gate_clip > 0.0 || cell.cell_clip > 0.0 || bends_somewhere(cell.gate) ||
         bends_somewhere(cell.candidate) || bends_somewhere(cell.output);
}

bool grows(const kernels::LstmCell& cell) {
  return grows_somewhere(cell.gate) || grows_somewhere(cell.candidate) || grows_somewhere(cell.output);
}

double distance_to_bend(const nn::LstmStack& stack, const nn::StackWorkspace<double>& workspace,
                        const nn::StackInput<double>& input, const double* values) {
  const int64_t B = input.batch, H = stack.options().lstm.hidden, Hp = padded(H);
  Least least;
  size_t part = 0;
  for (const nn::LstmStack::Layer& layer : stack.layers()) {
    for (const nn::LstmStack::Direction& direction : layer.directions) {
      const nn::StackActivations<double> kept = workspace.activations(part++, input);
      const kernels::LstmShape shape = stack.shape(direction, input.steps, B, input.lengths);
      const double* c = kept.c - shape.next_slot(0) * B * Hp;  // slot 0
      for (int64_t row = 0; row < input.steps * B; ++row) {
        const int64_t t = row / B, b = row % B;
        if (t >= shape.length(b)) continue;
        add_row(stack.cell(), kept.gates + row * 4 * Hp, kept.sums == nullptr ? nullptr : kept.sums + row * 4 * Hp,
                c + (shape.prev_slot(t, b) * B + b) * Hp, direction.offsets.view(values), H, least);
      }
    }
  }
  return least.value();
}

}  // namespace longhand::lab
