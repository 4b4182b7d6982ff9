#include "longhand/graph/description.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/node_types.h"
#include "longhand/io/toml_text.h"

namespace longhand::graph {
namespace {

constexpr const char* kTomlAdvice = "write `key = value` lines, with a [[layers]] table for each layer";

class DescriptionReader {
 public:
  DescriptionReader(const toml::table& table, const std::string& path, const std::set<std::string>& others)
      : table_(table), path_(path), others_(others) {}

  Description run() {
    std::vector<std::string> keys = {"inputs", "layers", "outputs", "sample_rate"};
    keys.insert(keys.end(), others_.begin(), others_.end());
    expect_keys(table_, keys, "description");
    read_sample_rate();
    each_table("inputs", [&](const toml::table& input) { read_input(input); });
    if (out_.graph.inputs.empty()) fail(table_, "expected an [[inputs]] table, found none", "say what a time step is");
    each_table("layers", [&](const toml::table& layer) { read_layer(layer); });
    if (out_.graph.nodes.empty())
      fail(table_, "expected a [[layers]] table, found none", "describe at least one layer");
    read_outputs();
    out_.graph.source = path_;
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const toml::node& at, const std::string& problem, const std::string& advice) const {
    throw usage_error(fmt::format("{}:{}: {}", path_, std::max<uint32_t>(at.source().begin.line, 1), problem), advice);
  }

  void expect_keys(const toml::table& table, const std::vector<std::string>& known, const std::string& what) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      fail(node, fmt::format("{}: '{}' is none of its keys ({})", what, visible(name), fmt::join(known, ", ")),
           "remove it or correct it" + did_you_mean(name, known));
    }
  }

