#include "longhand/kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/softmax.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

#ifndef LONGHAND_KERNELS_SOFTMAX_SHARED_
#define LONGHAND_KERNELS_SOFTMAX_SHARED_
namespace longhand::kernels {

struct LogitRows {
  float* logits;
  int64_t count, classes, width;
  const int32_t* rows;  // or null
  int64_t first;        // row of the first logits where `rows` is null
  const int32_t* targets;
  float* loss;
  const float* weights;  // or null
  float scale, smoothing;
  bool gradient;
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Turns one row of logits, padded with very negative ones, into the gradient (where that is wanted), and returns the
// cross-entropy in nats.
float softmax_row(float* logits, const LogitRows& args, int32_t target) {
  const int64_t width = args.width;
  const D d;
  V largest = hn::Load(d, logits);
  for (int64_t j = lanes(); j < width; j += lanes()) largest = hn::Max(largest, hn::Load(d, logits + j));
  largest = hn::MaxOfLanes(d, largest);
  const float log_target = logits[target] - hn::GetLane(largest);
  V sum = hn::Zero(d);
  for (int64_t j = 0; j < width; j += lanes()) {
    const V e = exp(hn::Sub(hn::Load(d, logits + j), largest));
    hn::Store(e, d, logits + j);
    sum = hn::Add(sum, e);
  }
  const float total = hn::GetLane(hn::SumOfLanes(d, sum));
  if (args.gradient) {
    const float scale = args.weights != nullptr ? args.scale * args.weights[target] : args.scale;
    const V factor = hn::Set(d, scale / total);
    for (int64_t j = 0; j < width; j += lanes()) {
      hn::Store(hn::Mul(hn::Load(d, logits + j), factor), d, logits + j);
    }
    if (args.smoothing > 0.0F) {
      const V spread = hn::Set(d, scale * args.smoothing / static_cast<float>(args.classes));
      for (int64_t j = 0; j < width; j += lanes()) {
        hn::Store(hn::Sub(hn::Load(d, logits + j), real_lanes(spread, args.classes - j)), d, logits + j);
      }
    }
    logits[target] -= scale * (1.0F - args.smoothing);
  }
  return std::log(total) - log_target;
}

void softmax_rows(const LogitRows& args, Context& context) {
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(args.count, parts, part);
        for (int64_t n = range.begin; n < range.end; ++n) {
          float* row = args.logits + n * args.width;
          // Beside the largest logit's 1, what the kernel's exponential makes of these (1e-38) is nothing.
          std::fill(row + args.classes, row + args.width, -1e30F);
          const int64_t source = args.rows != nullptr ? args.rows[n] : args.first + n;
          args.loss[n] = softmax_row(row, args, args.targets[source]);
        }
      },
      args.count * args.width / 4096);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(softmax_rows);

void softmax_cross_entropy(const SoftmaxCrossEntropy<float>& args, const PackedLinear& packed, Context& context) {
  const LinearForward<float>& output = args.output;
  const int64_t width = padded(output.outputs);
  // Blocks of logits of 20 MB, but of enough rows to keep the products efficient: each block reads and writes all
  // gradients of the weights.
  const int64_t largest_block = std::clamp<int64_t>((int64_t{5} << 20) / width, 256, 1024);
  const int64_t blocks = (output.n + largest_block - 1) / largest_block;
  context.block.resize(std::min(largest_block, output.n) * width);
  for (int64_t b = 0; b < blocks; ++b) {
    const Range range = split(output.n, static_cast<int>(blocks), static_cast<int>(b));
    LinearForward<float> part = output;
    part.n = range.size();
    part.rows = output.rows != nullptr ? output.rows + range.begin : nullptr;
    if (output.rows == nullptr) part.x += range.begin * output.x_stride;
    part.y = context.block.data();
    part.y_stride = width;
    linear_forward(part, packed, context);
    const bool gradient = args.dw != nullptr;
    HWY_DYNAMIC_DISPATCH(softmax_rows)
    ({part.y, part.n, output.outputs, width, part.rows, range.begin, args.targets, args.loss + range.begin,
      args.weights, args.scale, args.smoothing, gradient},
     context);
    if (!gradient) continue;
    float* dx = output.rows == nullptr ? args.dx + range.begin * args.dx_stride : args.dx;
    linear_backward({.inputs = output.inputs,
                     .outputs = output.outputs,
                     .n = part.n,
                     .rows = part.rows,
                     .x = part.x,
                     .x_stride = output.x_stride,
                     .w = output.w,
                     .dy = part.y,
                     .dy_stride = width,
                     .dx = dx,
                     .dx_stride = args.dx_stride,
                     .dw = args.dw,
                     .dbias = args.dbias},
                    packed, context);
  }
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
