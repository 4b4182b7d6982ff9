// Sequences as arrays: which arrays are which, and what a network answers to them.
#include "longhand/convert/sequences.h"

#include <cmath>

#include "longhand/base/error.h"
#include "longhand/convert/symbol_reader.h"
#include "longhand/graph/description.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

using longhand::testing::error_of;

graph::Graph network(const char* text) { return graph::with_drawn_weights(graph::read_description(text, "t"), 7, "t"); }

const char* const kCausal =
    "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 3\n[[layers]]\ntype = \"linear\"\n"
    "name = \"o\"\nunits = 2\n";
const char* const kBoth =
    "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 3\nbidirectional = true\n";
const char* const kOnce =
    "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 3\nreturn = \"last\"\n";
const char* const kTwo =
    "outputs = [\"c\", \"r\"]\n[[inputs]]\nname = \"x\"\nsize = 2\n[[inputs]]\nname = \"y\"\nsize = 1\n[[layers]]\n"
    "type = \"concat\"\nname = \"c\"\nfrom = [\"x\", \"y\"]\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 2\n";
const char* const kSymbols =
    "[[inputs]]\nsymbols = [\"a\", \"b\", \"c\"]\n[[layers]]\ntype = \"one-hot\"\nclasses = 3\n[[layers]]\n"
    "type = \"lstm\"\nname = \"r\"\nunits = 2\n";

// Numbers that differ, [shape].
io::Array ramp(std::vector<int64_t> shape, float scale = 0.1F) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(scale * std::sin(static_cast<float>(i + 1)));
  return io::make_array(std::move(shape), std::span<const float>(values));
}

io::Array whole_numbers(std::vector<int64_t> shape, const std::vector<int64_t>& values) {
  return io::make_array(std::move(shape), std::span<const int64_t>(values));
}

std::string refusal(const graph::Graph& graph, const NamedArrays& arrays) {
  return error_of([&] { find_sequences(graph, arrays, "f"); });
}

