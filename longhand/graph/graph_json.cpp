#include "longhand/graph/graph_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::graph {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

OrderedJson port_json(const Port& port) {
  return {{"name", port.name},
          {"type", name_of(port.type)},
          {"dims", port.dims},
          {"batch_axis", port.batch_axis},
          {"time_axis", port.time_axis}};
}

// Bodies of branches are in a list of their own, so that no depth of branches nests the text deeper: a body comes
// before the one whose node has it.
OrderedJson node_json(const Node& node, OrderedJson& bodies) {
  OrderedJson out = {{"type", node.type}, {"name", node.name}, {"inputs", node.inputs}, {"outputs", node.outputs}};
  for (const auto& attribute : node.attributes) {
    OrderedJson& to = out["attributes"][attribute.first];
    std::visit([&](const auto& held) { to = held; }, attribute.second);
  }
  for (const auto& [role, array] : node.weights) out["weights"][role] = array;
  for (const std::vector<Node>& branch : node.branches) {
    OrderedJson nodes = OrderedJson::array();
    for (const Node& each : branch) nodes.push_back(node_json(each, bodies));
    out["branches"].push_back(bodies.size());
    bodies.push_back(std::move(nodes));
  }
  if (!node.branches.empty()) out["branch_outputs"] = node.branch_outputs;
  return out;
}

/// Reads an object whose members are all known.
class ObjectReader {
 public:
  ObjectReader(const Json& object, const std::string& path, const char* what)
      : object_(object), path_(path), what_(what) {
    if (!object.is_object()) fail("an object");
  }
  ~ObjectReader() = default;
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  [[noreturn]] void fail(const std::string& expected) const {
    throw input_error(fmt::format("{}: network: {}: expected {}, found something else", path_, what_, expected),
                      "the file is damaged, or was written by a newer longhand");
  }

  const Json& member(const char* name) {
    ++seen_;
    const auto found = object_.find(name);
    if (found == object_.end()) fail(fmt::format("'{}'", name));
    return *found;
  }
  const Json* optional(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end()) return nullptr;
    ++seen_;
    return &*found;
  }
  std::string text(const char* name) {
    const Json& value = member(name);
    if (!value.is_string()) fail(fmt::format("'{}', a text", name));
    return value.get<std::string>();
  }
  int64_t integer(const char* name) {
    const Json& value = member(name);
    if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
      fail(fmt::format("'{}', an integer", name));
    }
    return value.get<int64_t>();
  }
  std::vector<std::string> texts(const char* name) { return texts_of(member(name), name); }
  std::vector<std::string> texts_of(const Json& value, const char* name) const {
    const bool all =
        value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_string(); });
    if (!all) fail(fmt::format("'{}', a list of texts", name));
    return value.get<std::vector<std::string>>();
  }
  static bool is_integer(const Json& v) {
    return v.is_number_integer() && !(v.is_number_unsigned() && v.get<uint64_t>() > INT64_MAX);
  }
  std::vector<int64_t> integers(const char* name) {
    const Json& value = member(name);
    if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_integer)) {
      fail(fmt::format("'{}', a list of integers", name));
    }
    return value.get<std::vector<int64_t>>();
  }
  const Json& list(const char* name) {
    const Json& value = member(name);
    if (!value.is_array()) fail(fmt::format("'{}', a list", name));
    return value;
  }
  /// After all members were asked for.
  void finish() const {
    if (seen_ != object_.size()) fail("no other members");
  }

  Attribute attribute(const std::string& name, const Json& value) const {
    if (is_integer(value)) return value.get<int64_t>();
    if (value.is_number_float()) return value.get<double>();
    if (value.is_string()) return value.get<std::string>();
    if (value.is_array()) {
      const auto all = [&](auto&& is) { return std::all_of(value.begin(), value.end(), is); };
      if (all(is_integer)) return value.get<std::vector<int64_t>>();
      if (all([](const Json& v) { return v.is_number(); })) return value.get<std::vector<double>>();
      if (all([](const Json& v) { return v.is_string(); })) return value.get<std::vector<std::string>>();
    }
    fail(fmt::format("'{}', a number, a text or a list of them", visible(name)));
  }

 private:
  const Json& object_;
  const std::string& path_;
  const char* what_;
  size_t seen_ = 0;
};

Port read_port(const Json& json, const std::string& path) {
  ObjectReader reader(json, path, "input or output");
  Port out;
  out.name = reader.text("name");
  const std::string type = reader.text("type");
  if (type != "float" && type != "int") reader.fail("'type', float or int");
  out.type = type == "float" ? ElementType::kFloat : ElementType::kInt;
  out.dims = reader.integers("dims");
  const auto axis = [&](const char* name) {
    const int64_t value = reader.integer(name);
    if (value < -1 || value > 64) reader.fail(fmt::format("'{}', an axis or -1", name));
    return static_cast<int>(value);
  };
  out.batch_axis = axis("batch_axis");
  out.time_axis = axis("time_axis");
  reader.finish();
  return out;
}

