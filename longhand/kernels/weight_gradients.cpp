#include "longhand/kernels/weight_gradients.h"

#include <algorithm>

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/lstm_rows.h"
#include "longhand/kernels/row_sums.h"

namespace longhand::kernels {

StepRows step_rows(const LstmShape& shape, Context& context) {
  StepRows rows{};
  rows.rows = unpadded_rows(shape, {0, shape.steps}, {0, shape.batch}, context.rows, rows.count);
  rows.prev = prev_rows(shape, context.prev);
  return rows;
}

const float* sum_steps(const float* values, const float* factors, int64_t groups, int64_t H, const StepRows& rows,
                       Context& context) {
  context.columns.resize(groups * padded(H));
  context.columns.fill(0.0F);
  sum_rows({.values = values,
            .factors = factors,
            .columns = groups * padded(H),
            .n = rows.count,
            .rows = rows.rows,
            .sums = context.columns.data()},
           context);
  return context.columns.data();
}

void add_sum(const float* values, const float* factors, int64_t groups, int64_t H, const StepRows& rows, float* sum,
             Context& context) {
  const float* sums = sum_steps(values, factors, groups, H, rows, context);
  for (int64_t k = 0; k < groups * H; ++k) sum[k] += sums[k / H * padded(H) + k % H];
}

void add_weight_gradients(const StepOperand& dy, std::initializer_list<WeightGradient> weights, int64_t count,
                          Context& context) {
  Gemm<float> products[2];
  size_t n = 0;
  for (const WeightGradient& weight : weights) {
    PackedMatrix& packed = context.operands[n];
    pack({.b = weight.x.data,
          .stride = weight.x.stride,
          .k = count,
          .n = weight.x.width,
          .rows = weight.x.rows,
          .precision = context.precision},
         packed, context);
    products[n++] = {.a = dy.data,
                     .a_stride = dy.stride,
                     .a_transposed = true,
                     .a_rows = dy.rows,
                     .b = &packed,
                     .accumulate = true,
                     .c = weight.dw,
                     .c_stride = weight.x.width};
  }
  // Without padding between them the groups are one product.
  const int64_t groups = dy.width == padded(dy.width) ? 1 : dy.groups, m = dy.groups * dy.width / groups;
  for (int64_t group = 0; group < groups; ++group) {
    for (Gemm<float>& product : std::span(products, n)) product.m = m;
    gemm(std::span<const Gemm<float>>(products, n), context);
    for (Gemm<float>& product : std::span(products, n)) {
      product.a += padded(dy.width);
      product.c += m * product.c_stride;
    }
  }
}

namespace {

void clear_padded_rows(const InputGradient& args, Range times, Range rows, Range columns) {
  const LstmShape& shape = args.shape;
  if (shape.lengths == nullptr || args.add_to_dx) return;
  for (int64_t t = times.begin; t < times.end; ++t) {
    for (int64_t b = rows.begin; b < rows.end; ++b) {
      if (t < shape.length(b)) continue;
      std::fill_n(args.dx + (t * shape.batch + b) * args.dx_stride + columns.begin, columns.size(), 0.0F);
    }
  }
}

Gemm<float> input_gradient_product(const InputGradient& args, Range times, Range batch, Context& context) {
  const int64_t first = times.begin * args.shape.batch;
  int64_t count = 0;
  const int32_t* rows = unpadded_rows(args.shape, times, batch, context.rows, count);
  return {.a = args.d_ih + first * args.d_stride,
          .a_stride = args.d_stride,
          .a_rows = rows,
          .c_rows = rows,
          .m = count,
          .b = args.input_back,
          .accumulate = args.add_to_dx,
          .c = args.dx + first * args.dx_stride,
          .c_stride = args.dx_stride};
}

}  // namespace

void input_gradient(const InputGradient& args, Range times, const LstmPiece& piece, Context& context) {
  clear_padded_rows(args, times, piece.rows, columns_of(args.shape.inputs, piece.member, piece.members));
  gemm_columns(input_gradient_product(args, times, piece.rows, context), piece.member, piece.members, context);
}

void input_gradient(const InputGradient& args, Context& context) {
  const Range times{0, args.shape.steps}, batch{0, args.shape.batch};
  clear_padded_rows(args, times, batch, {0, args.shape.inputs});
  gemm(input_gradient_product(args, times, batch, context), context);
}

}  // namespace longhand::kernels
