#include "longhand/kernels/embedding.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/embedding.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

void scatter_target(const EmbeddingScatter<float>& args, Context& context) {
  // Threads take columns, so that every sum runs in the order of n.
  context.pool.run(
      [&](int part, int parts) {
        const Range columns = split(args.width, parts, part, kLineFloats);
        for (int64_t n = 0; n < args.n; ++n) {
          const float* from = args.dy + n * args.dy_stride;
          float* to = args.dtable + args.symbols[n] * args.width;
          for (int64_t j = columns.begin; j < columns.end; j += lanes()) {
            const int64_t left = columns.end - j;
            store_n(hn::Add(load_n(to + j, left), load_n(from + j, left)), to + j, left);
          }
        }
      },
      args.n * args.width / 16384);
}

void gather_target(const EmbeddingGather<float>& args, Context& context) {
  const D d;
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(args.n, parts, part);
        for (int64_t n = range.begin; n < range.end; ++n) {
          const float* from = args.table + args.symbols[n] * args.width;
          float* to = args.y + n * args.y_stride;
          int64_t j = 0;
          for (; j + lanes() <= args.width; j += lanes()) hn::StoreU(hn::LoadU(d, from + j), d, to + j);
          std::copy(from + j, from + args.width, to + j);
        }
      },
      args.n * args.width / 16384);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(gather_target);
HWY_EXPORT(scatter_target);

void embedding_gather(const EmbeddingGather<float>& args, Context& context) {
  HWY_DYNAMIC_DISPATCH(gather_target)(args, context);
}

void embedding_scatter(const EmbeddingScatter<float>& args, Context& context) {
  HWY_DYNAMIC_DISPATCH(scatter_target)(args, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
