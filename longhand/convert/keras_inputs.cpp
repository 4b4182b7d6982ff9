// The inputs of a Keras model: symbols, rows or sequences.
#include <fmt/core.h>

#include <set>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

// Whether an input of a model is symbols: an Embedding reads it, or a model within that does.
class SymbolInputs {
 public:
  bool has(const KerasModel& model, const KerasTensor& input) {
    const auto [known, fresh] = known_.try_emplace({&model, input.layer}, false);
    if (!fresh) return known->second;
    bool found = false;
    for (const KerasLayer& layer : model.layers) {
      for (const KerasCall& call : layer.calls) found = found || is_read(layer, call, input);
    }
    return known_[{&model, input.layer}] = found;
  }

 private:
  bool is_read(const KerasLayer& layer, const KerasCall& call, const KerasTensor& input) {
    for (size_t i = 0; i < call.arguments.size(); ++i) {
      const auto& tensor = call.arguments[i].tensor;
      if (!tensor || tensor->layer != input.layer) continue;
      if (layer.type == "Embedding") return true;
      const KerasModel* inner = layer.model.get();
      if (inner != nullptr && i < inner->inputs.size() && has(*inner, inner->inputs[i])) return true;
    }
    return false;
  }

  std::map<std::pair<const KerasModel*, std::string>, bool> known_;
};

class InputReader {
 public:
  InputReader(NetworkBuilder& builder, const KerasConfig& config, const KerasWeights& weights)
      : builder_(builder), config_(config), weights_(weights) {}

  // Of a Sequential that does not say the shape of its input: from the arrays of the first layer that has some.
  Json guessed_shape(const KerasLayer& input) {
    static const std::set<std::string> kSilent = {
        "Dropout",      "SpatialDropout1D", "GaussianNoise", "GaussianDropout",
        "AlphaDropout", "Activation",       "LeakyReLU",     "ELU",
        "ReLU",         "Masking"};
    bool sequence = false;
    int64_t width = -1;
    if (!config_.model.is_sequential) return {};
    for (const KerasLayer& layer : config_.model.layers) {
      const auto arrays = weights_.find(layer.name);
      const bool windows = find_window_layer(layer.type) != nullptr,
                 cells = find_recurrent_layer(layer.type) != nullptr;
      if (layer.name == input.name || kSilent.contains(layer.type)) {
        sequence = sequence || layer.type == "Masking" || layer.type == "SpatialDropout1D";
        continue;
      }
      if (width < 0) {
        if (layer.model != nullptr || arrays == weights_.end() || arrays->second.empty()) return {};
        const graph::Dims& dims = arrays->second[0].second.dims;
        if (layer.type == "Embedding") return Json::array({nullptr, nullptr});
        if (dims.empty()) return {};
        width = windows && dims.size() > 1 ? dims[1] : dims[0];
      }
      sequence = sequence || windows || cells || layer.type == "TimeDistributed";
      if (layer.type == "Flatten" || layer.type == "Reshape" || layer.type == "RepeatVector") return {};
      if (sequence) break;
    }
    if (width < 1) return {};
    builder_.note(fmt::format("the file does not say the shape of the input: by its weights, {} of {} numbers",
                              sequence ? "sequences" : "rows", width));
    return sequence ? Json::array({nullptr, nullptr, width}) : Json::array({nullptr, width});
  }

  KerasValue add_input(const KerasLayer& layer, bool symbols) {
    const Json& config = layer.config;
    const std::string where = fmt::format("{}: layer '{}'", builder_.file(), visible(layer.name));
    const auto given = [&](const char* key) { return config.contains(key) && !config[key].is_null(); };
    const Json shape = given("batch_input_shape")        ? config["batch_input_shape"]
                       : given("batch_shape")            ? config["batch_shape"]
                       : config.contains("input_length") ? Json::array({nullptr, config["input_length"]})
                                                         : guessed_shape(layer);
    if (!shape.is_array() || shape.size() < 2 || shape.size() > 4) {
      builder_.fail(fmt::format("layer '{}' (InputLayer): expected an input [batch, steps, numbers], [batch, steps], "
                                "[batch, numbers] or [batch, steps, rows, numbers], found {}",
                                visible(layer.name), shape.dump().substr(0, 60)),
                    "export it as ONNX instead");
    }
    graph::Dims dims;
    for (size_t i = 1; i < shape.size(); ++i) {
      dims.push_back(shape[i].is_null() ? -1 : whole_of(shape[i], 1, 1 << 24, where));
    }
    if (symbols && dims.size() == 1) {
      return {.name = builder_.symbols(layer.name, dims[0]), .dims = dims, .is_symbols = true};
    }
    if (symbols) {
      builder_.fail(fmt::format("layer '{}' (InputLayer): expected symbols [batch, steps], found {}",
                                visible(layer.name), shape.dump().substr(0, 60)),
                    "export it as ONNX instead");
    }
    for (size_t i = 1; i < dims.size(); ++i) {
      if (dims[i] < 0)
        builder_.fail(fmt::format("layer '{}': expected all sizes but the steps", visible(layer.name)),
                      "fix them in the model");
    }
    if (dims.size() == 1) {
      if (dims[0] < 0)
        builder_.fail(fmt::format("layer '{}': expected a size, found none", visible(layer.name)),
                      "fix it in the model");
      return {.name = builder_.rows(layer.name, dims[0]), .dims = dims};
    }
    return {.name = builder_.input(layer.name, {dims.begin() + 1, dims.end()}, dims[0]), .dims = dims};
  }

 private:
  NetworkBuilder& builder_;
  const KerasConfig& config_;
  const KerasWeights& weights_;
};

}  // namespace

KerasValues add_keras_inputs(NetworkBuilder& builder, const KerasConfig& keras, const KerasWeights& weights) {
  InputReader reader(builder, keras, weights);
  SymbolInputs symbols;
  KerasValues out;
  for (const KerasTensor& input : keras.model.inputs) {
    out.push_back(reader.add_input(keras.model.layer(input.layer), symbols.has(keras.model, input)));
  }
  return out;
}

}  // namespace longhand::convert
