// Keras's configurations: which layers there are, and what each reads.
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

class KerasConfigReader {
 public:
  explicit KerasConfigReader(const std::string& path) : path_(path) {}

  KerasConfig run(const Json& model) {
    const std::string type = text_of(model, "class_name", "", path_);
    const Json& config = member(model, "config", path_);
    if (type == "Sequential") {
      read_sequential(config.is_array() ? config : member(config, "layers", path_));
    } else if (type == "Model" || type == "Functional") {
      read_functional(config);
    } else {
      fail(fmt::format("expected a Sequential or a functional model, found '{}'", visible(type)),
           "export it as ONNX instead");
    }
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
    if (!out.config.is_object()) fail("expected layers with configurations, found others", "the file is damaged");
    out.name = text_of(json, "name", text_of(out.config, "name", "", path_), path_);
    if (out.name.empty() || !names_.insert(out.name).second) {
      fail(fmt::format("expected layers with names of their own, found '{}' again", visible(out.name)),
           "the file is damaged");
    }
    if (out.type == "Sequential" || out.type == "Model" || out.type == "Functional") {
      fail(fmt::format("layer '{}' is a model within the model, which is not read", visible(out.name)),
           "export it as ONNX instead");
    }
    return out;
  }

  // The first layer may say the shape of the input.
  void read_sequential(const Json& layers) {
    if (!layers.is_array() || layers.empty()) fail("expected layers, found none", "the file is damaged");
    std::string last;
    for (const Json& json : layers) {
      KerasLayer layer = layer_of(json);
      if (last.empty() && layer.type != "InputLayer") {
        KerasLayer input{.name = layer.name + "_input", .type = "InputLayer", .config = layer.config, .inputs = {}};
        if (layer.config.contains("layer") && !layer.config.contains("batch_input_shape")) {
          const Json& inner = member(layer.config["layer"], "config", path_);
          if (inner.contains("batch_input_shape")) input.config = inner;
        }
        last = input.name;
        out_.layers.push_back(std::move(input));
      }
      if (!last.empty()) layer.inputs = {last};
      last = layer.name;
      out_.layers.push_back(std::move(layer));
    }
    out_.outputs = {last};
  }

  void read_functional(const Json& config) {
    std::vector<KerasLayer> waiting;
    const Json& layers = member(config, "layers", path_);
    if (!layers.is_array()) fail("expected layers, found others", "the file is damaged");
    for (const Json& json : layers) {
      KerasLayer layer = layer_of(json);
      read_inbound(json, layer);
      waiting.push_back(std::move(layer));
    }
    // In the order of use.
    std::set<std::string> done;
    while (!waiting.empty()) {
      const size_t before = waiting.size();
      for (auto layer = waiting.begin(); layer != waiting.end();) {
        const bool ready = std::all_of(layer->inputs.begin(), layer->inputs.end(),
                                       [&](const std::string& input) { return done.contains(input); });
        if (!ready) {
          ++layer;
          continue;
        }
        done.insert(layer->name);
        out_.layers.push_back(std::move(*layer));
        layer = waiting.erase(layer);
      }
      if (waiting.size() == before) {
        fail(fmt::format("layer '{}' reads a layer that is not there, or itself", visible(waiting[0].name)),
             "the file is damaged");
      }
    }
    read_outputs(member(config, "output_layers", path_));
  }

  // [["name", 0, 0], ...], or ["name", 0, 0] of one.
  void read_outputs(const Json& outputs) {
    const bool one = outputs.is_array() && !outputs.empty() && outputs[0].is_string();
    for (const Json& output : one ? Json::array({outputs}) : outputs) out_.outputs.push_back(tensor_of(output));
    if (out_.outputs.empty()) fail("expected outputs, found none", "the file is damaged");
  }

  // ["name", which call of it, which of its outputs]
  std::string tensor_of(const Json& tensor) const {
    if (!tensor.is_array() || tensor.size() < 3 || !tensor[0].is_string()) {
      fail("expected layers that read layers, found others", "the file is damaged");
    }
    if (tensor[1] != 0) {
      fail(fmt::format("layer '{}' is used several times, which is not read", visible(tensor[0].get<std::string>())),
           "export it as ONNX instead");
    }
    if (tensor[2] != 0) {
      fail(fmt::format("a state of layer '{}' is used as an output, which is not read",
                       visible(tensor[0].get<std::string>())),
           "export it as ONNX instead");
    }
    return tensor[0].get<std::string>();
  }

  void read_inbound(const Json& json, KerasLayer& layer) const {
    const auto inbound = json.find("inbound_nodes");
    if (inbound == json.end() || !inbound->is_array() || inbound->empty()) return;
    if (inbound->size() > 1) {
      fail(fmt::format("layer '{}' is used several times, which is not read", visible(layer.name)),
           "export it as ONNX instead");
    }
    const Json& node = inbound->front();
    if (node.is_object()) {  // version 3
      for (const Json& argument : member(node, "args", path_)) add_tensors(argument, layer);
    } else {
      for (const Json& tensor : node) layer.inputs.push_back(tensor_of(tensor));
    }
  }

  void add_tensors(const Json& argument, KerasLayer& layer) const {
    if (argument.is_array()) {
      for (const Json& each : argument) add_tensors(each, layer);
    } else if (argument.is_object() && text_of(argument, "class_name", "", path_) == "__keras_tensor__") {
      layer.inputs.push_back(tensor_of(member(member(argument, "config", path_), "keras_history", path_)));
    } else if (!argument.is_null()) {
      fail(fmt::format("layer '{}' is called with something other than layers", visible(layer.name)),
           "export it as ONNX instead");
    }
  }

  const std::string& path_;
  KerasConfig out_;
  std::set<std::string> names_;
};

}  // namespace

KerasConfig read_keras_config(const nlohmann::json& config, const std::string& version, const std::string& path) {
  KerasConfig out = KerasConfigReader(path).run(config);
  out.version = version.empty() || version[0] < '2' ? 1 : version[0] - '0';
  if (out.version < 1 || out.version > 3) {
    throw input_error(fmt::format("{}: expected Keras 1 to 3, found version '{}'", path, visible(version)),
                      "save it with Keras 3");
  }
  return out;
}

}  // namespace longhand::convert
