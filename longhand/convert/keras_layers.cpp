// Keras's models as networks: each call of a layer becomes nodes, in the order of use, also of models within models.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

// Calls in all models together.
constexpr int kMostCalls = 20'000;

class KerasBuilder {
 public:
  KerasBuilder(const KerasConfig& config, KerasWeights weights, const std::string& path)
      : config_(config), weights_(std::move(weights)), builder_(path) {}

  Imported run() {
    expect_known_types(config_.model);
    const KerasValues inputs = add_keras_inputs(builder_, config_, weights_);
    const KerasValues outputs = run_model(config_.model, "", inputs);
    for (const auto& [name, arrays] : weights_) {
      if (!arrays.empty() && !used_.contains(name)) {
        builder_.fail(fmt::format("layer '{}' has arrays and no call", visible(name)), "it is damaged");
      }
    }
    std::vector<std::string> names;
    for (const KerasValue& output : outputs) {
      const bool again = std::find(names.begin(), names.end(), output.name) != names.end();
      const bool is_input =
          std::any_of(inputs.begin(), inputs.end(), [&](const KerasValue& input) { return input.name == output.name; });
      names.push_back(again || is_input ? builder_.add("Identity", output.name + ".output", {output.name})
                                        : output.name);
    }
    return builder_.finish(names);
  }

 private:
  // All of them first: what no network can have is named before what is wrong with its inputs.
  void expect_known_types(const KerasModel& model) const {
    for (const KerasLayer& layer : model.layers) {
      if (layer.model != nullptr) {
        expect_known_types(*layer.model);
      } else if (layer.type != "InputLayer" && layer.type != "TimeDistributed" && function_of(layer.type) == nullptr) {
        builder_.fail(
            fmt::format("layer '{}' ({}): not a type of layer that is known", visible(layer.name), visible(layer.type)),
            layer.type == "Lambda" ? "its function is Python's: replace it with layers" : "export it as ONNX instead");
      }
    }
  }

  // The outputs of a model that is called with these.
  KerasValues run_model(const KerasModel& model, const std::string& within, const KerasValues& inputs) {
    std::map<KerasTensor, KerasValue> values;
    for (size_t i = 0; i < model.inputs.size(); ++i) values[model.inputs[i]] = inputs.at(i);
    for (const auto& [l, c] : model.order) {
      const KerasLayer& layer = model.layers[l];
      if (values.contains({layer.name, static_cast<int64_t>(c), 0})) continue;  // an input
      const KerasValues made = run_call(layer, layer.calls[c], within, values);
      for (size_t o = 0; o < made.size(); ++o) {
        values[{layer.name, static_cast<int64_t>(c), static_cast<int64_t>(o)}] = made[o];
      }
    }
    KerasValues out;
    for (const KerasTensor& tensor : model.outputs) out.push_back(value_of(values, tensor));
    return out;
  }

  const KerasValue& value_of(const std::map<KerasTensor, KerasValue>& values, const KerasTensor& tensor) const {
    const auto found = values.find(tensor);
    if (found == values.end()) {
      builder_.fail(fmt::format("layer '{}': expected an output {}, found fewer", visible(tensor.layer), tensor.output),
                    "the file is damaged");
    }
    return found->second;
  }

  KerasValues run_call(const KerasLayer& layer, const KerasCall& call, const std::string& within,
                       const std::map<KerasTensor, KerasValue>& values) {
    if (++calls_ > kMostCalls) builder_.fail("expected fewer calls of layers", "the file is damaged");
    const auto operands_of = [&](const std::vector<KerasArgument>& arguments) {
      std::vector<KerasOperand> out;
      for (const KerasArgument& each : arguments) {
        KerasOperand& to = out.emplace_back();
        to.constant = each.value;
        if (each.tensor) to.value = value_of(values, *each.tensor);
      }
      return out;
    };
    const std::string path = within + layer.name;
    KerasSite site{.builder = builder_,
                   .keras = config_,
                   .name = layer.name,
                   .type = layer.type,
                   .config = layer.config,
                   .operands = operands_of(call.arguments),
                   .named = {}};
    for (const auto& [key, arguments] : call.named) site.named[key] = operands_of(arguments);
    read_masks(site);
    bool took = false;
    site.took_arrays = &took;
    // Version 1 keeps the arrays of all layers side by side.
    const bool own = weights_.contains(path) || config_.version > 1;
    const auto arrays = weights_.find(own ? path : layer.name);
    if (arrays != weights_.end()) site.arrays = &arrays->second;
    builder_.set_owner(path);
    KerasValues out = layer.model == nullptr ? run_layer(site) : run_inner_model(site, *layer.model, path);
    builder_.set_owner("");
    if (took) used_.insert(arrays == weights_.end() ? path : arrays->first);
    if (!took && site.arrays != nullptr && !site.arrays->empty()) {
      site.fail(fmt::format("has {} arrays that its type does not have", site.arrays->size()));
    }
    return out;
  }

  // A call may say the masks of its inputs itself. In version 3, a layer that is given initial states has no other.
  static void read_masks(KerasSite& site) {
    if (site.keras.version == 3 && !site.take_named("initial_state").empty()) {
      for (KerasOperand& each : site.operands) {
        if (each.value) each.value->mask.clear();
      }
    }
    const auto named = site.named.find("mask");
    if (named == site.named.end()) return;
    std::vector<KerasOperand>& masks = named->second;
    const bool has =
        std::any_of(masks.begin(), masks.end(), [](const KerasOperand& each) { return each.value.has_value(); });
    if (!has) return;
    for (size_t i = 0; i < masks.size(); ++i) {
      if (!masks[i].value) continue;
      const bool fits = i < site.operands.size() && site.operands[i].value && masks[i].value->is_symbols &&
                        masks[i].value->dims.size() == 1;
      if (!fits) site.fail("expected masks of its inputs' steps");
      site.operands[i].value->mask = masks[i].value->name;
    }
    site.named.erase(named);
  }

