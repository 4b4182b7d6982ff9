// Keras's configurations: which layers there are, and what each call of them reads.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

constexpr int kMostDepth = 16;  // of lists within lists, and of models whose input has no shape

bool is_model(const std::string& type) { return type == "Sequential" || type == "Model" || type == "Functional"; }

// The layers of a Sequential: a list, in version 1, or a member.
const Json* layers_of(const Json& config) {
  if (config.is_array()) return &config;
  const auto found = config.is_object() ? config.find("layers") : config.end();
  return found != config.end() && found->is_array() ? &*found : nullptr;
}

// The configuration of a layer that says the shape of its model's input; null where none does.
const Json* shape_of_input(const Json& layer, int depth = 0) {
  const auto config = layer.is_object() ? layer.find("config") : layer.end();
  if (depth > kMostDepth || config == layer.end()) return nullptr;
  for (const char* key : {"batch_input_shape", "batch_shape", "input_length"}) {
    if (config->is_object() && config->contains(key) && !(*config)[key].is_null()) return &*config;
  }
  if (config->is_object() && config->contains("layer")) return shape_of_input((*config)["layer"], depth + 1);
  const Json* inner = layers_of(*config);
  return inner == nullptr || inner->empty() ? nullptr : shape_of_input(inner->front(), depth + 1);
}

class ModelReader {
 public:
  explicit ModelReader(const std::string& path) : path_(path) {}

  KerasModel run(const Json& model) {
    const std::string type = text_of(model, "class_name", "", path_);
    const Json& config = member(model, "config", path_);
    out_.is_sequential = type == "Sequential";
    if (type == "Sequential") {
      read_sequential(config);
    } else if (type == "Model" || type == "Functional") {
      read_functional(config);
    } else {
      fail(fmt::format("expected a Sequential or a functional model, found '{}'", visible(type)),
           "export it as ONNX instead");
    }
    sort_keras_calls(out_, path_);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw input_error(path_ + ": " + problem, advice);
  }

  KerasLayer layer_of(const Json& json) {
    KerasLayer out;
    out.type = text_of(json, "class_name", "", path_);
    out.config = member(json, "config", path_);
    const bool listed = out.type == "Sequential" && out.config.is_array();
    if (!out.config.is_object() && !listed) fail("expected layers with configurations, found others", "it is damaged");
    const std::string own = listed ? "" : text_of(out.config, "name", "", path_);
    out.name = text_of(json, "name", own, path_);
    if (out.name.empty() && listed) out.name = fmt::format("sequential_{}", names_.size() + 1);
    if (out.name.empty() || !names_.insert(out.name).second) {
      fail(fmt::format("expected layers with names of their own, found '{}' again", visible(out.name)),
           "the file is damaged");
    }
    const Json* inner = is_model(out.type) ? &json : nullptr;
    if (out.type == "TimeDistributed" &&
        is_model(text_of(member(out.config, "layer", path_), "class_name", "", path_))) {
      inner = &out.config["layer"];
    }
    if (inner != nullptr) out.model = std::make_shared<KerasModel>(ModelReader(path_).run(*inner));
    if (inner == &json) out.config = Json::object();
    return out;
  }

  void add_input_layer(const std::string& name, const Json* config) {
    KerasLayer input{.name = name,
                     .type = "InputLayer",
                     .config = config == nullptr ? Json::object() : *config,
                     .calls = {{}},
                     .model = nullptr};
    out_.inputs.push_back({name, 0, 0});
    out_.layers.push_back(std::move(input));
  }

  // The first layer may say the shape of the input, or the model.
  void read_sequential(const Json& config) {
    const Json* layers = layers_of(config);
    if (layers == nullptr || layers->empty()) fail("expected layers, found none", "the file is damaged");
    std::vector<KerasArgument> last;
    for (const Json& json : *layers) {
      KerasLayer layer = layer_of(json);
      if (last.empty() && layer.type == "Merge") {
        last = read_branches(layer.config);
      } else if (last.empty() && layer.type == "InputLayer") {
        out_.inputs.push_back({layer.name, 0, 0});
      } else if (last.empty()) {
        const Json* shape = shape_of_input(json);
        Json built;
        if (shape == nullptr && config.is_object() && config.contains("build_input_shape")) {
          built["batch_input_shape"] = config["build_input_shape"];
          shape = &built;
        }
        add_input_layer(layer.name + "_input", shape);
        last = {{.tensor = out_.inputs.back(), .value = {}}};
      }
      layer.calls = {{.arguments = layer.type == "InputLayer" ? std::vector<KerasArgument>() : last, .named = {}}};
      last = {{.tensor = KerasTensor{layer.name, 0, 0}, .value = {}}};
      out_.layers.push_back(std::move(layer));
    }
    for (const KerasArgument& each : last) out_.outputs.push_back(*each.tensor);
  }

