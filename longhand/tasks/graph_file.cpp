#include "longhand/tasks/graph_file.h"

#include <fmt/core.h>

#include <cstring>

#include "longhand/graph/graph_json.h"

namespace longhand::tasks {

void write_network(const std::string& path, const graph::Graph& graph, const std::string& training) {
  graph::check(graph, path);
  const nlohmann::ordered_json config = {{"task", kNetworkTask}, {"format", 1}, {"options", graph::to_json(graph)}};
  nlohmann::json vocabulary = nlohmann::json::object();
  if (!graph.symbols.empty()) vocabulary["symbols"] = graph.symbols;
  std::vector<io::TensorToWrite> tensors;
  for (const auto& [name, array] : graph.arrays) {
    if (array.type == graph::ElementType::kFloat) {
      tensors.emplace_back(name, array.dims, std::span<const float>(array.floats));
    } else {
      tensors.emplace_back(name, array.dims, "I64",
                           std::string_view(reinterpret_cast<const char*>(array.ints.data()), 8 * array.ints.size()));
    }
  }
  std::map<std::string, std::string> metadata = {{"config", config.dump()}, {"vocabulary", vocabulary.dump()}};
  if (!training.empty()) metadata["training"] = training;
  io::write_safetensors(path, metadata, tensors);
}

graph::Graph read_network(const ModelFile& file) {
  file.expect_task(kNetworkTask);
  file.expect_one_model("use one of the models that it was made from");
  graph::Graph out = graph::from_json(file.stored_options(), file.path());
  for (const auto& [name, tensor] : file.arrays()) {
    graph::Array& array = out.arrays[name];
    array.dims = tensor->shape;
    if (tensor->dtype == "I64") {
      array.type = graph::ElementType::kInt;
      array.ints.resize(tensor->bytes.size() / sizeof(int64_t));
      std::memcpy(array.ints.data(), tensor->bytes.data(), tensor->bytes.size());
    } else {
      array.floats = file.floats(name, tensor->shape);
    }
  }
  if (file.vocabulary().contains("symbols")) out.symbols = file.texts("symbols");
  graph::check(out, file.path());
  return out;
}

}  // namespace longhand::tasks
