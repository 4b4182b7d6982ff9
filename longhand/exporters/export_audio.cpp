#include "longhand/exporters/export_audio.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/gate_order.h"
#include "longhand/exporters/layer_chain.h"

namespace longhand::exporters {
namespace {

// JSON with float numbers: each is written as the shortest text that reads back as the same float.
using AudioJson = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

AudioJson nested(const graph::Array& array, size_t axis, size_t& at) {
  AudioJson out = AudioJson::array();
  for (int64_t i = 0; i < array.dims[axis]; ++i) {
    out.push_back(axis + 1 == array.dims.size() ? AudioJson(array.floats[at++]) : nested(array, axis + 1, at));
  }
  return out;
}
AudioJson nested(const graph::Array& array) {
  size_t at = 0;
  return nested(array, 0, at);
}

// PyTorch's [O, C, K] as Keras's [K, C, O].
graph::Array reversed_axes(const graph::Array& w) {
  const int64_t O = w.dims[0], C = w.dims[1], K = w.dims[2];
  graph::Array out = graph::array({K, C, O}, std::vector<float>(w.floats.size()));
  for (int64_t o = 0; o < O; ++o) {
    for (int64_t c = 0; c < C; ++c) {
      for (int64_t k = 0; k < K; ++k) {
        out.floats[static_cast<size_t>((k * C + c) * O + o)] = w.floats[static_cast<size_t>((o * C + c) * K + k)];
      }
    }
  }
  return out;
}

graph::Array sum_of(graph::Array a, const graph::Array& b) {
  for (size_t i = 0; i < a.floats.size(); ++i) a.floats[i] += b.floats[i];
  return a;
}

class RtNeuralFile {
 public:
  explicit RtNeuralFile(const graph::Graph& graph) : chain_(graph, "RTNeural's JSON"), width_(chain_.inputs()) {}

  Exported run() {
    json_["in_shape"] = AudioJson::array({nullptr, nullptr, width_});
    json_["layers"] = AudioJson::array();
    const auto& nodes = chain_.nodes();
    for (const graph::Node* node : nodes) {
      if (node->type == "scale" && (node == nodes.front() || node == nodes.back())) {
        add_gain(*node, node == nodes.front() ? "in_gain" : "out_gain");
      } else {
        add_layer(*node);
      }
    }
    if (json_["layers"].empty()) {
      throw input_error("the network: RTNeural's JSON has at least one layer, found none", "nothing is written");
    }
    if (chain_.skips()) json_["in_skip"] = 1;
    Exported out;
    if (chain_.graph().sample_rate > 0) json_["samplerate"] = chain_.graph().sample_rate;
    out.files.emplace_back(".json", json_.dump() + "\n");
    out.notes.push_back(fmt::format("layers  {}", json_["layers"].size()));
    for (const char* other : {"in_gain", "out_gain", "in_skip"}) {
      if (!json_.contains(other)) continue;
      out.notes.push_back(fmt::format(
          "'{}' is a member that programs around RTNeural read (AIDA-X); RTNeural's own loader does not", other));
    }
    return out;
  }

 private:
  void add_layer(const graph::Node& node) {
    const std::string& type = node.type;
    if (type == "linear") return add_dense(node);
    if (type == "lstm" || type == "gru") return add_recurrent(node);
    if (type == "conv1d") return add_convolution(node);
    if (type == "batch-norm") return add_batch_norm(node);
    if (type == "PRelu" || type == "leaky-relu" || type == "LeakyRelu") return add_slopes(node);
    std::string name = type;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name == "elu" && layer_number(node, "alpha", 1.0) != 1.0)
      refuse_layer(chain_.format(), node, "another alpha than 1");
    if (name == "softmax" && layer_integer(node, "axis", -1) != -1 && layer_integer(node, "axis", -1) != 2) {
      refuse_layer(chain_.format(), node, "softmax over another axis than the last");
    }
    static const std::vector<std::string> kNames = {"tanh", "relu", "sigmoid", "softmax", "elu"};
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
      refuse_layer(chain_.format(), node, "this type of layers");
    }
    // Stores an activation in the preceding dense or convolutional layer if that layer has none.
    AudioJson& layers = json_["layers"];
    if (!layers.empty() && layers.back()["activation"] == "" && layers.back()["type"] != "prelu" &&
        layers.back()["type"] != "batchnorm") {
      layers.back()["activation"] = name;
    } else {
      push("activation", name, AudioJson::array());
    }
  }

