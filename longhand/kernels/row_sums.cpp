#include "longhand/kernels/row_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/row_sums.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Threads take columns, so that no sum is split.
void sum_columns(const RowSums& args, Range columns) {
  const D d;
  for (int64_t n = 0; n < args.n; ++n) {
    const int64_t row = args.rows != nullptr ? args.rows[n] : n;
    const float* from = args.values + row * args.columns;
    float* to = args.sums + (args.slots != nullptr ? args.slots[row] * args.columns : 0);
    if (args.factors == nullptr) {
      for (int64_t j = columns.begin; j < columns.end; j += lanes()) {
        hn::Store(hn::Add(hn::Load(d, to + j), hn::Load(d, from + j)), d, to + j);
      }
      continue;
    }
    const float* factors = args.factors + row * args.columns;
    for (int64_t j = columns.begin; j < columns.end; j += lanes()) {
      hn::Store(hn::MulAdd(hn::Load(d, from + j), hn::Load(d, factors + j), hn::Load(d, to + j)), d, to + j);
    }
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(sum_columns);

void sum_rows(const RowSums& args, Context& context) {
  constexpr int64_t kWorthAThread = 1 << 14;  // floats
  context.pool.run(
      [&](int part, int parts) {
        HWY_DYNAMIC_DISPATCH(sum_columns)(args, split(args.columns, parts, part, kLineFloats));
      },
      args.columns * args.n / kWorthAThread);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
