// Nodes on arrays of any rank. Expected values follow from the definitions of ONNX's operators.
#include <cmath>

#include "longhand/graph/stepper.h"
#include "tests/graph/graphs.h"

namespace longhand::graph {
namespace {

using testing::error_of;
using testing::expect_close;
using testing::random_vector;

Port port(const std::string& name, Dims dims, ElementType type = ElementType::kFloat) {
  return {.name = name, .type = type, .dims = std::move(dims)};
}

std::vector<float> result(const Graph& graph, const std::vector<float>& x, size_t output = 0) {
  Plan plan(network(graph), {});
  return run(plan, x, output);
}

std::vector<float> part(const std::vector<float>& from, int64_t n) { return {from.begin(), from.begin() + n}; }

TEST(ArrayNodes, BroadcastAsNumPyDoes) {
  EXPECT_EQ(result(one_node("Sub", {port("a", {2, 1}), port("b", {3})}, {}), {10, 20, 1, 2, 3}),
            (std::vector<float>{9, 8, 7, 19, 18, 17}));
  EXPECT_EQ(result(one_node("Div", {port("a", {3}, ElementType::kInt), port("b", {3}, ElementType::kInt)}, {}),
                   {7, -7, 5, 2, 2, 0}),
            (std::vector<float>{3, -3, 0}));
  EXPECT_EQ(result(one_node("Max", {port("a", {2}), port("b", {1}), port("c", {2, 1})}, {}), {1, 5, 2, 0, 3}),
            (std::vector<float>{2, 5, 3, 5}));
  EXPECT_EQ(result(one_node("Where", {port("a", {2, 1}, ElementType::kInt), port("b", {2}), port("c", {1})}, {}),
                   {1, 0, 5, 6, 7}),
            (std::vector<float>{5, 6, 7, 7}));
  EXPECT_NE(error_of([] {
              result(one_node("Add", {port("a", {2}), port("b", {3})}, {}), {});
            }).find("'node' (Add)"),
            std::string::npos);
}

TEST(ArrayNodes, MoveElements) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(result(one_node("Transpose", {port("x", {2, 3})}, {}), x), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(
      result(one_node("Pad", {port("x", {3})}, {{"p", array_of_ints({2}, {2, 1})}}, {{"mode", std::string("reflect")}}),
             {1, 2, 3}),
      (std::vector<float>{3, 2, 1, 2, 3, 2}));
  const std::map<std::string, Array> slice = {{"a", array_of_ints({1}, {-1})},
                                              {"b", array_of_ints({1}, {-100})},
                                              {"c", array_of_ints({1}, {1})},
                                              {"d", array_of_ints({1}, {-2})}};
  EXPECT_EQ(result(one_node("Slice", {port("x", {2, 3})}, slice), x), (std::vector<float>{3, 1, 6, 4}));
  const Graph split =
      one_node("Split", {port("x", {2, 3})}, {{"s", array_of_ints({2}, {1, 2})}}, {{"axis", int64_t{1}}}, 2);
  EXPECT_EQ(result(split, x, 1), (std::vector<float>{2, 3, 5, 6}));
  EXPECT_EQ(
      result(one_node("Gather", {port("x", {2, 3}), port("i", {2}, ElementType::kInt)}, {}, {{"axis", int64_t{1}}}),
             {1, 2, 3, 4, 5, 6, -1, 0}),
      (std::vector<float>{3, 1, 6, 4}));
  Plan plan(network(one_node("Gather", {port("x", {2}), port("i", {1}, ElementType::kInt)}, {})), {});
  plan.inputs()[1].ints[0] = 2;
  EXPECT_FALSE(plan.run());
  plan.inputs()[1].ints[0] = -2;
  EXPECT_TRUE(plan.run());
}

TEST(ArrayNodes, ReduceAndMultiply) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(result(one_node("ReduceMean", {port("x", {2, 3})}, {}, {{"axes", std::vector<int64_t>{0}}}), x),
            (std::vector<float>{2.5, 3.5, 4.5}));
  const std::vector<float> large =
      result(one_node("ReduceLogSumExp", {port("x", {2, 2})}, {}, {{"axes", std::vector<int64_t>{-1}}}),
             {200, 200, -INFINITY, -INFINITY});
  EXPECT_FLOAT_EQ(large[0], 200.0F + std::log(2.0F));
  EXPECT_EQ(large[1], -INFINITY);
  EXPECT_EQ(result(one_node("ReduceL2", {port("x", {2, 2})}, {}, {{"axes", std::vector<int64_t>{-1}}}), {3, 4, 6, 8}),
            (std::vector<float>{5, 10}));
  const std::map<std::string, Array> gemm = {{"b", array({3, 2}, {1, 0, 0, 1, 1, 1})}, {"c", array({2}, {10, 20})}};
  EXPECT_EQ(result(one_node("Gemm", {port("a", {2, 3})}, gemm), x), (std::vector<float>{14, 25, 20, 31}));
  EXPECT_EQ(result(one_node("MatMul", {port("a", {2, 1, 2}), port("b", {2, 1})}, {}), {1, 2, 3, 4, 10, 1}),
            (std::vector<float>{12, 34}));
}

struct Recurrent {
  int64_t T = 4, B = 2, I = 3, H = 5;
  std::vector<float> w = part(random_vector<float>(60, 0.8, 1), 60), r = part(random_vector<float>(100, 0.8, 2), 100),
                     b = part(random_vector<float>(40, 0.8, 3), 40), x = part(random_vector<float>(24, 1.0, 4), 24);

