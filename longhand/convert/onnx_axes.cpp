// Which axes of an ONNX graph's inputs are of time, and which of batch: found by running it. An axis is of batch where
// its rows, run one by one from the beginning, give what they give together; it is of time where its rows, run in parts
// that carry the states on, give what they give together.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/convert/onnx_graph.h"
#include "longhand/graph/plan.h"

namespace longhand::convert {
namespace {

using graph::Graph;
using graph::Plan;
using graph::Port;

constexpr int64_t kRows = 5;

// Where an axis of an array lies in memory: [outer, n, inner].
struct AxisParts {
  int64_t outer, n, inner;
};
AxisParts parts_of(const graph::Dims& dims, size_t axis) {
  return {graph::count(dims, 0, axis), dims[axis], graph::count(dims, axis + 1, dims.size())};
}

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

class AxisTrial {
 public:
  // `others`: the extents of the other open axes.
  AxisTrial(const Graph& graph, size_t axis, bool time, int64_t others) : axis_(axis), time_(time) {
    Graph trial = graph;
    for (Port& port : trial.inputs) {
      for (int64_t& extent : port.dims) extent = extent < 0 ? others : extent;
      port.batch_axis = port.time_axis = -1;
      (time ? port.time_axis : port.batch_axis) = static_cast<int>(axis);
      port.dims[axis] = -1;
    }
    if (time) {
      keep_states(trial);
      for (Port& port : trial.state_inputs) port.batch_axis = -1;
      for (Port& port : trial.state_inputs) {
        for (int64_t& extent : port.dims) extent = extent < 0 ? 1 : extent;
      }
    }
    network_ = std::make_shared<const graph::Network>(std::move(trial), "the model");
  }

  // Where each output has the axis; nothing where the rows do not belong to it, or where no output shows whether they
  // do.
  std::optional<std::vector<size_t>> run() {
    Plan whole(network_, options(kRows)), part(network_, options(1));
    const Plan smaller(network_, options(kRows - 1));
    std::vector<size_t> axes;
    for (size_t i = 0; i < whole.outputs().size(); ++i) {
      const auto found = changed_axis(whole.outputs()[i].dims, smaller.outputs()[i].dims);
      if (!found) return std::nullopt;
      axes.push_back(*found);
    }
    bool shows = false;
    for (const float scale : {1.0F, 1000.0F}) {  // models may be of numbers of any size
      const std::vector<std::vector<float>> inputs = draw_inputs(scale);
      whole.reset();
      part.reset();
      fill(whole, inputs, 0, kRows);
      if (!whole.run()) return std::nullopt;
      const std::vector<float> spreads = spreads_of(whole);
      shows = shows || std::any_of(spreads.begin(), spreads.end(), [](float spread) { return spread != 0.0F; });
      for (int64_t row = 0; row < kRows; ++row) {
        if (!time_) part.reset();
        fill(part, inputs, row, 1);
        if (!part.run() || !same_row(whole, part, axes, spreads, row)) return std::nullopt;
      }
    }
    return shows ? std::optional(axes) : std::nullopt;
  }

 private:
  graph::PlanOptions options(int64_t rows) const {
    graph::PlanOptions out;
    (time_ ? out.steps : out.batch) = rows;
    out.most_elements = int64_t{1} << 26;
    return out;
  }

  std::vector<std::vector<float>> draw_inputs(float scale) const {
    const Plan plan(network_, options(kRows));
    std::vector<std::vector<float>> out;
    for (const Plan::View& view : plan.inputs()) {
      const CounterRng rng(1, 0, RngPlace::kSample, static_cast<uint32_t>(out.size()));
      std::vector<float>& values = out.emplace_back(static_cast<size_t>(graph::count(view.dims)));
      for (size_t i = 0; i < values.size(); ++i) {
        const float u = 2.0F * rng.uniform(i);
        values[i] = view.type == graph::ElementType::kFloat ? scale * (u - 1.0F) : std::floor(u);
      }
    }
    return out;
  }

