#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/sequences.h"

namespace longhand::convert {
namespace {

using graph::Dims;
using graph::Plan;
using graph::Port;

constexpr int64_t kSteps = 64;         // that a stepper computes at a time
constexpr int64_t kRowsAtOnce = 1024;  // whose inputs and outputs are side by side in one row

// The axis of the sequences in each output, found by planning one and two of them; -1: none.
std::vector<int> batch_axes_of(const std::shared_ptr<const graph::Network>& network) {
  const graph::Graph& graph = network->graph();
  std::vector<int> out(graph.outputs.size(), -1);
  if (std::all_of(graph.inputs.begin(), graph.inputs.end(), [](const Port& port) { return port.batch_axis < 0; })) {
    return out;
  }
  const graph::FewestSteps few = graph::fewest_steps(network);
  try {
    const Plan two(network, {.batch = 2, .steps = few.steps});
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = graph::changed_axis(few.plan.outputs()[i].dims, two.outputs()[i].dims);
  } catch (const Error&) {  // it reads one sequence alone: an operator counts on it
  }
  return out;
}

// Without axis `axis`, where that is of extent 1.
Dims without(Dims dims, int axis) {
  if (axis >= 0 && axis < static_cast<int>(dims.size()) && dims[static_cast<size_t>(axis)] == 1) {
    dims.erase(dims.begin() + axis);
  }
  return dims;
}

// Moves the axis to the front, or from there to its place.
template <class T>
void move_axis(const graph::AxisParts& at, const T* from, T* to, bool to_front) {
  for (int64_t o = 0; o < at.outer; ++o) {
    for (int64_t t = 0; t < at.extent; ++t) {
      const int64_t in_place = (o * at.extent + t) * at.inner, in_front = (t * at.outer + o) * at.inner;
      std::copy_n(from + (to_front ? in_place : in_front), at.inner, to + (to_front ? in_front : in_place));
    }
  }
}

// The axis that becomes longer with the sequence in each output; -1: none, or more than one.
std::vector<int> time_axes(const std::shared_ptr<const graph::Network>& network) {
  std::vector<int> out(network->graph().outputs.size(), -1);
  if (!is_over_time(network->graph())) return out;
  const graph::FewestSteps few = graph::fewest_steps(network);
  for (int64_t steps = few.steps + 1; steps <= 4 * few.steps; ++steps) {
    try {
      const Plan longer(network, {.steps = steps});
      bool grows = true;
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = graph::changed_axis(few.plan.outputs()[i].dims, longer.outputs()[i].dims);
        grows = grows && out[i] >= 0;
      }
      if (grows) return out;
    } catch (const Error&) {  // not of so many steps
    }
  }
  return out;
}

}  // namespace

SequenceRunner::SequenceRunner(std::shared_ptr<const graph::Network> network, Threads threads)
    : network_(std::move(network)),
      threads_(threads),
      shape_(graph::step_shape(network_)),
      batch_axes_(batch_axes_of(network_)) {
  const graph::Graph& graph = network_->graph();
  if (!shape_.why_no_steps.empty()) {
    time_axes_ = time_axes(network_);
    return;
  }
  if (std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const Port& p) { return is_read_once(graph, p); })) {
    shape_.why_no_steps = "one of its inputs is read once in a sequence";
    time_axes_ = time_axes(network_);
    return;
  }
  stepper_.emplace(network_, graph::steps_at_once(shape_, kSteps), threads);
  const Plan one(network_, {});
  std::optional<Plan> two;
  if (is_over_time(graph)) two.emplace(network_, graph::PlanOptions{.steps = 2});
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const Dims& dims = one.outputs()[i].dims;
    const bool over_time = !two || graph::count(two->outputs()[i].dims) > graph::count(dims);
    const int time_axis = two ? graph::changed_axis(dims, two->outputs()[i].dims) : -1;
    output_dims_.push_back(
        without(without(dims, std::max(batch_axes_[i], time_axis)), std::min(batch_axes_[i], time_axis)));
    while (!two && output_dims_.back().size() > 1 && output_dims_.back().front() == 1) {
      output_dims_.back().erase(output_dims_.back().begin());  // a row a step, as files have them
    }
    over_time_.push_back(over_time);
  }
}

int64_t SequenceRunner::state_size() const { return stepper_ ? stepper_->state_size() : 0; }

