#include "longhand/convert/torch_return.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/gate_order.h"
#include "longhand/convert/torch_onnx.h"
#include "longhand/graph/graph_json.h"
#include "longhand/io/config.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

class ModuleReturn {
 public:
  ModuleReturn(const std::string& text, const std::string& described_by, const NamedTensors& tensors,
               const std::string& file)
      : json_(io::parse_json(text, described_by)), described_by_(described_by), file_(file) {
    for (const auto& [name, array] : tensors) tensors_[name] = &array;
  }

  Imported run() {
    if (!json_.is_object() || !json_.contains("graph") || !json_.contains("arrays") || !json_["arrays"].is_object()) {
      damaged();
    }
    Imported out{.graph = graph::from_json(json_["graph"], described_by_), .notes = {}};
    for (const auto& [name, source] : json_["arrays"].items()) out.graph.arrays[name] = made(source);
    for (const auto& [name, array] : tensors_) {
      if (used_.contains(name) || name.ends_with("num_batches_tracked")) continue;
      throw input_error(
          fmt::format("{}: '{}': expected tensors of the exported module, found another", file_, visible(name)),
          "save the state dict of the module that longhand exported, without other modules");
    }
    if (json_.contains("symbols")) {
      const Json& symbols = json_["symbols"];
      if (!symbols.is_array()) damaged();
      for (const Json& each : symbols) {
        if (!each.is_string()) damaged();
        out.graph.symbols.push_back(each.get<std::string>());
      }
    }
    graph::check(out.graph, file_);
    out.notes.push_back(fmt::format("a module that longhand exported, {} tensors", tensors_.size()));
    return out;
  }

 private:
  [[noreturn]] void damaged() const {
    throw input_error(described_by_ + ": expected what longhand wrote of the module's graph, found something else",
                      "the file is damaged, or was written by a newer longhand; export the model again");
  }
  [[noreturn]] void wrong_shape(const std::string& name, const std::string& expected, const graph::Array& found) const {
    throw input_error(
        fmt::format("{}: '{}': expected {}, found {}", file_, visible(name), expected, graph::shown(found.dims)),
        "the module's sizes were changed; describe its layers in a TOML file (--network)");
  }

  const graph::Array& tensor(const Json& name) {
    if (!name.is_string()) damaged();
    const auto found = tensors_.find(name.get<std::string>());
    if (found == tensors_.end()) {
      throw input_error(fmt::format("{}: expected a tensor '{}', found none", file_, visible(name.get<std::string>())),
                        "save the whole state dict of the module that longhand exported");
    }
    used_.insert(found->first);
    return *found->second;
  }

  // Returns an array that the module contains as a literal.
  graph::Array constant(const Json& source) const {
    const auto list = [&](const char* name) {
      return source.contains(name) && source[name].is_array() ? &source[name] : nullptr;
    };
    const Json *dims = list("dims"), *values = list("values");
    if (dims == nullptr || values == nullptr) damaged();
    graph::Array out;
    for (const Json& extent : *dims) {
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > values->size()) damaged();
      out.dims.push_back(extent.get<int64_t>());
    }
    out.type =
        source.contains("type") && source["type"] == "int" ? graph::ElementType::kInt : graph::ElementType::kFloat;
    for (const Json& value : *values) {
      if (out.type == graph::ElementType::kFloat && (value == "inf" || value == "-inf")) {
        out.floats.push_back(value == "inf" ? HUGE_VALF : -HUGE_VALF);
        continue;
      }
      if (!value.is_number() || (out.type == graph::ElementType::kInt && !value.is_number_integer())) damaged();
      if (out.type == graph::ElementType::kInt) out.ints.push_back(value.get<int64_t>());
      if (out.type == graph::ElementType::kFloat) out.floats.push_back(value.get<float>());
    }
    if (graph::count(out.dims) != static_cast<int64_t>(values->size())) damaged();
    return out;
  }

  graph::Array made(const Json& source) {
    if (source.is_object() && source.contains("how") && source["how"] == "constant") return constant(source);
    if (!source.is_object() || !source.contains("how") || !source["how"].is_string() || !source.contains("tensors") ||
        !source["tensors"].is_array() || source["tensors"].empty()) {
      damaged();
    }
    const auto how = source["how"].get<std::string>();
    const Json& names = source["tensors"];
    const graph::Array& first = tensor(names[0]);
    const auto name = names[0].get<std::string>();
    if (how == "same") {
      for (const Json& each : names) tensor(each);
      return first;
    }
    if (first.type != graph::ElementType::kFloat) wrong_shape(name, "floats", first);
    if (how == "transposed") {
      if (first.dims.size() != 2) wrong_shape(name, "a matrix", first);
      return transposed(first);
    }
    if (how == "row") return row(source, name, first);
    if (how.starts_with("onnx")) return onnx(source, how);
    damaged();
  }

  // Returns a row of a tensor [n, 1, width].
  graph::Array row(const Json& source, const std::string& name, const graph::Array& all) const {
    const Json* index = source.contains("index") ? &source["index"] : nullptr;
    if (index == nullptr || !index->is_number_unsigned()) damaged();
    const auto at = index->get<uint64_t>();
    if (all.dims.size() != 3 || all.dims[1] != 1 || at >= static_cast<uint64_t>(all.dims[0])) {
      wrong_shape(name, fmt::format("at least {} states [n, 1, width]", at + 1), all);
    }
    graph::Array out = rows_of(all, static_cast<int64_t>(at), static_cast<int64_t>(at) + 1);
    out.dims = {all.dims[2]};
    return out;
  }

  graph::Array onnx(const Json& source, const std::string& how) {
    const auto type = source.contains("order") && source["order"].is_string() ? source["order"].get<std::string>() : "";
    const int64_t gates = type == "LSTM" ? 4 : type == "GRU" ? 3 : type == "RNN" ? 1 : 0;
    const bool known = how == "onnx" || how == "onnx-bias" || how == "onnx-peephole";
    if (gates == 0 || !known || (how == "onnx-bias" && source["tensors"].size() % 2 != 0)) damaged();
    std::vector<graph::Array> parts;
    for (const Json& each : source["tensors"]) {
      const graph::Array& part = tensor(each);
      const size_t rank = how == "onnx-bias" ? 1 : 2;
      const bool fits = part.dims.size() == rank && part.type == graph::ElementType::kFloat &&
                        (how == "onnx-peephole" ? part.dims[0] == 3 : part.dims[0] % gates == 0);
      if (!fits) wrong_shape(each.get<std::string>(), fmt::format("rows of {} gates", gates), part);
      if (!parts.empty() && part.dims != parts.front().dims) {
        wrong_shape(each.get<std::string>(), graph::shown(parts.front().dims), part);
      }
      parts.push_back(part);
    }
    return to_onnx_blocks(how, type, parts);
  }

  Json json_;
  const std::string &described_by_, &file_;
  std::map<std::string, const graph::Array*> tensors_;
  std::set<std::string> used_;
};

}  // namespace

