// Random masks of two values, from which all dropout and zoneout is made. Every element is a pure function of seed,
// step, place and position: neither the number of threads nor the instruction set changes one.
#pragma once

#include <cstdint>

#include "longhand/base/threads.h"

namespace longhand::kernels {

/// Each element is `hit` with probability p, to 1 in 65,536, and `miss` otherwise. A call of Philox (base/rng.h) gives
/// eight decisions of sixteen bits; its counter is the number of the eight, counted by rows.
template <class T>
struct DrawMask {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t place = 0;
  double p = 0.0;
  T hit{};
  T miss{};
  int64_t rows = 0;
  int64_t width = 0;
  T* mask = nullptr;  ///< [rows, width] written
  int64_t stride = 0;

  /// Of 65,536.
  uint32_t threshold() const { return static_cast<uint32_t>(p * 0x1p16 + 0.5); }
  int64_t blocks_per_row() const { return (width + 7) / 8; }
};

void draw_mask(const DrawMask<float>& args, ThreadPool& pool);

}  // namespace longhand::kernels
