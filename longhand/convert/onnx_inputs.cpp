// What the caller says of an ONNX graph's inputs.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/onnx_graph.h"

namespace longhand::convert {
namespace {

using graph::ElementType;

std::vector<graph::Port>::iterator find_port(graph::Graph& graph, const std::string& name) {
  return std::find_if(graph.inputs.begin(), graph.inputs.end(), [&](const graph::Port& p) { return p.name == name; });
}

void bind_inputs(graph::Graph& graph, const ImportOptions& options, std::vector<std::string>& notes) {
  for (const auto& [name, value] : options.values) {
    const auto port = find_port(graph, name);
    if (port == graph.inputs.end()) {
      std::vector<std::string> names;
      for (const graph::Port& p : graph.inputs) names.push_back(p.name);
      throw usage_error(fmt::format("expected an input '{}', found none", visible(name)),
                        "name one of the network's inputs" + did_you_mean(name, names));
    }
    graph::Array array = value;
    if (port->type == ElementType::kFloat && array.type == ElementType::kInt) {
      array = graph::array(array.dims, {array.ints.begin(), array.ints.end()});
    }
    if (port->type == ElementType::kInt && array.type == ElementType::kFloat) {
      throw usage_error(fmt::format("input '{}': expected whole numbers, found others", visible(name)), "correct them");
    }
    bool fits = array.dims.size() == port->dims.size();
    for (size_t i = 0; fits && i < array.dims.size(); ++i) fits = port->dims[i] < 0 || port->dims[i] == array.dims[i];
    const graph::Dims fixed(port->dims.size(), 1);
    if (!fits && graph::count(array.dims) == 1) {
      array.dims = fixed;  // one number for one number
      fits = std::all_of(port->dims.begin(), port->dims.end(), [](int64_t d) { return d == 1 || d == -1; });
    }
    if (!fits) {
      throw usage_error(fmt::format("input '{}': expected {}, found {}", visible(name), graph::shown(port->dims),
                                    graph::shown(array.dims)),
                        "give numbers of that shape");
    }
    notes.push_back(fmt::format("input '{}' is fixed", name));
    graph::bind_input(graph, name, std::move(array));
  }
}

void fix_dims(graph::Graph& graph, const ImportOptions& options) {
  for (const auto& [name, dims] : options.dims) {
    const auto port = find_port(graph, name);
    if (port == graph.inputs.end()) {
      throw usage_error(fmt::format("expected an input '{}', found none", visible(name)),
                        "name one of the network's inputs");
    }
    if (port->dims.size() != dims.size()) {
      throw usage_error(fmt::format("input '{}': expected {} extents, of {}, found {}", visible(name),
                                    port->dims.size(), graph::shown(port->dims), graph::shown(dims)),
                        "give one for each axis, and * for one that stays open");
    }
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (port->dims[axis] >= 0 && port->dims[axis] != dims[axis]) {
        throw usage_error(fmt::format("input '{}': expected {}, found {}", visible(name), graph::shown(port->dims),
                                      graph::shown(dims)),
                          "change only the extents that the model leaves open (*)");
      }
      port->dims[axis] = dims[axis];
      if (dims[axis] >= 0 && port->batch_axis == static_cast<int>(axis)) port->batch_axis = -1;
    }
  }
}

}  // namespace

void settle_inputs(graph::Graph& graph, const ImportOptions& options, std::vector<std::string>& notes) {
  bind_inputs(graph, options, notes);
  fix_dims(graph, options);
}

}  // namespace longhand::convert
