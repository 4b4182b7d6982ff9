#include "longhand/kernels/gemm.h"

#include <algorithm>
#include <type_traits>

#include "longhand/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/gemm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"
#include "longhand/kernels/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// A tile of the result is held in registers while k runs: kTileRows rows of kTileVectors vectors, one vector of B and
// one broadcast element of A at a time. With 32 registers 8 x 3 leaves room for these; with 16, 4 x 3 does.
constexpr int kTileRows = kManyRegisters ? 8 : 4;
constexpr int kTileVectors = 3;
// Rows of A that are worked through before the next panel of B, and the longest part of k: they and a panel of B fit
// into the second-level cache, for which strips of a transposed A are written there first. Of a sum in bf16, k counts
// words.
constexpr int64_t kBlockRows = 128;
constexpr int64_t kBlockK = 1024;
constexpr int64_t kStripK = 512;

// B's columns by vectors are packed in panels of kTileVectors. Where one vector would be left over, the last two panels
// have two each: a tile of a single vector would spend its time loading A.
int64_t panel_vectors(int64_t first, int64_t total) {
  return total - first == 4 ? 2 : std::min<int64_t>(kTileVectors, total - first);
}

int64_t panel_count(int64_t total) { return (total + kTileVectors - 1) / kTileVectors; }

// Where a panel begins, nearest to `vector`.
int64_t nearest_panel(int64_t total, int64_t vector) {
  if (total % kTileVectors == 1 && total > 1 && vector > total - kTileVectors) {
    return vector >= total - 1 ? total : total - 2;
  }
  return std::min(total, (vector + kTileVectors / 2) / kTileVectors * kTileVectors);
}

Range panel_range(int64_t total, int members, int member) {
  const auto boundary = [&](int part) {
    return part == members ? total : nearest_panel(total, (2 * total * part + members) / (2 * members));
  };
  return {boundary(member), boundary(member + 1)};
}

struct Tile {
  const float* a[8];  // where each row of A begins; packed strips step kTileRows, other rows 1
  const float* b;     // panel of B
  int64_t k;
  float* c[8];  // whole vectors
  int rows;     // rows of C that exist (fewer than are computed only where A was packed)
  const float* bias;
  bool accumulate;
};

template <class Product, int kPart, int kRows, int kVectors, int kStep>
HWY_INLINE void add_products(const Tile& t, int64_t k, const float* HWY_RESTRICT b, V (&sum)[kRows][kVectors]) {
  const D d;
  V b_vector[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) b_vector[v] = Product::template part<kPart>(hn::Load(d, b + v * lanes()));
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const V a = Product::template part<kPart>(hn::Set(d, t.a[r][k * kStep]));
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Product::add(a, b_vector[v], sum[r][v]);
  }
}

template <class Product, int kRows, int kVectors, int kStep>
HWY_INLINE void multiply_tile(const Tile& t) {
  const D d;
  const int64_t lane_count = lanes();
  V sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = t.bias != nullptr ? hn::LoadU(d, t.bias + v * lane_count) : hn::Zero(d);
      if (t.accumulate && r < t.rows) sum[r][v] = hn::LoadU(d, t.c[r] + v * lane_count);
    }
  }
  const float* HWY_RESTRICT b = t.b;
  for (int64_t k = 0; k < t.k; ++k) {
    add_products<Product, 0, kRows, kVectors, kStep>(t, k, b, sum);
    if constexpr (Product::kParts == 2) add_products<Product, 1, kRows, kVectors, kStep>(t, k, b, sum);
    b += kVectors * lane_count;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    if (r >= t.rows) break;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[r][v], d, t.c[r] + v * lane_count);
    }
  }
}

template <class Product, int kRows, int kStep>
HWY_INLINE void multiply_rows(const Tile& t, int64_t vectors) {
  if (vectors == 3) return multiply_tile<Product, kRows, 3, kStep>(t);
  if (vectors == 2) return multiply_tile<Product, kRows, 2, kStep>(t);
  return multiply_tile<Product, kRows, 1, kStep>(t);
}

// A tile of at most kRows rows: a loop for every number of them, so that registers have names.
template <int kRows>
HWY_INLINE void multiply_plain(const Tile& t, int64_t vectors) {
  if constexpr (kRows > 1) {
    if (t.rows < kRows) return multiply_plain<kRows - 1>(t, vectors);
  }
  multiply_rows<FloatProduct, kRows, 1>(t, vectors);
}

