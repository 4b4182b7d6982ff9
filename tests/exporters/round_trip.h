// A network, and what is read again from a file that it was exported to: that both give the same numbers, together and
// with a sequence cut in two.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/convert/onnx_graph.h"
#include "longhand/exporters/export_onnx.h"
#include "longhand/graph/stepper.h"
#include "tests/convert/imported.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back

using NetworkPointer = std::shared_ptr<const graph::Network>;

inline NetworkPointer network_of(graph::Graph graph) {
  return std::make_shared<const graph::Network>(std::move(graph), "test");
}

inline OnnxModel exported_onnx(const graph::Graph& graph, const std::map<std::string, std::string>& texts = {}) {
  const Exported out = export_onnx({.graph = graph, .name = "model", .texts = texts}, {});
  EXPECT_EQ(out.files.size(), 1U);
  EXPECT_EQ(out.files.front().first, ".onnx");
  return read_onnx("model.onnx", out.files.front().second);
}

/// Sizes of a trial. `other` is that of axes which are neither of a batch nor of time.
struct TrialSizes {
  int64_t batch = 1, steps = 1, other = 5;
};

/// Extents of all inputs by name, as the ports of `graph` have them.
inline std::map<std::string, graph::Dims> dims_for(const graph::Graph& graph, const TrialSizes& sizes) {
  std::map<std::string, graph::Dims> out;
  for (const auto* ports : {&graph.inputs, &graph.state_inputs}) {
    for (const graph::Port& port : *ports) {
      graph::Dims& dims = out[port.name] = port.dims;
      for (size_t axis = 0; axis < dims.size(); ++axis) {
        if (dims[axis] >= 0) continue;
        const auto at = static_cast<int>(axis);
        dims[axis] = at == port.batch_axis ? sizes.batch : at == port.time_axis ? sizes.steps : sizes.other;
      }
    }
  }
  return out;
}

/// Random numbers, symbols below `symbols`, and masks of ones and then zeros, by input and place: the same for all
/// networks with such inputs.
inline void fill_randomly(const graph::Network& network, const graph::Plan& plan, uint64_t seed) {
  for (const graph::Plan::View& view : plan.inputs()) {
    const CounterRng rng(seed + std::hash<std::string>()(view.name), 0, RngPlace::kSample);
    const int64_t n = graph::count(view.dims), width = view.dims.empty() ? 1 : view.dims.back();
    const int64_t symbols = std::min<int64_t>(graph::symbols_of(network.graph(), view.name), 3);
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<uint64_t>(i);
      if (view.type == graph::ElementType::kFloat) {
        view.floats[i] = 0.5F * static_cast<float>(rng.normal(at));
      } else if (view.name.ends_with("mask")) {
        const auto length =
            1 + static_cast<int64_t>(rng.below(static_cast<uint64_t>(i / width), static_cast<uint64_t>(width)));
        view.ints[i] = i % width < length ? 1 : 0;
      } else {
        view.ints[i] = static_cast<int64_t>(rng.below(at, static_cast<uint64_t>(symbols)));
      }
    }
  }
}

using Outputs = std::map<std::string, std::vector<float>>;

inline Outputs outputs_of(const graph::Plan& plan) {
  Outputs out;
  for (const graph::Plan::View& view : plan.outputs()) out[view.name] = values(view);
  return out;
}

/// What a network makes of random inputs, with these extents of its inputs.
inline Outputs run_randomly(const NetworkPointer& network, const std::map<std::string, graph::Dims>& dims,
                            const TrialSizes& sizes) {
  graph::Plan plan(network, {.batch = sizes.batch, .steps = sizes.steps, .dims = dims});
  fill_randomly(*network, plan, 7);
  EXPECT_TRUE(plan.run()) << plan.fault();
  return outputs_of(plan);
}

/// The outputs of a second run that goes on from a first one.
inline Outputs run_twice(const NetworkPointer& network, const std::map<std::string, graph::Dims>& dims,
                         const TrialSizes& sizes) {
  graph::Plan plan(network, {.batch = sizes.batch, .steps = sizes.steps, .dims = dims});
  for (uint64_t run = 0; run < 2; ++run) {
    fill_randomly(*network, plan, 7 + run);
    EXPECT_TRUE(plan.run()) << plan.fault();
  }
  return outputs_of(plan);
}

inline void expect_same_outputs(const std::string& what, const Outputs& found, const Outputs& expected, double bound) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (const auto& [name, values] : expected) {
    ASSERT_TRUE(found.contains(name)) << what << ": " << name;
    double scale = 1.0;
    for (const float value : values) scale = std::max(scale, static_cast<double>(std::abs(value)));
    EXPECT_LE(largest_difference(found.at(name), values), bound * scale) << what << ": " << name;
  }
}

/// Exports a network, imports it again, and compares both on random inputs of several sizes, and, where it has states,
/// on two runs, the second of which goes on from the first. Returns the ONNX model.
inline OnnxModel expect_round_trip(const std::string& what, const graph::Graph& graph, double bound = 1e-5,
                                   const std::vector<TrialSizes>& trials = {{1, 1}, {1, 7}, {3, 12}},
                                   const std::map<std::string, std::string>& texts = {}) {
  OnnxModel model = exported_onnx(graph, texts);
  const NetworkPointer before = network_of(graph), after = network_of(onnx_to_graph(model, "model.onnx").graph);
  EXPECT_EQ(after->graph().inputs.size(), graph.inputs.size()) << what;
  for (const TrialSizes& sizes : trials) {
    const auto dims = dims_for(graph, sizes);
    const std::string trial = what + ", " + std::to_string(sizes.batch) + " x " + std::to_string(sizes.steps);
    std::map<std::string, graph::Dims> of_states = dims;
    for (const graph::Port& port : after->graph().state_inputs) {
      graph::Dims& state = of_states[port.name] = port.dims;
      std::replace(state.begin(), state.end(), int64_t{-1}, sizes.batch);
    }
    expect_same_outputs(trial, run_randomly(after, of_states, sizes), run_randomly(before, dims, sizes), bound);
    if (graph::Plan(before, {.batch = sizes.batch, .steps = sizes.steps, .dims = dims}).state_size() == 0) continue;
    expect_same_outputs(trial + ", twice", run_twice(after, of_states, sizes), run_twice(before, dims, sizes), bound);
  }
  return model;
}

}  // namespace longhand::exporters
