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

void gemm_target(const Gemm<float>& args, Context& context) {
  // The longer dimension is the one that is shared out, in whole tiles.
  const int64_t row_tiles = (args.m + kTileRows - 1) / kTileRows;
  const int64_t vectors = vectors_of(args.b->n);
  const bool by_rows = row_tiles >= panel_groups(vectors);
  constexpr int64_t kWorthAThread = 1 << 15;  // multiply-adds; waking a thread costs about as much
  const int64_t useful =
      std::min(std::max(row_tiles, panel_groups(vectors)), args.m * args.b->n * args.b->k / kWorthAThread);
  context.pool.run(
      [&](int part, int parts) {
        const Range rows = by_rows ? split(args.m, parts, part, kTileRows) : Range{0, args.m};
        const Range range = by_rows ? Range{0, vectors} : panel_range(vectors, parts, part);
        if (rows.size() > 0 && range.size() > 0) {
          gemm_part(args, rows, range, context.strips[static_cast<size_t>(part)]);
        }
      },
      useful);
}

// Row of `b` that is row i (of columns, where transposed) of B; -1 where that is padding.
int64_t source_row(const PackSource<float>& s, int64_t i) {
  if (s.rows != nullptr) return s.rows[i];
  if (s.group == 0) return i;
  const int64_t in_group = i % padded(s.group);
  return in_group < s.group ? i / padded(s.group) * s.group + in_group : -1;
}

// One panel of B, beginning at column n0, `width` columns with the padding.
void pack_panel(const PackSource<float>& s, int64_t n0, int64_t width, float* out) {
  const int64_t columns = std::min(width, s.n - n0);
  if (!s.transposed) {
    for (int64_t k = 0; k < s.k; ++k) {
      const int64_t row = source_row(s, k);
      float* to = out + k * width;
      if (row >= 0) std::copy_n(s.b + row * s.stride + n0, columns, to);
      std::fill(row >= 0 ? to + columns : to, to + width, 0.0F);
    }
    return;
  }
  // Writes go down a column of the panel: in parts short enough for its lines to stay in the first-level cache.
  constexpr int64_t kPart = 64;
  for (int64_t k0 = 0; k0 < s.k; k0 += kPart) {
    const int64_t k1 = std::min(s.k, k0 + kPart);
    for (int64_t j = 0; j < width; ++j) {
      const int64_t row = j < columns ? source_row(s, n0 + j) : -1;
      for (int64_t k = k0; k < k1; ++k) out[k * width + j] = row >= 0 ? s.b[row * s.stride + k] : 0.0F;
    }
  }
}

void pack_target(const PackSource<float>& s, PackedMatrix& packed, Context& context) {
  packed.k = s.k;
  packed.n = s.n;
  packed.data.resize(s.k * padded(s.n));
  const int64_t total = vectors_of(s.n);
  constexpr int64_t kWorthAThread = 1 << 13;  // floats
  context.pool.run(
      [&](int part, int parts) {
        const Range range = panel_range(total, parts, part);
        int64_t vectors = 0;
        for (int64_t first = range.begin; first < range.end; first += vectors) {
          vectors = panel_vectors(first, total);
          pack_panel(s, first * lanes(), vectors * lanes(), packed.data.data() + first * lanes() * s.k);
        }
      },
      std::min(panel_groups(total), s.k * s.n / kWorthAThread));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(gemm_target);
HWY_EXPORT(pack_target);

void pack(const PackSource<float>& source, PackedMatrix& packed, Context& context) {
  HWY_DYNAMIC_DISPATCH(pack_target)(source, packed, context);
}

void gemm(const Gemm<float>& args, Context& context) {
  LONGHAND_CHECK(args.b != nullptr && !(args.accumulate && args.bias != nullptr));
  if (args.m == 0 || args.b->n == 0) return;
  HWY_DYNAMIC_DISPATCH(gemm_target)(args, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
