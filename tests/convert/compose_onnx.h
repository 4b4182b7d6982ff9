// ONNX graphs, composed field by field.
#pragma once

#include <string>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/convert/onnx_graph.h"
#include "tests/convert/compose.h"
#include "tests/convert/imported.h"

namespace longhand::convert {

using namespace longhand::testing;  // NOLINT
using Texts = std::vector<std::string>;

// Extents: a number, or a name.
inline std::string value_info(int field, const std::string& name, const Texts& shape, int type = 1) {
  std::string dims;
  for (const std::string& extent : shape) {
    const bool number = extent[0] >= '0' && extent[0] <= '9';
    dims += proto::bytes(1, number ? proto::integer(1, std::stoull(extent)) : proto::bytes(2, extent));
  }
  const std::string tensor = proto::integer(1, static_cast<uint64_t>(type)) + proto::bytes(2, dims);
  return proto::bytes(field, proto::bytes(1, name) + proto::bytes(2, proto::bytes(1, tensor)));
}
inline std::string in(const std::string& name, const Texts& shape, int type = 1) {
  return value_info(11, name, shape, type);
}
inline std::string out(const std::string& name, const Texts& shape, int type = 1) {
  return value_info(12, name, shape, type);
}
inline std::string floats(const std::string& name, const std::vector<int>& shape, const std::vector<float>& values) {
  return proto::bytes(5, proto::tensor(name, 1, shape, proto::bytes(9, bytes_of(values))));
}
inline std::string wholes(const std::string& name, const std::vector<int>& shape, const std::vector<int64_t>& values) {
  return proto::bytes(5, proto::tensor(name, 7, shape, proto::bytes(9, bytes_of(values))));
}
inline std::string attribute(const std::string& name, int type, const std::string& value) {
  return proto::bytes(5, proto::bytes(1, name) + value + proto::integer(20, static_cast<uint64_t>(type)));
}
inline std::string whole(const std::string& name, int64_t value) {
  return attribute(name, 2, proto::integer(3, static_cast<uint64_t>(value)));
}
inline std::string real(const std::string& name, float value) { return attribute(name, 1, proto::real(2, value)); }
inline std::string list(const std::string& name, const std::vector<int64_t>& values) {
  std::string all;
  for (const int64_t value : values) all += proto::integer(8, static_cast<uint64_t>(value));
  return attribute(name, 7, all);
}
inline std::string branch(const std::string& name, const std::string& graph) {
  return attribute(name, 5, proto::bytes(6, graph));
}
inline std::string op(const std::string& type, const Texts& inputs, const Texts& outputs,
                      const std::string& rest = "") {
  std::string fields;
  for (const std::string& each : inputs) fields += proto::bytes(1, each);
  for (const std::string& each : outputs) fields += proto::bytes(2, each);
  return proto::node(type, fields + proto::bytes(3, "my " + type) + rest);
}

inline Imported import_graph(const std::string& graph, int opset, const ImportOptions& options = {}) {
  const std::string model = proto::integer(1, 8) + proto::bytes(7, graph) +
                            proto::bytes(8, proto::bytes(1, "") + proto::integer(2, static_cast<uint64_t>(opset)));
  return onnx_to_graph(read_onnx("small.onnx", model), "small.onnx", options);
}

inline std::vector<float> run_once(const Imported& imported, const std::vector<float>& x) {
  return run_whole(imported, x, 1);
}

inline std::vector<float> some(size_t n, float scale) {
  std::vector<float> out;
  for (size_t i = 0; i < n; ++i) out.push_back(scale * (static_cast<float>((5 * i) % 9) - 4.0F));
  return out;
}

inline void expect_refused(const std::string& graph, const std::string& what, int opset = 14) {
  try {
    import_graph(graph, opset);
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
  }
}

}  // namespace longhand::convert