  template <class Read>
  void each_table(const char* name, const Read& read) const {
    const toml::node* node = table_.get(name);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) fail(*node, fmt::format("expected [[{}]] tables, found something else", name), kTomlAdvice);
    for (const toml::node& each : *list) {
      if (!each.is_table()) fail(each, fmt::format("expected [[{}]] tables, found something else", name), kTomlAdvice);
      read(*each.as_table());
    }
  }

  std::string text(const toml::table& table, const char* key, const std::string& otherwise) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return otherwise;
    const auto value = node->value_exact<std::string>();
    if (!value || value->empty())
      fail(*node, fmt::format("{}: expected a text, found something else", key), kTomlAdvice);
    return *value;
  }

  std::vector<std::string> texts(const toml::node& node, const char* key) const {
    std::vector<std::string> out;
    if (const auto one = node.value_exact<std::string>()) return {*one};
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& each : *list) {
        const auto value = each.value_exact<std::string>();
        if (!value) fail(each, fmt::format("{}: expected texts, found something else", key), kTomlAdvice);
        out.push_back(*value);
      }
    }
    if (out.empty()) fail(node, fmt::format("{}: expected a text or a list of them", key), kTomlAdvice);
    return out;
  }

  void define(const std::string& name, const toml::node& at) {
    if (names_.insert(name).second) return;
    fail(at, fmt::format("expected a new name, found '{}' again", visible(name)), "give every layer another name");
  }

  // `size` numbers, or one of `symbols`: how many there are, or what they are.
  void read_input(const toml::table& input) {
    expect_keys(input, {"name", "size", "symbols"}, "input");
    Port port{.name = text(input, "name", "input"), .dims = {-1, -1}, .batch_axis = 0, .time_axis = 1};
    const toml::node *size = input.get("size"), *symbols = input.get("symbols");
    if ((size == nullptr) == (symbols == nullptr))
      fail(input, "input: expected either `size` or `symbols`", kTomlAdvice);
    const auto count_of = [&](const toml::node& node) {
      const auto value = node.value_exact<int64_t>();
      if (!value || *value < 1 || *value > 1 << 24) fail(node, "input: expected a number from 1 on", kTomlAdvice);
      return *value;
    };
    if (size != nullptr) {
      port.dims.push_back(count_of(*size));
    } else {
      port.type = ElementType::kInt;
      if (symbols->is_array()) {
        out_.graph.symbols = texts(*symbols, "symbols");
        const std::set<std::string> distinct(out_.graph.symbols.begin(), out_.graph.symbols.end());
        if (distinct.size() != out_.graph.symbols.size())
          fail(*symbols, "symbols: expected different texts", kTomlAdvice);
      } else {
        count_of(*symbols);
      }
    }
    define(port.name, input);
    last_ = port.name;
    out_.graph.inputs.push_back(std::move(port));
  }

  Attribute attribute(const toml::node& node, const std::string& where) const {
    if (const auto flag = node.value_exact<bool>()) return static_cast<int64_t>(*flag);
    if (const auto whole = node.value_exact<int64_t>()) return *whole;
    if (const auto number = node.value_exact<double>()) return *number;
    if (const auto words = node.value_exact<std::string>()) return *words;
    if (const toml::array* list = node.as_array()) {
      std::vector<int64_t> wholes;
      std::vector<double> numbers;
      std::vector<std::string> words;
      for (const toml::node& each : *list) {
        if (const auto value = each.value_exact<int64_t>()) wholes.push_back(*value);
        if (const auto value = each.value<double>()) numbers.push_back(*value);
        if (const auto value = each.value_exact<std::string>()) words.push_back(*value);
      }
      if (wholes.size() == list->size()) return wholes;
      if (numbers.size() == list->size()) return numbers;
      if (words.size() == list->size()) return words;
    }
    fail(node, where + ": expected a number, a text, or a list of one kind", kTomlAdvice);
  }

  void read_layer(const toml::table& layer) {
    Node node;
    node.type = text(layer, "type", "");
    if (node.type.empty()) fail(layer, "layer: expected a type, found none", "write `type = \"lstm\"`, for example");
    const NodeType* type = find_node_type(node.type);
    if (type == nullptr || !type->of_sequences) {
      fail(*layer.get("type"), fmt::format("layer: '{}' is not a type of layer", visible(node.type)),
           "types are listed in docs/network.md" + did_you_mean(node.type, node_type_names(true)));
    }
    node.name = text(layer, "name", fmt::format("{}_{}", node.type, ++counts_[node.type]));
    define(node.name, layer);
    const std::string what = fmt::format("{} '{}'", node.type, visible(node.name));
    std::vector<std::string> known = {"type", "name", "from"};
    if (!type->weights.empty()) known.insert(known.end(), {"prefix", "weights"});
    if (type->has_weight("bias") || type->has_weight("bias_ih_l0")) known.emplace_back("bias");
    known.insert(known.end(), type->attributes.begin(), type->attributes.end());
    expect_keys(layer, known, what);
    for (const char* name : type->attributes) {
      if (const toml::node* value = layer.get(name))
        node.attributes.emplace(name, attribute(*value, what + ": " + name));
    }
    const toml::node* from = layer.get("from");
    node.inputs = from == nullptr ? std::vector<std::string>{last_} : texts(*from, "from");
    for (const std::string& input : node.inputs) {
      if (input == node.name || !names_.contains(input)) {
        fail(from == nullptr ? layer : *from,
             fmt::format("{}: from: expected an input or a layer before it, found '{}'", what, visible(input)),
             "name one of those" + did_you_mean(input, {names_.begin(), names_.end()}));
      }
    }
    if (node.inputs.size() < type->least_inputs || node.inputs.size() > type->most_inputs) {
      fail(layer,
           fmt::format("{}: expected {}, found {}", what,
                       type->most_inputs == NodeType::kAny ? "several inputs" : "one input", node.inputs.size()),
           "write `from = [\"one\", \"other\"]`");
    }
    node.outputs = {node.name};
    last_ = node.name;
    read_names(layer, node);
    out_.graph.nodes.push_back(std::move(node));
  }

  // Where the weights are in a file.
  void read_names(const toml::table& layer, const Node& node) {
    out_.prefixes[node.name] = text(layer, "prefix", node.name);
    if (const toml::node* bias = layer.get("bias")) {
      const auto wanted = bias->value_exact<bool>();
      if (!wanted) fail(*bias, "bias: expected true or false", kTomlAdvice);
      if (!*wanted) out_.without_bias.insert(node.name);
    }
    const toml::node* weights = layer.get("weights");
    if (weights == nullptr) return;
    if (!weights->is_table()) fail(*weights, "weights: expected { role = \"name\" }", kTomlAdvice);
    for (const auto& [key, value] : *weights->as_table()) {
      const std::string role(key.str());
      const auto name = value.value_exact<std::string>();
      if (!find_node_type(node.type)->has_weight(role) || !name || name->empty()) {
        fail(value,
             fmt::format("weights: expected roles of a {} ({}), with names, found '{}'", node.type,
                         fmt::join(find_node_type(node.type)->weights, ", "), visible(role)),
             "correct the role");
      }
      out_.renamed[node.name][role] = *name;
    }
  }

  void read_sample_rate() {
    const toml::node* rate = table_.get("sample_rate");
    if (rate == nullptr) return;
    out_.graph.sample_rate = rate->value_exact<int64_t>().value_or(0);
    if (out_.graph.sample_rate >= 1 && out_.graph.sample_rate <= kHighestSampleRate) return;
    fail(*rate, "sample_rate: expected frames a second, from 1 on", kTomlAdvice);
  }

  void read_outputs() {
    const toml::node* outputs = table_.get("outputs");
    const std::vector<std::string> names =
        outputs == nullptr ? std::vector<std::string>{last_} : texts(*outputs, "outputs");
    for (const std::string& name : names) {
      if (!names_.contains(name)) {
        fail(*outputs, fmt::format("outputs: expected names of layers, found '{}'", visible(name)),
             "name a layer" + did_you_mean(name, {names_.begin(), names_.end()}));
      }
      out_.graph.outputs.push_back({.name = name, .dims = {}});
    }
  }

  const toml::table& table_;
  const std::string& path_;
  const std::set<std::string>& others_;  // top-level keys that are ignored
  Description out_;
  std::set<std::string> names_;
  std::map<std::string, int> counts_;
  std::string last_;
};

