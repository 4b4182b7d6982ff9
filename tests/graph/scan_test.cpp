// ONNX's Scan: states that go from step to step, axes and directions, and what is refused.
#include <algorithm>

#include "tests/graph/graphs.h"

namespace longhand::graph {
namespace {

using testing::error_of;

// s' = s + part, y = 2 s': sums of what is scanned so far.
Graph sums(std::map<std::string, Attribute> attributes, Dims x = {3, 2}) {
  Graph out;
  out.inputs = {{.name = "s", .dims = {2}}, {.name = "x", .dims = std::move(x)}};
  out.outputs = {{.name = "last", .dims = {}}, {.name = "y", .dims = {}}};
  out.arrays["two"] = array({}, {2.0F});
  attributes["num_scan_inputs"] = int64_t{1};
  attributes["body_inputs"] = std::vector<std::string>{"before", "part"};
  Node scan{.type = "Scan",
            .name = "scan",
            .inputs = {"s", "x"},
            .outputs = {"last", "y"},
            .attributes = std::move(attributes)};
  scan.branches = {{{.type = "Add", .name = "sum", .inputs = {"before", "part"}, .outputs = {"after"}},
                    {.type = "Mul", .name = "twice", .inputs = {"after", "two"}, .outputs = {"doubled"}}}};
  scan.branch_outputs = {{"after", "doubled"}};
  out.nodes = {scan};
  return out;
}

std::vector<float> outputs(const Graph& graph, const std::vector<float>& x) {
  Plan plan(network(graph), {});
  run(plan, x);
  std::vector<float> out = values(plan.outputs()[0]);
  const std::vector<float> y = values(plan.outputs()[1]);
  out.insert(out.end(), y.begin(), y.end());
  return out;
}

TEST(Scan, CarriesStatesFromStepToStep) {
  const std::vector<float> x = {10, 20, 1, 2, 3, 4, 5, 6};  // s, then three rows
  EXPECT_EQ(outputs(sums({}), x), (std::vector<float>{19, 32, 22, 44, 28, 52, 38, 64}));
}

TEST(Scan, GoesBackwardsAndOverOtherAxes) {
  const std::vector<float> x = {10, 20, 1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> one{1};
  // From the last row; outputs in the order of work, or of the rows.
  EXPECT_EQ(outputs(sums({{"scan_input_directions", one}}), x), (std::vector<float>{19, 32, 30, 52, 36, 60, 38, 64}));
  EXPECT_EQ(outputs(sums({{"scan_input_directions", one}, {"scan_output_directions", one}}), x),
            (std::vector<float>{19, 32, 38, 64, 36, 60, 30, 52}));
  // [2, 3], whose columns are scanned.
  EXPECT_EQ(outputs(sums({{"scan_input_axes", one}}, {2, 3}), x), (std::vector<float>{16, 35, 22, 48, 26, 58, 32, 70}));
  EXPECT_EQ(outputs(sums({{"scan_input_axes", one}, {"scan_output_axes", one}}, {2, 3}), x),
            (std::vector<float>{16, 35, 22, 26, 32, 48, 58, 70}));
}

// Two states that change places in each step.
TEST(Scan, ReadsAllStatesBeforeOneIsWritten) {
  Graph graph;
  graph.inputs = {{.name = "a", .dims = {1}}, {.name = "b", .dims = {1}}, {.name = "x", .dims = {3, 1}}};
  graph.outputs = {{.name = "a_n", .dims = {}}, {.name = "b_n", .dims = {}}};
  Node scan{
      .type = "Scan",
      .name = "scan",
      .inputs = {"a", "b", "x"},
      .outputs = {"a_n", "b_n"},
      .attributes = {{"num_scan_inputs", int64_t{1}}, {"body_inputs", std::vector<std::string>{"a_t", "b_t", "x_t"}}}};
  scan.branches = {{{.type = "Identity", .name = "first", .inputs = {"b_t"}, .outputs = {"a_next"}},
                    {.type = "Identity", .name = "second", .inputs = {"a_t"}, .outputs = {"b_next"}}}};
  scan.branch_outputs = {{"a_next", "b_next"}};
  graph.nodes = {scan};
  EXPECT_EQ(outputs(graph, {1, 2, 0, 0, 0}), (std::vector<float>{2, 1}));
}

TEST(Scan, RefusesWhatCannotBeRun) {
  const auto error = [](const Graph& graph) { return error_of([&] { Plan(network(graph), {}); }); };
  Graph graph = sums({});
  graph.nodes[0].branches.clear();
  EXPECT_NE(error(graph).find("expected 1 branches"), std::string::npos) << error(graph);
  graph = sums({});
  graph.nodes[0].attributes["body_inputs"] = std::vector<std::string>{"before"};
  EXPECT_FALSE(error(graph).empty());
  graph = sums({{"scan_input_axes", std::vector<int64_t>{2}}});
  EXPECT_FALSE(error(graph).empty());
  graph = sums({});
  graph.inputs[0].dims = {3};  // what is added to it has two
  EXPECT_FALSE(error(graph).empty());
  graph = sums({}, {(int64_t{1} << 16) + 1, 2});
  for (int i = 0; i < 4096; ++i) {
    const std::string name = "more" + std::to_string(i);
    graph.nodes[0].branches[0].push_back({.type = "Neg", .name = name, .inputs = {"part"}, .outputs = {name + "_y"}});
  }
  EXPECT_NE(error(graph).find("nodes in all steps"), std::string::npos) << error(graph);
  graph = sums({});
  Node inner = graph.nodes[0];
  inner.name = "inner";
  inner.inputs = {"before", "x"};
  inner.outputs = {"i", "j"};
  inner.attributes["body_inputs"] = std::vector<std::string>{"b2", "p2"};
  inner.branches[0][0] = {.type = "Add", .name = "s2", .inputs = {"b2", "p2"}, .outputs = {"a2"}};
  inner.branches[0][1] = {.type = "Mul", .name = "t2", .inputs = {"a2", "two"}, .outputs = {"d2"}};
  inner.branch_outputs = {{"a2", "d2"}};
  graph.nodes[0].branches[0].push_back(inner);
  EXPECT_NE(error(graph).find("no Scan within another"), std::string::npos) << error(graph);
}

}  // namespace
}  // namespace longhand::graph
