// Which axes of an ONNX graph's inputs are of time, and which of batch: found by running it. An axis is of batch where
// its rows, run one by one from the beginning, give what they give together; it is of time where its rows, run in parts
// that carry the states on, give what they give together.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "longhand/base/error.h"
#include "longhand/convert/onnx_graph.h"
#include "longhand/graph/rows_trial.h"

namespace longhand::convert {
namespace {

using graph::Graph;
using graph::Port;

bool is_recurrent_type(const std::string& type) {
  return type == "LSTM" || type == "GRU" || type == "RNN" || type == "DynamicQuantizeLSTM";
}

// Values that are known before a run: trained arrays, shapes, and what is made of them alone. Exporters make the zeros
// that sequences begin with so, as many as the shape of the input says.
std::set<std::string> known_values(const Graph& graph) {
  std::set<std::string> out;
  for (const graph::Node& node : graph.nodes) {
    const bool of_known = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
      return input.empty() || graph.arrays.contains(input) || out.contains(input);
    });
    const bool shape = node.type == "Shape" || node.type == "Size";
    if (shape || (of_known && node.branches.empty())) out.insert(node.outputs.begin(), node.outputs.end());
  }
  return out;
}

// Lets LSTM, GRU and RNN nodes go on where the run before ended, where nothing else gives their initial states.
void keep_states(Graph& graph) {
  const std::set<std::string> known = known_values(graph);
  for (graph::Node& node : graph.nodes) {
    const auto direction = node.attributes.find("direction");
    const bool forward = direction == node.attributes.end() || direction->second == graph::Attribute("forward");
    const auto absent = [&](size_t i) {
      return i >= node.inputs.size() || node.inputs[i].empty() || graph.arrays.contains(node.inputs[i]) ||
             known.contains(node.inputs[i]);
    };
    const bool has_h = node.inputs.size() > 5 && !node.inputs[5].empty();
    const bool has_c = node.inputs.size() > 6 && !node.inputs[6].empty();
    const bool both = (node.type != "LSTM" && node.type != "DynamicQuantizeLSTM") || has_h == has_c;
    if (is_recurrent_type(node.type) && forward && absent(5) && absent(6) && both) {
      node.attributes["keep_state"] = int64_t{1};
    }
  }
}

// The graph with one open axis alone; the others have extents of `others`.
std::shared_ptr<const graph::Network> with_one_axis(const Graph& graph, size_t axis, bool time, int64_t others) {
  Graph trial = graph;
  for (Port& port : trial.inputs) {
    for (int64_t& extent : port.dims) extent = extent < 0 ? others : extent;
    port.batch_axis = port.time_axis = -1;
    (time ? port.time_axis : port.batch_axis) = static_cast<int>(axis);
    port.dims[axis] = -1;
  }
  if (time) {
    keep_states(trial);
    for (Port& port : trial.state_inputs) {
      port.batch_axis = -1;
      for (int64_t& extent : port.dims) extent = extent < 0 ? 1 : extent;
    }
  }
  return std::make_shared<const graph::Network>(std::move(trial), "the model");
}

// Where each output has the axis; nothing where its rows do not belong to it, or where no output shows whether they do.
// A network that pools or convolves over time needs more than one step to run at all.
std::optional<std::vector<int>> try_axis(const Graph& graph, size_t axis, bool time) {
  constexpr int64_t kRows = 5, kSteps = 24;
  for (const int64_t others : time ? std::vector<int64_t>{1} : std::vector<int64_t>{1, kSteps}) {
    graph::RowsTrial trial;
    try {
      trial = graph::try_rows(with_one_axis(graph, axis, time, others),
                              time ? graph::RowsOf::kTime : graph::RowsOf::kBatch, kRows);
    } catch (const Error&) {  // a graph that cannot be run is named when all of it is checked
    }
    const bool all_have_rows = std::none_of(trial.axes.begin(), trial.axes.end(), [](int at) { return at < 0; });
    if (trial.ran && trial.different.empty() && trial.shows && all_have_rows) return trial.axes;
  }
  return std::nullopt;
}

bool is_open(const Port& port, size_t axis) { return axis < port.dims.size() && port.dims[axis] < 0; }

void set_axis(Graph& graph, size_t axis, const std::vector<int>& outputs, bool time) {
  for (Port& port : graph.inputs) (time ? port.time_axis : port.batch_axis) = static_cast<int>(axis);
  for (size_t i = 0; i < outputs.size(); ++i) {
    (time ? graph.outputs[i].time_axis : graph.outputs[i].batch_axis) = outputs[i];
  }
}

}  // namespace

void recognise_axes(Graph& graph, std::vector<std::string>& notes) {
  if (graph.inputs.empty()) return;
  for (Port& port : graph.state_inputs) {
    const auto open = std::count(port.dims.begin(), port.dims.end(), -1);
    const auto first = std::find(port.dims.begin(), port.dims.end(), -1);
    if (open == 1) port.batch_axis = static_cast<int>(first - port.dims.begin());
  }
  std::vector<size_t> open;
  for (size_t axis = 0; axis < graph.inputs.front().dims.size(); ++axis) {
    // Beside sequences there may be rows of a batch without time: their lengths.
    const bool fits = std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](const Port& port) {
      return is_open(port, axis) || (axis > 0 && port.dims.size() <= axis);
    });
    if (fits && is_open(graph.inputs.front(), axis)) open.push_back(axis);
  }
  // Keeps a batch axis that the file names, and the time axis of a file that we wrote.
  const int named = graph.inputs.front().batch_axis, time = graph.inputs.front().time_axis;
  std::vector<size_t> left;
  for (const size_t axis : open) {
    if (static_cast<int>(axis) == named || static_cast<int>(axis) == time) continue;
    const bool everywhere = std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](const Port& port) {
      return is_open(port, axis) && port.batch_axis != static_cast<int>(axis);
    });
    if (!everywhere) {
      left.push_back(axis);
      continue;
    }
    // Rows that do not depend on one another would pass for time, too.
    const bool may_be_batch = graph.inputs.front().batch_axis < 0;
    if (const auto outputs = may_be_batch ? try_axis(graph, axis, false) : std::nullopt) {
      set_axis(graph, axis, *outputs, false);
      notes.push_back(fmt::format("axis {} of the inputs is of a batch: its rows do not depend on one another", axis));
    } else if (const auto steps = try_axis(graph, axis, true)) {
      set_axis(graph, axis, *steps, true);
      keep_states(graph);
      notes.push_back(fmt::format("axis {} of the inputs is time: steps and blocks give what the whole gives", axis));
    } else {
      left.push_back(axis);
    }
  }
  if (left.size() == 1 && graph.inputs.front().time_axis < 0 && graph.states.empty()) {
    for (Port& port : graph.inputs) {
      const auto axis = static_cast<int>(left.front());
      if (is_open(port, left.front()) && port.batch_axis != axis) port.time_axis = axis;
    }
    notes.push_back(fmt::format("axis {} of the inputs is time, read as a whole", left.front()));
  }
}

}  // namespace longhand::convert
