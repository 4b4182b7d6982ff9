// Outputs of onnxruntime's LSTM operator with variants of the cell, written by tools/make_onnx_fixtures.py, against the
// graph's node.
#include <algorithm>

#include "tests/fixture.h"
#include "tests/graph/graphs.h"

namespace longhand::graph {
namespace {

using testing::error_of;
using testing::Fixture;

// Blocks of `size` numbers in another order.
std::vector<float> blocks(const std::vector<float>& from, const std::vector<int64_t>& order) {
  const size_t size = from.size() / order.size();
  std::vector<float> out;
  for (const int64_t block : order) {
    const auto begin = from.begin() + block * static_cast<int64_t>(size);
    out.insert(out.end(), begin, begin + static_cast<int64_t>(size));
  }
  return out;
}

struct Case {
  explicit Case(const std::string& name) : fixture(name) {
    const std::vector<int64_t> extents = fixture.extents("x");
    T = extents[0], B = extents[1], I = extents[2];
    H = std::stoll(fixture.text("hidden"));
    D = fixture.text("bidirectional") == "true" ? 2 : 1;
  }

  // Of both directions, in ONNX's order of blocks.
  Array stacked(const std::string& what, const std::vector<int64_t>& order, Dims dims) const {
    std::vector<float> out;
    for (int64_t d = 0; d < D; ++d) {
      const std::string suffix = d == 0 ? "_l0" : "_l0_reverse";
      const std::vector<float> part = blocks(fixture.get(what + suffix), order);
      out.insert(out.end(), part.begin(), part.end());
      if (what != "bias_ih") continue;
      const std::vector<float> second = blocks(fixture.get("bias_hh" + suffix), order);
      out.insert(out.end(), second.begin(), second.end());
    }
    dims.insert(dims.begin(), D);
    return array(dims, out);
  }

  // The text of an option, "hard-sigmoid:0.25:0.5", as an ONNX function with its constants.
  void add_function(const std::string& option, std::vector<std::string>& names, std::vector<double>& alpha,
                    std::vector<double>& beta) const {
    std::string text = fixture.text(option);
    std::vector<double> constants;
    for (size_t colon = text.rfind(':'); colon != std::string::npos; colon = text.rfind(':')) {
      constants.insert(constants.begin(), std::stod(text.substr(colon + 1)));
      text.resize(colon);
    }
    text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
    names.push_back(text);
    if (!constants.empty()) alpha.push_back(constants[0]);
    if (constants.size() > 1) beta.push_back(constants[1]);
  }

  std::map<std::string, Attribute> attributes() const {
    std::vector<std::string> names;
    std::vector<double> alpha, beta;
    for (int64_t d = 0; d < D; ++d) {
      for (const char* option : {"gate-activation", "candidate-activation", "output-activation"}) {
        add_function(option, names, alpha, beta);
      }
    }
    return {{"activations", names},
            {"activation_alpha", alpha},
            {"activation_beta", beta},
            {"clip", std::stod(fixture.text("gate-clip"))},
            {"input_forget", int64_t{fixture.text("coupled-gates") == "true"}},
            {"direction", std::string(D == 2 ? "bidirectional" : "forward")}};
  }

  // The rows `first` to before `first + rows` of the batch, of `steps` steps.
  Graph graph(int64_t first, int64_t rows, int64_t steps, bool with_lengths) const {
    const std::vector<int64_t> gates = {0, 3, 1, 2};  // ONNX has i o f c
    Graph out;
    out.inputs = {{.name = "x", .dims = {steps, rows, I}}};
    out.outputs = {{.name = "y", .dims = {}}};
    out.arrays = {{"w", stacked("weight_ih", gates, {4 * H, I})},
                  {"r", stacked("weight_hh", gates, {4 * H, H})},
                  {"b", stacked("bias_ih", gates, {8 * H})}};
    for (const char* state : {"h0", "c0"}) {
      std::vector<float> picked;
      const std::vector<float> all = fixture.get(state);
      for (int64_t d = 0; d < D; ++d) {
        const auto begin = all.begin() + (d * B + first) * H;
        picked.insert(picked.end(), begin, begin + rows * H);
      }
      out.arrays[state] = array({D, rows, H}, picked);
    }
    Node node{.type = "LSTM", .name = "node", .inputs = {"x", "w", "r", "b", "", "h0", "c0"}, .outputs = {"y"}};
    node.attributes = attributes();
    if (with_lengths) {
      std::vector<int64_t> lengths;
      for (const float length : fixture.get("lengths")) lengths.push_back(static_cast<int64_t>(length));
      out.arrays["lengths"] = array_of_ints({B}, lengths);
      node.inputs[4] = "lengths";
    }
    if (fixture.text("peepholes") == "true") {
      out.arrays["p"] = stacked("weight_peephole", {0, 2, 1}, {3 * H});
      node.inputs.emplace_back("p");
    }
    out.nodes = {node};
    return out;
  }