// [1, C, T], as convolutions have it: rows of time steps are turned, and arrays of the network's own axes taken as
// they are.
TEST(Sequences, TimeMayBeTheLastAxis) {
  graph::Graph graph;
  graph.inputs = {{.name = "x", .dims = {1, 2, -1}, .time_axis = 2}};
  graph.arrays["w"] = graph::array({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  graph.nodes = {{.type = "Conv", .name = "c", .inputs = {"x", "w"}, .outputs = {"y"}}};
  graph.nodes[0].attributes["pads"] = std::vector<int64_t>{1, 1};
  graph.outputs = {{.name = "y", .dims = {}}};
  SequenceRunner runner(std::make_shared<const graph::Network>(graph, "t"));
  EXPECT_FALSE(runner.why_no_states().empty());
  const io::Array rows = io::make_array({4, 2}, std::vector<float>{1, 10, 2, 20, 3, 30, 4, 40});
  const io::Array own = io::make_array({1, 2, 4}, std::vector<float>{1, 2, 3, 4, 10, 20, 30, 40});
  for (const io::Array& array : {rows, own}) {
    const Sequences found = find_sequences(graph, {{"x", array}}, "f");
    ASSERT_EQ(found.list.size(), 1U);
    EXPECT_EQ(found.list[0].steps, 4);
    const std::vector<graph::Array> y = runner.run(found.list[0]);
    EXPECT_EQ(y[0].dims, (graph::Dims{4, 1}));
    EXPECT_EQ(y[0].floats, (std::vector<float>{178, 334, 490, 331}));
    EXPECT_EQ(runner.rows_of(0, y[0], 4), 4);
  }
}

// Without an axis of time, a run is a step, also of layers that read both ways.
TEST(Sequences, WindowsOfAFixedSizeAreRunOneByOne) {
  graph::Graph graph;
  graph.inputs = {{.name = "x", .dims = {3, 1, 2}}};
  graph.arrays["w"] = graph::array({2, 4, 2}, std::vector<float>(16, 0.25F));
  graph.arrays["r"] = graph::array({2, 4, 1}, std::vector<float>(8, 0.5F));
  graph.nodes = {{.type = "LSTM", .name = "l", .inputs = {"x", "w", "r"}, .outputs = {"y"}}};
  graph.nodes[0].attributes["direction"] = std::string("bidirectional");
  graph.outputs = {{.name = "y", .dims = {}}};
  SequenceRunner runner(std::make_shared<const graph::Network>(graph, "t"));
  const auto answer = [&](std::vector<int64_t> shape, const std::vector<float>& values) {
    return runner.run(find_sequences(graph, {{"x", io::make_array(std::move(shape), values)}}, "f").list[0])[0].floats;
  };
  const std::vector<float> a = {1, 2, 3, 4, 5, 6}, b = {-1, 0, 2, -3, 1, 1};
  std::vector<float> both = a, apart = answer({3, 1, 2}, a);
  both.insert(both.end(), b.begin(), b.end());
  const std::vector<float> second = answer({3, 1, 2}, b);
  apart.insert(apart.end(), second.begin(), second.end());
  EXPECT_EQ(answer({2, 3, 1, 2}, both), apart);
  EXPECT_EQ(answer({12}, both), apart);
}

TEST(Sequences, OneArrayIsOneSequenceOrABatch) {
  const graph::Graph graph = network(kCausal);
  const Sequences one = find_sequences(graph, {{"any", ramp({5, 2})}}, "f");
  ASSERT_EQ(one.list.size(), 1U);
  EXPECT_FALSE(one.batch);
  EXPECT_EQ(one.list[0].steps, 5);
  EXPECT_EQ(one.list[0].inputs[0].dims, (graph::Dims{5, 2}));

  const io::Array all = ramp({3, 4, 2});
  const Sequences batch = find_sequences(graph, {{"input", all}, {"lengths", whole_numbers({3}, {4, 1, 2})}}, "f");
  ASSERT_EQ(batch.list.size(), 3U);
  EXPECT_TRUE(batch.batch);
  EXPECT_EQ(batch.lengths, (std::vector<int64_t>{4, 1, 2}));
  const std::vector<float> values = io::floats(all, "");
  for (size_t s = 0; s < 3; ++s) {
    const std::vector<float>& own = batch.list[s].inputs[0].floats;
    EXPECT_EQ(batch.list[s].steps, batch.lengths[s]);
    ASSERT_EQ(own.size(), static_cast<size_t>(2 * batch.lengths[s]));
    EXPECT_TRUE(std::equal(own.begin(), own.end(), values.begin() + static_cast<std::ptrdiff_t>(8 * s)));
  }
  // Numbers one by one fill steps; the last one ends with a zero.
  const Sequences flat = find_sequences(graph, {{"input", ramp({5})}}, "f");
  EXPECT_EQ(flat.list[0].steps, 3);
  EXPECT_EQ(flat.list[0].inputs[0].floats.back(), 0.0F);
}

TEST(Sequences, NamesAreSequencesOrInputs) {
  const Sequences named = find_sequences(network(kCausal), {{"s1", ramp({5, 2})}, {"s2", ramp({1, 2})}}, "f");
  ASSERT_EQ(named.list.size(), 2U);
  EXPECT_EQ(named.list[1].name, "s2");
  EXPECT_EQ(named.list[1].steps, 1);
  const graph::Graph two = network(kTwo);
  const Sequences ports = find_sequences(two, {{"x", ramp({5, 2})}, {"y", ramp({5})}}, "f");
  ASSERT_EQ(ports.list.size(), 1U);
  EXPECT_EQ(ports.list[0].inputs[1].dims, (graph::Dims{5, 1}));
  const Sequences both = find_sequences(
      two, {{"a/x", ramp({5, 2})}, {"a/y", ramp({5, 1})}, {"b/x", ramp({2, 2})}, {"b/y", ramp({2, 1})}}, "f");
  ASSERT_EQ(both.list.size(), 2U);
  EXPECT_EQ(both.list[1].name, "b");
  EXPECT_EQ(both.list[1].steps, 2);
}

TEST(Sequences, WhatDoesNotFitIsRefused) {
  const graph::Graph graph = network(kCausal), two = network(kTwo), symbols = network(kSymbols);
  EXPECT_NE(refusal(graph, {}).find("expected arrays, found none"), std::string::npos);
  EXPECT_NE(
      refusal(graph, {{"input", ramp({5, 3})}}).find("expected [*, 2] or [*, *, 2] for input 'input', found [5, 3]"),
      std::string::npos);
  EXPECT_NE(refusal(graph, {{"input", ramp({2, 2, 2, 2})}}), "");
  EXPECT_NE(refusal(graph, {{"input", ramp({0, 2})}}).find("at least one step"), std::string::npos);
  EXPECT_NE(refusal(graph, {{"input", ramp({0, 3, 2})}}).find("at least one step"), std::string::npos);
  EXPECT_NE(refusal(graph, {{"input", ramp({5, 2})}, {"other", ramp({5, 2})}}).find("'other' beside"),
            std::string::npos);
  EXPECT_NE(refusal(graph, {{"a", ramp({2, 5, 2})}, {"b", ramp({5, 2})}}).find("expected one sequence, found 2"),
            std::string::npos);
  const auto lengths = [&](std::vector<int64_t> shape, const std::vector<int64_t>& values) {
    const auto n = static_cast<int64_t>(values.size());
    return refusal(graph, {{"input", ramp(std::move(shape))}, {"lengths", whole_numbers({n}, values)}});
  };
  EXPECT_NE(lengths({2, 3, 2}, {3, 4}).find("from 1 to 3"), std::string::npos);
  EXPECT_NE(lengths({2, 3, 2}, {3, 0}).find("from 1 to 3"), std::string::npos);
  EXPECT_NE(lengths({2, 3, 2}, {3}).find("one for each of 2"), std::string::npos);
  EXPECT_NE(lengths({3, 2}, {3, 3}).find("length of one sequence, found 2"), std::string::npos);
  EXPECT_NE(refusal(two, {{"x", ramp({5, 2})}}).find("expected an array 'y'"), std::string::npos);
  EXPECT_NE(refusal(two, {{"x", ramp({5, 2})}, {"y", ramp({4, 1})}}).find("as many sequences and steps"),
            std::string::npos);
  EXPECT_NE(refusal(two, {{"a", ramp({5, 2})}, {"b", ramp({5, 2})}}).find("SEQUENCE/INPUT"), std::string::npos);
  const std::vector<float> bad = {1.0F, std::nanf("")};
  EXPECT_NE(refusal(graph, {{"input", io::make_array({1, 2}, std::span<const float>(bad))}}).find("input [0, 1]"),
            std::string::npos);
  EXPECT_NE(refusal(symbols, {{"input", ramp({3})}}).find("int64"), std::string::npos);
}

// Accepts arrays of training files: names, shapes and padding.
TEST(Sequences, ArraysOfTraining) {
  const graph::Graph graph = network(kCausal), two = network(kTwo), symbols = network(kSymbols);
  std::vector<std::string> others;
  const NamedArrays kept =
      input_arrays(graph, {{"target", ramp({2, 3})}, {"input", ramp({2, 3, 2})}, {"time", ramp({3})}}, "", "f", others);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].first, "input");
  EXPECT_EQ(others, (std::vector<std::string>{"target", "time"}));
  others.clear();
  const NamedArrays named = input_arrays(graph, {{"input", ramp({9, 2})}, {"mine", ramp({5, 2})}}, "mine", "f", others);
  ASSERT_EQ(named.size(), 1U);
  EXPECT_EQ(named[0].first, "input");
  EXPECT_EQ(named[0].second.shape[0], 5);
  EXPECT_EQ(others, (std::vector<std::string>{"input"}));
  others.clear();
  // Sequences by name, and a missing input, are left to find_sequences.
  EXPECT_EQ(input_arrays(graph, {{"a", ramp({5, 2})}, {"b", ramp({4, 2})}}, "", "f", others).size(), 2U);
  EXPECT_EQ(input_arrays(two, {{"x", ramp({5, 2})}, {"yy", ramp({5})}}, "", "f", others).size(), 2U);
  EXPECT_TRUE(others.empty());
  EXPECT_NE(error_of([&] {
              input_arrays(two, {{"x", ramp({5, 2})}, {"target", ramp({5})}}, "", "f", others);
            }).find("expected arrays of the inputs (x, y), found x, target"),
            std::string::npos);

  const graph::Graph one = network("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 3\n");
  const Sequences singles = find_sequences(one, {{"input", ramp({4, 6})}}, "f");
  ASSERT_EQ(singles.list.size(), 4U);
  EXPECT_EQ(singles.list[3].steps, 6);
  EXPECT_EQ(singles.list[3].inputs[0].floats[5], io::floats(ramp({24}), "")[23]);
  EXPECT_EQ(find_sequences(graph, {{"input", ramp({7, 1, 2})}}, "f").list.size(), 7U);
  EXPECT_EQ(find_sequences(graph, {{"input", ramp({1, 7, 2})}}, "f").list.size(), 1U);
  EXPECT_EQ(find_sequences(symbols, {{"input", whole_numbers({2, 3, 1}, {0, 1, 2, 2, 1, 0})}}, "f").list.size(), 2U);

  std::vector<float> padded(12, std::nanf(""));
  for (const size_t i : {0U, 1U, 6U, 7U, 8U, 9U}) padded[i] = 1.0F;
  const io::Array batch = io::make_array({2, 3, 2}, std::span<const float>(padded));
  const Sequences found = find_sequences(graph, {{"input", batch}, {"lengths", whole_numbers({2}, {1, 2})}}, "f");
  EXPECT_EQ(found.list[1].inputs[0].floats, (std::vector<float>{1, 1, 1, 1}));
  EXPECT_NE(refusal(graph, {{"input", batch}, {"lengths", whole_numbers({2}, {2, 2})}}).find("of sequence 0 [1, 0]"),
            std::string::npos);
  const io::Array single = io::make_array({3, 2}, std::span<const float>(padded).first(6));
  EXPECT_EQ(find_sequences(graph, {{"input", single}, {"lengths", whole_numbers({1}, {1})}}, "f").list[0].steps, 1);
}

