// What exporters write around recurrent layers, and where a wrong answer would look like a right one.
#include <limits>

#include "longhand/convert/verify.h"
#include "tests/convert/compose_onnx.h"

namespace longhand::convert {
namespace {

std::string bytes_array(const std::string& name, int type, const std::vector<int>& shape, const std::string& raw) {
  return proto::bytes(5, proto::tensor(name, type, shape, proto::bytes(9, raw)));
}

std::vector<int64_t> run_ints(const Imported& imported, const std::vector<float>& x) {
  graph::Plan plan = plan_of(imported);
  fill(plan.inputs().at(0), x.data());
  EXPECT_TRUE(plan.run()) << plan.fault();
  const graph::Plan::View& y = plan.outputs().at(0);
  return {y.ints, y.ints + graph::count(y.dims)};
}

// The number of outputs says into how many parts an array is split, whether or not all of them are used.
TEST(OnnxOperators, SplitWithAPartThatNobodyUses) {
  const std::string ports = in("x", {"1", "6"}) + out("y", {"1", "2"});
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  const std::string equal = op("Split", {"x"}, {"a", "b", "c"}, whole("axis", 1)) + op("Add", {"a", "b"}, {"y"});
  EXPECT_EQ(run_once(import_graph(equal + ports, 13), x), (std::vector<float>{4, 6}));
  const std::string numbered =
      op("Split", {"x"}, {"a", "b", "c"}, whole("axis", 1) + whole("num_outputs", 3)) + op("Identity", {"b"}, {"y"});
  EXPECT_EQ(run_once(import_graph(numbered + ports, 18), x), (std::vector<float>{3, 4}));
  const std::string sized =
      op("Split", {"x"}, {"a", "b", "c"}, whole("axis", 1) + list("split", {2, 3, 1})) + op("Neg", {"a"}, {"y"});
  EXPECT_EQ(run_once(import_graph(sized + ports, 11), x), (std::vector<float>{-1, -2}));
}

TEST(OnnxOperators, SliceWithoutAxesIsOfTheFirstAxes) {
  const std::string graph = op("Slice", {"x", "begin", "end"}, {"y"}) + wholes("begin", {2}, {0, 1}) +
                            wholes("end", {2}, {1, 3}) + in("x", {"2", "3"}) + out("y", {"1", "2"});
  EXPECT_EQ(run_once(import_graph(graph, 13), {1, 2, 3, 4, 5, 6}), (std::vector<float>{2, 3}));
}

TEST(OnnxOperators, RemainderHasTheSignThatFmodSays) {
  const std::string ports = in("x", {"2"}) + out("y", {"2"}) + floats("d", {2}, {3.0F, -3.0F});
  const std::vector<float> x = {-4.0F, 4.0F};
  EXPECT_EQ(run_once(import_graph(op("Mod", {"x", "d"}, {"y"}) + ports, 26), x), (std::vector<float>{2, -2}));
  EXPECT_EQ(run_once(import_graph(op("Mod", {"x", "d"}, {"y"}, whole("fmod", 1)) + ports, 13), x),
            (std::vector<float>{-1, 1}));
  const std::string whole_ports = in("x", {"2"}, 7) + out("y", {"2"}, 7) + wholes("d", {2}, {3, -3});
  EXPECT_EQ(run_ints(import_graph(op("Mod", {"x", "d"}, {"y"}) + whole_ports, 13), x), (std::vector<int64_t>{2, -2}));
  EXPECT_EQ(run_ints(import_graph(op("Mod", {"x", "d"}, {"y"}, whole("fmod", 1)) + whole_ports, 13), x),
            (std::vector<int64_t>{-1, 1}));
}

TEST(OnnxOperators, DropoutThatTrainsIsRefused) {
  const auto graph = [](int training) {
    return op("Dropout", {"x", "ratio", "training"}, {"y"}) + floats("ratio", {}, {0.5F}) +
           bytes_array("training", 9, {}, std::string(1, static_cast<char>(training))) + in("x", {"2"}) +
           out("y", {"2"});
  };
  expect_refused(graph(1), "training_mode");
  EXPECT_EQ(run_once(import_graph(graph(0), 13), {1, 2}), (std::vector<float>{1, 2}));
}

// A mask before a softmax is of zeros and minus infinity; weights that are not finite are refused.
TEST(OnnxOperators, MasksMayBeInfinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::string graph = op("Add", {"x", "mask"}, {"m"}) + op("Softmax", {"m"}, {"y"}, whole("axis", -1)) +
                            floats("mask", {3}, {0.0F, -infinity, 0.0F}) + in("x", {"1", "3"}) + out("y", {"1", "3"});
  EXPECT_EQ(run_once(import_graph(graph, 13), {1, 5, 1}), (std::vector<float>{0.5F, 0.0F, 0.5F}));
  const std::string weights = op("Mul", {"x", "w"}, {"y"}) + in("x", {"1", "3"}) + out("y", {"1", "3"});
  expect_refused(weights + floats("w", {3}, {1.0F, infinity, 0.0F}), "finite");
  expect_refused(weights + floats("w", {3}, {0.0F, std::nanf(""), 0.0F}), "finite");
}

TEST(OnnxOperators, LogOfSumsOfLargeExponentials) {
  const std::string graph = op("ReduceLogSumExp", {"x"}, {"y"}, list("axes", {1}) + whole("keepdims", 0)) +
                            in("x", {"2", "2"}) + out("y", {"2"});
  expect_close("log-sum-exp", run_once(import_graph(graph, 13), {1000.0F, 1000.0F, -1000.0F, -1000.0F}),
               {1000.693147F, -999.306853F}, 1e-4);
}

TEST(OnnxOperators, Indexes) {
  const std::vector<float> x = {3, 1, 3, 2, 7, 7};
  const std::string matrix = in("x", {"2", "3"});
  const auto ints = [&](const std::string& graph) { return run_ints(import_graph(graph + matrix, 13), x); };
  const std::string top = op("ArgMax", {"x"}, {"y"}, whole("axis", 1) + whole("keepdims", 0)) + out("y", {"2"}, 7);
  EXPECT_EQ(ints(top), (std::vector<int64_t>{0, 1}));
  const std::string last =
      op("ArgMax", {"x"}, {"y"}, whole("axis", 1) + whole("keepdims", 0) + whole("select_last_index", 1)) +
      out("y", {"2"}, 7);
  EXPECT_EQ(ints(last), (std::vector<int64_t>{2, 2}));
  const std::string two =
      op("TopK", {"x", "k"}, {"v", "y"}, whole("axis", 1)) + wholes("k", {1}, {2}) + out("y", {"2", "2"}, 7);
  EXPECT_EQ(ints(two), (std::vector<int64_t>{0, 2, 1, 2}));
  // Lengths are sorted, too.
  const std::string lengths = op("TopK", {"n", "k"}, {"v", "y"}) + wholes("k", {1}, {3}) + in("n", {"3"}, 7);
  EXPECT_EQ(run_ints(import_graph(lengths + out("y", {"3"}, 7), 13), {4, 11, 8}), (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(run_ints(import_graph(lengths + out("v", {"3"}, 7), 13), {4, 11, 8}), (std::vector<int64_t>{11, 8, 4}));
  const auto reals = [&](const std::string& graph) { return run_once(import_graph(graph + matrix, 13), x); };
  EXPECT_EQ(reals(op("GatherElements", {"x", "i"}, {"y"}, whole("axis", 1)) + wholes("i", {2, 1}, {-2, 0}) +
                  out("y", {"2", "1"})),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(
      reals(op("CumSum", {"x", "axis"}, {"y"}, whole("exclusive", 1)) + wholes("axis", {}, {1}) + out("y", {"2", "3"})),
      (std::vector<float>{0, 3, 4, 0, 2, 9}));
  EXPECT_EQ(reals(op("Trilu", {"x", "k"}, {"y"}, whole("upper", 0)) + wholes("k", {}, {-1}) + out("y", {"2", "3"})),
            (std::vector<float>{0, 0, 0, 2, 0, 0}));
  EXPECT_EQ(reals(op("ReverseSequence", {"x", "n"}, {"y"}, whole("batch_axis", 0) + whole("time_axis", 1)) +
                  wholes("n", {2}, {2, 3}) + out("y", {"2", "3"})),
            (std::vector<float>{1, 3, 3, 7, 7, 2}));
  const std::string rows = op("OneHot", {"x", "n", "v"}, {"y"}) + wholes("n", {}, {3}) +
                           floats("v", {2}, {0.0F, 1.0F}) + in("x", {"2"}, 7) + out("y", {"2", "3"});
  EXPECT_EQ(run_once(import_graph(rows, 13), {2, 0}), (std::vector<float>{0, 0, 1, 1, 0, 0}));
}

// As onnxruntime's dynamic quantisation writes a linear layer: the input rounded to uint8 with the scale of the run.
TEST(OnnxOperators, LinearLayersOfEightBits) {
  const std::string graph =
      op("DynamicQuantizeLinear", {"x"}, {"q", "s", "z"}) + op("MatMulInteger", {"q", "w", "z", "wz"}, {"i"}) +
      op("Cast", {"i"}, {"f"}, whole("to", 1)) + op("Mul", {"s", "ws"}, {"scale"}) + op("Mul", {"f", "scale"}, {"y"}) +
      bytes_array("w", 2, {2, 2}, std::string("\x80\x82\x7e\x81", 4)) + bytes_array("wz", 2, {}, "\x80") +
      floats("ws", {}, {0.5F}) + in("x", {"1", "2"}) + out("y", {"1", "2"});
  // Scale 255 / 255: x is exact. W - 128 = [0, 2; -2, 1], times 0.5.
  expect_close("y", run_once(import_graph(graph, 13), {-55.0F, 200.0F}), {-200.0F, 45.0F}, 1e-4);
  const std::string rounded = op("QuantizeLinear", {"x", "s", "z"}, {"q"}) +
                              op("DequantizeLinear", {"q", "s", "z"}, {"y"}) + floats("s", {}, {0.5F}) +
                              bytes_array("z", 3, {}, "\x01") + in("x", {"4"}) + out("y", {"4"});
  // int8, from -128 to 127, half to even: 0.25 / 0.5 is 0.5, which is 0.
  EXPECT_EQ(run_once(import_graph(rounded, 13), {0.25F, 0.75F, 1000.0F, -1000.0F}),
            (std::vector<float>{0.0F, 1.0F, 63.0F, -64.5F}));
}

// Exporters make the zeros that sequences begin with as many as the input's shape says.
TEST(OnnxOperators, ZerosOfTheShapeOfTheInputAreNoReasonToBeginAnew) {
  const std::string graph = op("Shape", {"x"}, {"s"}) + op("Gather", {"s", "one"}, {"b"}) +
                            op("Concat", {"first", "b", "h"}, {"dims"}, whole("axis", 0)) +
                            op("ConstantOfShape", {"dims"}, {"h0"}) +
                            op("LSTM", {"x", "w", "r", "", "", "h0", "h0"}, {"y"}, whole("hidden_size", 2)) +
                            in("x", {"a", "b", "2"}) + out("y", {"a", "1", "b", "2"}) +
                            floats("w", {1, 8, 2}, some(16, 0.1F)) + floats("r", {1, 8, 2}, some(16, 0.15F)) +
                            wholes("one", {1}, {1}) + wholes("first", {1}, {1}) + wholes("h", {1}, {2});
  const Imported imported = import_graph(graph, 14);
  EXPECT_TRUE(notes_have(imported, "axis 0 of the inputs is time"));
  const std::vector<float> x = some(12, 0.3F);
  EXPECT_EQ(run_blocks(imported, x, 6, 2), run_whole(imported, x, 6));
}

// An input and an output of like names and with a time axis are no state: two channels of sound, for example.
TEST(OnnxOperators, SequencesAreNoStates) {
  const std::string graph = op("Relu", {"left_in"}, {"left_out"}) + op("Neg", {"right_in"}, {"right_out"}) +
                            in("left_in", {"b", "t"}) + in("right_in", {"b", "t"}) + out("left_out", {"b", "t"}) +
                            out("right_out", {"b", "t"});
  const Imported imported = import_graph(graph, 14);
  EXPECT_TRUE(imported.graph.states.empty());
  EXPECT_EQ(imported.graph.inputs.size(), 2U);
}

// A convolution needs several steps to run at all; the rows of its batch are found all the same.
TEST(OnnxOperators, BatchOfANetworkThatNeedsSeveralSteps) {
  const std::string graph = op("Conv", {"x", "w"}, {"y"}) + floats("w", {1, 2, 3}, some(6, 0.2F)) +
                            in("x", {"n", "2", "t"}) + out("y", {"n", "1", "u"});
  const Imported imported = import_graph(graph, 14);
  EXPECT_TRUE(notes_have(imported, "axis 0 of the inputs is of a batch"));
}

// Lengths have no time axis; the sequences beside them have.
TEST(OnnxOperators, SequencesWithLengths) {
  const std::string graph = op("LSTM", {"x", "w", "r", "", "n"}, {"y"}, whole("hidden_size", 2)) +
                            in("x", {"t", "batch", "2"}) + in("n", {"batch"}, 6) + out("y", {"t", "1", "batch", "2"}) +
                            floats("w", {1, 8, 2}, some(16, 0.1F)) + floats("r", {1, 8, 2}, some(16, 0.15F));
  const Imported imported = import_graph(graph, 14);
  EXPECT_EQ(imported.graph.inputs[0].time_axis, 0);
  EXPECT_EQ(imported.graph.inputs[1].time_axis, -1);
}

// b i k, b j k -> b i j and the like, by letters.
TEST(OnnxOperators, EinsumByLetters) {
  const auto words = [](const std::string& equation) {
    return proto::bytes(5, proto::bytes(1, "equation") + proto::bytes(4, equation) + proto::integer(20, 3));
  };
  const std::string ports = in("x", {"2", "2"}) + floats("w", {2, 2}, {1, 10, 100, 1000});
  const auto run = [&](const std::string& equation, const Texts& shape) {
    return run_once(import_graph(op("Einsum", {"x", "w"}, {"y"}, words(equation)) + ports + out("y", shape), 13),
                    {1, 2, 3, 4});
  };
  EXPECT_EQ(run("ik,kj->ij", {"2", "2"}), (std::vector<float>{201, 2010, 403, 4030}));
  EXPECT_EQ(run("ik, jk -> ji", {"2", "2"}), (std::vector<float>{21, 43, 2100, 4300}));
  EXPECT_EQ(run("ij,ij->i", {"2"}), (std::vector<float>{21, 4300}));
  EXPECT_EQ(run("ij,kj", {"2", "2"}), (std::vector<float>{21, 2100, 43, 4300}));  // the result: i k
  EXPECT_EQ(run("ii,kk->", {}), (std::vector<float>{5005}));
  EXPECT_NE(error_of([&] { run("...k,kj->...j", {"2", "2"}); }).find("'my Einsum'"), std::string::npos);
}

TEST(OnnxOperators, TransposedConvolution) {
  const std::string graph = op("ConvTranspose", {"x", "w", "b"}, {"y"}, list("strides", {2}) + list("pads", {1, 0})) +
                            floats("w", {1, 1, 3}, {1, 10, 100}) + floats("b", {1}, {0.5F}) + in("x", {"1", "1", "2"}) +
                            out("y", {"1", "1", "4"});
  // 1 10 100, and 2 20 200 two places later, without the first.
  EXPECT_EQ(run_once(import_graph(graph, 13), {1, 2}), (std::vector<float>{10.5F, 102.5F, 20.5F, 200.5F}));
}

TEST(OnnxOperators, ElementsAreWrittenByIndex) {
  const std::string graph = op("ScatterElements", {"x", "i", "u"}, {"y"}, whole("axis", 1)) +
                            wholes("i", {2, 1}, {-1, 0}) + floats("u", {2, 1}, {7, 8}) + in("x", {"2", "2"}) +
                            out("y", {"2", "2"});
  EXPECT_EQ(run_once(import_graph(graph, 13), {1, 2, 3, 4}), (std::vector<float>{1, 7, 8, 4}));
}

// Beginnings and ends of states have the names of the ports that the network lost.
TEST(OnnxOperators, StatesAreVerifiedByName) {
  const std::string graph = op("LSTM", {"x", "w", "r", "", "", "h", "c"}, {"y", "hn", "cn"}, whole("hidden_size", 1)) +
                            floats("w", {1, 4, 1}, {0, 0, 0, 0}) + floats("r", {1, 4, 1}, {0, 0, 0, 0}) +
                            in("x", {"2", "1", "1"}) + in("h", {"1", "1", "1"}) + in("c", {"1", "1", "1"}) +
                            out("y", {"2", "1", "1", "1"}) + out("hn", {"1", "1", "1"}) + out("cn", {"1", "1", "1"});
  const Imported imported = import_graph(graph, 14);
  ASSERT_EQ(imported.graph.states.size(), 2U);
  const auto one = [](const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    return std::pair(name, io::make_array(shape, std::span<const float>(values)));
  };
  NumberFile input{.of_ports = true, .arrays = {}}, expected{.of_ports = true, .arrays = {}};
  input.arrays = {one("x", {2, 1, 1}, {0, 0}), one("c", {1, 1, 1}, {4})};
  // Gates of 1/2: c is halved by each step, and h is half of its tanh.
  expected.arrays = {one("y", {2, 1, 1, 1}, {0.5F * std::tanh(2.0F), 0.5F * std::tanh(1.0F)}),
                     one("cn", {1, 1, 1}, {1})};
  EXPECT_LT(verify(imported.graph, input, expected, "in.npz", "out.npz").largest, 1e-6);
  expected.arrays[1] = one("cn", {1, 1, 1}, {3});
  EXPECT_GT(verify(imported.graph, input, expected, "in.npz", "out.npz").largest, 0.5);
  input.arrays.push_back(one("other", {1}, {0}));
  EXPECT_NE(error_of([&] { verify(imported.graph, input, expected, "in.npz", "out.npz"); }).find("'other' is none"),
            std::string::npos);
}

}  // namespace
}  // namespace longhand::convert