// The same of rounded rows, of which there are as many as may be computed: so that fewer loops will do.
template <class Product>
HWY_INLINE void multiply_rounded(const Tile& t, int64_t vectors) {
  if (t.rows == 1) return multiply_rows<Product, 1, 1>(t, vectors);
  if (t.rows <= kTileRows / 2) return multiply_rows<Product, kTileRows / 2, 1>(t, vectors);
  multiply_rows<Product, kTileRows, 1>(t, vectors);
}

// One row of C and some panels of B that follow one another: enough independent sums to hide their latency.
constexpr int kRowPanels = 4;
template <class Product, int kPart>
HWY_INLINE void add_row_products(V a, const float* HWY_RESTRICT b, int64_t panel, V (&sum)[kRowPanels][kTileVectors]) {
  const D d;
#pragma GCC unroll 4
  for (int p = 0; p < kRowPanels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) {
      const V word = hn::Load(d, b + p * panel + v * lanes());
      sum[p][v] = Product::add(Product::template part<kPart>(a), Product::template part<kPart>(word), sum[p][v]);
    }
  }
}

template <class Product>
void multiply_row(const Tile& t, int64_t panel) {
  const D d;
  const int64_t lane_count = lanes(), width = kTileVectors * lane_count;
  V sum[kRowPanels][kTileVectors];
#pragma GCC unroll 4
  for (int p = 0; p < kRowPanels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) {
      const int64_t at = p * width + v * lane_count;
      sum[p][v] = t.accumulate        ? hn::LoadU(d, t.c[0] + at)
                  : t.bias != nullptr ? hn::LoadU(d, t.bias + at)
                                      : hn::Zero(d);
    }
  }
  const float* HWY_RESTRICT b = t.b;
  for (int64_t k = 0; k < t.k; ++k, b += width) {
    const V a = hn::Set(d, t.a[0][k]);
    add_row_products<Product, 0>(a, b, panel, sum);
    if constexpr (Product::kParts == 2) add_row_products<Product, 1>(a, b, panel, sum);
  }
#pragma GCC unroll 4
  for (int p = 0; p < kRowPanels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) hn::StoreU(sum[p][v], d, t.c[0] + p * width + v * lane_count);
  }
}

const float* row_of_a(const Gemm<float>& args, int64_t i) {
  return args.a + (args.a_rows != nullptr ? args.a_rows[i] : i) * args.a_stride;
}

// Copies rows k0 .. k0+k of a transposed A into strips of kTileRows columns, so that the multiplying loop reads
// consecutive floats instead of one cache line an element. Four rows at a time, which fill a line of a strip: strips
// may be far enough apart for their lines to drive one another out of the cache. In bf16, of rows of words.
void pack_strips(const Gemm<float>& args, int64_t k0, int64_t k, Range m, float* out) {
  constexpr int64_t kTogether = 4;
  HWY_ALIGN float words[kTogether][kBlockRows];
  const auto row = [&](int64_t i) { return row_of_a(args, i) + m.begin; };
  for (int64_t i0 = 0; i0 < k; i0 += kTogether) {
    const int64_t count = std::min(kTogether, k - i0);
    const float* from[kTogether];
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = k0 + i0 + i;
      if (args.b->precision == Precision::kFloat) {
        from[i] = row(at);
      } else {
        words_of_rows(row(2 * at), 2 * at + 1 < args.b->k ? row(2 * at + 1) : nullptr, m.size(), words[i]);
        from[i] = words[i];
      }
    }
    for (int64_t column = 0; column < m.size(); column += kTileRows) {
      float* to = out + column * k + i0 * kTileRows;
      const int64_t columns = std::min<int64_t>(kTileRows, m.size() - column);
      for (int64_t i = 0; i < count; ++i, to += kTileRows) {
        if (columns == kTileRows) {
          std::copy_n(from[i] + column, kTileRows, to);
        } else {
          std::fill(std::copy_n(from[i] + column, columns, to), to + kTileRows, 0.0F);
        }
      }
    }
  }
}

// Rounds words k0 .. k0+k of rows of A, and writes each row after the one before.
void round_rows(const Gemm<float>& args, int64_t k0, int64_t k, Range m, float* out) {
  for (int64_t i = m.begin; i < m.end; ++i, out += k) {
    words_of_row(row_of_a(args, i) + 2 * k0, std::min(args.b->k, 2 * (k0 + k)) - 2 * k0, out);
  }
}

