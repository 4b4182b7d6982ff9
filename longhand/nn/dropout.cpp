#include "longhand/nn/dropout.h"

#include <algorithm>
#include <cmath>

namespace longhand::nn {
namespace {
constexpr int64_t kWorthAThread = 4096;  // elements
}

template <class T>
void draw_mask(const Draw<T>& draw, T* mask, int64_t rows, int64_t width, int64_t stride, ThreadPool& pool) {
  const auto threshold = static_cast<uint32_t>(std::lround(draw.p * 0x1p16));
  const auto place = static_cast<uint32_t>(RngPlace::kDropout) + draw.key.place;
  const auto step_low = static_cast<uint32_t>(draw.key.step), step_high = static_cast<uint32_t>(draw.key.step >> 32);
  const std::array<uint32_t, 2> seed = {static_cast<uint32_t>(draw.key.seed),
                                        static_cast<uint32_t>(draw.key.seed >> 32)};
  pool.run(
      [&](int part, int parts) {
        const Range range = split(rows, parts, part);
        for (int64_t row = range.begin; row < range.end; ++row) {
          for (int64_t j = 0; j < width; j += 8) {
            // One call of the generator gives eight decisions of sixteen bits.
            const auto block = static_cast<uint32_t>(row * ((width + 7) / 8) + j / 8);
            const auto words = philox({block, place, step_low, step_high}, seed);
            for (int64_t i = j; i < std::min(width, j + 8); ++i) {
              const uint32_t word = words[static_cast<size_t>(i - j) / 2];
              const uint32_t number = (i - j) % 2 == 0 ? word & 0xFFFFU : word >> 16;
              mask[row * stride + i] = number < threshold ? draw.hit : draw.miss;
            }
          }
        }
      },
      rows * width / kWorthAThread);
}

template <class T>
void multiply_mask(const MultiplyMask<T>& args, ThreadPool& pool) {
  pool.run(
      [&](int part, int parts) {
        const Range range = split(args.rows, parts, part);
        for (int64_t row = range.begin; row < range.end; ++row) {
          const T* x = args.x + row * args.x_stride;
          const T* mask = args.mask + row % args.mask_rows * args.mask_stride;
          T* y = args.y + row * args.y_stride;
          for (int64_t j = 0; j < args.width; ++j) y[j] = x[j] * mask[j];
        }
      },
      args.rows * args.width / kWorthAThread);
}

template void draw_mask(const Draw<float>&, float*, int64_t, int64_t, int64_t, ThreadPool&);
template void draw_mask(const Draw<double>&, double*, int64_t, int64_t, int64_t, ThreadPool&);
template void multiply_mask(const MultiplyMask<float>&, ThreadPool&);
template void multiply_mask(const MultiplyMask<double>&, ThreadPool&);

}  // namespace longhand::nn
