#include "longhand/exporters/export_keras.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/convert/gate_order.h"
#include "longhand/convert/hdf5_writer.h"
#include "longhand/convert/zip_file.h"
#include "longhand/exporters/layer_chain.h"
#include "longhand/exporters/torch_text.h"

namespace longhand::exporters {
namespace {

using KerasJson = nlohmann::ordered_json;

constexpr const char* kVersion = "3.0.0";  // version of the format

// Activation functions: our names and Keras's names.
const std::map<std::string, std::string>& keras_activations() {
  static const std::map<std::string, std::string> kNames = {
      {"relu", "relu"},         {"Relu", "relu"},         {"sigmoid", "sigmoid"},
      {"Sigmoid", "sigmoid"},   {"tanh", "tanh"},         {"Tanh", "tanh"},
      {"softmax", "softmax"},   {"Softmax", "softmax"},   {"log-softmax", "log_softmax"},
      {"silu", "silu"},         {"softplus", "softplus"}, {"Softplus", "softplus"},
      {"softsign", "softsign"}, {"Softsign", "softsign"}, {"exp", "exponential"},
      {"Exp", "exponential"},   {"mish", "mish"},         {"Mish", "mish"}};
  return kNames;
}

class KerasModelFile {
 public:
  explicit KerasModelFile(const ExportModel& model)
      : model_(model), chain_(model.graph, "Keras's Sequential model", true), width_(chain_.inputs()) {}

  Exported run() {
    begin();
    for (const graph::Node* node : chain_.nodes()) add_node(*node);
    if (chain_.skips()) {
      refuse_layer(chain_.format(), model_.graph.nodes.back(), "an input that is added to the output");
    }
    KerasJson config;
    config["module"] = "keras";
    config["class_name"] = "Sequential";
    config["config"] = {{"name", python_name(model_.name)}, {"trainable", true}, {"layers", layers_}};
    config["registered_name"] = nullptr;
    const KerasJson metadata = {{"keras_version", kVersion}, {"date_saved", "1980-01-01@00:00:00"}};
    arrays_.emplace_back("vars/", graph::Array{});
    Exported out;
    out.files.emplace_back(".keras", convert::zip_bytes({{"metadata.json", metadata.dump()},
                                                         {"config.json", config.dump()},
                                                         {"model.weights.h5", convert::hdf5_bytes(arrays_)}},
                                                        convert::Compression::kNone));
    out.notes.push_back(fmt::format("layers  {}, a Sequential model of Keras 3", layers_.size() - 1));
    return out;
  }

 private:
  // Adds a layer of keras.layers with a unique name.
  void push(const std::string& type, const std::string& name, KerasJson config) {
    KerasJson own = {{"name", names_.take(name)}};
    own.update(config);
    KerasJson layer;
    layer["module"] = "keras.layers";
    layer["class_name"] = type;
    layer["config"] = std::move(own);
    layer["registered_name"] = nullptr;
    layers_.push_back(std::move(layer));
  }

  // Returns the folder where Keras expects the arrays of a layer: layers/TYPE_N/, for the n-th layer of a type.
  std::string place(const std::string& snake) {
    const int n = types_[snake]++;
    return fmt::format("layers/{}{}/", snake, n == 0 ? "" : fmt::format("_{}", n));
  }
  void add_arrays(const std::string& where, const std::vector<graph::Array>& arrays) {
    if (arrays.empty()) arrays_.emplace_back(where + "vars/", graph::Array{});
    for (size_t i = 0; i < arrays.size(); ++i) {
      arrays_.emplace_back(fmt::format("{}vars/{}", where, i), arrays[i]);
    }
  }

  void begin() {
    const bool symbols = chain_.inputs() == 0;
    KerasJson config;
    config["batch_shape"] =
        symbols ? KerasJson::array({nullptr, nullptr}) : KerasJson::array({nullptr, nullptr, width_});
    config["dtype"] = symbols ? "int32" : "float32";
    config["sparse"] = false;
    push("InputLayer", model_.graph.inputs.front().name, std::move(config));
  }