// The last panel may have fewer columns than its vectors: such a tile is computed beside C.
struct Edge {
  int64_t columns;  // that exist
  int64_t width;    // of the tile
  float* c[8];      // rows in C
  HWY_ALIGN float tile[8 * kTileVectors * kLineFloats];
  HWY_ALIGN float bias[kTileVectors * kLineFloats];

  void begin(Tile& t) {
    for (int r = 0; r < t.rows; ++r) {
      c[r] = t.c[r];
      t.c[r] = tile + r * width;
      if (t.accumulate) std::fill(std::copy_n(c[r], columns, t.c[r]), t.c[r] + width, 0.0F);
    }
  }
  void end(const Tile& t) {
    for (int r = 0; r < t.rows; ++r) std::copy_n(t.c[r], columns, c[r]);
  }
};

struct Block {
  Range rows;
  Range vectors;  // of columns; begins on a panel
  int64_t k0, k;
  const float* packed;  // these rows of A, unless they are read where they are
};

// One tile's rows of A, from row m on.
template <class Product>
HWY_INLINE void multiply_from(const Gemm<float>& args, const Block& block, int64_t m, int64_t vectors, Tile& tile) {
  const int64_t at = (m - block.rows.begin) * block.k;
  if (args.a_transposed) {
    for (int r = 0; r < kTileRows; ++r) tile.a[r] = block.packed + at + r;
    multiply_rows<Product, kTileRows, kTileRows>(tile, vectors);
  } else if constexpr (std::is_same_v<Product, FloatProduct>) {
    for (int r = 0; r < tile.rows; ++r) tile.a[r] = row_of_a(args, m + r) + block.k0;
    multiply_plain<kTileRows>(tile, vectors);
  } else {
    for (int r = 0; r < kTileRows; ++r) tile.a[r] = block.packed + at + std::min(r, tile.rows - 1) * block.k;
    multiply_rounded<Product>(tile, vectors);
  }
}

const float* bias_at(const Gemm<float>& args, const Block& block, int64_t n) {
  return args.bias != nullptr && block.k0 == 0 ? args.bias + n : nullptr;
}

const float* panel_at(const PackedMatrix& b, const Block& block, int64_t first, int64_t vectors) {
  return b.data.data() + first * lanes() * depth_of(b.k, b.precision) + block.k0 * vectors * lanes();
}

// Where there is one row, as many panels as come in groups. Returns the first vector of the others.
template <class Product>
int64_t multiply_one_row(const Gemm<float>& args, const Block& block) {
  if (args.a_transposed || block.rows.size() != 1) return block.vectors.begin;
  constexpr int64_t kGroup = kRowPanels * kTileVectors;
  const PackedMatrix& b = *args.b;
  const int64_t m = block.rows.begin, total = vectors_of(b.n), whole = b.n / lanes();
  constexpr bool kRounds = !std::is_same_v<Product, FloatProduct>;
  Tile tile{};
  tile.a[0] = kRounds ? block.packed : row_of_a(args, m) + block.k0;
  tile.k = block.k;
  tile.accumulate = args.accumulate || block.k0 > 0;
  int64_t first = block.vectors.begin;
  for (; first + kGroup <= std::min(block.vectors.end, whole); first += kGroup) {
    if (panel_vectors(first + kGroup - kTileVectors, total) != kTileVectors) break;
    tile.b = panel_at(b, block, first, kTileVectors);
    tile.bias = bias_at(args, block, first * lanes());
    tile.c[0] = args.c + (args.c_rows != nullptr ? args.c_rows[m] : m) * args.c_stride + first * lanes();
    multiply_row<Product>(tile, kTileVectors * lanes() * depth_of(b.k, b.precision));
  }
  return first;
}

