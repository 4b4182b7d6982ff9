// Keras's layers as nodes.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"
#include "longhand/convert/keras_recurrent.h"
#include "longhand/convert/keras_windows.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

class KerasBuilder {
 public:
  KerasBuilder(const KerasConfig& config, KerasWeights weights, const std::string& path)
      : config_(config), weights_(std::move(weights)), builder_(path) {}

  Imported run() {
    for (const KerasLayer& layer : config_.layers) {
      layer_ = &layer;
      arrays_ = weights_.contains(layer.name) ? &weights_[layer.name] : nullptr;
      values_[layer.name] = add(layer.type, layer.config, layer.name);
      if (arrays_ != nullptr && !arrays_->empty() && !takes_arrays_) {
        fail(fmt::format("has {} arrays that its type does not have", arrays_->size()));
      }
      weights_.erase(layer.name);
      takes_arrays_ = false;
    }
    for (const auto& [name, arrays] : weights_) {
      if (!arrays.empty())
        builder_.fail(fmt::format("layer '{}' has arrays and no configuration", name), "it is damaged");
    }
    std::vector<std::string> outputs;
    for (const std::string& output : config_.outputs) outputs.push_back(values_.at(output).name);
    return builder_.finish(outputs);
  }

 private:
  [[noreturn]] void fail(const std::string& problem, const std::string& advice = "export it as ONNX instead") const {
    builder_.fail(fmt::format("layer '{}' ({}): {}", visible(layer_->name), visible(layer_->type), problem), advice);
  }
  std::string where() const { return fmt::format("{}: layer '{}'", builder_.file(), visible(layer_->name)); }

  const KerasValue& input(size_t i = 0) const {
    const auto found = i < layer_->inputs.size() ? values_.find(layer_->inputs[i]) : values_.end();
    if (found == values_.end()) fail("expected a layer before it, found none", "the file is damaged");
    return found->second;
  }
  const KerasValue& only_input() const {
    if (layer_->inputs.size() != 1) fail(fmt::format("expected one input, found {}", layer_->inputs.size()));
    return input();
  }

  // The layer's arrays, as many as it must have.
  const KerasArrays& take(size_t least, size_t most) {
    takes_arrays_ = true;
    if (arrays_ == nullptr || arrays_->size() < least || arrays_->size() > most) {
      fail(fmt::format("expected {} to {} arrays, found {}", least, most, arrays_ == nullptr ? 0 : arrays_->size()),
           "the file is damaged");
    }
    return *arrays_;
  }

  static bool is_silent(const std::string& type) {
    static const std::set<std::string_view> kSilent = {"Dropout",         "SpatialDropout1D", "GaussianNoise",
                                                       "GaussianDropout", "AlphaDropout",     "ActivityRegularization"};
    return kSilent.contains(type);
  }

  KerasValue add(const std::string& type, const Json& config, const std::string& name) {
    if (type == "InputLayer") return add_input(config, name);
    if (is_silent(type)) return only_input();
    if (type == "Embedding") return add_embedding(name);
    if (type == "Dense") return add_dense(config, name);
    if (type == "Activation") return activated(only_input(), text_of(config, "activation", "", where()), name);
    if (type == "TimeDistributed") return add_time_distributed(config, name);
    if (type == "Conv1D" || type == "Convolution1D") return add_convolution(config, name);
    if (type == "LayerNormalization") return add_layer_norm(config, name);
    if (type == "BatchNormalization") return add_batch_norm(config, name);
    if (type == "Flatten") return add_flatten(name);
    if (type == "RepeatVector") return add_repeat(config, name);
    if (type == "Concatenate" || type == "Add" || type == "Multiply" || type == "Subtract" || type == "Maximum" ||
        type == "Minimum" || type == "Merge") {
      return add_merge(type, config, name);
    }
    if (type.find("Pooling1D") != std::string::npos) return add_pooling(type, config, name);
    if (is_keras_recurrent(type)) return add_recurrent(type, config, name);
    if (const auto value = add_function(type, config, name)) return *value;
    fail("not a type of layer that is known");
  }

  std::optional<KerasValue> add_function(const std::string& type, const Json& config, const std::string& name) {
    const auto number = [&](const char* first, const char* second, double otherwise) {
      const Json& given = config.contains(first)    ? config[first]
                          : config.contains(second) ? config[second]
                                                    : Json(otherwise);
      if (!given.is_number()) fail(fmt::format("{}: expected a number, found another", first), "it is damaged");
      return given.get<double>();
    };
    KerasValue out = input();
    if (type == "LeakyReLU") {
      const double slope = number("negative_slope", "alpha", 0.3);
      out.name = builder_.add("leaky-relu", name, {out.name}, {{"alpha", slope}});
    } else if (type == "ELU") {
      out.name = builder_.add("elu", name, {out.name}, {{"alpha", number("alpha", "alpha", 1.0)}});
    } else if (type == "ReLU") {
      for (const char* other : {"negative_slope", "threshold"}) {
        if (number(other, other, 0.0) != 0.0) fail(fmt::format("expected {} = 0", other));
      }
      if (config.contains("max_value") && !config["max_value"].is_null()) fail("expected no max_value");
      out.name = builder_.add("relu", name, {out.name});
    } else if (type == "Softmax") {
      if (config.contains("axis") && config["axis"] != -1) fail("expected the last axis");
      out.name = builder_.add("softmax", name, {out.name});
    } else {
      return std::nullopt;
    }
    return out;
  }