std::string returning_text(const graph::Graph& graph, const std::map<std::string, TorchSource>& sources) {
  nlohmann::ordered_json arrays = nlohmann::ordered_json::object();
  for (const auto& [name, source] : sources) {
    nlohmann::ordered_json& out = arrays[name];
    out["how"] = source.how;
    out["tensors"] = source.tensors;
    if (source.how == "row") out["index"] = source.index;
    if (!source.order.empty()) out["order"] = source.order;
  }
  for (const auto& [name, array] : graph.arrays) {
    if (sources.contains(name)) continue;
    nlohmann::ordered_json& out = arrays[name];
    const bool ints = array.type == graph::ElementType::kInt;
    out = {{"how", "constant"}, {"type", ints ? "int" : "float"}, {"dims", array.dims}};
    out["values"] = ints ? nlohmann::ordered_json(array.ints) : nlohmann::ordered_json::array();
    for (const float value : array.floats) {  // masks contain infinities, which JSON numbers cannot express
      out["values"].push_back(std::isfinite(value) ? nlohmann::ordered_json(value)
                                                   : nlohmann::ordered_json(value > 0.0F ? "inf" : "-inf"));
    }
  }
  nlohmann::ordered_json out = {{"format", 1}, {"graph", graph::to_json(graph)}, {"arrays", arrays}};
  if (!graph.symbols.empty()) out["symbols"] = graph.symbols;
  return out.dump();
}

Imported returned_graph(const std::string& text, const std::string& described_by, const NamedTensors& tensors,
                        const std::string& file) {
  return ModuleReturn(text, described_by, tensors, file).run();
}

void fix_extents(graph::Graph& graph, const std::map<std::string, graph::Dims>& dims) {
  for (const auto& [name, given] : dims) {
    const auto port = std::find_if(graph.inputs.begin(), graph.inputs.end(),
                                   [&name = name](const graph::Port& each) { return each.name == name; });
    bool fits = port != graph.inputs.end() && port->dims.size() == given.size();
    for (size_t axis = 0; fits && axis < given.size(); ++axis) {
      fits = given[axis] < 0 || port->dims[axis] < 0 || given[axis] == port->dims[axis];
    }
    if (!fits) {
      throw usage_error(fmt::format("dims: expected an input of the module and its extents, found '{}' {}",
                                    visible(name), graph::shown(given)),
                        "name one of its inputs, with an extent or * for each axis");
    }
    for (size_t axis = 0; axis < given.size(); ++axis) {
      if (given[axis] >= 0) port->dims[axis] = given[axis];
    }
  }
}

bool is_exported_module(const std::string& bytes) {
  return bytes.size() > 9 && bytes[8] == '{' && bytes[7] == 0 && bytes[6] == 0;
}

}  // namespace longhand::convert
