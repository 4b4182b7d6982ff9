// Models of other programs, as ONNX and JSON have them: what the nodes and layers of a damaged file become.
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/audio_json.h"
#include "longhand/convert/onnx_graph.h"
#include "longhand/convert/torch_return.h"
#include "longhand/exporters/export_torch.h"
#include "longhand/graph/description.h"
#include "longhand/io/safetensors.h"
#include "tests/convert/compose.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

namespace pb = testing::proto;

// A module that was exported, whose description is damaged.
const io::Safetensors& exported_module() {
  static const io::Safetensors kModule = [] {
    const graph::Description description = graph::read_description(
        "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"l\"\nunits = 1\ninitial_state = true\n", "fuzz");
    const exporters::Exported exported =
        exporters::export_torch({.graph = graph::with_drawn_weights(description, 1, "fuzz")}, {});
    return io::Safetensors::parse("fuzz", exported.files.back().second);
  }();
  return kModule;
}

std::vector<std::string> seeds() {
  const std::vector<float> ones(32, 0.1F);
  const auto array = [&](const char* name, const std::vector<int>& shape, size_t n) {
    const std::vector<float> values(ones.begin(), ones.begin() + static_cast<std::ptrdiff_t>(n));
    return pb::bytes(5, pb::tensor(name, 1, shape, pb::bytes(9, testing::bytes_of(values))));
  };
  const auto port = [](int field, const char* name) {
    std::string dims;
    for (const uint64_t extent : {2U, 1U, 2U}) dims += pb::bytes(1, pb::integer(1, extent));
    return pb::bytes(field, pb::bytes(1, name) + pb::bytes(2, pb::bytes(1, pb::integer(1, 1) + pb::bytes(2, dims))));
  };
  const std::string lstm =
      pb::node("LSTM", pb::bytes(1, "x") + pb::bytes(1, "w") + pb::bytes(1, "r") + pb::bytes(2, "a"));
  const std::string squeeze = pb::node("Relu", pb::bytes(1, "a") + pb::bytes(2, "y"));
  return {
      exported_module().text(convert::kReturningKey),
      pb::model(lstm + squeeze + array("w", {1, 8, 2}, 16) + array("r", {1, 8, 2}, 16) + port(11, "x") + port(12, "y")),
      R"({"in_shape": [null, 1], "layers": [{"type": "lstm", "shape": [1], "weights": [[[1,2,3,4]],[[1,2,3,4]],[0,1,0,0]]},
              {"type": "dense", "activation": "tanh", "weights": [[[1]], [0]]}], "in_skip": 1})",
      R"({"rec.weight_ih_l0": [[1],[2],[3],[4]], "rec.weight_hh_l0": [[1],[2],[3],[4]], "lin.weight": [[1]]})",
      R"({"architecture": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 1},
              "weights": [1,2,3,4,5,6,7,8,1,2,3,4,0,0,1,1]})",
      R"({"dic": {"a": 0}, "mat1": {"dim": [2, 1], "data": [1, 2]}, "mat2": {"dim": [1, 4], "data": [1,2,3,4]}})"};
}

void read(std::string_view bytes) {
  try {
    convert::onnx_to_graph(convert::read_onnx("input", bytes), "input");
  } catch (const Error&) {
  }
  try {
    convert::NamedTensors tensors;
    for (const auto& [name, tensor] : exported_module().tensors()) {
      const auto n = static_cast<size_t>(graph::count(tensor.shape));
      tensors.emplace_back(name, graph::array(tensor.shape, std::vector<float>(n, 0.5F)));
    }
    convert::returned_graph(std::string(bytes), "input", tensors, "input");
  } catch (const Error&) {
  }
  try {
    convert::json_to_graph(std::string(bytes), "input", {});
  } catch (const Error&) {
  }
}

}  // namespace longhand::fuzz
