#include "longhand/nn/dropout.h"

#include <type_traits>

#include "longhand/kernels/reference.h"

namespace longhand::nn {
namespace {
constexpr int64_t kWorthAThread = 4096;  // elements
}

template <class T>
void draw_mask(const Draw<T>& draw, T* mask, int64_t rows, int64_t width, int64_t stride, ThreadPool& pool) {
  const kernels::DrawMask<T> args{.seed = draw.key.seed,
                                  .step = draw.key.step,
                                  .place = static_cast<uint32_t>(RngPlace::kDropout) + draw.key.place,
                                  .p = draw.p,
                                  .hit = draw.hit,
                                  .miss = draw.miss,
                                  .rows = rows,
                                  .width = width,
                                  .mask = mask,
                                  .stride = stride};
  if constexpr (std::is_same_v<T, float>) {
    kernels::draw_mask(args, pool);
  } else {
    kernels::reference::draw_mask(args);
  }
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
