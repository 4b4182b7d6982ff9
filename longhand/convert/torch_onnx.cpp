#include "longhand/convert/torch_onnx.h"

#include "longhand/convert/gate_order.h"

namespace longhand::convert {
namespace {

GateOrder onnx_gate_order(const std::string& type) {
  return type == "LSTM" ? GateOrder::kOnnxLstm : type == "GRU" ? GateOrder::kOnnxGru : GateOrder::kPlain;
}

graph::Array with_dims(graph::Array array, graph::Dims dims) {
  array.dims = std::move(dims);
  return array;
}

}  // namespace

std::vector<graph::Array> from_onnx_blocks(const std::string& how, const std::string& type, const graph::Array& array) {
  std::vector<graph::Array> out;
  const int64_t D = array.dims.at(0);
  for (int64_t d = 0; d < D; ++d) {
    graph::Array own = rows_of(array, d, d + 1);
    own.dims.erase(own.dims.begin());
    if (how == "onnx-peephole") {  // i o f
      const graph::Array blocks = with_dims(own, {3, own.dims[0] / 3});
      out.push_back(permuted(blocks, {0, 2, 1}));
    } else if (how == "onnx-bias") {
      const int64_t half = own.dims[0] / 2;
      out.push_back(from_order(onnx_gate_order(type), rows_of(own, 0, half)));
      out.push_back(from_order(onnx_gate_order(type), rows_of(own, half, 2 * half)));
    } else {
      out.push_back(from_order(onnx_gate_order(type), own));
    }
  }
  return out;
}

graph::Array to_onnx_blocks(const std::string& how, const std::string& type, const std::vector<graph::Array>& parts) {
  graph::Array out{.type = graph::ElementType::kFloat, .dims = parts.at(0).dims, .floats = {}, .ints = {}};
  for (const graph::Array& part : parts) {
    const graph::Array own = how == "onnx-peephole" ? permuted(part, {0, 2, 1}) : to_order(onnx_gate_order(type), part);
    out.floats.insert(out.floats.end(), own.floats.begin(), own.floats.end());
  }
  const auto n = static_cast<int64_t>(parts.size());
  if (how == "onnx-bias") {
    out.dims = {n / 2, 2 * out.dims[0]};
  } else if (how == "onnx-peephole") {
    out.dims = {n, graph::count(out.dims)};
  } else {
    out.dims.insert(out.dims.begin(), n);
  }
  return out;
}

}  // namespace longhand::convert