  double at(const std::vector<float>& from, int64_t i) const {
    return static_cast<double>(from[static_cast<size_t>(i)]);
  }

  // ONNX's equations for one sequence of x [T, B, I], with gates i o f c.
  std::vector<double> lstm(int64_t sequence, int64_t length, bool reverse) const {
    std::vector<double> h(5, 0.0), c(5, 0.0), y(static_cast<size_t>(T * H), 0.0);
    for (int64_t s = 0; s < length; ++s) {
      const int64_t t = reverse ? length - 1 - s : s;
      std::vector<double> a;
      for (int64_t k = 0; k < 4 * H; ++k) {
        double sum = at(b, k) + at(b, 4 * H + k);
        for (int64_t i = 0; i < I; ++i) sum += at(w, k * I + i) * at(x, (t * B + sequence) * I + i);
        for (int64_t i = 0; i < H; ++i) sum += at(r, k * H + i) * h[static_cast<size_t>(i)];
        a.push_back(k / H == 3 ? std::tanh(sum) : 1.0 / (1.0 + std::exp(-sum)));
      }
      for (size_t j = 0; j < 5; ++j) {
        c[j] = a[10 + j] * c[j] + a[j] * a[15 + j];
        h[j] = a[5 + j] * std::tanh(c[j]);
        y[static_cast<size_t>(t * H) + j] = h[j];
      }
    }
    return y;
  }

  Graph graph(const std::string& type, std::map<std::string, Attribute> attributes,
              const std::vector<int64_t>& lengths) const {
    const bool batch_first = attributes.contains("layout");
    Graph out = one_node(type, {port("X", batch_first ? Dims{B, T, I} : Dims{T, B, I})},
                         {{"a", array({1, 4 * H, I}, w)},
                          {"b", array({1, 4 * H, H}, r)},
                          {"c", array({1, 8 * H}, b)},
                          {"d", array_of_ints({B}, lengths)}},
                         std::move(attributes), 3);
    return out;
  }
};

TEST(ArrayNodes, AnLstmFollowsOnnxsEquations) {
  const Recurrent r;
  for (const bool reverse : {false, true}) {
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{4, 4}, {2, 4}, {3, 1}}) {
      const std::string direction = reverse ? "reverse" : "forward";
      const std::vector<float> y = result(r.graph("LSTM", {{"direction", direction}}, lengths), r.x);
      const std::vector<float> last = result(r.graph("LSTM", {{"direction", direction}}, lengths), r.x, 1);
      for (int64_t s = 0; s < r.B; ++s) {
        const int64_t length = lengths[static_cast<size_t>(s)];
        const std::vector<double> expected = r.lstm(s, length, reverse);
        std::vector<double> found, found_last(last.begin() + s * r.H, last.begin() + (s + 1) * r.H), expected_last;
        for (int64_t t = 0; t < r.T; ++t) {
          for (int64_t j = 0; j < r.H; ++j) found.push_back(r.at(y, (t * r.B + s) * r.H + j));
        }
        for (int64_t j = 0; j < r.H; ++j) {
          expected_last.push_back(expected[static_cast<size_t>((reverse ? 0 : length - 1) * r.H + j)]);
        }
        expect_close(found, expected, r.T * r.H, 2e-6, "Y");
        expect_close(found_last, expected_last, r.H, 2e-6, "Y_h");
      }
    }
  }
}