  void fill(const Plan& plan, const std::vector<std::vector<float>>& from, int64_t begin, int64_t n) const {
    for (size_t i = 0; i < from.size(); ++i) {
      const Plan::View& view = plan.inputs()[i];
      const AxisParts parts = parts_of(view.dims, axis_);
      for (int64_t o = 0; o < parts.outer; ++o) {
        for (int64_t k = 0; k < n * parts.inner; ++k) {
          const float value = from[i][static_cast<size_t>((o * kRows + begin) * parts.inner + k)];
          const int64_t to = o * n * parts.inner + k;
          if (view.type == graph::ElementType::kFloat) {
            view.floats[to] = value;
          } else {
            view.ints[to] = static_cast<int64_t>(value);
          }
        }
      }
    }
  }

  static std::optional<size_t> changed_axis(const graph::Dims& a, const graph::Dims& b) {
    std::optional<size_t> out;
    if (a.size() != b.size()) return out;
    for (size_t axis = 0; axis < a.size(); ++axis) {
      if (a[axis] == b[axis]) continue;
      if (out || a[axis] != kRows || b[axis] != kRows - 1) return std::nullopt;
      out = axis;
    }
    return out;
  }

  // By how much the numbers of each output differ among themselves; infinite: they are integers, or not finite.
  static std::vector<float> spreads_of(const Plan& plan) {
    std::vector<float> out;
    for (const Plan::View& view : plan.outputs()) {
      float least = INFINITY, most = -INFINITY;
      for (int64_t i = 0; view.type == graph::ElementType::kFloat && i < graph::count(view.dims); ++i) {
        least = std::min(least, view.floats[i]);
        most = std::max(most, view.floats[i]);
      }
      out.push_back(least > most ? INFINITY : most - least);
    }
    return out;
  }

  // The kernels give the same bits whatever the number of rows, so that even what hardly shows is noticed.
  static bool same_row(const Plan& whole, const Plan& part, const std::vector<size_t>& axes,
                       const std::vector<float>& spreads, int64_t row) {
    for (size_t i = 0; i < axes.size(); ++i) {
      const Plan::View &all = whole.outputs()[i], &one = part.outputs()[i];
      const AxisParts parts = parts_of(all.dims, axes[i]);
      for (int64_t o = 0; o < parts.outer; ++o) {
        for (int64_t k = 0; k < parts.inner; ++k) {
          const int64_t at = (o * kRows + row) * parts.inner + k, own = o * parts.inner + k;
          if (all.type != graph::ElementType::kFloat) {
            if (all.ints[at] != one.ints[own]) return false;
            continue;
          }
          const float a = all.floats[at], b = one.floats[own];
          if (std::isfinite(a) && !(std::abs(a - b) <= 1e-5F * spreads[i] + 1e-7F * std::abs(a))) return false;
        }
      }
    }
    return true;
  }

  size_t axis_;
  bool time_;
  std::shared_ptr<const graph::Network> network_;
};

// Axes of the outputs; nothing where it does not run so. A network that pools or convolves over time needs more than
// one step to run at all.
std::optional<std::vector<size_t>> try_axis(const Graph& graph, size_t axis, bool time) {
  constexpr int64_t kSteps = 24;
  for (const int64_t others : time ? std::vector<int64_t>{1} : std::vector<int64_t>{1, kSteps}) {
    try {
      if (auto axes = AxisTrial(graph, axis, time, others).run()) return axes;
    } catch (const Error&) {  // of shapes that do not fit
    }
  }
  return std::nullopt;
}

bool is_open(const Port& port, size_t axis) { return axis < port.dims.size() && port.dims[axis] < 0; }

void set_axis(Graph& graph, size_t axis, const std::vector<size_t>& outputs, bool time) {
  for (Port& port : graph.inputs) (time ? port.time_axis : port.batch_axis) = static_cast<int>(axis);
  for (size_t i = 0; i < outputs.size(); ++i) {
    (time ? graph.outputs[i].time_axis : graph.outputs[i].batch_axis) = static_cast<int>(outputs[i]);
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
  // An axis that the file calls that of a batch is believed.
  const int named = graph.inputs.front().batch_axis;
  std::vector<size_t> left;
  for (const size_t axis : open) {
    if (static_cast<int>(axis) == named) continue;
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
