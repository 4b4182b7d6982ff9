#include "longhand/convert/gate_order.h"

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::convert {
namespace {

struct GateOrderRow {
  GateOrder order;
  std::string_view gates;
};

// torch.nn.LSTM and GRU; keras.layers.LSTM, GRU; onnx.ai/onnx/operators; tensorflow/python/ops/rnn_cell_impl.py.
constexpr GateOrderRow kGateOrders[] = {
    {GateOrder::kTorchLstm, "ifgo"}, {GateOrder::kKerasLstm, "ifgo"}, {GateOrder::kOnnxLstm, "iofg"},
    {GateOrder::kBasicLstm, "igfo"}, {GateOrder::kTorchGru, "rzn"},   {GateOrder::kKerasGru, "zrn"},
    {GateOrder::kOnnxGru, "zrn"},    {GateOrder::kPlain, "h"},
};

std::string_view own_order(std::string_view gates) {
  if (gates.size() == 4) return "ifgo";
  return gates.size() == 3 ? "rzn" : "h";
}

std::vector<size_t> places(std::string_view wanted, std::string_view given) {
  std::vector<size_t> out;
  for (const char gate : wanted) out.push_back(given.find(gate));
  return out;
}

}  // namespace

std::string_view gates_of(GateOrder order) {
  const auto* row = std::find_if(std::begin(kGateOrders), std::end(kGateOrders),
                                 [&](const GateOrderRow& each) { return each.order == order; });
  LONGHAND_CHECK(row != std::end(kGateOrders));
  return row->gates;
}

graph::Array permuted(const graph::Array& rows, const std::vector<size_t>& from) {
  LONGHAND_CHECK(!rows.dims.empty() && rows.floats.size() % from.size() == 0);
  graph::Array out{.type = rows.type, .dims = rows.dims, .floats = {}, .ints = {}};
  const size_t block = rows.floats.size() / from.size();
  out.floats.reserve(rows.floats.size());
  for (const size_t k : from) {
    const auto begin = rows.floats.begin() + static_cast<std::ptrdiff_t>(k * block);
    out.floats.insert(out.floats.end(), begin, begin + static_cast<std::ptrdiff_t>(block));
  }
  return out;
}

graph::Array from_order(GateOrder order, const graph::Array& rows) {
  const std::string_view given = gates_of(order);
  return permuted(rows, places(own_order(given), given));
}

graph::Array to_order(GateOrder order, const graph::Array& rows) {
  const std::string_view given = gates_of(order);
  return permuted(rows, places(given, own_order(given)));
}

graph::Array transposed(const graph::Array& matrix) {
  LONGHAND_CHECK(matrix.dims.size() == 2);
  const int64_t A = matrix.dims[0], B = matrix.dims[1];
  graph::Array out{.type = matrix.type, .dims = {B, A}, .floats = std::vector<float>(matrix.floats.size()), .ints = {}};
  for (int64_t a = 0; a < A; ++a) {
    for (int64_t b = 0; b < B; ++b)
      out.floats[static_cast<size_t>(b * A + a)] = matrix.floats[static_cast<size_t>(a * B + b)];
  }
  return out;
}

graph::Array rows_of(const graph::Array& array, int64_t begin, int64_t end) {
  LONGHAND_CHECK(!array.dims.empty() && begin >= 0 && begin <= end && end <= array.dims[0]);
  graph::Array out{.type = array.type, .dims = array.dims, .floats = {}, .ints = {}};
  out.dims[0] = end - begin;
  const auto row = static_cast<std::ptrdiff_t>(graph::count(array.dims, 1, array.dims.size()));
  out.floats.assign(array.floats.begin() + begin * row, array.floats.begin() + end * row);
  return out;
}

}  // namespace longhand::convert