TEST(ArrayNodes, TheLayoutOfAnLstmIsItsOrderAlone) {
  const Recurrent r;
  const std::vector<float> y = result(r.graph("LSTM", {}, {4, 3}), r.x);
  std::vector<float> turned;
  for (int64_t s = 0; s < r.B; ++s) {
    for (int64_t t = 0; t < r.T; ++t)
      turned.insert(turned.end(), r.x.begin() + (t * r.B + s) * r.I, r.x.begin() + (t * r.B + s + 1) * r.I);
  }
  const std::vector<float> batch_first = result(r.graph("LSTM", {{"layout", int64_t{1}}}, {4, 3}), turned);
  for (int64_t row = 0; row < r.T * r.B; ++row) {
    const int64_t t = row / r.B, s = row % r.B;
    for (int64_t j = 0; j < r.H; ++j) {
      EXPECT_EQ(y[static_cast<size_t>(row * r.H + j)], batch_first[static_cast<size_t>((s * r.T + t) * r.H + j)]);
    }
  }
}

TEST(ArrayNodes, AnLstmThatKeepsItsStateGoesOn) {
  Recurrent r;
  r.B = 1;
  const auto graph = [&](int64_t steps) {
    r.T = steps;
    Graph out = r.graph("LSTM", {{"keep_state", int64_t{1}}}, {steps});
    out.nodes[0].inputs.pop_back();
    out.arrays.erase("d");
    out.inputs[0].time_axis = 0;
    out.outputs.resize(1);
    return out;
  };
  const std::vector<float> x = part(r.x, 12), whole = result(graph(4), x);
  Plan plan(network(graph(1)), {});
  EXPECT_EQ(plan.why_whole(), "");
  std::vector<float> steps;
  for (int64_t t = 0; t < 4; ++t) {
    const std::vector<float> y = run(plan, {x.begin() + t * 3, x.begin() + (t + 1) * 3});
    steps.insert(steps.end(), y.begin(), y.end());
  }
  EXPECT_EQ(steps, whole);
  Graph forgets = graph(1);
  forgets.nodes[0].attributes.clear();
  EXPECT_NE(Plan(network(forgets), {}).why_whole(), "");
}

TEST(ArrayNodes, QuantisedWeightsAreScaledNumbers) {
  Recurrent r;
  std::vector<int64_t> w(60), q(100);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<int64_t>(i * 7 % 11) - 5;
  for (size_t i = 0; i < q.size(); ++i) q[i] = static_cast<int64_t>(i * 5 % 9) - 4;
  for (int64_t k = 0; k < 20; ++k) {  // those arrays have the outputs last
    for (int64_t i = 0; i < 3; ++i)
      r.w[static_cast<size_t>(k * 3 + i)] = 0.125F * static_cast<float>(w[static_cast<size_t>(i * 20 + k)] - 1);
    for (int64_t i = 0; i < 5; ++i)
      r.r[static_cast<size_t>(k * 5 + i)] = 0.0625F * static_cast<float>(q[static_cast<size_t>(i * 20 + k)]);
  }
  const std::vector<float> expected = result(r.graph("LSTM", {}, {4, 4}), r.x);
  Graph graph = r.graph("DynamicQuantizeLSTM", {}, {4, 4});
  graph.arrays["a"] = array_of_ints({1, 3, 20}, w);
  graph.arrays["b"] = array_of_ints({1, 5, 20}, q);
  graph.arrays["e"] = array({1}, {0.125F});
  graph.arrays["f"] = array_of_ints({1}, {1});
  graph.arrays["g"] = array({1}, {0.0625F});
  graph.arrays["h"] = array_of_ints({1}, {0});
  graph.nodes[0].inputs = {"X", "a", "b", "c", "d", "", "", "", "e", "f", "g", "h"};
  EXPECT_EQ(result(graph, r.x), expected);
}