template <class Product>
void multiply_block(const Gemm<float>& args, const Block& block) {
  const PackedMatrix& b = *args.b;
  const int64_t lane_count = lanes();
  Tile tile{};
  tile.k = block.k;
  tile.accumulate = args.accumulate || block.k0 > 0;
  const int64_t total = vectors_of(b.n);
  int64_t vectors = 0;
  for (int64_t first = multiply_one_row<Product>(args, block); first < block.vectors.end; first += vectors) {
    vectors = panel_vectors(first, total);
    const int64_t n = first * lane_count;
    Edge edge;
    edge.width = vectors * lane_count;
    edge.columns = std::min(edge.width, b.n - n);
    const bool whole = edge.columns == edge.width;
    tile.b = panel_at(b, block, first, vectors);
    tile.bias = bias_at(args, block, n);
    if (!whole && tile.bias != nullptr) {
      std::fill(std::copy_n(tile.bias, edge.columns, edge.bias), edge.bias + edge.width, 0.0F);
      tile.bias = edge.bias;
    }
    for (int64_t m = block.rows.begin; m < block.rows.end; m += kTileRows) {
      tile.rows = static_cast<int>(std::min<int64_t>(kTileRows, block.rows.end - m));
      for (int r = 0; r < tile.rows; ++r) {
        tile.c[r] = args.c + (args.c_rows != nullptr ? args.c_rows[m + r] : m + r) * args.c_stride + n;
      }
      if (!whole) edge.begin(tile);
      multiply_from<Product>(args, block, m, vectors, tile);
      if (!whole) edge.end(tile);
    }
  }
}

// Whether rows of A are read from a copy.
bool packs_a(const Gemm<float>& args) { return args.a_transposed || args.b->precision == Precision::kBf16; }

void gemm_part(std::span<const Gemm<float>> products, Range rows, Range vectors, Buffer<float>& strips) {
  const Gemm<float>& first = products.front();
  const int64_t longest = packs_a(first) ? kStripK : kBlockK;
  const int64_t depth = depth_of(first.b->k, first.b->precision), blocks = (depth + longest - 1) / longest;
  if (packs_a(first)) strips.resize((kBlockRows + kTileRows) * kStripK);
  for (int64_t i = 0; i < blocks; ++i) {
    const Range part = split(depth, static_cast<int>(blocks), static_cast<int>(i));
    for (int64_t m = rows.begin; m < rows.end; m += kBlockRows) {
      Block block{{m, std::min(rows.end, m + kBlockRows)}, vectors, part.begin, part.size(), strips.data()};
      if (first.a_transposed) {
        pack_strips(first, block.k0, block.k, block.rows, strips.data());
      } else if (packs_a(first)) {
        round_rows(first, block.k0, block.k, block.rows, strips.data());
      }
      for (const Gemm<float>& args : products) {
        block.vectors.end = std::min(vectors.end, vectors_of(args.b->n));
        with_product(args.b->precision, [&](auto product) { multiply_block<decltype(product)>(args, block); });
      }
    }
  }
}

void gemm_target(std::span<const Gemm<float>> products, Context& context) {
  const Gemm<float>& first = products.front();
  int64_t vectors = 0, work = 0;
  for (const Gemm<float>& args : products) {
    vectors = std::max(vectors, vectors_of(args.b->n));
    work += first.m * args.b->n * first.b->k;
  }
  // The longer dimension of one product is what is shared out, in whole tiles.
  const int64_t row_tiles = (first.m + kTileRows - 1) / kTileRows, panels = panel_count(vectors);
  const bool by_rows = products.size() > 1 || row_tiles >= panels;
  constexpr int64_t kWorthAThread = 1 << 15;  // multiply-adds; waking a thread costs about as much
  int64_t useful = std::min(by_rows ? row_tiles : panels, work / kWorthAThread);
  // Each part by columns packs all strips, or rounds all rows, for itself.
  if (packs_a(first) && !by_rows) useful = std::min<int64_t>(useful, context.pool.size());
  context.pool.run(
      [&](int part, int parts, int thread) {
        const Range rows = by_rows ? split(first.m, parts, part, kTileRows) : Range{0, first.m};
        const Range range = by_rows ? Range{0, vectors} : panel_range(vectors, parts, part);
        if (rows.size() > 0 && range.size() > 0) {
          gemm_part(products, rows, range, context.strips[static_cast<size_t>(thread)]);
        }
      },
      useful);
}

void gemm_columns_target(const Gemm<float>& args, int member, int members, Context& context) {
  const Range range = panel_range(vectors_of(args.b->n), members, member);
  if (range.size() > 0) gemm_part(args, {0, args.m}, range, context.strips[0]);
}

int64_t most_members_target(int64_t n) { return panel_count(vectors_of(n)); }

Range columns_target(int64_t n, int member, int members) {
  const Range range = panel_range(vectors_of(n), members, member);
  return {std::min(n, range.begin * lanes()), std::min(n, range.end * lanes())};
}

// Row of `b` that is row i (of columns, where transposed) of B; -1 where that is padding.
int64_t source_row(const PackSource<float>& s, int64_t i) {
  if (s.rows != nullptr) return s.rows[i];
  if (s.group == 0) return i;
  const int64_t in_group = i % padded(s.group);
  return in_group < s.group ? i / padded(s.group) * s.group + in_group : -1;
}

