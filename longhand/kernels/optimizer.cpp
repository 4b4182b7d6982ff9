#include "longhand/kernels/optimizer.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/optimizer.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

#ifndef LONGHAND_KERNELS_OPTIMIZER_SHARED_
#define LONGHAND_KERNELS_OPTIMIZER_SHARED_
namespace longhand::kernels {

// Cuts stretches at multiples of kNormPiece, whatever the number of threads, and returns the number of elements.
static int64_t cut(std::span<const Range> where, Context& context) {
  context.pieces.clear();
  int64_t n = 0;
  for (const Range& range : where) {
    n += range.size();
    for (int64_t begin = range.begin; begin < range.end;) {
      const int64_t end = std::min(range.end, (begin / kNormPiece + 1) * kNormPiece);
      context.pieces.push_back({begin, end});
      begin = end;
    }
  }
  return n;
}

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

constexpr int64_t kWorthAThread = 1 << 15;  // elements

// Calls visit(j, left) for every vector of each thread's share of the pieces.
template <class Visit>
HWY_INLINE void for_each_vector(int64_t n, Context& context, const Visit& visit) {
  const std::vector<Range>& pieces = context.pieces;
  context.pool.run(
      [&](int part, int parts) {
        const Range share = split(static_cast<int64_t>(pieces.size()), parts, part);
        for (int64_t p = share.begin; p < share.end; ++p) {
          const Range& piece = pieces[static_cast<size_t>(p)];
          for (int64_t j = piece.begin; j < piece.end; j += lanes()) visit(j, piece.end - j);
        }
      },
      n / kWorthAThread);
}

// Calls step(w, d, j, left), which returns the new weights, on every vector of weights and of their gradient.
template <class Step>
HWY_INLINE void update_with(const ParameterUpdate<float>& args, Context& context, const Step& step) {
  const V scale = hn::Set(D(), args.gradient_scale);
  const V l2 = hn::Set(D(), args.l2);
  const V keep = hn::Set(D(), args.keep);
  for_each_vector(cut(args.where, context), context, [&](int64_t j, int64_t left) HWY_ATTR {
    const V w = load_n(args.w + j, left);
    const V d = hn::MulAdd(l2, w, hn::Mul(scale, load_n(args.dw + j, left)));
    store_n(step(hn::Mul(keep, w), d, j, left), args.w + j, left);
  });
}

// Moves `mean` a share of the way to `x`, in memory, and returns it.
HWY_INLINE V follow(float* mean, V x, V share, int64_t left) {
  const V old = load_n(mean, left);
  const V moved = hn::MulAdd(share, hn::Sub(x, old), old);
  store_n(moved, mean, left);
  return moved;
}

void update_target(const ParameterUpdate<float>& args, Context& context) {
  const D d;
  float* const m = args.m;
  float* const v = args.v;
  const V rate = hn::Set(d, args.rate);
  const V d_rate = hn::Set(d, args.d_rate);
  const V beta1 = hn::Set(d, args.beta1);
  const V to_m = hn::Set(d, 1.0F - args.beta1);
  const V to_v = hn::Set(d, 1.0F - args.beta2);
  const V v_scale = hn::Set(d, args.v_scale);
  const V epsilon = hn::Set(d, args.epsilon);
  switch (args.rule) {
    case UpdateRule::kSgd:
      return update_with(args, context, [&](V w, V g, int64_t, int64_t) HWY_ATTR { return hn::NegMulAdd(rate, g, w); });
    case UpdateRule::kMomentum:
    case UpdateRule::kNesterov: {
      const bool nesterov = args.rule == UpdateRule::kNesterov;
      return update_with(args, context, [&](V w, V g, int64_t j, int64_t left) HWY_ATTR {
        const V moment = hn::MulAdd(beta1, load_n(m + j, left), g);
        store_n(moment, m + j, left);
        return hn::NegMulAdd(rate, nesterov ? hn::MulAdd(beta1, moment, g) : moment, w);
      });
    }
    case UpdateRule::kAdagrad:
      return update_with(args, context, [&](V w, V g, int64_t j, int64_t left) HWY_ATTR {
        const V sum = hn::MulAdd(g, g, load_n(v + j, left));
        store_n(sum, v + j, left);
        return hn::Sub(w, hn::Div(hn::Mul(rate, g), hn::Add(hn::Sqrt(sum), epsilon)));
      });
    case UpdateRule::kAdadelta:
      return update_with(args, context, [&](V w, V g, int64_t j, int64_t left) HWY_ATTR {
        const V below = hn::Sqrt(hn::Add(follow(v + j, hn::Mul(g, g), to_v, left), epsilon));
        const V above = hn::Sqrt(hn::Add(load_n(m + j, left), epsilon));
        const V u = hn::Mul(hn::Div(above, below), g);
        follow(m + j, hn::Mul(u, u), to_v, left);
        return hn::NegMulAdd(rate, u, w);
      });
    case UpdateRule::kRmsprop:
      return update_with(args, context, [&](V w, V g, int64_t j, int64_t left) HWY_ATTR {
        const V mean = follow(v + j, hn::Mul(g, g), to_v, left);
        return hn::Sub(w, hn::Div(hn::Mul(rate, g), hn::Add(hn::Sqrt(mean), epsilon)));
      });
    case UpdateRule::kAdam:
    case UpdateRule::kNadam: {
      const bool nadam = args.rule == UpdateRule::kNadam;
      return update_with(args, context, [&](V w, V g, int64_t j, int64_t left) HWY_ATTR {
        const V moment = follow(m + j, g, to_m, left);
        const V mean = follow(v + j, hn::Mul(g, g), to_v, left);
        V step = hn::Mul(rate, moment);
        if (nadam) step = hn::MulAdd(d_rate, g, step);
        return hn::Sub(w, hn::Div(step, hn::MulAdd(hn::Sqrt(mean), v_scale, epsilon)));
      });
    }
  }
}

void clear_target(float* values, std::span<const Range> where, Context& context) {
  for_each_vector(cut(where, context), context,
                  [&](int64_t j, int64_t left) HWY_ATTR { store_n(hn::Zero(D()), values + j, left); });
}

void add_target(const float* x, std::span<const Range> where, float* y, Context& context) {
  for_each_vector(cut(where, context), context, [&](int64_t j, int64_t left) HWY_ATTR {
    store_n(hn::Add(load_n(x + j, left), load_n(y + j, left)), y + j, left);
  });
}

void clip_target(float* values, std::span<const Range> where, float limit, Context& context) {
  const V max = hn::Set(D(), limit), min = hn::Set(D(), -limit);
  for_each_vector(cut(where, context), context, [&](int64_t j, int64_t left) HWY_ATTR {
    store_n(hn::Max(min, hn::Min(max, load_n(values + j, left))), values + j, left);
  });
}

void average_target(float* average, const float* w, std::span<const Range> where, float share, Context& context) {
  const V part = hn::Set(D(), share);
  for_each_vector(cut(where, context), context,
                  [&](int64_t j, int64_t left) HWY_ATTR { follow(average + j, load_n(w + j, left), part, left); });
}

// Sums of squares of the pieces, each in double.
void squared_norm_target(const float* values, std::span<const Range> where, Context& context) {
  const int64_t n = cut(where, context);
  const auto pieces = static_cast<int64_t>(context.pieces.size());
  context.partial.resize(pieces);
  context.pool.run(
      [&](int part, int parts) {
        const hn::CappedTag<double, 8> dd;
        const hn::Rebind<float, decltype(dd)> df;
        const auto width = static_cast<int64_t>(hn::Lanes(dd));
        const Range share = split(pieces, parts, part);
        for (int64_t p = share.begin; p < share.end; ++p) {
          const Range& piece = context.pieces[static_cast<size_t>(p)];
          auto sum = hn::Zero(dd);
          int64_t j = piece.begin;
          for (; j + width <= piece.end; j += width) {
            const auto v = hn::PromoteTo(dd, hn::LoadU(df, values + j));
            sum = hn::MulAdd(v, v, sum);
          }
          double total = hn::GetLane(hn::SumOfLanes(dd, sum));
          for (; j < piece.end; ++j) total += static_cast<double>(values[j]) * static_cast<double>(values[j]);
          context.partial[p] = total;
        }
      },
      n / kWorthAThread);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(update_target);
HWY_EXPORT(add_target);
HWY_EXPORT(clear_target);
HWY_EXPORT(clip_target);
HWY_EXPORT(average_target);
HWY_EXPORT(squared_norm_target);

std::span<const double> squared_norms(const float* values, std::span<const Range> where, Context& context) {
  HWY_DYNAMIC_DISPATCH(squared_norm_target)(values, where, context);
  return context.partial.span();
}

double squared_norm(const float* values, std::span<const Range> where, Context& context) {
  double sum = 0.0;
  for (const double piece : squared_norms(values, where, context)) sum += piece;
  return sum;
}

void add_values(const float* x, std::span<const Range> where, float* y, Context& context) {
  HWY_DYNAMIC_DISPATCH(add_target)(x, where, y, context);
}

void clear_values(float* values, std::span<const Range> where, Context& context) {
  HWY_DYNAMIC_DISPATCH(clear_target)(values, where, context);
}

void clip_values(float* values, std::span<const Range> where, float limit, Context& context) {
  HWY_DYNAMIC_DISPATCH(clip_target)(values, where, limit, context);
}

void update_parameters(const ParameterUpdate<float>& args, Context& context) {
  HWY_DYNAMIC_DISPATCH(update_target)(args, context);
}

void update_average(float* average, const float* w, std::span<const Range> where, float share, Context& context) {
  HWY_DYNAMIC_DISPATCH(average_target)(average, w, where, share, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
