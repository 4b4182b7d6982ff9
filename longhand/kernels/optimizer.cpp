#include "longhand/kernels/optimizer.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/optimizer.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

constexpr int64_t kWorthAThread = 1 << 15;  // elements

// Calls visit(j, left) for every vector of each thread's share of n elements.
template <class Visit>
HWY_INLINE void for_each_vector(int64_t n, Context& context, const Visit& visit) {
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(n, parts, part, kLineFloats);
        for (int64_t j = range.begin; j < range.end; j += lanes()) visit(j, range.end - j);
      },
      n / kWorthAThread);
}

void sgd_target(const SgdUpdate<float>& args, Context& context) {
  const V rate = hn::Set(D(), args.learning_rate * args.gradient_scale);
  for_each_vector(args.n, context, [&](int64_t j, int64_t left) HWY_ATTR {
    store_n(hn::NegMulAdd(rate, load_n(args.dw + j, left), load_n(args.w + j, left)), args.w + j, left);
  });
}

void adam_target(const AdamUpdate<float>& args, Context& context) {
  const D d;
  const V scale = hn::Set(d, args.gradient_scale);
  const V one_minus_beta1 = hn::Set(d, 1.0F - args.beta1);
  const V one_minus_beta2 = hn::Set(d, 1.0F - args.beta2);
  const V step = hn::Set(d, args.step_size);
  const V correction = hn::Set(d, args.v_correction);
  const V epsilon = hn::Set(d, args.epsilon);
  for_each_vector(args.n, context, [&](int64_t j, int64_t left) HWY_ATTR {
    const V g = hn::Mul(scale, load_n(args.dw + j, left));
    V m = load_n(args.m + j, left);
    V v = load_n(args.v + j, left);
    m = hn::MulAdd(one_minus_beta1, hn::Sub(g, m), m);
    v = hn::MulAdd(one_minus_beta2, hn::Sub(hn::Mul(g, g), v), v);
    const V w = load_n(args.w + j, left);
    const V root = hn::MulAdd(hn::Sqrt(v), correction, epsilon);
    store_n(m, args.m + j, left);
    store_n(v, args.v + j, left);
    store_n(hn::Sub(w, hn::Div(hn::Mul(step, m), root)), args.w + j, left);
  });
}

// Sums of squares of blocks of fixed size, whatever the number of threads; each block in double.
void squared_norm_target(const float* values, int64_t n, int64_t block, double* sums, Context& context) {
  const int64_t blocks = (n + block - 1) / block;
  context.pool.run(
      [&](int part, int parts) {
        const hn::CappedTag<double, 8> dd;
        const hn::Rebind<float, decltype(dd)> df;
        const auto width = static_cast<int64_t>(hn::Lanes(dd));
        const Range range = split(blocks, parts, part);
        for (int64_t b = range.begin; b < range.end; ++b) {
          const int64_t end = std::min(n, (b + 1) * block);
          auto sum = hn::Zero(dd);
          int64_t j = b * block;
          for (; j + width <= end; j += width) {
            const auto v = hn::PromoteTo(dd, hn::LoadU(df, values + j));
            sum = hn::MulAdd(v, v, sum);
          }
          double total = hn::GetLane(hn::SumOfLanes(dd, sum));
          for (; j < end; ++j) total += static_cast<double>(values[j]) * static_cast<double>(values[j]);
          sums[b] = total;
        }
      },
      n / kWorthAThread);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(sgd_target);
HWY_EXPORT(adam_target);
HWY_EXPORT(squared_norm_target);

double squared_norm(const float* values, int64_t n, Context& context) {
  constexpr int64_t kBlock = 4096;
  context.partial.resize((n + kBlock - 1) / kBlock);
  HWY_DYNAMIC_DISPATCH(squared_norm_target)(values, n, kBlock, context.partial.data(), context);
  double sum = 0.0;
  for (int64_t b = 0; b < context.partial.size(); ++b) sum += context.partial[b];
  return sum;
}

void sgd_update(const SgdUpdate<float>& args, Context& context) { HWY_DYNAMIC_DISPATCH(sgd_target)(args, context); }

void adam_update(const AdamUpdate<float>& args, Context& context) { HWY_DYNAMIC_DISPATCH(adam_target)(args, context); }

}  // namespace longhand::kernels
#endif  // HWY_ONCE