  void add_node(const graph::Node& node) {
    const std::string& type = node.type;
    const auto function = keras_activations().find(type);
    if (type == "lstm" || type == "gru" || type == "rnn") return add_recurrent(node);
    if (type == "linear") return add_dense(node);
    if (type == "embedding") return add_embedding(node);
    if (type == "conv1d") return add_convolution(node);
    if (type == "layer-norm" || type == "batch-norm") return add_norm(node);
    if (type == "PRelu") return add_prelu(node);
    if (type == "pool" || type == "max-pool1d" || type == "avg-pool1d") return add_pool(node);
    if (type == "leaky-relu" || type == "LeakyRelu") {
      return push_plain("LeakyReLU", "leaky_re_lu", node, {{"negative_slope", layer_number(node, "alpha", 0.01)}});
    }
    if (type == "elu" || type == "Elu") {
      return push_plain("ELU", "elu", node, {{"alpha", layer_number(node, "alpha", 1.0)}});
    }
    if (type == "scale") return add_scale(node);
    const int64_t axis = layer_integer(node, "axis", -1);
    if (function == keras_activations().end() || (axis != -1 && axis != 2)) {
      refuse_layer(chain_.format(), node,
                   function == keras_activations().end() ? "this type of layers" : "another axis");
    }
    push_plain("Activation", "activation", node, {{"activation", function->second}});
  }

  // Adds a layer without arrays.
  void push_plain(const std::string& type, const std::string& snake, const graph::Node& node, KerasJson config) {
    push(type, node.name, std::move(config));
    add_arrays(place(snake), {});
  }

  void add_dense(const graph::Node& node) {
    const graph::Array& w = chain_.weight(node, "weight");
    width_ = w.dims[0];
    const bool bias = chain_.has(node, "bias");
    push("Dense", node.name, {{"units", width_}, {"activation", "linear"}, {"use_bias", bias}});
    std::vector<graph::Array> arrays = {convert::transposed(w)};
    if (bias) arrays.push_back(chain_.weight(node, "bias"));
    add_arrays(place("dense"), arrays);
  }

  void add_embedding(const graph::Node& node) {
    const graph::Array& w = chain_.weight(node, "weight");
    width_ = w.dims[1];
    push("Embedding", node.name, {{"input_dim", w.dims[0]}, {"output_dim", width_}, {"mask_zero", false}});
    add_arrays(place("embedding"), {w});
  }

  // Returns a kernel [O, C, K] as [K, C, O].
  static graph::Array kernel_of(const graph::Array& w) {
    const int64_t O = w.dims[0], C = w.dims[1], K = w.dims[2];
    graph::Array out = graph::array({K, C, O}, std::vector<float>(w.floats.size()));
    for (int64_t at = 0; at < O * C * K; ++at) {
      const int64_t o = at / (C * K), c = at / K % C, k = at % K;
      out.floats[static_cast<size_t>((k * C + c) * O + o)] = w.floats[static_cast<size_t>(at)];
    }
    return out;
  }

  void add_convolution(const graph::Node& node) {
    const graph::Array& w = chain_.weight(node, "weight");
    width_ = w.dims[0];
    const bool bias = chain_.has(node, "bias");
    const auto padding = node.attributes.find("padding");
    if (padding != node.attributes.end() && !std::holds_alternative<std::string>(padding->second)) {
      refuse_layer(chain_.format(), node, "other padding than causal, same and valid");
    }
    if (layer_word(node, "mode", "zeros") != "zeros") refuse_layer(chain_.format(), node, "padding but with zeros");
    push("Conv1D", node.name,
         {{"filters", width_},
          {"kernel_size", KerasJson::array({w.dims[2]})},
          {"strides", KerasJson::array({layer_integer(node, "stride", 1)})},
          {"padding", layer_word(node, "padding", "valid")},
          {"dilation_rate", KerasJson::array({layer_integer(node, "dilation", 1)})},
          {"groups", layer_integer(node, "groups", 1)},
          {"activation", "linear"},
          {"use_bias", bias}});
    std::vector<graph::Array> arrays = {kernel_of(w)};
    if (bias) arrays.push_back(chain_.weight(node, "bias"));
    add_arrays(place("conv1d"), arrays);
  }

