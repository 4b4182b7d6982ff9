#include "longhand/nn/tape_layers.h"

#include <algorithm>
#include <vector>

#include "longhand/autograd/operations.h"

namespace longhand::nn {

using autograd::Tape;
using autograd::Var;

namespace {

// The rows of x that an output layer reads, one after the other.
std::vector<float> gathered(const float* x, int64_t stride, int64_t width, const int32_t* rows, int64_t n) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) {
    const float* row = x + (rows != nullptr ? rows[i] : i) * stride;
    out.insert(out.end(), row, row + width);
  }
  return out;
}

// What `gathered` took apart, put back.
void scatter(std::span<const float> from, float* x, int64_t stride, int64_t width, const int32_t* rows, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    std::copy_n(from.data() + i * width, width, x + (rows != nullptr ? rows[i] : i) * stride);
  }
}

// (48) -log softmax, the mean over all classes: log sum exp(logits) - mean(logits), with the largest taken off first.
Var<float> uniform_cross_entropy(Var<float> logits) {
  std::vector<float> largest;
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const auto row =
        logits.value().subspan(static_cast<size_t>(i * logits.columns()), static_cast<size_t>(logits.columns()));
    largest.push_back(*std::max_element(row.begin(), row.end()));
  }
  const Var<float> lowered = subtract_column(logits, logits.tape->constant(logits.rows(), 1, largest.data()));
  return subtract(log(row_sum(exp(lowered))), row_mean(lowered));
}

}  // namespace

void softmax_cross_entropy_on_tape(const kernels::SoftmaxCrossEntropy<float>& args) {
  const kernels::LinearForward<float>& output = args.output;
  const int64_t n = output.n, inputs = output.inputs;
  std::vector<int32_t> targets;
  for (int64_t i = 0; i < n; ++i) targets.push_back(args.targets[output.rows != nullptr ? output.rows[i] : i]);
  Tape<float> tape;
  const Var<float> x = tape.variable(n, inputs, gathered(output.x, output.x_stride, inputs, output.rows, n).data()),
                   w = tape.variable(output.outputs, inputs, output.w),
                   bias = tape.variable(1, output.outputs, output.bias);
  const Var<float> logits = add_row(matmul_transposed(x, w), bias);
  const Var<float> loss = cross_entropy(logits, targets.data());
  std::copy(loss.value().begin(), loss.value().end(), args.loss);
  if (args.dw == nullptr) return;
  std::vector<float> of_target, of_all;
  for (const int32_t target : targets) {
    const float scale = args.weights != nullptr ? args.scale * args.weights[target] : args.scale;
    of_target.push_back(scale * (1.0F - args.smoothing));
    of_all.push_back(scale * args.smoothing);
  }
  tape.seed(loss, of_target.data());
  if (args.smoothing > 0.0F) {
    tape.seed(uniform_cross_entropy(logits), of_all.data());
  }
  tape.backward();
  w.add_gradient_to(args.dw);
  bias.add_gradient_to(args.dbias);
  scatter(x.gradient(), args.dx, args.dx_stride, inputs, output.rows, n);
}

void linear_backward_on_tape(const kernels::LinearBackward<float>& args) {
  Tape<float> tape;
  const std::vector<float> rows = gathered(args.x, args.x_stride, args.inputs, args.rows, args.n);
  const Var<float> x = tape.variable(args.n, args.inputs, rows.data()),
                   w = tape.variable(args.outputs, args.inputs, args.w);
  const std::vector<float> zeros(static_cast<size_t>(args.outputs));  // the bias's value changes nothing here
  const Var<float> bias = tape.variable(1, args.outputs, zeros.data());
  tape.seed(add_row(matmul_transposed(x, w), bias), args.dy, args.dy_stride);
  tape.backward();
  w.add_gradient_to(args.dw);
  if (args.dbias != nullptr) bias.add_gradient_to(args.dbias);
  if (args.dx != nullptr) scatter(x.gradient(), args.dx, args.dx_stride, args.inputs, args.rows, args.n);
}

void embedding_scatter_on_tape(const kernels::EmbeddingScatter<float>& args, const float* table, int64_t table_rows) {
  Tape<float> tape;
  const Var<float> leaf = tape.variable(table_rows, args.width, table);
  tape.seed(gather_rows(leaf, args.symbols, args.n), args.dy, args.dy_stride);
  tape.backward();
  leaf.add_gradient_to(args.dtable);
}

}  // namespace longhand::nn
