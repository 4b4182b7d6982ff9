#include "longhand/convert/audio_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/torch_graph.h"
#include "longhand/io/config.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;
constexpr int64_t kMostUnits = 1 << 16;

// Whole frames a second; 0: the file does not say, as those of version 0.5.0 and before.
int64_t sample_rate_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number()) return 0;
  const auto rate = found->get<double>();
  return rate >= 1.0 && rate <= static_cast<double>(graph::kHighestSampleRate) ? static_cast<int64_t>(std::lround(rate))
                                                                               : 0;
}

class RtNeural {
 public:
  RtNeural(const Json& json, const std::string& file) : json_(json), builder_(file) {}

  Imported run() {
    const Json& shape = member(json_, "in_shape", builder_.file());
    const Json& layers = member(json_, "layers", builder_.file());
    if (!shape.is_array() || shape.empty() || !layers.is_array() || layers.empty()) {
      builder_.fail("expected in_shape and layers, found others", "it is no model of RTNeural");
    }
    width_ = whole_of(shape.back(), 1, kMostUnits, builder_.file() + ": in_shape");
    last_ = builder_.input("input", width_);
    last_ = scaled("in_gain", last_);
    const std::string input = last_;
    const int64_t inputs = width_;
    for (size_t i = 0; i < layers.size(); ++i) add_layer(layers[i], i);
    finish_gains(input, inputs);
    Imported out = builder_.finish({last_});
    out.graph.sample_rate = sample_rate_of(json_, "samplerate");
    return out;
  }

 private:
  void add_layer(const Json& layer, size_t index) {
    const std::string type = text_of(layer, "type", "", builder_.file());
    name_ = fmt::format("{}_{}", type, index + 1);
    where_ = fmt::format("{}: layer '{}'", builder_.file(), visible(name_));
    const Json& given = layer.contains("weights") ? layer["weights"] : Json::array();
    std::vector<graph::Array> weights;
    for (size_t i = 0; given.is_array() && i < given.size(); ++i) weights.push_back(numbers_of(given[i], where_));
    const std::string activation = text_of(layer, "activation", "", where_);
    if (type == "dense" || type == "time-distributed-dense") {
      add_dense(weights, activation);
    } else if (type == "lstm" || type == "gru") {
      add_recurrent(type, weights, activation);
    } else if (type == "conv1d") {
      add_convolution(layer, weights, activation);
    } else if (type == "activation") {
      last_ = builder_.activation(activation, name_, last_);
    } else if (type == "batchnorm1d" || type == "batchnorm") {
      add_batch_norm(layer, weights);
    } else if (type == "prelu") {
      expect(weights.size() == 1, "one array of weights");
      graph::Array slopes = weights[0];
      slopes.dims = {static_cast<int64_t>(slopes.floats.size())};
      last_ = builder_.add("PRelu", name_, {last_, builder_.array(name_ + ".slopes", std::move(slopes))});
    } else {
      builder_.fail(fmt::format("layer {}: type '{}' is not known", index + 1, visible(type)), "it cannot be run");
    }
    expect_shape(layer);
  }

  void expect(bool good, const std::string& what) const {
    if (!good) throw input_error(where_ + ": expected " + what + ", found others", "the file is damaged");
  }

  // What the file says of the layer's size must be what its weights have.
  void expect_shape(const Json& layer) const {
    const auto shape = layer.find("shape");
    if (shape == layer.end() || !shape->is_array() || shape->empty() || !shape->back().is_number_integer()) return;
    const int64_t said = whole_of(shape->back(), 1, kMostUnits, where_ + ": shape");
    if (said == width_) return;
    throw input_error(
        fmt::format("{}: expected {} units, as its shape says, found weights of {}", where_, said, width_),
        "the file contradicts itself; export the model again");
  }

