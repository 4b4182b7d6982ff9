#include "longhand/kernels/layer_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/layer_norm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/layer_norm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

void forward_rows(const NormaliseRows& args, Range range) {
  const D d;
  const int64_t H = args.hidden, Hp = padded(H);
  for (int64_t i = range.begin; i < range.end; ++i) {
    const int64_t row = args.rows != nullptr ? args.rows[i] : i;
    float* v = args.v + row * 4 * Hp;
    const float deviation = normalise_row(v, 4, H, v);
    if (args.rstd != nullptr) args.rstd[row * args.rstd_stride] = deviation;
    if (args.y == nullptr) continue;
    float* y = args.y + row * 4 * Hp;
    for (int64_t k = 0; k < 4 * Hp; k += lanes()) {
      hn::Store(hn::MulAdd(hn::Load(d, args.gain + k), hn::Load(d, v + k), hn::Load(d, args.bias + k)), d, y + k);
    }
  }
}

void backward_rows(const NormaliseRowsBackward& args, Range range) {
  const int64_t H = args.hidden, Hp = padded(H);
  for (int64_t i = range.begin; i < range.end; ++i) {
    const int64_t row = args.rows != nullptr ? args.rows[i] : i;
    float* n = args.normalised + row * 4 * Hp;
    normalise_row_backward(args.dy + row * 4 * Hp, n, args.gain, args.rstd[row * args.rstd_stride], 4, H, n);
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(forward_rows);
HWY_EXPORT(backward_rows);

namespace {
constexpr int64_t kWorthAThread = 1 << 14;  // floats
}

void normalise_rows(const NormaliseRows& args, Context& context) {
  context.pool.run(
      [&](int part, int parts) {
        HWY_DYNAMIC_DISPATCH(forward_rows)
        (args, split(args.n, parts, part));
      },
      args.n * 4 * args.hidden / kWorthAThread);
}

void normalise_rows_backward(const NormaliseRowsBackward& args, Context& context) {
  context.pool.run(
      [&](int part, int parts) {
        HWY_DYNAMIC_DISPATCH(backward_rows)
        (args, split(args.n, parts, part));
      },
      args.n * 4 * args.hidden / kWorthAThread);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
