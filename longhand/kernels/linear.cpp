#include "longhand/kernels/linear.h"

#include <algorithm>

#include "longhand/kernels/gemm.h"

namespace longhand::kernels {

void pack_linear(const float* w, int64_t outputs, int64_t inputs, bool training, PackedLinear& packed,
                 Context& context) {
  const Precision precision = training ? context.precision : Precision::kFloat;
  pack({.b = w, .stride = inputs, .k = inputs, .n = outputs, .transposed = true, .precision = precision},
       packed.forward, context);
  if (training) {
    pack({.b = w, .stride = inputs, .k = outputs, .n = inputs, .precision = precision}, packed.backward, context);
  }
}

void linear_forward(const LinearForward<float>& args, const PackedLinear& packed, Context& context) {
  gemm({.a = args.x,
        .a_stride = args.x_stride,
        .a_rows = args.rows,
        .m = args.n,
        .b = &packed.forward,
        .bias = args.bias,
        .c = args.y,
        .c_stride = args.y_stride},
       context);
}

void linear_backward(const LinearBackward<float>& args, const PackedLinear& packed, Context& context) {
  if (args.dbias != nullptr) {
    // Threads take columns, so that each sum is in the order of the rows.
    context.pool.run(
        [&](int part, int parts) {
          const Range columns = split(args.outputs, parts, part, kLineFloats);
          for (int64_t n = 0; n < args.n; ++n) {
            const float* dy = args.dy + n * args.dy_stride;
            for (int64_t o = columns.begin; o < columns.end; ++o) args.dbias[o] += dy[o];
          }
        },
        args.n * args.outputs / 65536);
  }
  pack({.b = args.x,
        .stride = args.x_stride,
        .k = args.n,
        .n = args.inputs,
        .rows = args.rows,
        .precision = context.precision},
       context.operands[0], context);
  gemm({.a = args.dy,
        .a_stride = args.dy_stride,
        .a_transposed = true,
        .m = args.outputs,
        .b = &context.operands[0],
        .accumulate = true,
        .c = args.dw,
        .c_stride = args.inputs},
       context);
  if (args.dx == nullptr) return;
  gemm({.a = args.dy,
        .a_stride = args.dy_stride,
        .c_rows = args.rows,
        .m = args.n,
        .b = &packed.backward,
        .c = args.dx,
        .c_stride = args.dx_stride},
       context);
}

}  // namespace longhand::kernels
