// Layers of networks over sequences: values, and the same bits in steps, in blocks and as one sequence.
#include <cmath>

#include "longhand/graph/stepper.h"
#include "tests/graph/graphs.h"

namespace longhand::graph {
namespace {

using testing::expect_close;
using testing::random_vector;

std::string layer(const std::string& size, const std::string& keys) {
  return "[[inputs]]\nsize = " + size + "\n[[layers]]\nname = \"a\"\n" + keys;
}

TEST(Layers, AConvolutionIsTheSumOverItsWindow) {
  struct Case {
    std::string padding;
    int64_t stride, dilation, groups, left, right;
  };
  const int64_t T = 9, C = 4, O = 6, K = 3;
  for (const Case& c :
       {Case{"\"causal\"", 1, 1, 1, 2, 0}, Case{"\"causal\"", 1, 2, 2, 4, 0}, Case{"\"same\"", 1, 1, 1, 1, 1},
        Case{"\"same\"", 2, 1, 2, 1, 1}, Case{"\"valid\"", 2, 2, 1, 0, 0}, Case{"[1, 2]", 1, 1, 2, 1, 2}}) {
    SCOPED_TRACE(c.padding + std::to_string(c.stride) + std::to_string(c.dilation) + std::to_string(c.groups));
    const auto of =
        drawn(layer("4", "type = \"conv1d\"\nunits = 6\nkernel = 3\npadding = " + c.padding +
                             "\nstride = " + std::to_string(c.stride) + "\ndilation = " + std::to_string(c.dilation) +
                             "\ngroups = " + std::to_string(c.groups)));
    const std::vector<float>& w = of->graph().arrays.at("a.weight").floats;
    const std::vector<float>& bias = of->graph().arrays.at("a.bias").floats;
    const std::vector<float> x = random_vector<float>(T * C, 1.0, 1);
    Plan plan(of, {.steps = T});
    const std::vector<float> y = run(plan, {x.begin(), x.begin() + T * C});
    const int64_t outs = (c.left + T + c.right - (K - 1) * c.dilation - 1) / c.stride + 1, own = C / c.groups;
    ASSERT_EQ(plan.outputs()[0].dims, (Dims{1, outs, O}));
    std::vector<double> expected;
    for (int64_t t = 0; t < outs; ++t) {
      for (int64_t o = 0; o < O; ++o) {
        double sum = static_cast<double>(bias[static_cast<size_t>(o)]);
        for (int64_t i = 0; i < own; ++i) {
          for (int64_t k = 0; k < K; ++k) {
            const int64_t at = t * c.stride + k * c.dilation - c.left;
            if (at < 0 || at >= T) continue;
            sum += static_cast<double>(w[static_cast<size_t>((o * own + i) * K + k)]) *
                   static_cast<double>(x[static_cast<size_t>(at * C + o / (O / c.groups) * own + i)]);
          }
        }
        expected.push_back(sum);
      }
    }
    expect_close(y, expected, outs * O, 1e-6, "outputs");  // a sum of at most 13 terms
    EXPECT_EQ(plan.why_whole().empty(), c.padding == "\"causal\"");
  }
}

TEST(Layers, AConvolutionWithinFramesPadsEachFrame) {
  // Frames of 3 numbers, reflected by 1 on each side, in windows of 3 with weights 1, 2, 4.
  Graph graph = with_drawn_weights(
      read_description(
          layer("3",
                "type = \"reshape\"\nshape = [3, 1]\n[[layers]]\nname = \"b\"\ntype = \"conv1d\"\nunits = 1\n"
                "kernel = 3\npadding = 1\nmode = \"reflect\"\nbias = false\n"),
          "test.toml"),
      1, "test");
  graph.arrays.at("b.weight").floats = {1.0F, 2.0F, 4.0F};
  Plan plan(network(graph), {.steps = 2});
  EXPECT_EQ(run(plan, {1, 10, 100, 2, 20, 200}), (std::vector<float>{52, 421, 250, 104, 842, 500}));
  EXPECT_EQ(plan.why_whole(), "");
}

// Many layers that keep something of the past, with sizes that are no multiples of a vector.
const char* const kDeep = R"(
[[inputs]]
size = 5
[[layers]]
type = "context"
size = 2
[[layers]]
type = "conv1d"
name = "c"
units = 9
kernel = 3
dilation = 2
padding = "causal"
[[layers]]
type = "leaky-relu"
[[layers]]
type = "lstm"
name = "r"
units = 19
layers = 2
projection = 7
residual = true
initial_state = true
[[layers]]
type = "layer-norm"
name = "n"
[[layers]]
type = "lstm"
name = "s"
units = 7
layer_norm = true
[[layers]]
type = "add"
name = "sum"
from = ["s", "n"]
[[layers]]
type = "gru"
name = "g"
units = 6
[[layers]]
type = "concat"
from = ["g", "sum", "input"]
[[layers]]
type = "linear"
name = "o"
units = 3
[[layers]]
type = "softmax"
)";

TEST(Layers, StepsBlocksAndWholeSequencesHaveTheSameBits) {
  testing::on_every_target([] {
    const auto of = drawn(kDeep);
    constexpr int64_t kSteps = 40;
    const std::vector<float> all = random_vector<float>(kSteps * 5, 2.0, 3);
    const std::vector<float> x(all.begin(), all.begin() + kSteps * 5);
    const std::vector<float> whole = in_blocks(of, x, kSteps, kSteps);
    for (const int64_t block : {1, 3, 16, 17}) {
      EXPECT_EQ(in_blocks(of, x, kSteps, block), whole) << "blocks of " << block;
    }
    Stepper stepper(of, 8);
    std::vector<float> y(whole.size());
    EXPECT_EQ(stepper.process(kSteps, x.data(), y.data()), kSteps);
    EXPECT_EQ(y, whole);
    stepper.reset();
    EXPECT_EQ(stepper.process(kSteps, x.data(), y.data()), kSteps);
    EXPECT_EQ(y, whole);
    for (const int threads : {2, 3}) {
      Plan plan(of, {.steps = kSteps, .threads = threads});
      EXPECT_EQ(run(plan, x), whole);
    }
  });
}

TEST(Layers, SequencesOfABatchAreIndependent) {
  const auto of = drawn(kDeep);
  const std::vector<float> x = random_vector<float>(3 * 6 * 5, 2.0, 4);
  Plan batch(of, {.batch = 3, .steps = 6});
  const std::vector<float> y = run(batch, {x.begin(), x.begin() + 90});
  for (int64_t b = 0; b < 3; ++b) {
    Plan one(of, {.steps = 6});
    EXPECT_EQ(run(one, {x.begin() + b * 30, x.begin() + (b + 1) * 30}),
              std::vector<float>(y.begin() + b * 18, y.begin() + (b + 1) * 18));
    std::vector<float> first(static_cast<size_t>(one.state_size())), second = first;
    one.get_state(0, first.data());
    batch.get_state(b, second.data());
    EXPECT_EQ(first, second);
  }
}

TEST(Layers, AnLstmHasTheValuesOfItsEquations) {
  const auto of = drawn(layer("3", "type = \"lstm\"\nunits = 5\n"));
  const auto at = [&](const char* name) { return of->graph().arrays.at(name).floats; };
  const std::vector<float> w_ih = at("a.weight_ih_l0"), w_hh = at("a.weight_hh_l0"), b_ih = at("a.bias_ih_l0"),
                           b_hh = at("a.bias_hh_l0"), x = random_vector<float>(12, 1.0, 5);
  std::vector<double> h(5, 0.0), c(5, 0.0), expected;
  for (size_t t = 0; t < 4; ++t) {
    std::vector<double> gates;
    for (size_t k = 0; k < 20; ++k) {
      double sum = static_cast<double>(b_ih[k]) + static_cast<double>(b_hh[k]);
      for (size_t i = 0; i < 3; ++i) sum += static_cast<double>(w_ih[k * 3 + i]) * static_cast<double>(x[t * 3 + i]);
      for (size_t i = 0; i < 5; ++i) sum += static_cast<double>(w_hh[k * 5 + i]) * h[i];
      gates.push_back(k / 5 == 2 ? std::tanh(sum) : 1.0 / (1.0 + std::exp(-sum)));
    }
    for (size_t j = 0; j < 5; ++j) {
      c[j] = gates[5 + j] * c[j] + gates[j] * gates[10 + j];
      h[j] = gates[15 + j] * std::tanh(c[j]);
    }
    expected.insert(expected.end(), h.begin(), h.end());
  }
  Plan plan(of, {.steps = 4});
  expect_close(run(plan, {x.begin(), x.begin() + 12}), expected, 20, 1e-6, "h");
}

TEST(Layers, DirectionsMergeAndReverseAsKerasSays) {
  const std::vector<float> all = random_vector<float>(5 * 3, 1.0, 6), x(all.begin(), all.begin() + 15);
  const auto outputs = [&](const std::string& keys) {
    Plan plan(drawn(layer("3", "type = \"lstm\"\nunits = 4\n" + keys)), {.steps = 5});
    return run(plan, x);
  };
  const std::vector<float> both = outputs("bidirectional = true\n");
  const std::vector<float> sum = outputs("bidirectional = true\nmerge = \"sum\"\n");
  const std::vector<float> mean = outputs("bidirectional = true\nmerge = \"ave\"\n");
  const std::vector<float> last = outputs("bidirectional = true\nreturn = \"last\"\n");
  ASSERT_EQ(both.size(), 40U);
  for (size_t t = 0; t < 5; ++t) {
    for (size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(sum[t * 4 + j], both[t * 8 + j] + both[t * 8 + 4 + j]);
      EXPECT_EQ(mean[t * 4 + j], 0.5F * sum[t * 4 + j]);
    }
  }
  for (size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(last[j], both[4 * 8 + j]);
    EXPECT_EQ(last[4 + j], both[4 + j]);
  }
  const std::vector<float> backwards = outputs("go_backwards = true\n");
  Plan turned(drawn("[[inputs]]\nsize = 3\n[[layers]]\ntype = \"reverse\"\n[[layers]]\nname = \"a\"\ntype = "
                    "\"lstm\"\nunits = 4\n"),
              {.steps = 5});
  EXPECT_EQ(run(turned, x), backwards);
}

TEST(Layers, PoolsNormsAndScalesHaveTheirValues) {
  const auto of = [](const std::string& keys, const std::vector<float>& x, int64_t steps) {
    Plan plan(drawn(layer("2", keys)), {.steps = steps});
    return run(plan, x);
  };
  const std::vector<float> x = {1, 8, 3, 4, 2, 6};
  EXPECT_EQ(of("type = \"pool\"\n", x, 3), (std::vector<float>{2, 6}));
  EXPECT_EQ(of("type = \"pool\"\nkind = \"mean\"\n", x, 3), (std::vector<float>{2, 6}));
  EXPECT_EQ(of("type = \"pool\"\nkind = \"max\"\n", x, 3), (std::vector<float>{3, 8}));
  EXPECT_EQ(of("type = \"max-pool1d\"\nkernel = 2\nstride = 1\n", x, 3), (std::vector<float>{3, 8, 3, 6}));
  EXPECT_EQ(of("type = \"avg-pool1d\"\nkernel = 2\nstride = 1\n", x, 3), (std::vector<float>{2, 6, 2.5, 5}));
  EXPECT_EQ(of("type = \"scale\"\nscale = [2, 10]\nshift = 1\n", x, 3), (std::vector<float>{3, 81, 7, 41, 5, 61}));
  EXPECT_EQ(of("type = \"slice\"\nstart = -1\n", x, 3), (std::vector<float>{8, 4, 6}));
  EXPECT_EQ(of("type = \"magnitude\"\n", {3, 4, -6, 8}, 2), (std::vector<float>{5, 10}));
  EXPECT_EQ(of("type = \"context\"\nsize = 1\n", x, 3), (std::vector<float>{0, 1, 8, 8, 3, 4, 4, 2, 6}));
  EXPECT_EQ(of("type = \"layer-norm\"\nepsilon = 0\n", {1, 3, 5, 1}, 2), (std::vector<float>{-1, 1, 1, -1}));
  EXPECT_EQ(of("type = \"hard-sigmoid\"\n", {-4, 1, 0, 9}, 2), (std::vector<float>{0, 0.7F, 0.5F, 1}));
  // Statistics that are drawn are mean 0 and variance 1.
  const std::vector<float> y = of("type = \"batch-norm\"\nepsilon = 3\n", {2, 4}, 1);
  EXPECT_EQ(y, (std::vector<float>{1, 2}));
  Graph attention =
      with_drawn_weights(read_description(layer("2", "type = \"pool\"\nkind = \"attention\"\n"), "t"), 1, "t");
  attention.arrays.at("a.query").floats = {0.0F, 0.0F};  // all steps alike
  Plan plan(network(attention), {.steps = 2});
  EXPECT_EQ(run(plan, {1, 8, 3, 4}), (std::vector<float>{2, 6}));
}

TEST(Layers, SymbolsAreRowsOfTablesOrOneHot) {
  const std::string input = "[[inputs]]\nsymbols = 5\n[[layers]]\n";
  const auto table = drawn(input + "type = \"embedding\"\nname = \"e\"\nsymbols = 5\nunits = 3\n");
  Plan plan(table, {.steps = 2});
  const std::vector<float>& rows = table->graph().arrays.at("e.weight").floats;
  EXPECT_EQ(run(plan, {4, 0}), (std::vector<float>{rows[12], rows[13], rows[14], rows[0], rows[1], rows[2]}));
  plan.inputs()[0].ints[0] = 5;
  EXPECT_FALSE(plan.run());
  EXPECT_NE(plan.fault().find("'e'"), std::string::npos) << plan.fault();
  const auto hot =
      drawn(input + "type = \"one-hot\"\nclasses = 5\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 4\n");
  std::vector<float> symbols;
  for (int i = 0; i < 20; ++i) symbols.push_back(static_cast<float>(i * 7 % 5));
  const std::vector<float> whole = in_blocks(hot, symbols, 20, 20);
  EXPECT_EQ(in_blocks(hot, symbols, 20, 1), whole);
  // The same by dense rows of zeros and ones.
  Graph dense = hot->graph();
  dense.nodes.erase(dense.nodes.begin());
  dense.nodes[0].inputs = {"input"};
  dense.inputs[0] = {.name = "input", .dims = {-1, -1, 5}, .batch_axis = 0, .time_axis = 1};
  std::vector<float> x(100, 0.0F);
  for (size_t i = 0; i < 20; ++i) x[i * 5 + static_cast<size_t>(symbols[i])] = 1.0F;
  Plan rows_plan(network(dense), {.steps = 20});
  expect_close(run(rows_plan, x), whole, 80, 1e-6, "dense");
  Stepper stepper(hot);
  EXPECT_EQ(stepper.shape().symbols, 5);
  const int32_t some[] = {1, 2, 5, 3};
  std::vector<float> y(16);
  EXPECT_EQ(stepper.process(4, some, y.data()), 2);
}

TEST(Layers, WhatReadsAheadSaysSo) {
  EXPECT_NE(step_shape(drawn(layer("2", "type = \"lstm\"\nunits = 2\nbidirectional = true\n"))).why_no_steps, "");
  EXPECT_NE(step_shape(drawn(layer("2", "type = \"pool\"\nkind = \"mean\"\n"))).why_no_steps, "");
  EXPECT_NE(step_shape(drawn(layer("2", "type = \"reverse\"\n"))).why_no_steps, "");
  const StepShape several = step_shape(drawn(layer("2", "type = \"conv1d\"\nunits = 2\nkernel = 3\n")));
  EXPECT_NE(several.why_no_steps, "");
  EXPECT_EQ(several.inputs, 2);
  EXPECT_EQ(step_shape(drawn(layer("2", "type = \"lstm\"\nunits = 2\nreturn = \"last\"\n"))).why_no_steps, "");
}

}  // namespace
}  // namespace longhand::graph