  // Version 1: a Merge that begins a Sequential holds the models that it joins.
  std::vector<KerasArgument> read_branches(const Json& config) {
    std::vector<KerasArgument> out;
    const Json* branches = layers_of(config);
    if (branches == nullptr || branches->empty()) fail("expected a Merge of models, found none", "it is damaged");
    for (const Json& json : *branches) {
      KerasLayer branch = layer_of(json);
      add_input_layer(branch.name + "_input", shape_of_input(json));
      branch.calls = {{.arguments = {{.tensor = out_.inputs.back(), .value = {}}}, .named = {}}};
      out.push_back({.tensor = KerasTensor{branch.name, 0, 0}, .value = {}});
      out_.layers.push_back(std::move(branch));
    }
    return out;
  }

  void read_functional(const Json& config) {
    const Json& layers = member(config, "layers", path_);
    if (!layers.is_array()) fail("expected layers, found others", "the file is damaged");
    for (const Json& json : layers) {
      KerasLayer layer = layer_of(json);
      const auto inbound = json.find("inbound_nodes");
      if (inbound != json.end() && inbound->is_array()) {
        for (const Json& node : *inbound) layer.calls.push_back(read_call(node));
      }
      if (layer.type == "InputLayer") layer.calls = {{}};
      out_.layers.push_back(std::move(layer));
    }
    if (config.contains("input_layers")) out_.inputs = read_tensors(config["input_layers"]);
    out_.outputs = read_tensors(member(config, "output_layers", path_));
    count_calls_of_models();
    if (out_.outputs.empty()) fail("expected outputs, found none", "the file is damaged");
  }

  // [["name", 0, 0], ...], ["name", 0, 0] of one, or an object of them.
  std::vector<KerasTensor> read_tensors(const Json& json, int depth = 0) const {
    std::vector<KerasTensor> out;
    if (is_tensor(json)) return {tensor_of(json)};
    if (depth > kMostDepth || (!json.is_array() && !json.is_object()))
      fail("expected lists of layers", "it is damaged");
    for (const Json& each : json) {
      for (KerasTensor& tensor : read_tensors(each, depth + 1)) out.push_back(std::move(tensor));
    }
    return out;
  }

  static bool is_tensor(const Json& json) {
    return json.is_array() && json.size() >= 3 && json[0].is_string() && json[1].is_number_integer() &&
           json[2].is_number_integer();
  }

  // ["name", which call of it, which of its outputs]
  KerasTensor tensor_of(const Json& json) const {
    if (!is_tensor(json)) fail("expected layers that read layers, found others", "the file is damaged");
    return {json[0].get<std::string>(), whole_of(json[1], 0, 1 << 20, path_), whole_of(json[2], 0, 1 << 20, path_)};
  }

  KerasCall read_call(const Json& node) const {
    KerasCall out;
    if (node.is_object() && node.contains("args")) {  // version 3
      for (const Json& argument : member(node, "args", path_)) add_argument(argument, out.arguments);
      if (!node.contains("kwargs")) return out;
      for (const auto& [name, value] : node["kwargs"].items()) add_argument(value, out.named[name]);
      return out;
    }
    const bool one = node.is_array() && !node.empty() && node.front().is_string();
    for (const Json& argument : one ? Json::array({node}) : node) add_old_argument(argument, out);
    return out;
  }

  static bool is_keras_tensor(const Json& json) {
    return json.is_object() && json.contains("class_name") && json["class_name"] == "__keras_tensor__";
  }
  static bool has_tensor(const Json& json) {
    if (is_keras_tensor(json)) return true;
    return json.is_structured() && std::any_of(json.begin(), json.end(), has_tensor);
  }

  // A tensor, lists of tensors, or a value.
  void add_argument(const Json& argument, std::vector<KerasArgument>& to) const {
    if (is_keras_tensor(argument)) {
      const Json& history = member(member(argument, "config", path_), "keras_history", path_);
      to.push_back({.tensor = tensor_of(history), .value = {}});
    } else if (argument.is_array() && has_tensor(argument)) {
      for (const Json& each : argument) add_argument(each, to);
    } else {
      to.push_back({.tensor = std::nullopt, .value = argument});
    }
  }

