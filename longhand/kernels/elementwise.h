// Functions of one number, over arrays: the activations between layers, and the arithmetic of array graphs.
#pragma once

#include <cstdint>

namespace longhand::kernels {

/// a = alpha and b = beta, where a function has them. Sources: PyTorch's torch.nn and the operators of ONNX, whose
/// definitions agree where both have one.
enum class Function {
  kIdentity,     ///< x
  kRelu,         ///< max(0, x)
  kLeakyRelu,    ///< x < 0 ? a x : x
  kThresholded,  ///< x > a ? x : 0
  kElu,          ///< x < 0 ? a (e^x - 1) : x
  kCelu,         ///< max(0, x) + min(0, a (e^(x/a) - 1))
  kSelu,         ///< b (x > 0 ? x : a (e^x - 1))
  kGelu,         ///< x (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,     ///< x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
  kSigmoid,      ///< 1 / (1 + e^-x)
  kHardSigmoid,  ///< max(0, min(1, a x + b))
  kHardSwish,    ///< x max(0, min(1, x/6 + 1/2))
  kSilu,         ///< x sigmoid(x)
  kMish,         ///< x tanh(softplus(x))
  kTanh,         ///< tanh x
  kScaledTanh,   ///< a tanh(b x)
  kSoftsign,     ///< x / (1 + |x|)
  kSoftplus,     ///< log(1 + e^x)
  kAffine,       ///< a x + b
  kClip,         ///< max(a, min(b, x)), where a <= b
  kExp,
  kLog,
  kSqrt,
  kAbs,
  kNeg,
  kReciprocal,
  kFloor,
  kCeil,
  kRound,  ///< to even
  kSign,
  kSin,
  kCos,
  kErf,
};

/// y[i] = f(x[i]) for i below n; y may be x. An element's bits do not depend on where in the array it is.
void apply(Function f, float a, float b, const float* x, float* y, int64_t n) noexcept;

}  // namespace longhand::kernels