  KerasValue add_input(const Json& config, const std::string& name) {
    const Json& shape = config.contains("batch_input_shape") ? config["batch_input_shape"]
                        : config.contains("batch_shape")     ? config["batch_shape"]
                        : config.contains("input_length")    ? Json::array({nullptr, nullptr})
                                                             : Json();
    if (!shape.is_array() || shape.size() < 2 || shape.size() > 3) {
      fail(fmt::format("expected an input [batch, steps, numbers], [batch, steps] or [batch, numbers], found {}",
                       shape.dump().substr(0, 60)));
    }
    const bool symbols = std::any_of(config_.layers.begin(), config_.layers.end(), [&](const KerasLayer& other) {
      return other.type == "Embedding" && !other.inputs.empty() && other.inputs.front() == name;
    });
    if (symbols)
      return {.name = builder_.symbols(name), .width = 0, .is_sequence = true, .is_symbols = true, .steps = -1};
    const int64_t width = whole_of(shape.back(), 1, 1 << 20, where());
    const bool sequence = shape.size() == 3;
    const int64_t steps = sequence && shape[1].is_number() ? whole_of(shape[1], 1, 1 << 24, where()) : -1;
    return {.name = sequence ? builder_.input(name, width, steps) : builder_.rows(name, width),
            .width = width,
            .is_sequence = sequence,
            .steps = steps};
  }

  KerasValue add_embedding(const std::string& name) {
    const KerasValue& x = only_input();
    const graph::Array& table = take(1, 1)[0].second;
    if (!x.is_symbols || table.dims.size() != 2) fail("expected symbols and a table", "the file is damaged");
    return {.name = builder_.add("embedding", name, {x.name}, {}, {{"weight", table}}),
            .width = table.dims[1],
            .is_sequence = true,
            .steps = x.steps};
  }

  KerasValue activated(KerasValue value, const std::string& function, const std::string& name) {
    if (function == "hard_sigmoid") {
      const auto [alpha, beta] = keras_hard_sigmoid(config_.version);
      value.name =
          builder_.add("hard-sigmoid", name + ".hard_sigmoid", {value.name}, {{"alpha", alpha}, {"beta", beta}});
      return value;
    }
    value.name = builder_.activation(function, name, value.name);
    return value;
  }

  KerasValue add_dense(const Json& config, const std::string& name) {
    const KerasValue& x = only_input();
    const KerasArrays& arrays = take(1, 2);
    const graph::Array& kernel = arrays[0].second;
    if (kernel.dims.size() != 2 || kernel.dims[0] != x.width) {
      fail(fmt::format("expected a kernel of {} rows, found {}", x.width, graph::shown(kernel.dims)), "it is damaged");
    }
    NetworkBuilder::Weights weights = {{"weight", transposed(kernel)}};
    if (arrays.size() == 2) weights["bias"] = arrays[1].second;
    KerasValue out = x;
    out.name = builder_.add("linear", name, {x.name}, {}, std::move(weights));
    out.width = kernel.dims[1];
    return activated(out, text_of(config, "activation", "", where()), name);
  }

  // What it holds reads the last axis alone, at each position.
  KerasValue add_time_distributed(const Json& config, const std::string& name) {
    const Json& inner = member(config, "layer", where());
    const std::string type = text_of(inner, "class_name", "", where());
    static const std::set<std::string_view> kOfPositions = {"Dense", "Activation", "Dropout", "LeakyReLU",
                                                            "ELU",   "ReLU",       "Softmax", "LayerNormalization"};
    if (!kOfPositions.contains(type)) fail(fmt::format("holds a '{}', which is not read", visible(type)));
    return add(type, member(inner, "config", where()), name);
  }

  KerasValue add_convolution(const Json& config, const std::string& name) {
    const KerasValue& x = only_input();
    const KerasLayerPlace place{.layer = name, .type = layer_->type, .config = config, .where = where()};
    return activated(add_keras_convolution(builder_, place, x, take(1, 2)), text_of(config, "activation", "", where()),
                     name);
  }

  double epsilon_of(const Json& config) const {
    const auto found = config.find("epsilon");
    if (found == config.end()) return 1e-3;
    if (!found->is_number()) fail("epsilon: expected a number, found another", "it is damaged");
    return found->get<double>();
  }