  AudioJson& push(const std::string& type, const std::string& activation, AudioJson weights) {
    AudioJson& layers = json_["layers"];
    AudioJson layer = AudioJson::object();
    layer["type"] = type;
    layer["activation"] = activation;
    layer["shape"] = AudioJson::array({nullptr, nullptr, width_});
    layers.push_back(std::move(layer));
    layers.back()["weights"] = std::move(weights);
    return layers.back();
  }

  void add_dense(const graph::Node& node) {
    const graph::Array& w = chain_.weight(node, "weight");
    width_ = w.dims[0];
    push("dense", "", AudioJson::array({nested(convert::transposed(w)), nested(chain_.bias(node, "bias", width_))}));
  }

  void add_recurrent(const graph::Node& node) {
    chain_.expect_plain_layers(node, false);
    const bool lstm = node.type == "lstm";
    const convert::GateOrder order = lstm ? convert::GateOrder::kKerasLstm : convert::GateOrder::kKerasGru;
    for (int64_t l = 0; l < layer_integer(node, "layers", 1); ++l) {
      const std::string suffix = fmt::format("_l{}", l);
      const graph::Array &w = chain_.weight(node, "weight_ih" + suffix), &r = chain_.weight(node, "weight_hh" + suffix);
      width_ = r.dims[1];
      const graph::Array first = convert::to_order(order, chain_.bias(node, "bias_ih" + suffix, r.dims[0]));
      const graph::Array second = convert::to_order(order, chain_.bias(node, "bias_hh" + suffix, r.dims[0]));
      const AudioJson bias = lstm ? nested(sum_of(first, second)) : AudioJson::array({nested(first), nested(second)});
      push(node.type, "tanh",
           AudioJson::array({nested(convert::transposed(convert::to_order(order, w))),
                             nested(convert::transposed(convert::to_order(order, r))), bias}));
    }
  }

  void add_convolution(const graph::Node& node) {
    const graph::Array& w = chain_.weight(node, "weight");
    const int64_t K = w.dims[2], dilation = layer_integer(node, "dilation", 1);
    if (layer_word(node, "padding", "") != "causal" && !(K == 1 && layer_word(node, "padding", "valid") == "valid")) {
      refuse_layer(chain_.format(), node, "convolutions that are not causal");
    }
    if (layer_integer(node, "stride", 1) != 1) refuse_layer(chain_.format(), node, "a stride");
    width_ = w.dims[0];
    AudioJson& layer =
        push("conv1d", "", AudioJson::array({nested(reversed_axes(w)), nested(chain_.bias(node, "bias", width_))}));
    layer["kernel_size"] = AudioJson::array({K});
    layer["dilation"] = AudioJson::array({dilation});
    if (layer_integer(node, "groups", 1) != 1) layer["groups"] = layer_integer(node, "groups", 1);
  }

  void add_batch_norm(const graph::Node& node) {
    AudioJson weights = AudioJson::array();
    if (chain_.has(node, "weight") || chain_.has(node, "bias")) {
      const graph::Array ones = graph::array({width_}, std::vector<float>(static_cast<size_t>(width_), 1.0F));
      weights.push_back(nested(chain_.has(node, "weight") ? chain_.weight(node, "weight") : ones));
      weights.push_back(nested(chain_.bias(node, "bias", width_)));
    }
    weights.push_back(nested(chain_.weight(node, "running_mean")));
    weights.push_back(nested(chain_.weight(node, "running_var")));
    push("batchnorm", "", std::move(weights))["epsilon"] = static_cast<float>(layer_number(node, "epsilon", 1e-5));
  }

  // PReLU with one slope per unit. A single slope is repeated.
  void add_slopes(const graph::Node& node) {
    std::vector<float> slopes(static_cast<size_t>(width_), static_cast<float>(layer_number(node, "alpha", 0.01)));
    if (node.type == "PRelu") {
      const auto found = chain_.graph().arrays.find(node.inputs.at(1));
      const size_t n = found == chain_.graph().arrays.end() ? 0 : found->second.floats.size();
      if (n != 1 && n != slopes.size())
        refuse_layer(chain_.format(), node, "slopes that are not trained for each unit");
      for (size_t i = 0; i < slopes.size(); ++i) slopes[i] = found->second.floats[n == 1 ? 0 : i];
    }
    push("prelu", "", AudioJson::array({nested(graph::array({1, width_}, slopes))}));
  }

  void add_gain(const graph::Node& node, const char* name) {
    const auto found = node.attributes.find("scale");
    const auto* one = found == node.attributes.end() ? nullptr : std::get_if<double>(&found->second);
    const auto* list = found == node.attributes.end() ? nullptr : std::get_if<std::vector<double>>(&found->second);
    const double gain = one != nullptr ? *one : list != nullptr && list->size() == 1 ? list->front() : 0.0;
    if (!(gain > 0.0) || !node.weights.empty() || node.attributes.contains("shift")) {
      refuse_layer(chain_.format(), node, "scales of each number, and shifts");
    }
    json_[name] = static_cast<float>(20.0 * std::log10(gain));
  }