int64_t whole(const Node& node, const char* name, int64_t otherwise) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return otherwise;
  const auto* value = std::get_if<int64_t>(&found->second);
  return value == nullptr ? otherwise : *value;
}

// Throws where the description says another size than the arrays have.
void check_described_size(const Node& node, const std::map<std::string, Array>& arrays, const char* attribute,
                          const char* role, size_t axis, int64_t divisor) {
  const auto named = node.weights.find(role);
  if (!node.attributes.contains(attribute) || named == node.weights.end()) return;
  const Dims& dims = arrays.at(named->second).dims;
  const int64_t found = axis < dims.size() ? dims[axis] / divisor : 0;
  if (found == whole(node, attribute, -1)) return;
  throw input_error(
      fmt::format("{} '{}': expected '{}' with {} = {}, found {} of shape {}", node.type, visible(node.name),
                  visible(named->second), attribute, whole(node, attribute, -1), found, shown(dims)),
      "correct the description, or give the weights that it is of");
}

void check_described_sizes(const Node& node, const std::map<std::string, Array>& arrays) {
  const int64_t gates = node.type == "lstm" ? 4 : node.type == "gru" ? 3 : 1;
  const bool recurrent = node.type == "lstm" || node.type == "gru" || node.type == "rnn";
  if (node.type == "embedding") {
    check_described_size(node, arrays, "symbols", "weight", 0, 1);
    return check_described_size(node, arrays, "units", "weight", 1, 1);
  }
  if (recurrent) {
    check_described_size(node, arrays, "units", "weight_hh_l0", 0, gates);
    return check_described_size(node, arrays, "projection", "weight_hr_l0", 0, 1);
  }
  check_described_size(node, arrays, "units", "weight", 0, 1);
  check_described_size(node, arrays, "kernel", "weight", 2, 1);
}

}  // namespace

Description read_description(const std::string& text, const std::string& path, const std::set<std::string>& others) {
  const toml::table table = io::parse_toml(text, path, kTomlAdvice);
  return DescriptionReader(table, path, others).run();
}