  void add_dense(const std::vector<graph::Array>& weights, const std::string& activation) {
    expect(!weights.empty() && weights.size() <= 2 && weights[0].dims.size() == 2 && weights[0].dims[0] == width_,
           fmt::format("a kernel [{}, outputs] and a bias", width_));
    NetworkBuilder::Weights by_role = {{"weight", transposed(weights[0])}};
    width_ = weights[0].dims[1];
    if (weights.size() == 2) {
      expect(static_cast<int64_t>(weights[1].floats.size()) == width_, "a bias for each output");
      by_role["bias"] = graph::array({width_}, weights[1].floats);
    }
    last_ = builder_.add("linear", name_, {last_}, {}, std::move(by_role));
    last_ = builder_.activation(activation, name_, last_);
  }

  void add_recurrent(const std::string& type, const std::vector<graph::Array>& weights, const std::string& activation) {
    expect(weights.size() == 3 && weights[0].dims.size() == 2 && weights[0].dims[0] == width_,
           fmt::format("a kernel of {} rows, a recurrent kernel and a bias", width_));
    if (!activation.empty() && activation != "tanh") {
      builder_.fail(fmt::format("layer '{}': expected the activation tanh, found '{}'", name_, visible(activation)),
                    "such cells cannot be run");
    }
    const bool lstm = type == "lstm";
    if (!lstm && weights[2].dims.size() != 2) {
      builder_.fail(
          fmt::format("layer '{}': expected two biases [2, 3 H], found {}", name_, graph::shown(weights[2].dims)),
          "RTNeural has GRU layers with the reset gate after the product");
    }
    NetworkBuilder::Weights by_role;
    add_keras_cell(builder_, name_,
                   {lstm ? GateOrder::kKerasLstm : GateOrder::kKerasGru, weights[0], weights[1], weights[2]}, "_l0",
                   by_role);
    width_ = weights[1].dims[0];
    last_ = builder_.add(type, name_, {last_}, {}, std::move(by_role));
  }

  void add_convolution(const Json& layer, const std::vector<graph::Array>& weights, const std::string& activation) {
    const int64_t groups = layer.contains("groups") ? whole_of(layer["groups"], 1, kMostUnits, where_) : 1;
    expect(!weights.empty() && weights.size() <= 2 && weights[0].dims.size() == 3 &&
               weights[0].dims[1] * groups == width_ && weights[0].dims[2] % groups == 0,
           fmt::format("a kernel [width, {} / groups, outputs] and a bias", width_));
    const Json& given = layer.contains("dilation") ? layer["dilation"] : Json(1);
    const int64_t dilation = whole_of(given.is_array() && !given.empty() ? given.front() : given, 1, 1 << 20, where_);
    const int64_t O = weights[0].dims[2];
    NetworkBuilder::Weights by_role = {{"weight", keras_kernel(weights[0])}};
    if (weights.size() == 2) by_role["bias"] = graph::array({O}, weights[1].floats);
    expect(weights.size() == 1 || static_cast<int64_t>(weights[1].floats.size()) == O, "a bias for each output");
    width_ = O;
    NetworkBuilder::Attributes attributes = {{"padding", "causal"}, {"dilation", dilation}};
    if (groups > 1) attributes["groups"] = groups;
    last_ = builder_.add("conv1d", name_, {last_}, attributes, std::move(by_role));
    last_ = builder_.activation(activation, name_, last_);
  }

  void add_batch_norm(const Json& layer, const std::vector<graph::Array>& weights) {
    expect(weights.size() == 4 || weights.size() == 2, "gamma, beta, mean and variance, or the last two");
    for (const graph::Array& each : weights) expect(each.dims == graph::Dims{width_}, "a number for each channel");
    const size_t at = weights.size() - 2;
    NetworkBuilder::Weights by_role = {{"running_mean", weights[at]}, {"running_var", weights[at + 1]}};
    if (at == 2) by_role.insert({{"weight", weights[0]}, {"bias", weights[1]}});
    const Json& epsilon = member(layer, "epsilon", where_);
    expect(epsilon.is_number(), "a number 'epsilon'");
    last_ = builder_.add("batch-norm", name_, {last_}, {{"epsilon", epsilon.get<double>()}}, std::move(by_role));
  }

