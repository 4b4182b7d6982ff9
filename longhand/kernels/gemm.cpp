#include "longhand/kernels/gemm.h"

#include <algorithm>

#include "longhand/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/gemm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

void gemm_target(const Gemm& args, Context& context) {
  // The longer dimension is the one that is shared out, in whole tiles.
  const int64_t row_tiles = (args.m + kTileRows - 1) / kTileRows;
  const int64_t panels = (args.b->n + panel_width() - 1) / panel_width();
  const bool by_rows = row_tiles >= panels;
  constexpr int64_t kWorthAThread = 1 << 15;  // multiply-adds; waking a thread costs about as much
  const int64_t useful = std::min(std::max(row_tiles, panels), args.m * args.b->n * args.b->k / kWorthAThread);
  context.pool.run(
      [&](int part, int parts) {
        Range rows{0, args.m};
        Range columns{0, args.b->n};
        if (by_rows) {
          rows = split(args.m, parts, part, kTileRows);
        } else {
          columns = split(args.b->n, parts, part, panel_width());
        }
        if (rows.size() > 0 && columns.size() > 0) {
          gemm_part(args, rows, columns, context.strips[static_cast<size_t>(part)]);
        }
      },
      useful);
}

// Row of `b` that is row i (of columns, where transposed) of B; -1 where that is padding.
int64_t source_row(const PackSource& s, int64_t i) {
  if (s.rows != nullptr) return s.rows[i];
  if (s.group == 0) return i;
  const int64_t in_group = i % padded(s.group);
  return in_group < s.group ? i / padded(s.group) * s.group + in_group : -1;
}

void pack_panel(const PackSource& s, int64_t n0, float* out) {
  const int64_t lane_count = lanes();
  const int64_t columns = std::min(panel_width(), s.n - n0);
  const int64_t width = (columns + lane_count - 1) / lane_count * lane_count;
  if (s.transposed) {
    for (int64_t j = 0; j < width; ++j) {
      const int64_t row = j < columns ? source_row(s, n0 + j) : -1;
      if (row < 0) {
        for (int64_t k = 0; k < s.k; ++k) out[k * width + j] = 0.0F;
      } else {
        const float* from = s.b + row * s.stride;
        for (int64_t k = 0; k < s.k; ++k) out[k * width + j] = from[k];
      }
    }
    return;
  }
  for (int64_t k = 0; k < s.k; ++k) {
    const int64_t row = source_row(s, k);
    float* to = out + k * width;
    if (row >= 0) std::copy_n(s.b + row * s.stride + n0, columns, to);
    std::fill(row >= 0 ? to + columns : to, to + width, 0.0F);
  }
}

void pack_target(const PackSource& s, PackedMatrix& packed, Context& context) {
  packed.k = s.k;
  packed.n = s.n;
  packed.data.resize(s.k * ((s.n + kLineFloats - 1) / kLineFloats * kLineFloats));
  const int64_t panels = (s.n + panel_width() - 1) / panel_width();
  constexpr int64_t kWorthAThread = 1 << 13;  // floats
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(panels, parts, part);
        for (int64_t p = range.begin; p < range.end; ++p) {
          pack_panel(s, p * panel_width(), packed.data.data() + p * panel_width() * s.k);
        }
      },
      std::min(panels, s.k * s.n / kWorthAThread));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(gemm_target);
HWY_EXPORT(pack_target);

void pack(const PackSource& source, PackedMatrix& packed, Context& context) {
  HWY_DYNAMIC_DISPATCH(pack_target)(source, packed, context);
}

void gemm(const Gemm& args, Context& context) {
  LONGHAND_CHECK(args.b != nullptr && !(args.accumulate && args.bias != nullptr));
  if (args.m == 0 || args.b->n == 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_target)(args, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
