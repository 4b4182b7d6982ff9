#include "longhand/convert/keras_graph.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_archive.h"
#include "longhand/graph/description.h"
#include "longhand/io/config.h"

namespace longhand::convert {
namespace {

std::string text_attribute(const Hdf5Node& node, const char* name) {
  const Hdf5Data* found = node.attribute(name);
  return found != nullptr && found->kind == Hdf5Data::Kind::kTexts && found->texts.size() == 1 ? found->texts[0] : "";
}

void note_skipped(const Hdf5Node& root, Imported& out) {
  for (const Hdf5Node& child : root.children) {
    if (child.name == "optimizer_weights" || child.name == "optimizer") {
      out.notes.push_back(fmt::format("'{}' is left out: it is of the training", child.name));
    }
  }
}

Imported described(const KerasWeights& weights, const std::string& path, const ImportOptions& options) {
  const graph::Description description = graph::read_description(options.description, options.description_path);
  Imported out{.graph = graph::with_arrays(description, as_torch_arrays(weights, options.part, path), path),
               .notes = {}};
  if (!options.part.empty()) out.notes.push_back(fmt::format("of the file's layers, {} alone are taken", options.part));
  for (const graph::Node& node : out.graph.nodes) {
    const bool one = node.weights.contains("bias_ih_l0") && !node.weights.contains("bias_hh_l0");
    if (node.type != "gru" || !one || node.attributes.contains("reset_after")) continue;
    throw input_error(
        fmt::format("{}: layer '{}' has one bias: its reset gate comes before the product", path, visible(node.name)),
        "write reset_after = false to the layer's description");
  }
  graph::check(out.graph, path);
  return out;
}

bool is_weights_alone(const Hdf5Node& root) {
  return root.find("layers") != nullptr || root.find("_layer_checkpoint_dependencies") != nullptr;
}

}  // namespace

Imported keras_h5_to_graph(const Hdf5Node& root, const std::string& path, const ImportOptions& options) {
  if (!options.description.empty()) {
    return described(is_weights_alone(root) ? read_group_weights(root, path) : read_h5_weights(root, path), path,
                     options);
  }
  const std::string text = text_attribute(root, "model_config");
  if (text.empty()) {
    throw input_error(path + ": expected a configuration of layers, found weights alone",
                      "describe the layers in a TOML file, and give it with --network (docs/import.md)");
  }
  const Hdf5Node* weights = root.find("model_weights");
  std::string version = text_attribute(root, "keras_version");
  if (version.empty() && weights != nullptr) version = text_attribute(*weights, "keras_version");
  const KerasConfig config = read_keras_config(io::parse_json(text, path + ": model_config"), version, path);
  KerasWeights arrays = read_h5_weights(root, path);
  if (config.version > 1) give_to_inner_layers(config.model, arrays, path);
  if (config.version == 1) give_to_old_layers(config.model, arrays);
  Imported out = build_keras(config, std::move(arrays), path);
  out.graph.source = fmt::format("{}, Keras {}", path, version.empty() ? "1" : version);
  note_skipped(root, out);
  return out;
}

Imported keras_archive_to_graph(const std::string& path, std::string bytes, const ImportOptions& options) {
  const KerasArchive archive = read_keras_archive(path, std::move(bytes));
  std::string version = "3";
  if (!archive.metadata.empty()) {
    version = text_of(io::parse_json(archive.metadata, path + ": metadata.json"), "keras_version", "3", path);
  }
  const KerasConfig config = read_keras_config(io::parse_json(archive.config, path + ": config.json"), version, path);
  KerasWeights weights = read_archive_weights(archive.weights, config, path);
  if (!options.description.empty()) return described(weights, path, options);
  Imported out = build_keras(config, std::move(weights), path);
  out.graph.source = fmt::format("{}, Keras {}", path, version);
  note_skipped(archive.weights, out);
  return out;
}

}  // namespace longhand::convert