TEST(ArrayNodes, StatesAreCarriedFromRunToRun) {
  // Two numbers that change places, and their sum with the input.
  Graph graph;
  graph.inputs = {port("x", {1})};
  graph.state_inputs = {port("a", {1}), port("b", {1})};
  graph.nodes = {{.type = "Sum", .name = "s", .inputs = {"x", "a"}, .outputs = {"y"}},
                 {.type = "Identity", .name = "i", .inputs = {"a"}, .outputs = {"a_next"}}};
  graph.outputs = {port("y", {})};
  graph.arrays["start"] = array({1}, {100});
  graph.states = {{.input = "a", .output = "b"}, {.input = "b", .output = "a_next", .initial = "start"}};
  Plan plan(network(graph), {});
  EXPECT_EQ(plan.state_size(), 2);
  EXPECT_EQ(run(plan, {1}), (std::vector<float>{1}));
  EXPECT_EQ(run(plan, {1}), (std::vector<float>{101}));
  EXPECT_EQ(run(plan, {1}), (std::vector<float>{1}));
  plan.reset();
  EXPECT_EQ(run(plan, {2}), (std::vector<float>{2}));
  Stepper stepper(network(graph));
  const float x[] = {1, 2, 3};
  float y[3];
  EXPECT_EQ(stepper.process(3, x, y), 3);
  EXPECT_EQ(y[1], 102.0F);
}

TEST(ArrayNodes, AnOutputThatIsAStateShowsItAsItWas) {
  Graph graph;  // y = what x was one run before
  graph.inputs = {port("x", {1, 2})};
  graph.state_inputs = {port("h", {1, 2})};
  graph.nodes = {{.type = "Reshape",
                  .name = "r",
                  .inputs = {"h"},
                  .outputs = {"y"},
                  .attributes = {{"shape", std::vector<int64_t>{2}}}},
                 {.type = "Identity", .name = "i", .inputs = {"x"}, .outputs = {"next"}}};
  graph.outputs = {port("y", {}), port("h", {})};
  graph.states = {{.input = "h", .output = "next"}};
  Plan plan(network(graph), {});
  EXPECT_EQ(run(plan, {1, 2}), (std::vector<float>{0, 0}));
  EXPECT_EQ(run(plan, {3, 4}), (std::vector<float>{1, 2}));
  EXPECT_EQ(run(plan, {5, 6}, 1), (std::vector<float>{3, 4}));
}

