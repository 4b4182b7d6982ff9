// The multiplying loops of one thread, for gemm.cpp and for the time loops of the LSTM. Included once for every SIMD
// target.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_GEMM_INL_H_
#undef LONGHAND_KERNELS_GEMM_INL_H_
#else
#define LONGHAND_KERNELS_GEMM_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// A tile of the result is held in registers while k runs: kTileRows rows of kTileVectors vectors, one vector of B and
// one broadcast element of A at a time. With 32 registers 8 x 3 leaves room for these; with 16, 4 x 3 does.
inline constexpr int kTileRows = kManyRegisters ? 8 : 4;
inline constexpr int kTileVectors = 3;
// Rows of A that are worked through before the next panel of B, and the longest part of k: a panel of B and these rows
// then fit into the second-level cache.
inline constexpr int64_t kBlockRows = 128;
inline constexpr int64_t kBlockK = 1024;

// B's columns by vectors are packed in panels of kTileVectors. Where one vector would be left over, the last two panels
// have two each: a tile of a single vector would spend its time loading A.
inline int64_t vectors_of(int64_t columns) { return (columns + lanes() - 1) / lanes(); }

inline int64_t panel_vectors(int64_t first, int64_t total) {
  return total - first == 4 ? 2 : std::min<int64_t>(kTileVectors, total - first);
}

// What threads share out: panels, of which two that end in two and two vectors are one piece.
inline int64_t panel_groups(int64_t total) {
  return total % kTileVectors == 1 && total > 1 ? total / kTileVectors : (total + kTileVectors - 1) / kTileVectors;
}

inline Range panel_range(int64_t total, int parts, int part) {
  const int64_t groups = panel_groups(total);
  const Range range = split(groups, parts, part);
  return {range.begin * kTileVectors, range.end == groups ? total : range.end * kTileVectors};
}

struct Tile {
  const float* a[8];  // where each row of A begins; packed strips step kTileRows, plain rows 1
  const float* b;     // panel of B
  int64_t k;
  float* c[8];
  int64_t columns;  // columns of C that exist
  int rows;         // rows of C that exist (fewer than are computed only in packed strips)
  const float* bias;
  bool accumulate;
};

template <int kRows, int kVectors, int kStep>
HWY_INLINE void multiply_tile(const Tile& t) {
  const D d;
  const int64_t lane_count = lanes();
  V sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t n = std::min(lane_count, t.columns - v * lane_count);
      sum[r][v] = hn::Zero(d);
      if (t.bias != nullptr) sum[r][v] = load_n(t.bias + v * lane_count, n);
      if (t.accumulate && r < t.rows) sum[r][v] = load_n(t.c[r] + v * lane_count, n);
    }
  }
  const float* HWY_RESTRICT b = t.b;
  for (int64_t k = 0; k < t.k; ++k) {
    V b_vector[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b_vector[v] = hn::Load(d, b + v * lane_count);
    b += kVectors * lane_count;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const V a = hn::Set(d, t.a[r][k * kStep]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(a, b_vector[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    if (r >= t.rows) break;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      store_n(sum[r][v], t.c[r] + v * lane_count, std::min(lane_count, t.columns - v * lane_count));
    }
  }
}

template <int kRows, int kStep>
HWY_INLINE void multiply_rows(const Tile& t, int64_t vectors) {
  if (vectors == 3) return multiply_tile<kRows, 3, kStep>(t);
  if (vectors == 2) return multiply_tile<kRows, 2, kStep>(t);
  return multiply_tile<kRows, 1, kStep>(t);
}

inline void multiply_plain(const Tile& t, int64_t vectors) {
  switch (t.rows) {
    case 8: return multiply_rows<8, 1>(t, vectors);
    case 7: return multiply_rows<7, 1>(t, vectors);
    case 6: return multiply_rows<6, 1>(t, vectors);
    case 5: return multiply_rows<5, 1>(t, vectors);
    case 4: return multiply_rows<4, 1>(t, vectors);
    case 3: return multiply_rows<3, 1>(t, vectors);
    case 2: return multiply_rows<2, 1>(t, vectors);
    default: return multiply_rows<1, 1>(t, vectors);
  }
}

// Copies rows k0 .. k0+k of a transposed A into strips of kTileRows columns, so that the multiplying loop reads
// consecutive floats instead of one cache line an element.
inline void pack_strips(const Gemm<float>& args, int64_t k0, int64_t k, Range m, float* out) {
  const int64_t full = m.begin + m.size() / kTileRows * kTileRows;
  for (int64_t i = 0; i < k; ++i) {
    const int64_t row = args.a_rows != nullptr ? args.a_rows[k0 + i] : k0 + i;
    const float* from = args.a + row * args.a_stride;
    for (int64_t column = m.begin; column < full; column += kTileRows) {
      float* to = out + (column - m.begin) * k + i * kTileRows;
      for (int64_t j = 0; j < kTileRows; ++j) to[j] = from[column + j];
    }
    if (full < m.end) {
      float* to = out + (full - m.begin) * k + i * kTileRows;
      for (int64_t j = 0; j < kTileRows; ++j) to[j] = full + j < m.end ? from[full + j] : 0.0F;
    }
  }
}

struct Block {
  Range rows;
  Range vectors;  // of columns; begins on a panel
  int64_t k0, k;
};

inline void multiply_block(const Gemm<float>& args, const Block& block, const float* strips) {
  const PackedMatrix& b = *args.b;
  const int64_t lane_count = lanes();
  Tile tile{};
  tile.k = block.k;
  tile.accumulate = args.accumulate || block.k0 > 0;
  const int64_t total = vectors_of(b.n);
  int64_t vectors = 0;
  for (int64_t first = block.vectors.begin; first < block.vectors.end; first += vectors) {
    vectors = panel_vectors(first, total);
    const int64_t n = first * lane_count;
    tile.columns = std::min(vectors * lane_count, b.n - n);
    tile.b = b.data.data() + n * b.k + block.k0 * vectors * lane_count;
    tile.bias = args.bias != nullptr && block.k0 == 0 ? args.bias + n : nullptr;
    for (int64_t m = block.rows.begin; m < block.rows.end; m += kTileRows) {
      tile.rows = static_cast<int>(std::min<int64_t>(kTileRows, block.rows.end - m));
      for (int r = 0; r < tile.rows; ++r) {
        tile.c[r] = args.c + (args.c_rows != nullptr ? args.c_rows[m + r] : m + r) * args.c_stride + n;
      }
      if (args.a_transposed) {
        for (int r = 0; r < kTileRows; ++r) tile.a[r] = strips + (m - block.rows.begin) * block.k + r;
        multiply_rows<kTileRows, kTileRows>(tile, vectors);
      } else {
        for (int r = 0; r < tile.rows; ++r) {
          tile.a[r] = args.a + (args.a_rows != nullptr ? args.a_rows[m + r] : m + r) * args.a_stride + block.k0;
        }
        multiply_plain(tile, vectors);
      }
    }
  }
}

inline void gemm_part(const Gemm<float>& args, Range rows, Range vectors, Buffer<float>& strips) {
  for (int64_t k0 = 0; k0 < args.b->k; k0 += kBlockK) {
    const int64_t k = std::min(kBlockK, args.b->k - k0);
    for (int64_t m = rows.begin; m < rows.end; m += kBlockRows) {
      const Block block{{m, std::min(rows.end, m + kBlockRows)}, vectors, k0, k};
      if (args.a_transposed) {
        strips.resize((kBlockRows + kTileRows) * kBlockK);
        pack_strips(args, k0, k, block.rows, strips.data());
      }
      multiply_block(args, block, strips.data());
    }
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
