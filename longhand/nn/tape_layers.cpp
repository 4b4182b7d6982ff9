#include "longhand/nn/tape_layers.h"

#include <algorithm>
#include <vector>

#include "longhand/autograd/operations.h"

namespace longhand::nn {

using autograd::Tape;
using autograd::Var;

void softmax_cross_entropy_on_tape(const kernels::SoftmaxCrossEntropy<float>& args) {
  const kernels::LinearForward<float>& output = args.output;
  const int64_t n = output.n, inputs = output.inputs;
  const auto row = [&](int64_t i) { return output.rows != nullptr ? output.rows[i] : i; };
  std::vector<float> rows;
  std::vector<int32_t> targets;
  for (int64_t i = 0; i < n; ++i) {
    const float* x = output.x + row(i) * output.x_stride;
    rows.insert(rows.end(), x, x + inputs);
    targets.push_back(args.targets[row(i)]);
  }
  Tape<float> tape;
  const Var<float> x = tape.variable(n, inputs, rows.data()), w = tape.variable(output.outputs, inputs, output.w),
                   bias = tape.variable(1, output.outputs, output.bias);
  const Var<float> loss = cross_entropy(add_row(matmul_transposed(x, w), bias), targets.data());
  std::copy(loss.value().begin(), loss.value().end(), args.loss);
  if (args.dw == nullptr) return;
  const std::vector<float> upstream(static_cast<size_t>(n), args.scale);
  tape.seed(loss, upstream.data());
  tape.backward();
  w.add_gradient_to(args.dw);
  bias.add_gradient_to(args.dbias);
  for (int64_t i = 0; i < n; ++i) {
    std::copy_n(x.gradient().data() + i * inputs, inputs, args.dx + row(i) * args.dx_stride);
  }
}

void embedding_scatter_on_tape(const kernels::EmbeddingScatter<float>& args, const float* table, int64_t table_rows) {
  Tape<float> tape;
  const Var<float> leaf = tape.variable(table_rows, args.width, table);
  tape.seed(gather_rows(leaf, args.symbols, args.n), args.dy, args.dy_stride);
  tape.backward();
  leaf.add_gradient_to(args.dtable);
}

}  // namespace longhand::nn