  KerasValues run_inner_model(const KerasSite& site, const KerasModel& model, const std::string& path) {
    KerasValues inputs = site.inputs();
    if (inputs.size() != model.inputs.size()) {
      site.fail(fmt::format("expected {} inputs, found {}", model.inputs.size(), inputs.size()), "it is damaged");
    }
    expect_known_arguments(site);
    if (site.type != "TimeDistributed") return run_model(model, path + "/", inputs);
    if (inputs.size() != 1) site.fail("expected one input");
    return {each_step(site, inputs[0], [&](const KerasValue& x) {
      const KerasValues made = run_model(model, path + "/", {x});
      if (made.size() != 1) site.fail("expected a model with one output");
      return made[0];
    })};
  }

  // The steps become a batch, on which the layer begins anew each time.
  template <class Run>
  KerasValue each_step(const KerasSite& site, const KerasValue& x, const Run& run) {
    if (!x.is_sequence() || x.is_symbols) site.fail("expected sequences of numbers, found others");
    const std::string mask = x.mask;
    site.expect_steps(x);
    const int64_t steps = x.dims[0];
    const KerasValue apart = site.reshaped(x, {x.dims.begin() + 1, x.dims.end()}, "steps");
    const KerasValue made = run(apart);
    if (made.is_symbols) site.fail("expected numbers at each step");
    for (const int64_t extent : made.dims) {
      if (extent < 0) site.fail("expected sizes that the model fixes");
    }
    graph::Dims dims = {steps};
    dims.insert(dims.end(), made.dims.begin(), made.dims.end());
    KerasValue out = site.reshaped(made, dims, "");
    out.mask = mask;
    return out;
  }

  static KerasFunction function_of(const std::string& type) {
    for (const auto find : {find_simple_layer, find_normalisation_layer, find_window_layer, find_merge_layer,
                            find_attention_layer, find_recurrent_layer, find_operation}) {
      if (const KerasFunction found = find(type); found != nullptr) return found;
    }
    return nullptr;
  }

  KerasValues run_layer(KerasSite& site) {
    if (site.type == "InputLayer") site.fail("expected one of the model's inputs, found another", "it is damaged");
    if (site.type == "TimeDistributed") return run_time_distributed(site);
    const KerasFunction function = function_of(site.type);
    if (function != find_operation(site.type)) expect_known_arguments(site);
    return function(site);
  }

  // What a layer is called with besides its inputs must say nothing, or be one that its function reads.
  static void expect_known_arguments(const KerasSite& site) {
    static const std::set<std::string> kRead = {"initial_state", "use_causal_mask", "query", "value", "key"};
    const bool normalises = site.type == "BatchNormalization";
    for (const auto& [key, operands] : site.named) {
      if (kRead.contains(key) || (key == "training" && !normalises)) continue;
      for (const KerasOperand& each : operands) {
        const bool silent =
            each.constant.is_null() || each.constant == false || (each.constant.is_array() && each.constant.empty());
        if (each.value || !silent) site.fail(fmt::format("is called with '{}', which is not read", visible(key)));
      }
    }
  }

  KerasValues run_time_distributed(KerasSite& site) {
    const Json& layer = member(site.config, "layer", site.where());
    const std::string type = text_of(layer, "class_name", "", site.where());
    KerasSite inner{.builder = builder_,
                    .keras = config_,
                    .name = site.name,
                    .type = type,
                    .config = member(layer, "config", site.where()),
                    .operands = site.operands,
                    .named = site.named,
                    .arrays = site.arrays,
                    .per_step = true,
                    .took_arrays = site.took_arrays};
    const KerasFunction function = function_of(type);
    if (function == nullptr || type == "TimeDistributed") {
      site.fail(fmt::format("holds a '{}', which is not read", visible(type)));
    }
    expect_known_arguments(site);
    // What reads each row alone, or rows within frames, leaves the steps as they are.
    static const std::set<std::string> kOfPositions = {"Dense",
                                                       "Activation",
                                                       "Dropout",
                                                       "LeakyReLU",
                                                       "ELU",
                                                       "ReLU",
                                                       "Softmax",
                                                       "Flatten",
                                                       "GaussianNoise",
                                                       "LayerNormalization",
                                                       "Reshape",
                                                       "BatchNormalization",
                                                       "Conv1D",
                                                       "Rescaling",
                                                       "Convolution1D",
                                                       "MaxPooling1D",
                                                       "AveragePooling1D",
                                                       "Masking",
                                                       "GlobalMaxPooling1D",
                                                       "GlobalAveragePooling1D"};
    if (kOfPositions.contains(type)) return function(inner);
    inner.per_step = false;
    return {each_step(site, site.only_input(), [&](const KerasValue& x) {
      inner.operands = {{.value = x, .constant = {}}};
      const KerasValues made = function(inner);
      if (made.size() != 1) site.fail("expected a layer with one output");
      return made[0];
    })};
  }

  const KerasConfig& config_;
  KerasWeights weights_;
  NetworkBuilder builder_;
  std::set<std::string> used_;
  int calls_ = 0;
};

}  // namespace

Imported build_keras(const KerasConfig& config, KerasWeights weights, const std::string& path) {
  return KerasBuilder(config, std::move(weights), path).run();
}

}  // namespace longhand::convert
