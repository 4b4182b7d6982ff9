// ONNX graphs composed here: what opsets mean otherwise, axes, states, written-out cells, and what is refused.
#include "longhand/base/error.h"
#include "tests/convert/compose_onnx.h"

namespace longhand::convert {
namespace {

TEST(SmallOnnx, SoftmaxBeforeOpset13IsOverAllThatFollows) {
  const std::string graph = op("Softmax", {"x"}, {"y"}) + in("x", {"1", "2", "2"}) + out("y", {"1", "2", "2"});
  const std::vector<float> x = {0.0F, 0.0F, 0.0F, 0.0F};
  expect_close("opset 11", run_once(import_graph(graph, 11), x), {0.25F, 0.25F, 0.25F, 0.25F}, 1e-7);
  expect_close("opset 13", run_once(import_graph(graph, 13), x), {0.5F, 0.5F, 0.5F, 0.5F}, 1e-7);
}

TEST(SmallOnnx, AttributesThatBecameInputs) {
  const std::string ports = in("x", {"1", "3"}) + out("y", {"3"});
  const std::string before = op("Clip", {"x"}, {"c"}, real("min", -1.0F) + real("max", 1.0F)) +
                             op("Dropout", {"c"}, {"d", "mask"}, real("ratio", 0.5F)) +
                             op("Squeeze", {"d"}, {"y"}, list("axes", {0}));
  const std::string after = op("Clip", {"x", "low", "high"}, {"c"}) + op("Dropout", {"c", "ratio"}, {"d"}) +
                            op("Squeeze", {"d", "axes"}, {"y"}) + floats("low", {}, {-1.0F}) +
                            floats("high", {}, {1.0F}) + floats("ratio", {}, {0.5F}) + wholes("axes", {1}, {0});
  const std::vector<float> x = {-3.0F, 0.5F, 2.0F}, expected = {-1.0F, 0.5F, 1.0F};
  EXPECT_EQ(run_once(import_graph(before + ports, 9), x), expected);
  EXPECT_EQ(run_once(import_graph(after + ports, 14), x), expected);
}

TEST(SmallOnnx, IfWithAConstantCondition) {
  const std::string yes = op("Relu", {"x"}, {"a"}) + out("a", {"2"}), no = op("Neg", {"x"}, {"b"}) + out("b", {"2"});
  const auto graph = [&](int64_t rank) {
    return op("Shape", {"x"}, {"s"}) + op("Size", {"s"}, {"n"}) + op("Equal", {"n", "k"}, {"c"}) +
           op("If", {"c"}, {"y"}, branch("then_branch", yes) + branch("else_branch", no)) + wholes("k", {}, {rank}) +
           in("x", {"2"}) + out("y", {"2"});
  };
  EXPECT_EQ(run_once(import_graph(graph(1), 15), {-1.0F, 2.0F}), (std::vector<float>{0.0F, 2.0F}));
  EXPECT_EQ(run_once(import_graph(graph(2), 15), {-1.0F, 2.0F}), (std::vector<float>{1.0F, -2.0F}));
}

// X [T, B, 2]; both free.
std::string lstm_graph(const std::string& direction_rest = "") {
  return op("LSTM", {"x", "w", "r"}, {"y"}, whole("hidden_size", 2) + direction_rest) + in("x", {"a", "b", "2"}) +
         out("y", {"a", "1", "b", "2"}) + floats("w", {1, 8, 2}, some(16, 0.1F)) +
         floats("r", {1, 8, 2}, some(16, 0.15F));
}

TEST(SmallOnnx, AxesAreFoundByRunning) {
  const Imported imported = import_graph(lstm_graph(), 14);
  EXPECT_TRUE(notes_have(imported, "axis 0 of the inputs is time"));
  EXPECT_TRUE(notes_have(imported, "axis 1 of the inputs is of a batch"));
  EXPECT_EQ(imported.graph.inputs[0].time_axis, 0);
  EXPECT_EQ(imported.graph.inputs[0].batch_axis, 1);
  const std::vector<float> x = some(12, 0.3F);
  EXPECT_EQ(run_blocks(imported, x, 6, 1), run_whole(imported, x, 6));
  const std::string words =
      proto::bytes(5, proto::bytes(1, "direction") + proto::bytes(4, "reverse") + proto::integer(20, 3));
  const Imported reverse = import_graph(lstm_graph(words), 14);
  EXPECT_TRUE(notes_have(reverse, "axis 0 of the inputs is time, read as a whole"));
}

// Whose outputs hardly change with inputs near 1, since it was made for large ones.
TEST(SmallOnnx, AnAxisOfTimeIsNoBatchHoweverLittleShows) {
  const std::string small = op("LSTM", {"x", "w", "r"}, {"y"}, whole("hidden_size", 2)) + in("x", {"n", "1", "2"}) +
                            out("y", {"n", "1", "1", "2"}) + floats("w", {1, 8, 2}, some(16, 1e-7F)) +
                            floats("r", {1, 8, 2}, some(16, 0.15F));
  EXPECT_TRUE(notes_have(import_graph(small, 14), "axis 0 of the inputs is time: steps"));
  const std::string saturated = op("LSTM", {"x", "w", "r"}, {"h"}, whole("hidden_size", 2)) +
                                op("Squeeze", {"h", "axes"}, {"s"}) + op("MatMul", {"s", "o"}, {"m"}) +
                                op("Add", {"m", "b"}, {"a"}) + op("Sigmoid", {"a"}, {"y"}) + in("x", {"n", "1", "2"}) +
                                out("y", {"n", "1", "1"}) + floats("w", {1, 8, 2}, some(16, 0.1F)) +
                                floats("r", {1, 8, 2}, some(16, 0.15F)) + floats("o", {2, 1}, {1.0F, -1.0F}) +
                                floats("b", {1}, {-11.0F}) + wholes("axes", {1}, {1});
  EXPECT_TRUE(notes_have(import_graph(saturated, 14), "axis 0 of the inputs is time: steps"));
}

TEST(SmallOnnx, TwoAxesOfIndependentRowsAreABatchAndTime) {
  const std::string graph = op("MatMul", {"x", "w"}, {"y"}) + in("x", {"a", "b", "2"}) + out("y", {"a", "b", "2"}) +
                            floats("w", {2, 2}, {1, 2, 3, 4});
  const Imported imported = import_graph(graph, 14);
  EXPECT_EQ(imported.graph.inputs[0].batch_axis, 0);
  EXPECT_EQ(imported.graph.inputs[0].time_axis, 1);
}

TEST(SmallOnnx, SoundAndCountersAreNoStates) {
  const auto graph = [](const Texts& inputs, const Texts& outputs, int type) {
    std::string all;
    for (size_t i = 0; i < inputs.size(); ++i) {
      all += op("Add", {inputs[i], inputs[1 - i]}, {outputs[i]}) + in(inputs[i], {"2"}, type) +
             out(outputs[i], {"2"}, type);
    }
    return all;
  };
  const Imported sound = import_graph(graph({"audio_in", "buf_in"}, {"audio_out", "buf_out"}, 1), 14);
  EXPECT_TRUE(notes_have(sound, "output 'buf_out' [2] is the state that input 'buf_in' begins with"));
  EXPECT_EQ(sound.graph.inputs[0].name, "audio_in");
  const Imported unclear = import_graph(graph({"p_in", "q_in"}, {"p_out", "q_out"}, 1), 14);
  EXPECT_TRUE(notes_have(unclear, "'p_in' and 'q_in' could both be one (--state says which)"));
  EXPECT_TRUE(unclear.graph.states.empty());
  EXPECT_TRUE(import_graph(graph({"p", "n_in"}, {"s", "n_out"}, 7), 14).graph.states.empty());
  ImportOptions options;
  options.states = {{"q_in", "q_out"}};
  EXPECT_EQ(import_graph(graph({"p_in", "q_in"}, {"p_out", "q_out"}, 1), 14, options).graph.states.size(), 1U);
  options = {.no_states = true};
  EXPECT_TRUE(
      import_graph(graph({"audio_in", "buf_in"}, {"audio_out", "buf_out"}, 1), 14, options).graph.states.empty());
}

TEST(SmallOnnx, StatesByNameAreTakenOrGiven) {
  const std::string graph = op("Add", {"x", "memory_in"}, {"memory_out"}) + op("Neg", {"memory_out"}, {"y"}) +
                            in("x", {"2"}) + in("memory_in", {"2"}) + out("y", {"2"}) + out("memory_out", {"2"});
  const Imported named = import_graph(graph, 14);
  EXPECT_TRUE(notes_have(named, "output 'memory_out' [2] is the state that input 'memory_in' begins with"));
  EXPECT_EQ(run_blocks(named, {1, 2, 3, 4, 5, 6}, 3, 1), (std::vector<float>{-1, -2, -4, -6, -9, -12}));
  const std::string other = op("Add", {"x", "p"}, {"q"}) + op("Neg", {"q"}, {"y"}) + in("x", {"2"}) + in("p", {"2"}) +
                            out("y", {"2"}) + out("q", {"2"});
  EXPECT_EQ(import_graph(other, 14).graph.states.size(), 0U);
  ImportOptions options;
  options.states = {{"p", "q"}};
  EXPECT_EQ(import_graph(other, 14, options).graph.states.size(), 1U);
  options.states = {{"p", "z"}};
  EXPECT_THROW(import_graph(other, 14, options), Error);
}

// Gates in the order o i g f, and 1 added to f before its sigmoid.
TEST(SmallOnnx, TheOnlyOutputIsNoState) {
  const Imported imported =
      import_graph(op("LSTM", {"x", "w", "r", "", "", "h"}, {"", "y_h"}, whole("hidden_size", 1)) +
                       floats("w", {1, 4, 1}, {1, 1, 1, 1}) + floats("r", {1, 4, 1}, {1, 1, 1, 1}) +
                       in("x", {"1", "1", "1"}) + in("h", {"1", "1", "1"}) + out("y_h", {"1", "1", "1"}),
                   14);
  EXPECT_TRUE(imported.graph.states.empty());
  EXPECT_EQ(imported.graph.inputs.size(), 2U);
  EXPECT_EQ(imported.graph.outputs.size(), 1U);
}

TEST(SmallOnnx, WrittenOutCellsOfAnyOrder) {
  const std::vector<float> w = some(16, 0.1F), r = some(16, -0.12F), b = some(8, 0.05F);
  const std::string graph =
      op("MatMul", {"x", "w"}, {"xw"}) + op("MatMul", {"h", "r"}, {"hr"}) + op("Add", {"b", "xw"}, {"s"}) +
      op("Add", {"hr", "s"}, {"a"}) + op("Split", {"a"}, {"ao", "ai", "ag", "af"}, whole("axis", 1)) +
      op("Add", {"af", "one"}, {"af1"}) + op("Sigmoid", {"ai"}, {"i"}) + op("Sigmoid", {"af1"}, {"f"}) +
      op("Sigmoid", {"ao"}, {"o"}) + op("Tanh", {"ag"}, {"g"}) + op("Mul", {"c", "f"}, {"fc"}) +
      op("Mul", {"g", "i"}, {"ig"}) + op("Add", {"ig", "fc"}, {"cn"}) + op("Tanh", {"cn"}, {"t"}) +
      op("Mul", {"t", "o"}, {"hn"}) + op("Identity", {"hn"}, {"y"}) + floats("w", {2, 8}, w) + floats("r", {2, 8}, r) +
      floats("b", {8}, b) + floats("one", {}, {1.0F}) + in("x", {"1", "2"}) + in("h", {"1", "2"}) +
      in("c", {"1", "2"}) + out("y", {"1", "2"}) + out("hn", {"1", "2"}) + out("cn", {"1", "2"});
  const Imported imported = import_graph(graph, 14);
  // Both factors have two columns, and nothing tells which is h: it is left as it is written.
  const std::vector<float> x = some(6, 0.4F);
  std::vector<float> h(2), c(2), expected;
  const auto sigmoid = [](float v) { return 1.0F / (1.0F + std::exp(-v)); };
  for (size_t step = 0; step < 3; ++step) {
    float a[8];
    for (size_t k = 0; k < 8; ++k) {
      a[k] = b[k];
      for (size_t j = 0; j < 2; ++j) a[k] += x[2 * step + j] * w[8 * j + k] + h[j] * r[8 * j + k];
    }
    for (size_t k = 0; k < 2; ++k) {
      c[k] = sigmoid(a[6 + k] + 1.0F) * c[k] + sigmoid(a[2 + k]) * std::tanh(a[4 + k]);
      h[k] = sigmoid(a[k]) * std::tanh(c[k]);
      expected.push_back(h[k]);
    }
  }
  expect_close("as written", run_blocks(imported, x, 3, 1), expected, 1e-6);
  // With three inputs, the cell is told by its shapes.
  std::string wide = graph;
  const std::vector<float> w3 = some(24, 0.1F);
  const auto replace = [&](const std::string& from, const std::string& to) {
    const size_t at = wide.find(from);
    ASSERT_NE(at, std::string::npos);
    wide.replace(at, from.size(), to);
  };
  replace(floats("w", {2, 8}, w), floats("w", {3, 8}, w3));
  replace(in("x", {"1", "2"}), in("x", {"1", "3"}));
  const Imported cell = import_graph(wide, 14);
  EXPECT_TRUE(notes_have(cell, "are an LSTM cell of 2 units"));
  const std::vector<float> x3 = some(9, 0.4F);
  h = c = {0.0F, 0.0F};
  expected.clear();
  for (size_t step = 0; step < 3; ++step) {
    float a[8];
    for (size_t k = 0; k < 8; ++k) {
      a[k] = b[k];
      for (size_t j = 0; j < 3; ++j) a[k] += x3[3 * step + j] * w3[8 * j + k];
      for (size_t j = 0; j < 2; ++j) a[k] += h[j] * r[8 * j + k];
    }
    for (size_t k = 0; k < 2; ++k) {
      c[k] = sigmoid(a[6 + k] + 1.0F) * c[k] + sigmoid(a[2 + k]) * std::tanh(a[4 + k]);
      h[k] = sigmoid(a[k]) * std::tanh(c[k]);
      expected.push_back(h[k]);
    }
  }
  expect_close("as an LSTM", run_blocks(cell, x3, 3, 1), expected, 1e-6);
}

TEST(SmallOnnx, RefusesByName) {
  const std::string ports = in("x", {"2"}) + out("y", {"2"});
  expect_refused(op("NonMaxSuppression", {"x"}, {"y"}) + ports, "node 'my NonMaxSuppression' (NonMaxSuppression)");
  expect_refused(op("lstm", {"x"}, {"y"}) + ports, "'my lstm'");
  expect_refused(op("Relu", {"x"}, {"y"}, whole("strange", 1)) + ports, "'strange'");
  expect_refused(op("Relu", {"x"}, {"y"}, proto::bytes(7, "com.example")) + ports, "'my Relu'");
  expect_refused(op("Relu", {"z"}, {"y"}) + ports, "'z'");
  expect_refused(op("Relu", {"y"}, {"y"}) + ports, "'y'");
  expect_refused(op("Cast", {"x"}, {"y"}, whole("to", 8)) + ports, "'my Cast'");
  expect_refused(op("Dropout", {"x"}, {"y", "m"}) + op("Neg", {"m"}, {"n"}) + ports + out("n", {"2"}), "mask");
  expect_refused(op("Add", {"x", "w"}, {"y"}) + floats("w", {1}, {std::nanf("")}) + ports, "finite");
  const Imported unused = import_graph(op("Relu", {"x"}, {"y"}) + floats("w", {2, 1}, {1.0F, 2.0F}) + ports, 14);
  EXPECT_TRUE(notes_have(unused, "no output needs 'w': left out"));
}

}  // namespace
}  // namespace longhand::convert
