#include "longhand/kernels/mask.h"

#include <algorithm>
#include <array>

#include "longhand/base/rng.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/mask.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
// One call of Philox: 4 words.
HWY_INLINE void philox_lanes(const DrawMask<float>& args, uint32_t block, uint32_t* words) {
  const std::array<uint32_t, 4> counter = {block, args.place, static_cast<uint32_t>(args.step),
                                           static_cast<uint32_t>(args.step >> 32)};
  const auto result = philox(counter, {static_cast<uint32_t>(args.seed), static_cast<uint32_t>(args.seed >> 32)});
  std::copy(result.begin(), result.end(), words);
}
#else
using DU32 = hn::RebindToUnsigned<D>;
using DU64 = hn::Repartition<uint64_t, DU32>;
using VU32 = hn::Vec<DU32>;

struct Product {
  VU32 high, low;
};

// The 64 bits of each lane's product.
HWY_INLINE Product multiply(VU32 a, VU32 m) {
  const DU32 d;
  const DU64 d64;
  const auto even = hn::MulEven(a, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), m);
  return {hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even))),
          hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even))};
}

// One call of Philox a lane, for the counters `block`, `block` + 1, ...: writes their 4 words each, one after the
// other.
HWY_INLINE void philox_lanes(const DrawMask<float>& args, uint32_t block, uint32_t* words) {
  const DU32 d;
  VU32 c0 = hn::Iota(d, block), c1 = hn::Set(d, args.place);
  VU32 c2 = hn::Set(d, static_cast<uint32_t>(args.step)), c3 = hn::Set(d, static_cast<uint32_t>(args.step >> 32));
  auto k0 = static_cast<uint32_t>(args.seed), k1 = static_cast<uint32_t>(args.seed >> 32);
  const VU32 m0 = hn::Set(d, 0xD2511F53U), m1 = hn::Set(d, 0xCD9E8D57U);
  for (int round = 0; round < 10; ++round) {
    const Product p0 = multiply(c0, m0), p1 = multiply(c2, m1);
    c0 = hn::Xor(hn::Xor(p1.high, c1), hn::Set(d, k0));
    c1 = p1.low;
    c2 = hn::Xor(hn::Xor(p0.high, c3), hn::Set(d, k1));
    c3 = p0.low;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, d, words);
}
#endif

void draw_rows(const DrawMask<float>& args, Range rows) {
  const uint32_t threshold = args.threshold();
  const float hit = args.hit, miss = args.miss;
  HWY_ALIGN uint32_t words[4 * kLineFloats];
  const int64_t blocks = args.blocks_per_row(), drawn = 8 * lanes();
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t j = 0; j < args.width; j += drawn) {
      philox_lanes(args, static_cast<uint32_t>(row * blocks + j / 8), words);
      float* mask = args.mask + row * args.stride + j;
      const int64_t count = std::min(drawn, args.width - j);
      // Decisions of sixteen bits, the low half of a word first.
      for (int64_t i = 0; i < count / 2; ++i) {
        mask[2 * i] = (words[i] & 0xFFFFU) < threshold ? hit : miss;
        mask[2 * i + 1] = words[i] >> 16 < threshold ? hit : miss;
      }
      if (count % 2 == 1) mask[count - 1] = (words[count / 2] & 0xFFFFU) < threshold ? hit : miss;
    }
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(draw_rows);

void draw_mask(const DrawMask<float>& args, ThreadPool& pool) {
  constexpr int64_t kWorthAThread = 1 << 15;  // elements
  pool.run(
      [&](int part, int parts) {
        HWY_DYNAMIC_DISPATCH(draw_rows)
        (args, split(args.rows, parts, part));
      },
      args.rows * args.width / kWorthAThread);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