TEST(Sequences, AnswersAreThoseOfOnePlan) {
  for (const char* text : {kCausal, kBoth, kOnce}) {
    const auto net = std::make_shared<const graph::Network>(network(text), "n");
    SequenceRunner runner(net);
    EXPECT_EQ(runner.answers_once(), text == kOnce);
    // More steps than a block, and fewer.
    for (const int64_t steps : {int64_t{3}, int64_t{2500}, int64_t{3}}) {
      const Sequences found = find_sequences(net->graph(), {{"input", ramp({steps, 2})}}, "f");
      const std::vector<graph::Array> outputs = runner.run(found.list[0]);
      graph::Plan plan(net, {.steps = steps});
      std::copy(found.list[0].inputs[0].floats.begin(), found.list[0].inputs[0].floats.end(), plan.inputs()[0].floats);
      ASSERT_TRUE(plan.run());
      const graph::Plan::View& view = plan.outputs()[0];
      ASSERT_EQ(outputs.size(), 1U);
      EXPECT_EQ(outputs[0].floats, std::vector<float>(view.floats, view.floats + graph::count(view.dims))) << text;
      const int64_t width = view.dims.back();
      EXPECT_EQ(outputs[0].dims, text == kOnce ? graph::Dims{width} : (graph::Dims{steps, width}));
      EXPECT_EQ(runner.rows_of(0, outputs[0], steps), text == kOnce ? 1 : steps);
    }
  }
}