// What mixes time steps is not read step by step, however it does so.
TEST(ArrayNodes, StepsMustGiveWhatTheWholeGives) {
  Port x = port("x", {1, 2, -1});
  x.time_axis = 2;
  const Array kernel = array({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const Graph conv = one_node("Conv", {x}, {{"w", kernel}}, {{"pads", std::vector<int64_t>{1, 1}}});
  EXPECT_NE(step_shape(network(conv)).why_no_steps.find("'y0'"), std::string::npos);
  const Graph mean = one_node("ReduceMean", {x}, {}, {{"axes", std::vector<int64_t>{2}}});
  EXPECT_FALSE(step_shape(network(mean)).why_no_steps.empty());
  EXPECT_EQ(step_shape(network(one_node("Tanh", {x}, {}))).why_no_steps, "");
  const char* const last_beside_all =
      "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"tanh\"\nname = \"t\"\n[[layers]]\ntype = \"pool\"\nname = \"l\"\n"
      "kind = \"last\"\n";
  EXPECT_EQ(step_shape(drawn(last_beside_all)).why_no_steps, "");
  EXPECT_FALSE(step_shape(drawn(std::string(last_beside_all) + "[[layers]]\ntype = \"add\"\nfrom = [\"t\", \"l\"]\n"))
                   .why_no_steps.empty());
}

TEST(ArrayNodes, ShapesAreKnownBeforeARun) {
  // Reshape(x, Concat(Shape(x)[0], -1)), and a branch that a bound input chooses.
  Graph graph;
  graph.inputs = {port("x", {2, 3, 2}), port("rate", {}, ElementType::kInt)};
  graph.arrays = {
      {"zero", array_of_ints({1}, {0})}, {"rest", array_of_ints({1}, {-1})}, {"want", array_of_ints({}, {16000})}};
  const Node negative{.type = "Neg", .name = "n", .inputs = {"flat"}, .outputs = {"minus"}};
  const Node same{.type = "Identity", .name = "m", .inputs = {"flat"}, .outputs = {"plus"}};
  graph.nodes = {{.type = "Shape", .name = "a", .inputs = {"x"}, .outputs = {"shape"}},
                 {.type = "Gather", .name = "b", .inputs = {"shape", "zero"}, .outputs = {"first"}},
                 {.type = "Concat",
                  .name = "c",
                  .inputs = {"first", "rest"},
                  .outputs = {"wanted"},
                  .attributes = {{"axis", int64_t{0}}}},
                 {.type = "Reshape", .name = "d", .inputs = {"x", "wanted"}, .outputs = {"flat"}},
                 {.type = "Equal", .name = "e", .inputs = {"rate", "want"}, .outputs = {"is"}},
                 {.type = "If",
                  .name = "f",
                  .inputs = {"is"},
                  .outputs = {"y"},
                  .branches = {{negative}, {same}},
                  .branch_outputs = {{"minus"}, {"plus"}}}};
  graph.outputs = {port("y", {})};
  EXPECT_NE(error_of([&] { Plan(network(graph), {}); }).find("'f' (If)"), std::string::npos);
  bind_input(graph, "rate", array_of_ints({}, {16000}));
  Plan plan(network(graph), {});
  EXPECT_EQ(plan.outputs()[0].dims, (Dims{2, 6}));
  EXPECT_EQ(run(plan, std::vector<float>(12, 1.0F)), std::vector<float>(12, -1.0F));
  graph.arrays["rate"] = array_of_ints({}, {8000});
  Plan other(network(graph), {});
  EXPECT_EQ(run(other, std::vector<float>(12, 1.0F)), std::vector<float>(12, 1.0F));
}

TEST(ArrayNodes, WhatIsNotKnownIsNamed) {
  const auto problem = [](const Graph& graph) { return error_of([&] { Plan(network(graph), {}); }); };
  EXPECT_NE(problem(one_node("Sgimoid", {port("x", {1})}, {})).find("'node' (Sgimoid)"), std::string::npos);
  EXPECT_NE(problem(one_node("Relu", {port("x", {1})}, {}, {{"alpha", 1.0}})).find("'alpha'"), std::string::npos);
  EXPECT_NE(problem(one_node("Relu", {port("x", {-1})}, {})).find("'x'"), std::string::npos);
  Graph unused = one_node("Relu", {port("x", {1})}, {});
  unused.arrays["left"] = array({1}, {1});
  EXPECT_NE(problem(unused).find("'left'"), std::string::npos);
  Graph nan = one_node("Add", {port("x", {1})}, {{"c", array({1}, {std::nanf("")})}});
  EXPECT_NE(problem(nan).find("'c'"), std::string::npos);
  Graph large = one_node("Expand", {port("x", {1})}, {{"s", array_of_ints({3}, {1 << 20, 1 << 20, 1 << 20})}});
  EXPECT_NE(problem(large), "");
  EXPECT_NE(problem(one_node("Constant", {}, {})), "");
  Graph absent = one_node("InstanceNormalization", {port("x", {1, 2, 3})}, {});
  absent.nodes[0].inputs = {"x", "", ""};
  EXPECT_NE(problem(absent), "");
  Graph strides = one_node("Conv", {port("x", {1, 2, 3})}, {{"w", array({1, 2, 1}, {1, 1})}},
                           {{"strides", std::vector<int64_t>{}}});
  EXPECT_NE(problem(strides).find("strides"), std::string::npos);
}

}  // namespace
}  // namespace longhand::graph