  void add_norm(const graph::Node& node) {
    const bool batch = node.type == "batch-norm";
    const bool scale = chain_.has(node, "weight"), center = chain_.has(node, "bias");
    push(batch ? "BatchNormalization" : "LayerNormalization", node.name,
         {{"axis", -1}, {"epsilon", layer_number(node, "epsilon", 1e-5)}, {"center", center}, {"scale", scale}});
    std::vector<graph::Array> arrays;
    for (const char* role : {"weight", "bias", "running_mean", "running_var"}) {
      if (chain_.has(node, role)) arrays.push_back(chain_.weight(node, role));
    }
    add_arrays(place(batch ? "batch_normalization" : "layer_normalization"), arrays);
  }

  void add_prelu(const graph::Node& node) {
    const auto found = chain_.graph().arrays.find(node.inputs.at(1));
    const size_t n = found == chain_.graph().arrays.end() ? 0 : found->second.floats.size();
    if (n != 1 && static_cast<int64_t>(n) != width_) refuse_layer(chain_.format(), node, "slopes of single steps");
    std::vector<float> slopes = found->second.floats;
    slopes.resize(static_cast<size_t>(width_), slopes.front());
    push("PReLU", node.name, {{"shared_axes", KerasJson::array({1})}});
    add_arrays(place("p_re_lu"), {graph::array({1, width_}, slopes)});
  }

  void add_pool(const graph::Node& node) {
    const std::string kind = layer_word(node, "kind", "last");
    if (node.type == "pool") {
      if (kind != "mean" && kind != "max")
        refuse_layer(chain_.format(), node, "pooling but by the mean and the maximum");
      if (node.inputs.size() > 1) refuse_layer(chain_.format(), node, "masks");
      return push_plain(kind == "mean" ? "GlobalAveragePooling1D" : "GlobalMaxPooling1D",
                        kind == "mean" ? "global_average_pooling1d" : "global_max_pooling1d", node,
                        KerasJson::object());
    }
    if (node.attributes.contains("padding")) refuse_layer(chain_.format(), node, "padding of pooling");
    const int64_t kernel = layer_integer(node, "kernel", 1);
    const bool mean = node.type == "avg-pool1d";
    push_plain(mean ? "AveragePooling1D" : "MaxPooling1D", mean ? "average_pooling1d" : "max_pooling1d", node,
               {{"pool_size", KerasJson::array({kernel})},
                {"strides", KerasJson::array({layer_integer(node, "stride", kernel)})},
                {"padding", "valid"}});
  }

  void add_scale(const graph::Node& node) {
    KerasJson config;
    for (const auto& [ours, theirs] : {std::pair("scale", "scale"), std::pair("shift", "offset")}) {
      const auto found = node.attributes.find(ours);
      const auto* list = found == node.attributes.end() ? nullptr : std::get_if<std::vector<double>>(&found->second);
      if (node.weights.contains(ours)) refuse_layer(chain_.format(), node, "trained scales");
      if (list != nullptr && list->size() > 1) {
        config[theirs] = *list;
      } else {
        config[theirs] =
            list != nullptr && !list->empty() ? list->front() : layer_number(node, ours, *theirs == 's' ? 1.0 : 0.0);
      }
    }
    push_plain("Rescaling", "rescaling", node, std::move(config));
  }