TEST(Sequences, AStateGoesOn) {
  const auto net = std::make_shared<const graph::Network>(network(kTwo), "n");
  SequenceRunner runner(net);
  ASSERT_EQ(runner.why_no_states(), "");
  const auto of = [&](int64_t begin, int64_t end) {
    const std::vector<float> x = io::floats(ramp({9, 2}), ""), y = io::floats(ramp({9}, 0.3F), "");
    const std::vector<float> x_part(x.begin() + 2 * begin, x.begin() + 2 * end),
        y_part(y.begin() + begin, y.begin() + end);
    return find_sequences(net->graph(),
                          {{"x", io::make_array({end - begin, 2}, std::span<const float>(x_part))},
                           {"y", io::make_array({end - begin, 1}, std::span<const float>(y_part))}},
                          "f")
        .list[0];
  };
  std::vector<float> state(static_cast<size_t>(runner.state_size()));
  const std::vector<graph::Array> all = runner.run(of(0, 9));
  std::vector<graph::Array> first = runner.run(of(0, 4), nullptr, state.data());
  const std::vector<graph::Array> second = runner.run(of(4, 9), state.data());
  for (size_t i = 0; i < 2; ++i) {
    first[i].floats.insert(first[i].floats.end(), second[i].floats.begin(), second[i].floats.end());
    EXPECT_EQ(first[i].floats, all[i].floats);
  }
}

