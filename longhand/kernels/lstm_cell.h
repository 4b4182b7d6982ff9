// What the cell of an LSTM layer can be: its activation functions, bounds, and how its gates are coupled. Peepholes are
// parameters, and so in LstmParameters (lstm.h). The equations are in docs/derivatives.md.
#pragma once

#include <cstdint>

namespace longhand::kernels {

/// The activation functions of ONNX's recurrent operators, with its names for their constants.
enum class ActivationKind : uint8_t {
  kSigmoid,          ///< 1 / (1 + e^-x)
  kTanh,             ///< tanh(x)
  kRelu,             ///< max(0, x)
  kAffine,           ///< alpha x + beta
  kLeakyRelu,        ///< x where x >= 0, alpha x elsewhere
  kThresholdedRelu,  ///< x where x >= alpha, 0 elsewhere
  kScaledTanh,       ///< alpha tanh(beta x)
  kHardSigmoid,      ///< min(1, max(0, alpha x + beta))
  kElu,              ///< x where x >= 0, alpha (e^x - 1) elsewhere
  kSoftsign,         ///< x / (1 + |x|)
  kSoftplus,         ///< log(1 + e^x)
};

struct Activation {
  ActivationKind kind = ActivationKind::kSigmoid;
  double alpha = 0.0, beta = 0.0;  ///< of those that have them; 0 of the others

  bool operator==(const Activation&) const = default;
};

/// Whether the function's derivative is known from its value: then its argument need not be kept.
constexpr bool slope_from_value(const Activation& f) {
  return f.kind == ActivationKind::kSigmoid || f.kind == ActivationKind::kTanh;
}

/// The standard cell, unless something is set. Gates are in the order i f g o.
struct LstmCell {
  Activation gate{ActivationKind::kSigmoid};    ///< of i, f and o: ONNX's f, Keras's recurrent_activation
  Activation candidate{ActivationKind::kTanh};  ///< of g: ONNX's g; with the next one Keras's activation
  Activation output{ActivationKind::kTanh};     ///< of the cell on its way into h: ONNX's h
  /// f = 1 - i (ONNX's input_forget; Greff et al. 2017). The rows of f in weights and bias are there, but are not read,
  /// and their gradients are zero. Not in a normalised layer.
  bool coupled = false;
  /// What the activations of i f g o are applied to is held within [-gate_clip, gate_clip]: ONNX's clip. 0: no bound.
  double gate_clip = 0.0;
  /// The new cell is held within [-cell_clip, cell_clip]: TensorFlow's cell_clip, cuDNN's clip. 0: no bound.
  double cell_clip = 0.0;

  bool operator==(const LstmCell&) const = default;
  bool is_standard() const { return *this == LstmCell(); }
  const Activation& of(int64_t k) const { return k == 2 ? candidate : gate; }
  /// Whether the backward pass needs what the activations of the gates were applied to (LstmCache::sums).
  bool keeps_sums() const { return gate_clip > 0.0 || !slope_from_value(gate) || !slope_from_value(candidate); }
};

}  // namespace longhand::kernels