std::vector<std::pair<std::string, int64_t>> SequenceRunner::state_parts() const {
  if (!stepper_) return {};
  return stepper_->state_parts();
}

bool SequenceRunner::answers_once() const {
  return stepper_ && std::find(over_time_.begin(), over_time_.end(), true) == over_time_.end();
}

int64_t SequenceRunner::rows_of(size_t i, const graph::Array& output, int64_t steps) const {
  if (stepper_) return over_time_[i] ? steps : 1;
  const bool rows = output.dims.size() > 1 || (output.dims.size() == 1 && time_axes_[i] >= 0);
  return rows ? output.dims.front() : 1;
}

int64_t SequenceRunner::batch_axis(size_t i) const { return std::max(batch_axes_[i], 0); }

std::vector<graph::Array> SequenceRunner::run(const Sequence& sequence, const float* state_in, float* state_out) {
  LONGHAND_CHECK(sequence.inputs.size() == network_->graph().inputs.size() && sequence.steps >= 1);
  if (shape_.symbols > 0) check_symbols(sequence);
  if (stepper_) return run_steps(sequence, state_in, state_out);
  if (sequence.steps > 1 && !is_over_time(network_->graph())) {
    throw input_error(fmt::format("expected one run of the network, found {}", sequence.steps),
                      "it has no axis of time: give an array of each run its own file, or several in .npz");
  }
  return run_plan(sequence);
}

void SequenceRunner::check_symbols(const Sequence& sequence) const {
  const std::vector<int64_t>& symbols = sequence.inputs.front().ints;
  const auto bad =
      std::find_if(symbols.begin(), symbols.end(), [&](int64_t s) { return s < 0 || s >= shape_.symbols; });
  if (bad == symbols.end()) return;
  throw input_error(fmt::format("{}step {}: expected symbols from 0 to {}, found {}",
                                sequence.name.empty() ? "" : visible(sequence.name) + ": ", bad - symbols.begin(),
                                shape_.symbols - 1, *bad),
                    "give symbols of this network");
}

std::vector<graph::Array> SequenceRunner::run_steps(const Sequence& sequence, const float* state_in, float* state_out) {
  state_in == nullptr ? stepper_->reset() : stepper_->set_state(state_in);
  std::vector<graph::Array> out;
  for (size_t i = 0; i < output_dims_.size(); ++i) {
    Dims dims = output_dims_[i];
    if (over_time_[i]) dims.insert(dims.begin(), sequence.steps);
    out.push_back(graph::array(dims, std::vector<float>(static_cast<size_t>(graph::count(dims)))));
  }
  std::vector<float> x, y;
  std::vector<int32_t> symbols;
  const int64_t at_once = graph::steps_at_once(shape_, kRowsAtOnce);
  for (int64_t begin = 0; begin < sequence.steps; begin += at_once) {
    const int64_t n = std::min(at_once, sequence.steps - begin);
    y.resize(static_cast<size_t>(n * shape_.outputs));
    int64_t done = 0;
    if (shape_.symbols > 0) {
      symbols.clear();
      const int64_t* from = sequence.inputs.front().ints.data() + begin;
      for (int64_t t = 0; t < n; ++t) symbols.push_back(static_cast<int32_t>(from[t]));
      done = stepper_->process(n, symbols.data(), y.data());
    } else {
      x.resize(static_cast<size_t>(n * shape_.inputs));
      int64_t at = 0;
      for (const graph::Array& input : sequence.inputs) {
        const auto own = static_cast<int64_t>(input.floats.size()) / sequence.steps;
        for (int64_t t = 0; t < n; ++t) {
          std::copy_n(input.floats.data() + (begin + t) * own, own, x.data() + t * shape_.inputs + at);
        }
        at += own;
      }
      done = stepper_->process(n, x.data(), y.data());
    }
    LONGHAND_CHECK(done == n);
    int64_t at = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t own = graph::count(output_dims_[i]);
      for (int64_t t = over_time_[i] ? 0 : n - 1; t < n; ++t) {
        std::copy_n(y.data() + t * shape_.outputs + at, own,
                    out[i].floats.data() + (over_time_[i] ? (begin + t) * own : 0));
      }
      at += own;
    }
  }
  if (state_out != nullptr) stepper_->get_state(state_out);
  return out;
}