// As ONNX has them: sequences as the second axis, and a batch of one that is part of the shape.
TEST(Sequences, OtherAxes) {
  graph::Description description = graph::read_description(kBoth, "t");
  description.graph.inputs[0].dims = {1, -1, 2};
  description.graph.inputs[0].batch_axis = -1;
  const auto one = std::make_shared<const graph::Network>(graph::with_drawn_weights(description, 7, "t"), "n");
  SequenceRunner runner(one);
  const Sequences found = find_sequences(one->graph(), {{"x", ramp({1, 5, 2})}}, "f");
  EXPECT_EQ(found.list[0].steps, 5);
  EXPECT_FALSE(found.batch);
  const std::vector<graph::Array> answers = runner.run(found.list[0]);
  EXPECT_EQ(answers[0].dims, (graph::Dims{5, 6}));
  EXPECT_EQ(runner.rows_of(0, answers[0], 5), 5);
  EXPECT_EQ(find_sequences(one->graph(), {{"x", ramp({5, 2})}}, "f").list[0].inputs[0].floats,
            found.list[0].inputs[0].floats);
  EXPECT_NE(refusal(one->graph(), {{"x", ramp({2, 5, 2})}}), "");

  graph::Graph turned;  // [T, B, 2] -> [T, B, 2]
  turned.inputs = {{.name = "x", .dims = {-1, -1, 2}, .batch_axis = 1, .time_axis = 0}};
  turned.outputs = {{.name = "y", .dims = {}}};
  turned.nodes = {{.type = "Abs", .name = "y", .inputs = {"x"}, .outputs = {"y"}}};
  const auto second = std::make_shared<const graph::Network>(turned, "n");
  SequenceRunner other(second);
  const Sequences batch = find_sequences(turned, {{"x", ramp({3, 4, 2})}}, "f");
  ASSERT_EQ(batch.list.size(), 4U);
  EXPECT_EQ(batch.list[0].steps, 3);
  std::vector<graph::Array> outputs;
  for (const Sequence& each : batch.list) {
    outputs.push_back(other.run(each)[0]);
    EXPECT_EQ(outputs.back().dims, (graph::Dims{3, 2}));
  }
  std::vector<float> expected = io::floats(ramp({3, 4, 2}), "");
  for (float& value : expected) value = std::abs(value);
  const graph::Array together = stacked(outputs, other.batch_axis(0), "f");
  EXPECT_EQ(together.dims, (graph::Dims{3, 4, 2}));
  EXPECT_EQ(together.floats, expected);
}

// A network over time that also reads numbers once: of a speaker, for example.
TEST(Sequences, AnInputThatIsReadOnce) {
  graph::Description description = graph::read_description(
      "[[inputs]]\nname = \"x\"\nsize = 2\n[[inputs]]\nname = \"y\"\nsize = 3\n[[layers]]\ntype = \"lstm\"\n"
      "name = \"r\"\nunits = 2\nfrom = \"x\"\n[[layers]]\ntype = \"pool\"\nkind = \"last\"\nname = \"p\"\n[[layers]]\n"
      "type = \"concat\"\nname = \"c\"\nfrom = [\"p\", \"y\"]\n",
      "t");
  description.graph.inputs[1].dims = {-1, 3};
  description.graph.inputs[1].time_axis = -1;
  const auto net = std::make_shared<const graph::Network>(graph::with_drawn_weights(description, 7, "t"), "n");
  EXPECT_TRUE(is_read_once(net->graph(), net->graph().inputs[1]));
  SequenceRunner runner(net);
  EXPECT_NE(runner.why_no_states(), "");
  const Sequences found = find_sequences(
      net->graph(), {{"x", ramp({2, 5, 2})}, {"y", ramp({2, 3})}, {"lengths", whole_numbers({2}, {5, 4})}}, "f");
  ASSERT_EQ(found.list.size(), 2U);
  const std::vector<graph::Array> second = runner.run(found.list[1]);
  EXPECT_EQ(second[0].dims, (graph::Dims{5}));
  const std::vector<float> y = io::floats(ramp({2, 3}), "");
  EXPECT_TRUE(std::equal(y.begin() + 3, y.end(), second[0].floats.begin() + 2));
  EXPECT_NE(refusal(net->graph(), {{"x", ramp({2, 5, 2})}, {"y", ramp({3})}}).find("as many sequences"),
            std::string::npos);
}