using Bodies = std::vector<std::optional<std::vector<Node>>>;

// Takes each body once: those that came before.
Node read_node(const Json& json, const std::string& path, Bodies& bodies) {
  ObjectReader reader(json, path, "node");
  Node out;
  out.type = reader.text("type");
  out.name = reader.text("name");
  out.inputs = reader.texts("inputs");
  out.outputs = reader.texts("outputs");
  if (const Json* attributes = reader.optional("attributes")) {
    if (!attributes->is_object()) reader.fail("'attributes', an object");
    for (const auto& [name, value] : attributes->items()) out.attributes.emplace(name, reader.attribute(name, value));
  }
  if (const Json* weights = reader.optional("weights")) {
    if (!weights->is_object()) reader.fail("'weights', an object");
    for (const auto& [role, array] : weights->items()) {
      if (!array.is_string()) reader.fail("'weights', names of arrays");
      out.weights.emplace(role, array.get<std::string>());
    }
  }
  if (json.contains("branches")) {
    for (const int64_t body : reader.integers("branches")) {
      if (body < 0 || body >= static_cast<int64_t>(bodies.size()) || !bodies[static_cast<size_t>(body)]) {
        reader.fail("'branches', bodies before it that no other node has");
      }
      out.branches.push_back(std::move(*bodies[static_cast<size_t>(body)]));
      bodies[static_cast<size_t>(body)].reset();
    }
    for (const Json& names : reader.list("branch_outputs")) {
      out.branch_outputs.push_back(reader.texts_of(names, "branch_outputs"));
    }
  }
  reader.finish();
  return out;
}

std::vector<Node> read_nodes(const Json& list, const std::string& path, Bodies& bodies) {
  std::vector<Node> out;
  for (const Json& each : list) out.push_back(read_node(each, path, bodies));
  return out;
}

}  // namespace

OrderedJson to_json(const Graph& graph) {
  OrderedJson out;
  const auto add_list = [&](const char* name, const auto& items, const auto& json_of) {
    out[name] = OrderedJson::array();
    for (const auto& item : items) out[name].push_back(json_of(item));
  };
  add_list("inputs", graph.inputs, port_json);
  add_list("outputs", graph.outputs, port_json);
  add_list("state_inputs", graph.state_inputs, port_json);
  add_list("states", graph.states, [](const State& state) {
    return OrderedJson{{"input", state.input}, {"output", state.output}, {"initial", state.initial}};
  });
  OrderedJson bodies = OrderedJson::array();
  add_list("nodes", graph.nodes, [&](const Node& node) { return node_json(node, bodies); });
  if (!bodies.empty()) out["bodies"] = bodies;
  out["source"] = graph.source;
  if (graph.sample_rate > 0) out["sample_rate"] = graph.sample_rate;
  return out;
}

Graph from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path, "options");
  Graph out;
  for (const Json& each : reader.list("inputs")) out.inputs.push_back(read_port(each, path));
  for (const Json& each : reader.list("outputs")) out.outputs.push_back(read_port(each, path));
  for (const Json& each : reader.list("state_inputs")) out.state_inputs.push_back(read_port(each, path));
  for (const Json& each : reader.list("states")) {
    ObjectReader state(each, path, "state");
    State& to = out.states.emplace_back();
    to.input = state.text("input");
    to.output = state.text("output");
    to.initial = state.text("initial");
    state.finish();
  }
  Bodies bodies;
  if (const Json* all = reader.optional("bodies")) {
    if (!all->is_array()) reader.fail("'bodies', a list");
    for (const Json& body : *all) {
      if (!body.is_array()) reader.fail("'bodies', lists of nodes");
      std::vector<Node> nodes = read_nodes(body, path, bodies);
      bodies.emplace_back(std::move(nodes));
    }
  }
  out.nodes = read_nodes(reader.list("nodes"), path, bodies);
  if (std::any_of(bodies.begin(), bodies.end(), [](const auto& body) { return body.has_value(); })) {
    reader.fail("a node for each of its bodies");
  }
  out.source = reader.text("source");
  if (json.contains("sample_rate")) {
    out.sample_rate = reader.integer("sample_rate");
    if (out.sample_rate < 1 || out.sample_rate > kHighestSampleRate) reader.fail("'sample_rate', frames a second");
  }
  reader.finish();
  return out;
}

}  // namespace longhand::graph