  LayerChain chain_;
  int64_t width_;
  AudioJson json_ = AudioJson::object();
};

class NamFile {
 public:
  explicit NamFile(const ExportModel& model) : model_(model), chain_(model.graph, "Neural Amp Modeler's LSTM") {}

  Exported run() {
    const auto& nodes = chain_.nodes();
    if (chain_.inputs() != 1) {
      throw input_error(
          fmt::format("the network's input: Neural Amp Modeler has one channel, found {}", chain_.inputs()),
          "export it to onnx, pytorch or c, which have any number");
    }
    if (nodes.empty() || nodes.back()->type != "linear" || chain_.weight(*nodes.back(), "weight").dims[0] != 1) {
      throw input_error(
          "the network's layers: Neural Amp Modeler's LSTM ends in a linear layer with one output, found "
          "another end",
          "export it to rtneural, onnx, pytorch or c, which have other layers");
    }
    for (const graph::Node* node : nodes) {
      if (node != nodes.back()) add_lstm(*node);
    }
    if (layers_ == 0) refuse_layer(chain_.format(), *nodes.back(), "a network without LSTM layers");
    if (chain_.skips())
      refuse_layer(chain_.format(), model_.graph.nodes.back(), "an input that is added to the output");
    add_head(*nodes.back());
    return written();
  }

 private:
  void add(const std::vector<float>& values) { weights_.insert(weights_.end(), values.begin(), values.end()); }

  void add_lstm(const graph::Node& node) {
    if (node.type != "lstm") refuse_layer(chain_.format(), node, "this type of layers");
    chain_.expect_plain_layers(node, true);
    for (int64_t l = 0; l < layer_integer(node, "layers", 1); ++l) {
      const std::string suffix = fmt::format("_l{}", l);
      const graph::Array &w = chain_.weight(node, "weight_ih" + suffix), &r = chain_.weight(node, "weight_hh" + suffix);
      const int64_t H = r.dims[1], I = w.dims[1];
      if (units_ != 0 && units_ != H) refuse_layer(chain_.format(), node, "layers of different sizes");
      units_ = H;
      ++layers_;
      for (int64_t row = 0; row < 4 * H; ++row) {
        add({w.floats.begin() + row * I, w.floats.begin() + (row + 1) * I});
        add({r.floats.begin() + row * H, r.floats.begin() + (row + 1) * H});
      }
      add(sum_of(chain_.bias(node, "bias_ih" + suffix, 4 * H), chain_.bias(node, "bias_hh" + suffix, 4 * H)).floats);
      add(chain_.bias(node, "h_0" + suffix, H).floats);
      add(chain_.bias(node, "c_0" + suffix, H).floats);
    }
  }

  void add_head(const graph::Node& node) {
    add(chain_.weight(node, "weight").floats);
    add(chain_.bias(node, "bias", 1).floats);
  }

  Exported written() const {
    AudioJson json;
    json["version"] = "0.5.4";  // version of the format; players read 0.5
    json["metadata"] = AudioJson::object();
    json["metadata"]["name"] = model_.name;
    json["architecture"] = "LSTM";
    json["config"] = AudioJson::object();
    json["config"]["input_size"] = 1;
    json["config"]["hidden_size"] = units_;
    json["config"]["num_layers"] = layers_;
    json["weights"] = weights_;
    if (model_.graph.sample_rate > 0) json["sample_rate"] = model_.graph.sample_rate;
    Exported out;
    out.files.emplace_back(".nam", json.dump(-1, ' ', false, AudioJson::error_handler_t::replace) + "\n");
    out.notes.push_back(
        fmt::format("layers  {} LSTM of {} units and a head, {} weights", layers_, units_, weights_.size()));
    if (model_.graph.sample_rate == 0) out.notes.emplace_back("the sample rate is not known; players take it as 48000");
    return out;
  }

  const ExportModel& model_;
  LayerChain chain_;
  int64_t units_ = 0, layers_ = 0;
  std::vector<float> weights_;
};

}  // namespace

Exported export_rtneural(const ExportModel& model, const ExportOptions& /*options*/) {
  return RtNeuralFile(model.graph).run();
}

Exported export_nam(const ExportModel& model, const ExportOptions& /*options*/) { return NamFile(model).run(); }

}  // namespace longhand::exporters