TEST(Sequences, SymbolsBeyondTheNetworksAreNamed) {
  const auto net = std::make_shared<const graph::Network>(network(kSymbols), "n");
  SequenceRunner runner(net);
  for (const int64_t bad : {int64_t{3}, int64_t{-1}, int64_t{1} << 40}) {
    const Sequences found = find_sequences(net->graph(), {{"s", whole_numbers({3}, {0, 2, bad})}}, "f");
    const std::string error = error_of([&] { runner.run(found.list[0]); });
    EXPECT_NE(error.find("step 2: expected symbols from 0 to 2, found " + std::to_string(bad)), std::string::npos)
        << error;
  }
}

TEST(Sequences, StackingFillsUpWithZeros) {
  const graph::Array a = graph::array({2, 2}, {1, 2, 3, 4}), b = graph::array({1, 2}, {5, 6});
  const graph::Array first = stacked({a, b}, 0, "f"), second = stacked({a, b}, 1, "f");
  EXPECT_EQ(first.dims, (graph::Dims{2, 2, 2}));
  EXPECT_EQ(first.floats, (std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0}));
  EXPECT_EQ(second.dims, (graph::Dims{2, 2, 2}));
  EXPECT_EQ(second.floats, (std::vector<float>{1, 2, 5, 6, 3, 4, 0, 0}));
  EXPECT_EQ(stacked({graph::array({}, {1}), graph::array({}, {2})}, 0, "f").dims, (graph::Dims{2}));
  EXPECT_NE(error_of([&] { stacked({a, graph::array({1, 3}, {5, 6, 7})}, 0, "f"); }), "");
  EXPECT_NE(error_of([&] { stacked({a, graph::array({2}, {5, 6})}, 0, "f"); }), "");
}

TEST(SymbolReader, LongestSymbolsFirst) {
  const SymbolReader reader({"a", "ab", "\n", "\xC3\xA9"}, "m");
  EXPECT_TRUE(reader.has_newline());
  EXPECT_EQ(reader.read("aba\xC3\xA9\n", "t"), (std::vector<int64_t>{1, 0, 3, 2}));
  EXPECT_NE(error_of([&] { reader.read("abx", "t"); }).find("t: expected symbols of the network, found 'x'"),
            std::string::npos);
  EXPECT_NE(error_of([&] { reader.read("a\xFF", "t"); }).find("UTF-8"), std::string::npos);
  EXPECT_NE(error_of([] { SymbolReader({}, "m"); }).find("m: "), std::string::npos);
  const SymbolReader others({"a", "\xEF\xBF\xBD"}, "m");
  EXPECT_EQ(others.read("axa", "t"), (std::vector<int64_t>{0, 1, 0}));
}

TEST(SymbolReader, PiecesGiveTheSame) {
  const std::string text =
      "ab\xC3\xA9"
      "aab\xE0\xB8\x81"
      "ba";
  for (const SymbolReader& reader : {SymbolReader({"a", "ab", "b", "\xC3\xA9", "\xE0\xB8\x81"}, "m"),
                                     SymbolReader({"a", "b", "\xC3\xA9", "\xE0\xB8\x81"}, "m")}) {
    for (size_t piece = 1; piece < 5; ++piece) {
      std::vector<int64_t> out;
      std::string pending;
      for (size_t at = 0; at < text.size(); at += piece) {
        pending += text.substr(at, piece);
        pending.erase(0, reader.read(pending, at + piece >= text.size(), "t", out));
      }
      EXPECT_EQ(out, reader.read(text, "t"));
    }
  }
}

}  // namespace
}  // namespace longhand::convert