  // A gain in decibels that some programs add.
  std::string scaled(const char* key, const std::string& x) {
    if (!json_.contains(key) || json_[key] == 0) return x;
    const Json& gain = json_[key];
    if (!gain.is_number() || std::abs(gain.get<double>()) > 200.0) {
      builder_.fail(fmt::format("{}: expected decibels, found {}", key, gain.dump().substr(0, 40)), "it is damaged");
    }
    builder_.note(fmt::format("{}: {} decibels", key, gain.get<double>()));
    return builder_.add("scale", key, {x}, {{"scale", std::pow(10.0, gain.get<double>() / 20.0)}});
  }

  // Members that some programs add: the input, after its gain, added to the output, and the output's gain.
  void finish_gains(const std::string& input, int64_t inputs) {
    if (json_.contains("in_skip")) {
      where_ = builder_.file() + ": in_skip";
      if (whole_of(json_["in_skip"], 0, kMostUnits, where_) != 0) {
        expect(inputs == width_, "as many outputs as inputs");
        last_ = builder_.add("add", "skip", {last_, input});
        builder_.note("the input is added to the output (in_skip)");
      }
    }
    last_ = scaled("out_gain", last_);
    for (const auto& [key, value] : json_.items()) {
      static const std::set<std::string> kRead = {"in_shape", "layers", "in_skip", "in_gain", "out_gain", "samplerate"};
      if (!kRead.contains(key)) {
        builder_.note(fmt::format("'{}' is left out: it says nothing of the layers", visible(key)));
      }
    }
  }

  const Json& json_;
  NetworkBuilder builder_;
  std::string last_, name_, where_;
  int64_t width_ = 0;
};

// The place of each name in a text of JSON, which was parsed before; objects are sorted by their names.
std::map<std::string, size_t> order_of_names(const std::string& text) {
  std::map<std::string, size_t> out;
  const auto note = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key) out.emplace(value.get<std::string>(), out.size());
    return event != Json::parse_event_t::value;  // names alone are kept
  };
  [[maybe_unused]] const Json names = Json::parse(text, note);
  return out;
}

// Tensors of a state dict, in the order of the text.
NamedTensors tensors_of(const Json& object, const std::string& text, const std::string& file) {
  NamedTensors out;
  for (const auto& [name, value] : object.items()) {
    out.emplace_back(name, numbers_of(value, fmt::format("{}: '{}'", file, visible(name))));
  }
  const std::map<std::string, size_t> order = order_of_names(text);
  std::sort(out.begin(), out.end(),
            [&](const auto& a, const auto& b) { return order.at(a.first) < order.at(b.first); });
  return out;
}

bool is_state_dict(const Json& object) {
  bool recurrent = false;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_array()) return false;
    recurrent = recurrent || name.find("weight_hh") != std::string::npos;
  }
  return recurrent;
}

// The state dict of GuitarML's trainer, beside what its model is.
Imported guitar_to_graph(const Json& json, const std::string& text, const std::string& file,
                         const ImportOptions& options) {
  const Json& data = json["model_data"];
  Imported out = state_dict_to_graph(tensors_of(json["state_dict"], text, file), file, options);
  const int64_t skip =
      data.is_object() && data.contains("skip") ? whole_of(data["skip"], 0, 1 << 10, file + ": skip") : 0;
  if (skip == 0 || !options.description.empty()) return out;
  graph::Graph& g = out.graph;
  const std::string input = g.inputs.front().name, before = g.outputs.front().name;
  g.nodes.push_back(
      {.type = "slice", .name = "skipped", .inputs = {input}, .outputs = {"skipped"}, .attributes = {{"end", skip}}});
  g.nodes.push_back({.type = "add", .name = "skip", .inputs = {before, "skipped"}, .outputs = {"skip"}});
  g.outputs.front().name = "skip";
  out.notes.push_back(fmt::format("the input's first {} numbers are added to the output (skip)", skip));
  graph::check(g, file);
  return out;
}

}  // namespace