std::vector<graph::Array> SequenceRunner::run_plan(const Sequence& sequence) {
  if (planned_ != sequence.steps) {
    plan_.reset();  // its memory goes before the next takes more
    plan_.emplace(network_, graph::PlanOptions{.steps = sequence.steps, .threads = threads_});
  }
  planned_ = sequence.steps;
  plan_->reset();
  const graph::Graph& graph = network_->graph();
  for (size_t i = 0; i < sequence.inputs.size(); ++i) {
    const Plan::View& view = plan_->inputs()[i];
    const graph::Array& from = sequence.inputs[i];
    LONGHAND_CHECK(graph::count(view.dims) == graph::count(from.dims));
    const graph::AxisParts at = graph::parts_of(view.dims, graph.inputs[i].time_axis);
    view.type == graph::ElementType::kFloat ? move_axis(at, from.floats.data(), view.floats, false)
                                            : move_axis(at, from.ints.data(), view.ints, false);
  }
  if (!plan_->run()) {
    throw input_error((sequence.name.empty() ? "" : visible(sequence.name) + ": ") + plan_->fault(),
                      "give whole numbers from 0 on, below the number of symbols");
  }
  std::vector<graph::Array> out;
  for (size_t i = 0; i < plan_->outputs().size(); ++i) {
    const Plan::View& view = plan_->outputs()[i];
    graph::Array& to = out.emplace_back();
    to.type = view.type;
    to.dims = view.dims;
    const int time = time_axes_[i];
    const graph::AxisParts at = graph::parts_of(view.dims, time);
    const auto n = static_cast<size_t>(graph::count(view.dims));
    view.type == graph::ElementType::kFloat ? to.floats.resize(n) : to.ints.resize(n);
    view.type == graph::ElementType::kFloat ? move_axis(at, view.floats, to.floats.data(), true)
                                            : move_axis(at, view.ints, to.ints.data(), true);
    int batch = batch_axes_[i];
    if (time >= 0) {
      std::rotate(to.dims.begin(), to.dims.begin() + time, to.dims.begin() + time + 1);
      batch += batch < time && batch >= 0 ? 1 : 0;
    }
    to.dims = without(to.dims, batch);
    while (time >= 0 && to.dims.size() > 2 && to.dims[1] == 1) to.dims.erase(to.dims.begin() + 1);
  }
  return out;
}

graph::Array stacked(const std::vector<graph::Array>& arrays, int64_t axis, const std::string& where) {
  LONGHAND_CHECK(!arrays.empty());
  Dims longest = arrays.front().dims;
  bool fits = true;
  for (const graph::Array& each : arrays) {
    fits = fits && each.dims.size() == longest.size() &&
           (longest.empty() || std::equal(longest.begin() + 1, longest.end(), each.dims.begin() + 1));
    if (fits && !longest.empty()) longest.front() = std::max(longest.front(), each.dims.front());
  }
  if (!fits) {
    throw input_error(where + ": expected outputs of one shape for all sequences, found several",
                      "give each sequence an array of its own");
  }
  axis = std::min<int64_t>(axis, static_cast<int64_t>(longest.size()));
  const auto sequences = static_cast<int64_t>(arrays.size());
  graph::Array out{arrays.front().type, longest, {}, {}};
  out.dims.insert(out.dims.begin() + axis, sequences);
  const auto size = static_cast<size_t>(graph::count(out.dims));
  const int64_t inner = graph::count(longest, static_cast<size_t>(axis), longest.size());
  out.type == graph::ElementType::kFloat ? out.floats.resize(size) : out.ints.resize(size);
  for (int64_t s = 0; s < sequences; ++s) {
    const graph::Array& from = arrays[static_cast<size_t>(s)];
    const int64_t own = graph::count(from.dims, static_cast<size_t>(axis), longest.size());
    const int64_t outer = own == 0 ? 0 : graph::count(from.dims) / own;
    for (int64_t o = 0; o < outer; ++o) {
      const int64_t to = (o * sequences + s) * inner;
      if (out.type == graph::ElementType::kFloat) {
        std::copy_n(from.floats.data() + o * own, own, out.floats.data() + to);
      } else {
        std::copy_n(from.ints.data() + o * own, own, out.ints.data() + to);
      }
    }
  }
  return out;
}

io::Array to_io_array(const graph::Array& array) {
  return array.type == graph::ElementType::kFloat ? io::make_array(array.dims, std::span<const float>(array.floats))
                                                  : io::make_array(array.dims, std::span<const int64_t>(array.ints));
}

}  // namespace longhand::convert