  // Returns the arrays of one direction of one layer: kernel, recurrent kernel, bias.
  std::vector<graph::Array> cell_arrays(const graph::Node& node, const std::string& suffix, bool two_biases) const {
    const convert::GateOrder order = node.type == "lstm"  ? convert::GateOrder::kKerasLstm
                                     : node.type == "gru" ? convert::GateOrder::kKerasGru
                                                          : convert::GateOrder::kPlain;
    const graph::Array &w = chain_.weight(node, "weight_ih" + suffix), &r = chain_.weight(node, "weight_hh" + suffix);
    std::vector<graph::Array> out = {convert::transposed(convert::to_order(order, w)),
                                     convert::transposed(convert::to_order(order, r))};
    if (!chain_.has(node, "bias_ih" + suffix) && !chain_.has(node, "bias_hh" + suffix)) return out;
    const int64_t G = r.dims[0];
    graph::Array first = convert::to_order(order, chain_.bias(node, "bias_ih" + suffix, G));
    const graph::Array second = convert::to_order(order, chain_.bias(node, "bias_hh" + suffix, G));
    if (two_biases) {
      first.floats.insert(first.floats.end(), second.floats.begin(), second.floats.end());
      first.dims = {2, G};
    } else {
      for (size_t i = 0; i < first.floats.size(); ++i) first.floats[i] += second.floats[i];
    }
    out.push_back(std::move(first));
    return out;
  }

  void add_recurrent(const graph::Node& node) {
    chain_.expect_usual_cell(node, false);
    if (node.attributes.contains("activations")) refuse_layer(chain_.format(), node, "other activations of the cell");
    const std::string activation = layer_word(node, "activation", "tanh");
    if (activation != "tanh" && activation != "relu")
      refuse_layer(chain_.format(), node, "this activation of the cell");
    const bool gru = node.type == "gru", after = layer_integer(node, "reset_after", 1) != 0;
    const bool both = layer_integer(node, "bidirectional", 0) != 0;
    const int64_t layers = layer_integer(node, "layers", 1);
    const std::string type = node.type == "lstm" ? "LSTM" : gru ? "GRU" : "SimpleRNN";
    const std::string snake = node.type == "lstm" ? "lstm" : gru ? "gru" : "simple_rnn";
    for (int64_t l = 0; l < layers; ++l) {
      const bool last = l + 1 == layers && layer_word(node, "return", "sequences") == "last";
      const graph::Array& r = chain_.weight(node, fmt::format("weight_hh_l{}", l));
      KerasJson config = {{"units", r.dims[1]},
                          {"return_sequences", !last},
                          {"go_backwards", layer_integer(node, "go_backwards", 0) != 0},
                          {"activation", activation},
                          {"use_bias", chain_.has(node, fmt::format("bias_ih_l{}", l)) ||
                                           chain_.has(node, fmt::format("bias_hh_l{}", l))}};
      if (node.type != "rnn") config["recurrent_activation"] = "sigmoid";
      if (gru) config["reset_after"] = after;
      const std::string merge = layer_word(node, "merge", "concat"), suffix = fmt::format("_l{}", l);
      width_ = r.dims[1] * (both && merge == "concat" ? 2 : 1);
      if (!both) {
        push(type, node.name, std::move(config));
        add_arrays(place(snake) + "cell/", cell_arrays(node, suffix, gru && after));
        continue;
      }
      config["name"] = snake;
      KerasJson layer;
      layer["module"] = "keras.layers";
      layer["class_name"] = type;
      layer["config"] = std::move(config);
      layer["registered_name"] = nullptr;
      push("Bidirectional", node.name, {{"merge_mode", merge}, {"layer", std::move(layer)}});
      const std::string where = place("bidirectional");
      add_arrays(where + "forward_layer/cell/", cell_arrays(node, suffix, gru && after));
      add_arrays(where + "backward_layer/cell/", cell_arrays(node, suffix + "_reverse", gru && after));
    }
  }

  const ExportModel& model_;
  LayerChain chain_;
  int64_t width_;
  PythonNames names_{{}};
  std::map<std::string, int> types_;
  KerasJson layers_ = KerasJson::array();
  std::vector<std::pair<std::string, graph::Array>> arrays_;
};

}  // namespace

Exported export_keras(const ExportModel& model, const ExportOptions& /*options*/) {
  return KerasModelFile(model).run();
}

}  // namespace longhand::exporters