  // ["name", call, output, {named arguments}]; "_CONSTANT_VALUE" stands before a value.
  void add_old_argument(const Json& argument, KerasCall& out) const {
    if (argument.is_array() && !argument.empty() && argument[0].is_array()) {
      for (const Json& each : argument) add_old_argument(each, out);
      return;
    }
    if (!argument.is_array() || argument.size() < 3 || !argument[0].is_string()) {
      fail("expected layers that read layers, found others", "the file is damaged");
    }
    if (argument[0] == "_CONSTANT_VALUE") {
      out.arguments.push_back({.tensor = std::nullopt, .value = argument[2]});
    } else {
      out.arguments.push_back({.tensor = tensor_of(argument), .value = {}});
    }
    if (argument.size() < 4 || !argument[3].is_object()) return;
    // Each tensor of a call says them again.
    for (const auto& [name, value] : argument[3].items()) {
      if (!out.named[name].empty()) continue;
      const bool list = value.is_array() && !value.empty() && is_tensor(value[0]);
      if (is_tensor(value) || list) {
        for (KerasTensor& tensor : read_tensors(value)) {
          out.named[name].push_back({.tensor = std::move(tensor), .value = {}});
        }
      } else {
        out.named[name].push_back({.tensor = std::nullopt, .value = value});
      }
    }
  }

  template <class Change>
  void for_tensors(const Change& change) {
    for (KerasLayer& layer : out_.layers) {
      for (KerasCall& call : layer.calls) {
        for (KerasArgument& each : call.arguments) {
          if (each.tensor) change(*each.tensor);
        }
        for (auto& [name, arguments] : call.named) {
          for (KerasArgument& each : arguments) {
            if (each.tensor) change(*each.tensor);
          }
        }
      }
    }
    for (KerasTensor& tensor : out_.outputs) change(tensor);
  }

  // Versions 1 and 2 count, of a model within, that it was made as its call 0, where it has an Input.
  void count_calls_of_models() {
    std::map<std::string, std::pair<int64_t, int64_t>> used;  // least and most
    for_tensors([&](const KerasTensor& tensor) {
      const auto [found, fresh] = used.try_emplace(tensor.layer, tensor.call, tensor.call);
      found->second = {std::min(found->second.first, tensor.call), std::max(found->second.second, tensor.call)};
    });
    std::set<std::string> later;
    for (const KerasLayer& layer : out_.layers) {
      const auto found = used.find(layer.name);
      const auto calls = static_cast<int64_t>(layer.calls.size());
      if (layer.model == nullptr || layer.type == "TimeDistributed" || found == used.end()) continue;
      const auto [least, most] = found->second;
      if (least == 0 || calls == 0) continue;
      if (most != calls) {
        fail(fmt::format("expected each of {} calls of the model '{}' to be read", calls, visible(layer.name)),
             "export it as ONNX instead");
      }
      later.insert(layer.name);
    }
    for_tensors([&](KerasTensor& tensor) { tensor.call -= later.contains(tensor.layer) ? 1 : 0; });
  }

  const std::string& path_;
  KerasModel out_;
  std::set<std::string> names_;
};

}  // namespace

const KerasLayer& KerasModel::layer(const std::string& name) const {
  const auto found =
      std::find_if(layers.begin(), layers.end(), [&](const KerasLayer& each) { return each.name == name; });
  LONGHAND_CHECK(found != layers.end());
  return *found;
}

KerasConfig read_keras_config(const nlohmann::json& config, const std::string& version, const std::string& path) {
  KerasConfig out;
  out.model = ModelReader(path).run(config);
  out.version = version.empty() || version[0] < '2' ? 1 : version[0] - '0';
  if (out.version < 1 || out.version > 3) {
    throw input_error(fmt::format("{}: expected Keras 1 to 3, found version '{}'", path, visible(version)),
                      "save it with Keras 3");
  }
  // tf.keras has "-tf" in its versions before 2.4, and multi-backend Keras ends with 2.3.
  const bool later = version.size() > 2 && version[0] == '2' && (version[2] > '3' || version.find('.', 2) > 3);
  out.of_tensorflow = out.version == 3 || version.ends_with("-tf") || later;
  return out;
}

}  // namespace longhand::convert