  Fixture fixture;
  int64_t T = 0, B = 0, I = 0, H = 0, D = 1;
};

class CellVariants : public ::testing::TestWithParam<std::string> {};

TEST_P(CellVariants, AgreeOnRaggedBatches) {
  const Case c(GetParam());
  Plan plan(network(c.graph(0, c.B, c.T, true)), {});
  const std::vector<float> y = run(plan, c.fixture.get("x")), expected = c.fixture.get("y");
  ASSERT_EQ(y.size(), expected.size());
  for (int64_t i = 0; i < static_cast<int64_t>(y.size()); ++i) {
    const int64_t t = i / (c.D * c.B * c.H), d = i / (c.B * c.H) % c.D, b = i / c.H % c.B, j = i % c.H;
    EXPECT_NEAR(y[static_cast<size_t>(i)], expected[static_cast<size_t>(((t * c.B + b) * c.D + d) * c.H + j)], 2e-6);
  }
}

// One sequence of few steps takes the kernels for single steps, forward.
TEST_P(CellVariants, AgreeOnSingleSequences) {
  const Case c(GetParam());
  const std::vector<float> x = c.fixture.get("x"), expected = c.fixture.get("y"), lengths = c.fixture.get("lengths");
  for (int64_t b = 0; b < c.B; ++b) {
    const auto T = static_cast<int64_t>(lengths[static_cast<size_t>(b)]);
    std::vector<float> own;
    for (int64_t t = 0; t < T; ++t)
      own.insert(own.end(), x.begin() + (t * c.B + b) * c.I, x.begin() + (t * c.B + b + 1) * c.I);
    Plan plan(network(c.graph(b, 1, T, false)), {});
    const std::vector<float> y = run(plan, own);
    ASSERT_EQ(static_cast<int64_t>(y.size()), T * c.D * c.H);
    for (int64_t i = 0; i < T * c.D * c.H; ++i) {
      const int64_t t = i / (c.D * c.H), rest = i % (c.D * c.H);
      EXPECT_NEAR(y[static_cast<size_t>(i)], expected[static_cast<size_t>((t * c.B + b) * c.D * c.H + rest)], 2e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, CellVariants,
                         ::testing::Values("onnx_peepholes", "onnx_coupled", "onnx_clip", "onnx_hard_sigmoid",
                                           "onnx_relu", "onnx_affine", "onnx_elu", "onnx_everything"),
                         [](const auto& test) { return test.param; });

TEST(CellOptions, RefuseFunctionsAndConstantsThatTheyDoNotHave) {
  const Case c("onnx_clip");
  const auto refused = [&](const std::string& attribute, const Attribute& value, const std::string& message) {
    Graph graph = c.graph(0, c.B, c.T, true);
    graph.nodes[0].attributes[attribute] = value;
    EXPECT_NE(error_of([&] { Plan(network(graph), {}); }).find(message), std::string::npos) << attribute;
  };
  refused("activations", std::vector<std::string>{"Sigmoid", "Tanh"}, "functions, found 2");
  refused("activations", std::vector<std::string>(static_cast<size_t>(3 * c.D), "Gelu"), "'Gelu' is not known");
  refused("activation_alpha", std::vector<double>(9, 0.5), "constants for these functions, found 9");
  refused("clip", -1.0, "expected a bound of 0 or more");
}

}  // namespace
}  // namespace longhand::graph
