#include <fmt/core.h>

#include "longhand/base/utf8.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
namespace {

int64_t gates_in(const std::string& type) {
  if (type == "LSTM" || type == "CuDNNLSTM") return 4;
  return type == "GRU" || type == "CuDNNGRU" ? 3 : 1;
}

// Matrices side by side: [A, B] for each gate as [A, G B].
graph::Array side_by_side(const std::vector<const graph::Array*>& parts) {
  std::vector<float> columns;
  for (const graph::Array* part : parts) {
    const graph::Array turned = transposed(*part);
    columns.insert(columns.end(), turned.floats.begin(), turned.floats.end());
  }
  const graph::Dims& one = parts.front()->dims;
  return transposed(graph::array({one[1] * static_cast<int64_t>(parts.size()), one[0]}, std::move(columns)));
}

// Version 1: for each gate W, U and b; an LSTM's gates are in the order i c f o, a GRU's z r h.
KerasCell cell_of_gates(const NetworkBuilder& builder, const std::string& layer, const KerasArrays& arrays,
                        GateOrder order) {
  const bool lstm = order == GateOrder::kKerasLstm;
  const std::vector<size_t> gates = lstm ? std::vector<size_t>{0, 2, 1, 3} : std::vector<size_t>{0, 1, 2};
  std::vector<const graph::Array*> w, u;
  KerasCell out{.order = order, .kernel = {}, .recurrent = {}, .bias = {}};
  for (const size_t gate : gates) {
    w.push_back(&arrays[3 * gate].second);
    u.push_back(&arrays[3 * gate + 1].second);
    const graph::Array& b = arrays[3 * gate + 2].second;
    const bool fits = w.back()->dims.size() == 2 && w.back()->dims == w.front()->dims && u.back()->dims.size() == 2 &&
                      u.back()->dims == u.front()->dims && b.dims.size() == 1;
    if (!fits) {
      builder.fail(fmt::format("layer '{}': expected W, U and b of each gate, found others", visible(layer)),
                   "the file is damaged");
    }
    out.bias.floats.insert(out.bias.floats.end(), b.floats.begin(), b.floats.end());
  }
  out.bias.dims = {static_cast<int64_t>(out.bias.floats.size())};
  out.kernel = side_by_side(w);
  out.recurrent = side_by_side(u);
  return out;
}

// What lies in memory as [B, A] for each of `gates` matrices, which the file calls [A, gates B].
graph::Array from_cudnn(const graph::Array& matrix, int64_t gates, bool input) {
  const int64_t A = matrix.dims[0], B = matrix.dims[1] / gates;
  graph::Array out = matrix;
  for (int64_t g = 0; g < gates; ++g) {
    for (int64_t k = 0; k < A * B; ++k) {
      const int64_t from = k / B * B * gates + g * B + k % B;  // element k of this gate's [A, B], row by row
      const int64_t row = input ? k % A : k % B, column = input ? k / A : k / B;
      out.floats[static_cast<size_t>(row * B * gates + g * B + column)] = matrix.floats[static_cast<size_t>(from)];
    }
  }
  return out;
}

}  // namespace

KerasCell keras_cell(const NetworkBuilder& builder, const std::string& layer, const std::string& type,
                     const KerasArrays& arrays, bool& cudnn) {
  const int64_t gates = gates_in(type);
  const GateOrder order = gates == 4 ? GateOrder::kKerasLstm : gates == 3 ? GateOrder::kKerasGru : GateOrder::kPlain;
  cudnn = false;
  if (gates > 1 && arrays.size() == static_cast<size_t>(3 * gates)) return cell_of_gates(builder, layer, arrays, order);
  if (arrays.size() != 2 && arrays.size() != 3) {
    builder.fail(fmt::format("layer '{}': expected a kernel, a recurrent kernel and a bias, found {} arrays",
                             visible(layer), arrays.size()),
                 "the file is damaged, or of another version");
  }
  KerasCell out{.order = order, .kernel = arrays[0].second, .recurrent = arrays[1].second, .bias = {}};
  if (arrays.size() == 3) out.bias = arrays[2].second;
  const graph::Dims &w = out.kernel.dims, &r = out.recurrent.dims;
  const bool fits = w.size() == 2 && r.size() == 2 && r[0] >= 1 && r[1] == gates * r[0] && w[1] == r[1];
  if (!fits) {
    builder.fail(fmt::format("layer '{}': expected kernels [I, {} H] and [H, {} H], found {} and {}", visible(layer),
                             gates, gates, graph::shown(w), graph::shown(r)),
                 "the file is damaged");
  }
  cudnn = gates > 1 && out.bias.dims == graph::Dims{2 * gates * r[0]};
  if (cudnn) {
    out.kernel = from_cudnn(out.kernel, gates, true);
    out.recurrent = from_cudnn(out.recurrent, gates, false);
  }
  return out;
}

graph::Array keras_kernel(const graph::Array& kernel) {
  const int64_t K = kernel.dims[0], I = kernel.dims[1], O = kernel.dims[2];
  graph::Array out = graph::array({O, I, K}, std::vector<float>(kernel.floats.size()));
  for (int64_t k = 0; k < K * I * O; ++k) {
    const int64_t to = (k % O * I + k / O % I) * K + k / (O * I);
    out.floats[static_cast<size_t>(to)] = kernel.floats[static_cast<size_t>(k)];
  }
  return out;
}

}  // namespace longhand::convert