// Rows k, of words or floats, of one panel of B, which begins at column n0 and is `width` columns wide with the
// padding.
void pack_panel(const PackSource<float>& s, int64_t n0, int64_t width, Range k, float* panel) {
  const int64_t columns = std::min(width, s.n - n0);
  if (!s.transposed) {
    const auto row = [&](int64_t i) {
      const int64_t at = i < s.k ? source_row(s, i) : -1;
      return at >= 0 ? s.b + at * s.stride + n0 : nullptr;
    };
    for (int64_t i = k.begin; i < k.end; ++i) {
      float* to = panel + i * width;
      const bool rounds = s.precision == Precision::kBf16;
      const float* from = row(rounds ? 2 * i : i);
      if (from == nullptr) {
        std::fill_n(to, columns, 0.0F);
      } else if (rounds) {
        words_of_rows(from, row(2 * i + 1), columns, to);
      } else {
        std::copy_n(from, columns, to);
      }
      std::fill(to + columns, to + width, 0.0F);
    }
    return;
  }
  for (int64_t j = 0; j < width; j += 4) {
    const int64_t count = std::min<int64_t>(4, width - j);
    const float* rows[4];
    for (int64_t r = 0; r < count; ++r) {
      const int64_t row = j + r < columns ? source_row(s, n0 + j + r) : -1;
      rows[r] = row >= 0 ? s.b + row * s.stride : nullptr;
    }
    pack_columns(rows, count, s.k, k, s.precision, panel + j, width);
  }
}

void pack_target(const PackSource<float>& s, PackedMatrix& packed, Context& context) {
  packed.k = s.k;
  packed.n = s.n;
  packed.precision = s.precision;
  const int64_t depth = depth_of(s.k, s.precision);
  packed.data.resize(depth * padded(s.n));
  const int64_t total = vectors_of(s.n);
  // Transposed, writes go down a column of the panel: in parts of k short enough for its lines to stay in the
  // first-level cache. Otherwise in parts short enough for the rows that are read to be read on in the next panel.
  const int64_t part_k = s.transposed ? kPackedPart : 16;
  constexpr int64_t kWorthAThread = 1 << 13;  // floats
  context.pool.run(
      [&](int part, int parts) {
        const Range range = panel_range(total, parts, part);
        for (int64_t k0 = 0; k0 < depth; k0 += part_k) {
          int64_t vectors = 0;
          for (int64_t first = range.begin; first < range.end; first += vectors) {
            vectors = panel_vectors(first, total);
            pack_panel(s, first * lanes(), vectors * lanes(), {k0, std::min(depth, k0 + part_k)},
                       packed.data.data() + first * lanes() * depth);
          }
        }
      },
      std::min(panel_count(total), s.k * s.n / kWorthAThread));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(gemm_target);
HWY_EXPORT(gemm_columns_target);
HWY_EXPORT(columns_target);
HWY_EXPORT(most_members_target);
HWY_EXPORT(pack_target);

void pack(const PackSource<float>& source, PackedMatrix& packed, Context& context) {
  HWY_DYNAMIC_DISPATCH(pack_target)(source, packed, context);
}

void gemm(std::span<const Gemm<float>> products, Context& context) {
  for (const Gemm<float>& args : products) {
    LONGHAND_CHECK(args.b != nullptr && !(args.accumulate && args.bias != nullptr));
    LONGHAND_CHECK(args.m == products[0].m && args.b->k == products[0].b->k);
    LONGHAND_CHECK(args.b->precision == products[0].b->precision);
    if (args.m == 0 || args.b->n == 0) return;
  }
  HWY_DYNAMIC_DISPATCH(gemm_target)(products, context);
}

void gemm(const Gemm<float>& args, Context& context) { gemm(std::span(&args, 1), context); }

void gemm_columns(const Gemm<float>& args, int member, int members, Context& context) {
  HWY_DYNAMIC_DISPATCH(gemm_columns_target)(args, member, members, context);
}

Range columns_of(int64_t n, int member, int members) {
  return HWY_DYNAMIC_DISPATCH(columns_target)(n, member, members);
}

int64_t most_members(int64_t n) { return HWY_DYNAMIC_DISPATCH(most_members_target)(n); }

}  // namespace longhand::kernels
#endif  // HWY_ONCE