LayerRoles roles_of(const Node& node) {
  LayerRoles out;
  if (node.type == "linear" || node.type == "conv1d") out = {{"weight"}, {"bias"}};
  if (node.type == "embedding") out = {{"weight"}, {}};
  if (node.type == "layer-norm") out = {{}, {"weight", "bias"}};
  if (node.type == "batch-norm") out = {{"running_mean", "running_var"}, {"weight", "bias"}};
  if (node.type == "scale") out = {{}, {"scale", "shift"}};
  if (node.type == "pool") {
    const auto kind = node.attributes.find("kind");
    if (kind != node.attributes.end() && kind->second == Attribute("attention")) out = {{"query"}, {}};
  }
  if (node.type != "lstm" && node.type != "gru" && node.type != "rnn") return out;
  const int64_t layers = std::clamp<int64_t>(whole(node, "layers", 1), 1, 1000);
  for (int64_t l = 0; l < layers; ++l) {
    for (int64_t d = 0; d <= (whole(node, "bidirectional", 0) != 0 ? 1 : 0); ++d) {
      const std::string suffix = fmt::format("_l{}{}", l, d == 1 ? "_reverse" : "");
      const auto need = [&](const char* role) { out.needed.push_back(role + suffix); };
      need("weight_ih");
      need("weight_hh");
      if (whole(node, "projection", 0) > 0) need("weight_hr");
      if (whole(node, "layer_norm", 0) != 0) {
        for (const char* role : {"gain_ih", "gain_hh", "gain_c", "bias_c"}) need(role);
      }
      if (whole(node, "initial_state", 0) != 0) need("h_0");
      if (whole(node, "initial_state", 0) != 0 && node.type == "lstm") need("c_0");
      out.optional.push_back("bias_ih" + suffix);
      out.optional.push_back("bias_hh" + suffix);
    }
  }
  return out;
}

Graph with_arrays(const Description& description, std::map<std::string, Array> arrays, const std::string& file) {
  Graph out = description.graph;
  out.source = file;
  const auto find = [&](const Node& node, const std::string& role) -> std::string {
    if (const auto layer = description.renamed.find(node.name); layer != description.renamed.end()) {
      if (const auto given = layer->second.find(role); given != layer->second.end()) return given->second;
    }
    const std::string name = description.prefixes.at(node.name) + "." + role;
    const size_t number = name.rfind("_l0");
    if (arrays.contains(name) || number == std::string::npos || whole(node, "layers", 1) > 1) return name;
    const std::string of_cell = std::string(name).erase(number, 3);  // as PyTorch's LSTMCell
    return arrays.contains(of_cell) ? of_cell : name;
  };
  for (Node& node : out.nodes) {
    const LayerRoles roles = roles_of(node);
    const auto given = description.renamed.find(node.name);
    for (const std::string& role : roles.needed) {
      const std::string name = find(node, role);
      if (!arrays.contains(name)) {
        std::vector<std::string> names;
        for (const auto& [each, array] : arrays) names.push_back(each);
        throw input_error(
            fmt::format("{}: {} '{}': expected an array '{}', found none", file, node.type, visible(node.name),
                        visible(name)),
            "give its name in the file, as `weights = { " + role + " = \"...\" }`" + did_you_mean(name, names));
      }
      node.weights[role] = name;
    }
    for (const std::string& role : roles.optional) {
      if (role.starts_with("bias") && description.without_bias.contains(node.name)) continue;
      const bool named = given != description.renamed.end() && given->second.contains(role);
      const std::string name = find(node, role);
      if (arrays.contains(name)) {
        node.weights[role] = name;
      } else if (named) {
        throw input_error(fmt::format("{}: {} '{}': expected an array '{}', found none", file, node.type,
                                      visible(node.name), visible(name)),
                          "correct the description");
      }
    }
    // A count of training steps that PyTorch keeps with the statistics.
    if (node.type == "batch-norm") arrays.erase(description.prefixes.at(node.name) + ".num_batches_tracked");
    check_described_sizes(node, arrays);
  }
  out.arrays = std::move(arrays);
  check(out, file);
  return out;
}

}  // namespace longhand::graph