  // Which of the scale and the shift there are.
  NetworkBuilder::Weights scales_of(const Json& config, size_t others, const char* scale_key, const char* shift_key) {
    const auto has = [&](const char* key) { return !config.contains(key) || config[key] != false; };
    const size_t count = (has(scale_key) ? 1U : 0U) + (has(shift_key) ? 1U : 0U) + others;
    const KerasArrays& arrays = take(count, count);
    NetworkBuilder::Weights out;
    size_t at = 0;
    if (has(scale_key)) out["weight"] = arrays[at++].second;
    if (has(shift_key)) out["bias"] = arrays[at++].second;
    if (others == 2) {
      out["running_mean"] = arrays[at].second;
      out["running_var"] = arrays[at + 1].second;
    }
    return out;
  }

  void expect_last_axis(const Json& config, const KerasValue& x) const {
    const auto found = config.find("axis");
    if (found == config.end()) return;
    const Json& axis = found->is_array() && found->size() == 1 ? found->front() : *found;
    if (axis != -1 && axis != (x.is_sequence ? 2 : 1)) fail("expected the last axis");
  }

  KerasValue add_layer_norm(const Json& config, const std::string& name) {
    KerasValue out = only_input();
    expect_last_axis(config, out);
    out.name = builder_.add("layer-norm", name, {out.name}, {{"epsilon", epsilon_of(config)}},
                            scales_of(config, 0, "scale", "center"));
    return out;
  }

  KerasValue add_batch_norm(const Json& config, const std::string& name) {
    KerasValue out = only_input();
    expect_last_axis(config, out);
    out.name = builder_.add("batch-norm", name, {out.name}, {{"epsilon", epsilon_of(config)}},
                            scales_of(config, 2, "scale", "center"));
    return out;
  }

  KerasValue add_flatten(const std::string& name) {
    const KerasValue& x = only_input();
    if (!x.is_sequence) return x;
    if (x.steps < 0) fail("expected a number of steps that the model fixes, found none");
    builder_.fix_steps();
    return {.name = builder_.add("Flatten", name, {x.name}), .width = x.width * x.steps, .is_sequence = false};
  }

  KerasValue add_repeat(const Json& config, const std::string& name) {
    const KerasValue& x = only_input();
    if (x.is_sequence) fail("expected one row, found a sequence", "it is damaged");
    const int64_t n = whole_of(member(config, "n", where()), 1, 1 << 20, where());
    const std::string axes = builder_.array(name + ".axes", graph::array_of_ints({1}, {1}));
    const std::string shape = builder_.array(name + ".shape", graph::array_of_ints({3}, {1, n, 1}));
    const std::string row = builder_.add("Unsqueeze", name + ".row", {x.name, axes});
    return {.name = builder_.add("Expand", name, {row, shape}), .width = x.width, .is_sequence = true, .steps = n};
  }

  KerasValue add_merge(const std::string& type, const Json& config, const std::string& name) {
    const std::string mode = text_of(config, "mode", "concat", where());  // of Merge, version 1
    const bool concat = type == "Concatenate" || (type == "Merge" && mode == "concat");
    static const std::map<std::string, const char*> kTypes = {
        {"Add", "add"}, {"Multiply", "multiply"}, {"Subtract", "subtract"},  {"Maximum", "max"},  {"Minimum", "min"},
        {"sum", "add"}, {"mul", "multiply"},      {"Concatenate", "concat"}, {"concat", "concat"}};
    const auto node = kTypes.find(type == "Merge" ? mode : type);
    if (node == kTypes.end() || layer_->inputs.size() < 2) fail("expected several layers before it, and a known mode");
    KerasValue out = input();
    std::vector<std::string> inputs;
    int64_t width = 0;
    for (size_t i = 0; i < layer_->inputs.size(); ++i) {
      inputs.push_back(input(i).name);
      width += input(i).width;
      if (input(i).is_sequence != out.is_sequence) fail("expected sequences, or rows, alone");
      if (!concat && input(i).width != out.width) fail("expected layers of one size");
    }
    if (concat) expect_last_axis(config, out);
    out.name = builder_.add(node->second, name, std::move(inputs));
    if (concat) out.width = width;
    return out;
  }

  KerasValue add_pooling(const std::string& type, const Json& config, const std::string& name) {
    const KerasLayerPlace place{.layer = name, .type = type, .config = config, .where = where()};
    return add_keras_pooling(builder_, place, only_input());
  }

  KerasValue add_recurrent(const std::string& type, const Json& config, const std::string& name) {
    const KerasValue& x = only_input();
    if (!x.is_sequence || x.is_symbols) fail("expected sequences of numbers", "it is damaged");
    takes_arrays_ = true;
    const KerasRecurrent layer{
        .layer = name, .type = type, .config = config, .version = config_.version, .where = where()};
    return add_keras_recurrent(builder_, layer, x, arrays_ == nullptr ? KerasArrays() : *arrays_);
  }

  const KerasConfig& config_;
  KerasWeights weights_;
  NetworkBuilder builder_;
  const KerasLayer* layer_ = nullptr;
  const KerasArrays* arrays_ = nullptr;
  bool takes_arrays_ = false;
  std::map<std::string, KerasValue> values_;
};

}  // namespace

Imported build_keras(const KerasConfig& config, KerasWeights weights, const std::string& path) {
  return KerasBuilder(config, std::move(weights), path).run();
}

}  // namespace longhand::convert