Imported rtneural_to_graph(const Json& json, const std::string& file) { return RtNeural(json, file).run(); }

Imported nam_to_graph(const Json& json, const std::string& file) {
  const std::string architecture = text_of(json, "architecture", "", file);
  NetworkBuilder builder(file);
  if (architecture != "LSTM") {
    builder.fail(fmt::format("expected the architecture LSTM, found '{}'", visible(architecture)), "it cannot be run");
  }
  const Json& config = member(json, "config", file);
  const auto size = [&](const char* name) {
    return whole_of(member(config, name, file + ": config"), 1, 1 << 12, file + ": " + name);
  };
  const int64_t inputs = size("input_size"), H = size("hidden_size"), layers = size("num_layers");
  const graph::Array all = numbers_of(member(json, "weights", file), file + ": weights");
  int64_t expected = H + 1;
  for (int64_t l = 0; l < layers; ++l) expected += 4 * H * ((l == 0 ? inputs : H) + H) + 6 * H;
  if (all.dims != graph::Dims{expected}) {
    builder.fail(fmt::format("weights: expected {} numbers for {} layers of {} units, found {}", expected, layers, H,
                             graph::shown(all.dims)),
                 "the file is damaged");
  }
  int64_t at = 0;
  const auto take = [&](int64_t n) {
    at += n;
    return rows_of(all, at - n, at);
  };
  NetworkBuilder::Weights weights;
  for (int64_t l = 0; l < layers; ++l) {
    const int64_t I = l == 0 ? inputs : H;
    graph::Array both = take(4 * H * (I + H));
    both.dims = {4 * H, I + H};
    const graph::Array columns = transposed(both);
    const std::string suffix = fmt::format("_l{}", l);
    weights["weight_ih" + suffix] = from_order(GateOrder::kTorchLstm, transposed(rows_of(columns, 0, I)));
    weights["weight_hh" + suffix] = from_order(GateOrder::kTorchLstm, transposed(rows_of(columns, I, I + H)));
    weights["bias_ih" + suffix] = from_order(GateOrder::kTorchLstm, take(4 * H));
    weights["h_0" + suffix] = take(H);
    weights["c_0" + suffix] = take(H);
  }
  graph::Array head = take(H);
  head.dims = {1, H};
  NetworkBuilder::Attributes attributes = {{"initial_state", int64_t{1}}};
  if (layers > 1) attributes["layers"] = layers;
  std::string last = builder.add("lstm", "lstm", {builder.input("input", inputs)}, attributes, std::move(weights));
  last = builder.add("linear", "head", {last}, {}, {{"weight", std::move(head)}, {"bias", take(1)}});
  builder.note(fmt::format("{} LSTM layer{} of {} units with trained initial states, and a head", layers,
                           layers == 1 ? "" : "s", H));
  Imported out = builder.finish({last});
  out.graph.sample_rate = sample_rate_of(json, "sample_rate");
  return out;
}

Imported json_to_graph(const std::string& text, const std::string& file, const ImportOptions& options) {
  const Json json = io::parse_json(text, file);
  if (json.is_object()) {
    if (json.contains("in_shape") && json.contains("layers")) return rtneural_to_graph(json, file);
    if (json.contains("architecture") && json.contains("weights")) return nam_to_graph(json, file);
    if (json.contains("dic") && json.contains("mat1")) return icu_to_graph(json, file);
    if (json.contains("state_dict") && json.contains("model_data")) return guitar_to_graph(json, text, file, options);
    if (json.contains("state_dict") && is_state_dict(json["state_dict"])) {
      return state_dict_to_graph(tensors_of(json["state_dict"], text, file), file, options);
    }
    if (is_state_dict(json)) return state_dict_to_graph(tensors_of(json, text, file), file, options);
  }
  throw input_error(file + ": expected a model of RTNeural, of PyTorch, a .nam or one of ICU, found other JSON",
                    "docs/import.md lists what is read");
}

}  // namespace longhand::convert
