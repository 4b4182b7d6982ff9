#include "longhand/nn/dropout.h"

#include <cmath>

namespace longhand::nn {

void dropout(const DropoutKey& key, double p, const float* x, float* y, int64_t rows, int64_t width, int64_t stride,
             ThreadPool& pool) {
  const auto threshold = static_cast<uint32_t>(std::lround(p * 0x1p16));
  const auto scale = static_cast<float>(1.0 / (1.0 - p));
  const auto place = static_cast<uint32_t>(RngPlace::kDropout) + key.place;
  const std::array<uint32_t, 2> seed = {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)};
  pool.run(
      [&](int part, int parts) {
        const Range range = split(rows, parts, part);
        for (int64_t row = range.begin; row < range.end; ++row) {
          for (int64_t j = 0; j < width; j += 8) {
            // One call of the generator gives eight decisions of sixteen bits: a probability to 1 in 65,536.
            const auto block = static_cast<uint32_t>(row * ((width + 7) / 8) + j / 8);
            const auto words =
                philox({block, place, static_cast<uint32_t>(key.step), static_cast<uint32_t>(key.step >> 32)}, seed);
            for (int64_t i = j; i < std::min(width, j + 8); ++i) {
              const uint32_t word = words[static_cast<size_t>(i - j) / 2];
              const uint32_t draw = (i - j) % 2 == 0 ? word & 0xFFFFU : word >> 16;
              y[row * stride + i] = draw < threshold ? 0.0F : x[row * stride + i] * scale;
            }
          }
        }
      },
      rows * width / 4096);
}

}  // namespace longhand::nn
