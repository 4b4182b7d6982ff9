// One pass over all parameters, or over those stretches of them that have a gradient: its norm, clipping, the update
// rules, and the weights' running average.
#pragma once

#include <cstdint>
#include <span>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

/// How weights w follow from the gradient d of a step, element by element, with the arrays m and v that a rule keeps:
///   sgd        w -= rate d
///   momentum   m = beta1 m + d                                w -= rate m
///   nesterov   m = beta1 m + d                                w -= rate (d + beta1 m)
///   adagrad    v += d^2                                       w -= rate d / (sqrt(v) + epsilon)
///   adadelta   v = beta2 v + (1 - beta2) d^2
///              u = d sqrt(m + epsilon) / sqrt(v + epsilon)
///              m = beta2 m + (1 - beta2) u^2                  w -= rate u
///   rmsprop    v = beta2 v + (1 - beta2) d^2                  w -= rate d / (sqrt(v) + epsilon)
///   adam       m = beta1 m + (1 - beta1) d, v as in rmsprop   w -= rate m / (sqrt(v) v_scale + epsilon)
///   nadam      m and v as in adam                             w -= (rate m + d_rate d) / (sqrt(v) v_scale + epsilon)
/// (Nesterov 1983 as Sutskever et al. 2013 write it; Duchi et al. 2011; Zeiler 2012; Tieleman and Hinton 2012; Kingma
/// and Ba 2015; Dozat 2016). What depends on the step, such as Adam's bias corrections, is in the scalars.
enum class UpdateRule { kSgd, kMomentum, kNesterov, kAdagrad, kAdadelta, kRmsprop, kAdam, kNadam };

template <class T>
struct ParameterUpdate {
  UpdateRule rule = UpdateRule::kSgd;
  std::span<const Range> where;  ///< the elements n to update, in order
  T* w = nullptr;                ///< [n] updated
  const T* dw = nullptr;         ///< [n] read: d = gradient_scale dw + l2 w
  T* m = nullptr;                ///< [n] updated by the rules that keep it
  T* v = nullptr;                ///< [n] likewise
  T gradient_scale = T(1);
  T l2 = T(0);
  T keep = T(1);  ///< w is multiplied by it before the step: decoupled weight decay
  T rate = T(0);
  T beta1 = T(0);
  T beta2 = T(0);
  T epsilon = T(0);
  T v_scale = T(1);
  T d_rate = T(0);
};

/// Sums of squares are computed in pieces, and added in order. A piece ends where its offset is a multiple of this.
inline constexpr int64_t kNormPiece = 4096;
/// The sum of each piece, good until the context is used again.
std::span<const double> squared_norms(const float* values, std::span<const Range> where, Context& context);
/// Sum of squares in double, the same for any number of threads.
double squared_norm(const float* values, std::span<const Range> where, Context& context);
inline double squared_norm(const float* values, int64_t n, Context& context) {
  const Range all{0, n};
  return squared_norm(values, {&all, 1}, context);
}
/// y = x + y
void add_values(const float* x, std::span<const Range> where, float* y, Context& context);
void clear_values(float* values, std::span<const Range> where, Context& context);
/// Brings each value into -limit .. limit.
void clip_values(float* values, std::span<const Range> where, float limit, Context& context);
void update_parameters(const ParameterUpdate<float>& args, Context& context);
/// average += share (w - average)
void update_average(float* average, const float* w, std::span<const Range> where, float share, Context& context);

}  // namespace longhand::kernels
