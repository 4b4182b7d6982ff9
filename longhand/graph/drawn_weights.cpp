// Weights of a description without a file: drawn as PyTorch initialises such layers.
#include <fmt/core.h>

#include <cmath>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/rng.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"

namespace longhand::graph {
namespace {

constexpr int64_t kLargestLayer = int64_t{1} << 28;

class WeightDraw {
 public:
  WeightDraw(const Description& description, uint64_t seed, const std::string& path)
      : description_(description), seed_(seed), path_(path), out_(description.graph) {}

  Graph run() {
    for (size_t i = 0; i < out_.nodes.size(); ++i) draw_layer(i);
    check(out_, path_);
    return std::move(out_);
  }

 private:
  int64_t size(const Node& node, const char* attribute, int64_t otherwise) const {
    constexpr int64_t kLargestSize = 1 << 24;
    const auto found = node.attributes.find(attribute);
    if (found == node.attributes.end() && otherwise >= 0) return otherwise;
    const std::string layer = fmt::format("{}: {} '{}'", path_, node.type, visible(node.name));
    if (found == node.attributes.end()) {
      throw usage_error(fmt::format("{}: expected `{}`, found none", layer, attribute),
                        "give the size in the description: weights that are drawn do not tell it");
    }
    const int64_t least = otherwise < 0 ? 1 : otherwise;
    const auto* value = std::get_if<int64_t>(&found->second);
    if (value != nullptr && *value >= least && *value <= kLargestSize) return *value;
    throw usage_error(fmt::format("{}: {}: expected a whole number from {} to {}, found {}", layer, attribute, least,
                                  kLargestSize, shown_value(found->second)),
                      "correct the description");
  }

  static std::string shown_value(const Attribute& value) {
    if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
    if (const auto* number = std::get_if<double>(&value)) return shortest(*number);
    if (const auto* text = std::get_if<std::string>(&value)) return "the text '" + visible(*text) + "'";
    return "a list";
  }

  // Numbers in the last axis of what a layer reads: known once the layers before it have weights.
  int64_t inputs_of(size_t layer) {
    Graph before = out_;
    before.nodes.resize(layer);
    before.outputs.clear();
    for (const std::string& input : out_.nodes[layer].inputs) before.outputs.push_back({.name = input, .dims = {}});
    const auto network = std::make_shared<const Network>(std::move(before), path_);
    constexpr int64_t kMostTried = 1 << 16;  // max. time steps to try: a window may need several
    std::optional<Error> first;
    for (int64_t steps = 1; steps <= kMostTried; steps *= 4) {
      try {
        const Plan plan(network, {.steps = steps});
        const Dims& dims = plan.outputs().front().dims;
        return dims.empty() ? 1 : dims.back();
      } catch (const Error& e) {
        if (!first) first = e;
      }
    }
    throw Error(*first);
  }

  Dims dims_of(const Node& node, const std::string& role, int64_t inputs) const {
    if (node.type == "linear")
      return role == "bias" ? Dims{size(node, "units", -1)} : Dims{size(node, "units", -1), inputs};
    if (node.type == "embedding") return {size(node, "symbols", -1), size(node, "units", -1)};
    if (node.type == "conv1d") {
      const int64_t units = size(node, "units", -1), groups = std::max<int64_t>(size(node, "groups", 1), 1);
      return role == "bias" ? Dims{units} : Dims{units, inputs / groups, size(node, "kernel", -1)};
    }
    if (node.type != "lstm" && node.type != "gru" && node.type != "rnn") return {inputs};
    const int64_t H = size(node, "units", -1), P = size(node, "projection", 0), R = P > 0 ? P : H;
    const int64_t G = (node.type == "lstm" ? 4 : node.type == "gru" ? 3 : 1) * H;
    const bool first = role.find("_l0") != std::string::npos && role.find("_l0") + 3 <= role.size();
    const int64_t I = first ? inputs : R * (size(node, "bidirectional", 0) != 0 ? 2 : 1);
    if (role.starts_with("weight_ih")) return {G, I};
    if (role.starts_with("weight_hh")) return {G, R};
    if (role.starts_with("weight_hr")) return {P, H};
    if (role.starts_with("gain_c") || role.starts_with("bias_c") || role.starts_with("c_0")) return {H};
    return role.starts_with("h_0") ? Dims{R} : Dims{G};
  }

  // Uniform between -bound and bound, where that is above 0; standard normal, where it is below; else a constant.
  struct Distribution {
    double bound = 0.0;
    float constant = 0.0F;
  };

  Distribution distribution_of(const Node& node, const std::string& role, int64_t inputs) const {
    if (node.type == "embedding") return {-1.0};
    if (role.starts_with("gain") || role == "running_var" || (node.type.ends_with("-norm") && role == "weight") ||
        role == "scale") {
      return {0.0, 1.0F};
    }
    if (role.starts_with("bias_c") || role.starts_with("h_0") || role.starts_with("c_0") ||
        node.type.ends_with("-norm") || role == "shift") {
      return {};
    }
    int64_t fan = std::max<int64_t>(inputs, 1);
    if (node.type == "conv1d")
      fan = std::max<int64_t>(inputs / std::max<int64_t>(size(node, "groups", 1), 1), 1) * size(node, "kernel", -1);
    if (node.type == "lstm" || node.type == "gru" || node.type == "rnn")
      fan = std::max<int64_t>(size(node, "units", -1), 1);
    return {1.0 / std::sqrt(static_cast<double>(fan))};
  }

  void draw_layer(size_t layer) {
    const LayerRoles roles = roles_of(out_.nodes[layer]);
    if (roles.needed.empty() && roles.optional.empty()) return;
    const int64_t inputs = out_.nodes[layer].type == "embedding" ? 0 : inputs_of(layer);
    Node& node = out_.nodes[layer];
    std::vector<std::string> all = roles.needed;
    for (const std::string& role : roles.optional) {
      const bool left_out = role.starts_with("bias") && description_.without_bias.contains(node.name);
      if (!left_out && node.type != "scale") all.push_back(role);
    }
    for (const std::string& role : all) {
      const std::string name = node.name + "." + role;
      const Dims dims = dims_of(node, role, inputs);
      if (count(dims) < 1 || count(dims) > kLargestLayer) {
        throw usage_error(
            fmt::format("{}: {} '{}': {}: expected 1 to {} weights, found {} ({})", path_, node.type,
                        visible(node.name), role, kLargestLayer, count(dims), shown(dims)),
            count(dims) < 1 ? "correct the sizes in the description" : "choose smaller sizes, such as fewer `units`");
      }
      node.weights[role] = name;
      const CounterRng rng(seed_, 0, RngPlace::kParameter, index_++);
      const Distribution d = distribution_of(node, role, inputs);
      std::vector<float> values(static_cast<size_t>(count(dims)), d.constant);
      for (size_t i = 0; i < values.size() && d.bound != 0.0; ++i) {
        values[i] = static_cast<float>(d.bound < 0.0 ? rng.normal(i) : d.bound * (2.0 * rng.uniform_double(i) - 1.0));
      }
      out_.arrays[name] = array(dims, std::move(values));
    }
  }

  const Description& description_;
  uint64_t seed_;
  const std::string& path_;
  Graph out_;
  uint32_t index_ = 0;
};

}  // namespace

Graph with_drawn_weights(const Description& description, uint64_t seed, const std::string& path) {
  return WeightDraw(description, seed, path).run();
}

}  // namespace longhand::graph
