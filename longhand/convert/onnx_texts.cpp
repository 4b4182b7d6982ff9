#include "longhand/convert/onnx_texts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/graph/stepper.h"

namespace longhand::convert {
namespace {

using nlohmann::json;

// Returns a metadata text as JSON; null if there is none, or if another program wrote the file.
json text_as_json(const OnnxModel& model, const char* key) {
  const auto found = model.texts.find(key);
  if (model.producer != "longhand" || found == model.texts.end()) return nullptr;
  return json::parse(found->second, nullptr, false);
}

bool has_port(const std::vector<graph::Port>& ports, const std::string& name) {
  return std::any_of(ports.begin(), ports.end(), [&](const graph::Port& port) { return port.name == name; });
}

// Returns a string member of an object; empty if there is none.
std::string text_member(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name) || !object[name].is_string()) return "";
  return object[name].get<std::string>();
}

// Returns the initial state of one sequence, in the shape of the state input with batch size 1.
graph::Array initial_state(const json& numbers, graph::Dims dims) {
  std::replace(dims.begin(), dims.end(), int64_t{-1}, int64_t{1});
  graph::Array none;
  if (!numbers.is_array() || static_cast<int64_t>(numbers.size()) != graph::count(dims)) return none;
  std::vector<float> values;
  for (const json& number : numbers) {
    if (!number.is_number()) return none;
    values.push_back(number.get<float>());
    if (!std::isfinite(values.back())) return none;
  }
  return graph::array(dims, values);
}

void read_initial_states(const json& states, graph::Graph& graph) {
  if (!states.is_array()) return;
  for (const json& one : states) {
    if (!one.is_object() || !one.contains("initial")) continue;
    for (size_t i = 0; i < graph.states.size() && i < graph.state_inputs.size(); ++i) {
      graph::State& state = graph.states[i];
      if (state.input != text_member(one, "input") || graph.state_inputs[i].name != state.input) continue;
      graph::Array values = initial_state(one["initial"], graph.state_inputs[i].dims);
      const std::string name = state.input + ".initial";
      if (values.floats.empty() || graph.arrays.contains(name)) continue;
      graph.arrays[name] = std::move(values);
      state.initial = name;
    }
  }
}

// Sets the time axis of inputs that have an axis named "time".
void read_time_axes(const OnnxModel& model, graph::Graph& graph) {
  if (model.producer != "longhand") return;
  for (const OnnxValue& value : model.graph.inputs) {
    for (graph::Port& port : graph.inputs) {
      if (port.name != value.name || port.dims.size() != value.shape.size()) continue;
      for (size_t axis = 0; axis < value.shape.size(); ++axis) {
        const bool free = port.dims[axis] < 0 && port.batch_axis != static_cast<int>(axis);
        if (free && value.shape[axis].name == "time") port.time_axis = static_cast<int>(axis);
      }
    }
  }
}

void read_symbol_texts(const json& symbols, graph::Graph& graph) {
  if (!symbols.is_array() || graph.inputs.size() != 1) return;
  if (static_cast<int64_t>(symbols.size()) != graph::symbols_of(graph, graph.inputs.front().name)) return;
  std::vector<std::string> out;
  for (const json& symbol : symbols) {
    if (!symbol.is_string() || symbol.get_ref<const std::string&>().empty()) return;
    out.push_back(symbol.get<std::string>());
  }
  graph.symbols = std::move(out);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> written_states(const OnnxModel& model, const graph::Graph& graph) {
  std::vector<std::pair<std::string, std::string>> out;
  const json states = text_as_json(model, "states");
  if (!states.is_array()) return out;
  for (const json& one : states) {
    const std::string input = text_member(one, "input"), output = text_member(one, "output");
    if (has_port(graph.inputs, input) && has_port(graph.outputs, output)) out.emplace_back(input, output);
  }
  return out;
}

void read_written_texts(const OnnxModel& model, graph::Graph& graph) {
  read_time_axes(model, graph);
  read_initial_states(text_as_json(model, "states"), graph);
  read_symbol_texts(text_as_json(model, "symbols"), graph);
  const json rate = text_as_json(model, "sample_rate");
  if (!rate.is_number_integer()) return;
  const auto value = rate.get<int64_t>();
  if (value > 0 && value <= graph::kHighestSampleRate) graph.sample_rate = value;
}

}  // namespace longhand::convert
