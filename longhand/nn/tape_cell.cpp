#include "longhand/nn/tape_cell.h"

#include "longhand/base/error.h"

namespace longhand::nn {

using autograd::Var;
using kernels::ActivationKind;

template <class T>
Var<T> tape_activation(const kernels::Activation& f, Var<T> x) {
  const T alpha = static_cast<T>(f.alpha), beta = static_cast<T>(f.beta);
  const auto affine = [&] { return add_scalar(scale(x, alpha), beta); };
  const auto negative_size = [&] { return subtract(negative_part(x), relu(x)); };  // -|x|
  switch (f.kind) {
    case ActivationKind::kSigmoid: return sigmoid(x);
    case ActivationKind::kTanh: return tanh(x);
    case ActivationKind::kRelu: return relu(x);
    case ActivationKind::kAffine: return affine();
    case ActivationKind::kLeakyRelu: return add(relu(x), scale(negative_part(x), alpha));
    case ActivationKind::kThresholdedRelu: return keep_from(x, alpha);
    case ActivationKind::kScaledTanh: return scale(tanh(scale(x, beta)), alpha);
    case ActivationKind::kHardSigmoid: return subtract(relu(affine()), relu(add_scalar(affine(), T(-1))));
    case ActivationKind::kElu: return add(relu(x), scale(add_scalar(exp(negative_part(x)), T(-1)), alpha));
    case ActivationKind::kSoftsign: {
      const Var<T> root = rsqrt(add_scalar(scale(negative_size(), T(-1)), T(1)));
      return multiply(x, multiply(root, root));
    }
    case ActivationKind::kSoftplus: return add(relu(x), log(add_scalar(exp(negative_size()), T(1))));
  }
  LONGHAND_CHECK(false);
}

template <class T>
autograd::LstmVariant<T> tape_variant(const kernels::LstmCell& cell) {
  const kernels::LstmCell standard;
  const auto function = [](const kernels::Activation& f, const kernels::Activation& usual) ->
      typename autograd::LstmVariant<T>::Function {
        if (f == usual) return {};
        return [f](Var<T> x) { return tape_activation(f, x); };
      };
  return {.gate = function(cell.gate, standard.gate),
          .candidate = function(cell.candidate, standard.candidate),
          .output = function(cell.output, standard.output),
          .coupled = cell.coupled,
          .gate_clip = static_cast<T>(cell.gate_clip),
          .cell_clip = static_cast<T>(cell.cell_clip)};
}

template Var<float> tape_activation(const kernels::Activation&, Var<float>);
template Var<double> tape_activation(const kernels::Activation&, Var<double>);
template autograd::LstmVariant<float> tape_variant(const kernels::LstmCell&);
template autograd::LstmVariant<double> tape_variant(const kernels::LstmCell&);

}  // namespace longhand::nn
