// Small graphs for tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "tests/testing.h"

namespace longhand::graph {

inline std::shared_ptr<const Network> network(Graph graph) {
  return std::make_shared<const Network>(std::move(graph), "test");
}

/// A network of a description whose weights are drawn.
inline std::shared_ptr<const Network> drawn(const std::string& toml, uint64_t seed = 1) {
  return network(with_drawn_weights(read_description(toml, "test.toml"), seed, "test.toml"));
}

/// One node on inputs whose dims are known; names in `inputs` that are in `arrays` are trained.
inline Graph one_node(const std::string& type, const std::vector<Port>& inputs, std::map<std::string, Array> arrays,
                      std::map<std::string, Attribute> attributes = {}, size_t outputs = 1) {
  Graph out;
  out.inputs = inputs;
  Node node{.type = type, .name = "node", .inputs = {}, .outputs = {}, .attributes = std::move(attributes)};
  for (const Port& input : inputs) node.inputs.push_back(input.name);
  for (const auto& [name, array] : arrays) node.inputs.push_back(name);
  for (size_t i = 0; i < outputs; ++i) {
    std::string name = "y";
    node.outputs.push_back(name += std::to_string(i));
    out.outputs.push_back({.name = node.outputs.back(), .dims = {}});
  }
  out.nodes = {node};
  out.arrays = std::move(arrays);
  return out;
}

inline std::vector<float> values(const Plan::View& view) {
  const int64_t n = count(view.dims);
  if (view.type == ElementType::kInt) return {view.ints, view.ints + n};
  return {view.floats, view.floats + n};
}

/// What a plan makes of numbers for its inputs of floats, one after the other.
inline std::vector<float> run(Plan& plan, const std::vector<float>& x, size_t output = 0) {
  int64_t at = 0;
  for (const Plan::View& input : plan.inputs()) {
    const int64_t n = count(input.dims);
    for (int64_t i = 0; i < n; ++i, ++at) {
      const float value = x[static_cast<size_t>(at)];
      if (input.type == ElementType::kFloat) input.floats[i] = value;
      if (input.type == ElementType::kInt) input.ints[i] = static_cast<int64_t>(value);
    }
  }
  EXPECT_EQ(at, static_cast<int64_t>(x.size()));
  EXPECT_TRUE(plan.run()) << plan.fault();
  return values(plan.outputs()[output]);
}

/// The outputs [T, K] of a sequence [T, C] that is fed in blocks of so many steps.
inline std::vector<float> in_blocks(const std::shared_ptr<const Network>& of, const std::vector<float>& x,
                                    int64_t steps, int64_t block) {
  std::vector<float> out, state;
  const size_t width = x.size() / static_cast<size_t>(steps);
  for (int64_t t = 0; t < steps; t += block) {
    const int64_t n = std::min(block, steps - t);
    Plan plan(of, {.steps = n});
    if (t > 0) plan.set_state(0, state.data());
    const auto begin = x.begin() + t * static_cast<int64_t>(width);
    const std::vector<float> y = run(plan, {begin, begin + n * static_cast<int64_t>(width)});
    out.insert(out.end(), y.begin(), y.end());
    state.resize(static_cast<size_t>(plan.state_size()));
    plan.get_state(0, state.data());
  }
  return out;
}

}  // namespace longhand::graph
