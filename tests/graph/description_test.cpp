// Descriptions of networks, and the files of their models: what is written comes back, and what is wrong is named.
#include <nlohmann/json.hpp>

#include "longhand/graph/graph_json.h"
#include "longhand/graph/node_types.h"
#include "longhand/io/file.h"
#include "longhand/stream.h"
#include "longhand/tasks/graph_file.h"
#include "tests/graph/graphs.h"

namespace longhand::graph {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

const char* const kSmall = R"([[inputs]]
size = 3

[[layers]]
type = "lstm"
name = "lstm"
units = 4

[[layers]]
type = "linear"
name = "fc"
units = 2
)";

std::string description_error(const std::string& text) {
  return error_of([&] { with_drawn_weights(read_description(text, "a.toml"), 1, "a.toml"); }, ExitCode::kUsage);
}

TEST(Descriptions, ThePageAboutThemIsTrue) {
  const std::string page = io::read_file(std::string(LONGHAND_SOURCE_DIR) + "/docs/network.md");
  for (const std::string& type : node_type_names(false))
    EXPECT_NE(page.find("`" + type + "`"), std::string::npos) << type;
  const size_t begin = page.find("```toml\n") + 8;
  const Description description = read_description(page.substr(begin, page.find("```", begin) - begin), "network.md");
  const auto of = network(with_drawn_weights(description, 1, "network.md"));
  EXPECT_EQ(of->graph().parameters(), 309633);
  Plan plan(of, {.steps = 3});
  EXPECT_EQ(plan.outputs()[0].dims, (Dims{1, 3, 1}));
  EXPECT_EQ(plan.state_size(), 64 + 2 * 128);
  EXPECT_EQ(plan.why_whole(), "");
  for (const float y : run(plan, std::vector<float>(3 * 512, 0.25F))) EXPECT_TRUE(y > 0.0F && y < 1.0F);
}

TEST(Descriptions, ErrorsHaveTheirLine) {
  EXPECT_EQ(description_error(kSmall), "");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"x = 1\n", "a.toml:1: description: 'x'"},
      {"[[inputs]]\nsize = 0\n", "a.toml:2: input"},
      {"[[inputs]]\nsize = 3\nsymbols = 2\n", "a.toml:1: input: expected either"},
      {"[[inputs]]\nsize = 3\n[[layers]]\nunits = 2\n", "a.toml:3: layer: expected a type"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"lsmt\"\n", "a.toml:4: layer: 'lsmt'"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"Gemm\"\n", "a.toml:4: layer: 'Gemm'"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"relu\"\nunits = 3\n", "a.toml:5: relu 'relu_1': 'units'"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"relu\"\nfrom = \"y\"\n", "a.toml:5: relu 'relu_1': from"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"add\"\n", "a.toml:3: add 'add_1': expected several inputs"},
      {"outputs = [\"z\"]\n" + std::string(kSmall), "a.toml:1: outputs"},
      {"[[inputs]]\nsize = 3\n[[layers]]\ntype = \"linear\"\nname = \"a\"\n", "a.toml: linear 'a': expected `units`"},
      {std::string(kSmall) + "[[layers]]\ntype = \"relu\"\nname = \"fc\"\n", "a.toml:13: expected a new name"},
      {"[[inputs]\n", "a.toml:1: not TOML"},
  };
  for (const auto& [text, expected] : wrong)
    EXPECT_TRUE(description_error(text).starts_with(expected)) << description_error(text);
}

TEST(Descriptions, EveryArrayIsUsedOrNamed) {
  const Graph drawn_graph = with_drawn_weights(read_description(kSmall, "a.toml"), 1, "a.toml");
  const Description description = read_description(kSmall, "a.toml");
  const auto problem = [&](const auto& change) {
    std::map<std::string, Array> arrays = drawn_graph.arrays;
    change(arrays);
    return error_of([&] { Plan(network(with_arrays(description, arrays, "w.st")), {}); });
  };
  EXPECT_EQ(problem([](auto&) {}), "");
  EXPECT_EQ(problem([](auto& a) { a.erase("fc.weight"); }),
            "w.st: linear 'fc': expected an array 'fc.weight', found none");
  EXPECT_NE(problem([](auto& a) { a["head.bias"] = array({1}, {0}); }).find("'head.bias'"), std::string::npos);
  EXPECT_NE(problem([](auto& a) { a["fc.bias"] = array({3}, {0, 0, 0}); }).find("'fc.bias'"), std::string::npos);
  EXPECT_NE(problem([](auto& a) {
              a["fc.weight"] = array({3, 4}, std::vector<float>(12));
            }).find("units = 2"),
            std::string::npos);
  // A cell's names have no number, and those of a description win.
  EXPECT_EQ(problem([](auto& a) {
              for (const char* role : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
                a[std::string("lstm.") + role] = a.at(std::string("lstm.") + role + "_l0");
                a.erase(std::string("lstm.") + role + "_l0");
              }
            }),
            "");
  const Description renamed = read_description(std::string(kSmall) +
                                                   "prefix = \"decoder.1\"\nbias = false\n"
                                                   "weights = { weight = \"W\" }\n",
                                               "a.toml");
  std::map<std::string, Array> arrays = drawn_graph.arrays;
  arrays["W"] = arrays.at("fc.weight");
  arrays.erase("fc.weight");
  EXPECT_NE(error_of([&] { with_arrays(renamed, arrays, "w.st"); }).find("'fc.bias'"), std::string::npos);
  arrays.erase("fc.bias");
  EXPECT_EQ(with_arrays(renamed, arrays, "w.st").nodes[1].weights.at("weight"), "W");
}

TEST(Descriptions, WeightsFollowFromTheSeed) {
  const auto weights = [](uint64_t seed) {
    return with_drawn_weights(read_description(kSmall, "a"), seed, "a").arrays.at("lstm.weight_hh_l0").floats;
  };
  EXPECT_EQ(weights(1), weights(1));
  EXPECT_NE(weights(1), weights(2));
  for (const float w : weights(1)) EXPECT_LE(std::abs(w), 0.5F);  // 1 / sqrt(units)
}

TEST(NetworkFiles, ComeBackAsTheyWere) {
  Graph graph = with_drawn_weights(read_description(kSmall, "a.toml"), 1, "a.toml");
  graph.arrays["index"] = array_of_ints({2}, {1, -1});
  graph.nodes.push_back({.type = "Gather",
                         .name = "g",
                         .inputs = {"fc", "index"},
                         .outputs = {"picked"},
                         .attributes = {{"axis", int64_t{-1}}}});
  graph.nodes.push_back({.type = "scale",
                         .name = "s",
                         .inputs = {"picked"},
                         .outputs = {"y"},
                         .attributes = {{"scale", std::vector<double>{2.0, 0.1}}, {"shift", 1.0}}});
  graph.outputs = {{.name = "y", .dims = {}}};
  const TemporaryFolder folder;
  tasks::write_network(folder / "model", graph);
  const Graph back = tasks::read_network(tasks::ModelFile::read(folder / "model"));
  EXPECT_EQ(to_json(back).dump(), to_json(graph).dump());
  EXPECT_EQ(back.arrays.at("index").ints, graph.arrays.at("index").ints);
  EXPECT_EQ(back.arrays.at("fc.weight").floats, graph.arrays.at("fc.weight").floats);
  Plan first(network(graph), {.steps = 2}), second(network(back), {.steps = 2});
  EXPECT_EQ(run(first, {1, 2, 3, 4, 5, 6}), run(second, {1, 2, 3, 4, 5, 6}));
  const std::shared_ptr<const Model> model = Model::load(folder / "model", Task::kNetwork);
  EXPECT_EQ(model->task_name(), "network");
  EXPECT_EQ(model->input_names(), (std::vector<std::string>{"input.0", "input.1", "input.2"}));
  EXPECT_EQ(model->output_names(), (std::vector<std::string>{"y.0", "y.1"}));
  Stream stream(model, 3, 2);
  const float x[] = {1, 2, 3, 4, 5, 6};
  float y[4];
  ASSERT_TRUE(stream.process(x, y, 2));
  EXPECT_EQ(std::vector<float>(y, y + 4), values(first.outputs()[0]));
  const std::vector<float> state = stream.state();
  ASSERT_TRUE(stream.step(x, y));
  const float next = y[0];
  stream.set_state(state.data());
  ASSERT_TRUE(stream.step(x, y + 2));
  EXPECT_EQ(y[2], next);
  EXPECT_NE(error_of([&] { Streams(model, 2); }), "");
  EXPECT_NE(error_of([&] { Model::load(folder / "model", Task::kTagger); }), "");
}

TEST(NetworkFiles, DamagedOnesAreRefused) {
  Graph graph = with_drawn_weights(read_description(kSmall, "a.toml"), 1, "a.toml");
  const TemporaryFolder folder;
  tasks::write_network(folder / "model", graph);
  const std::string whole = io::read_file(folder / "model");
  const auto problem = [&](std::string contents) {
    return error_of([&] {
      const Graph read = tasks::read_network(tasks::ModelFile::parse("model", std::move(contents)));
      Plan(network(read), {});
    });
  };
  EXPECT_EQ(problem(whole), "");
  for (size_t length = 0; length < whole.size(); length += 97)
    EXPECT_NE(problem(whole.substr(0, length)), "") << length;
  const auto swapped = [&](const std::string& from, const std::string& to) {
    std::string out = whole;
    EXPECT_EQ(from.size(), to.size());
    for (size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + 1))
      out.replace(at, from.size(), to);
    EXPECT_NE(out, whole) << from;
    return problem(out);
  };
  EXPECT_NE(swapped("\\\"type\\\":\\\"lstm\\\"", "\\\"type\\\":\\\"lsxm\\\""), "");
  EXPECT_NE(swapped("\\\"inputs\\\":[\\\"lstm\\\"]", "\\\"inputs\\\":[\\\"lstx\\\"]"), "");
  EXPECT_NE(swapped("\\\"units\\\":4", "\\\"unity\\\":4"), "");
  EXPECT_NE(swapped("\\\"dims\\\":[-1,-1,3]", "\\\"dims\\\":[-1,-1,7]"), "");
  EXPECT_NE(swapped("\\\"dims\\\":[-1,-1,3]", "\\\"dims\\\":[-1,-9,3]"), "");
  EXPECT_NE(swapped("\\\"batch_axis\\\":0", "\\\"batch_axis\\\":9"), "");
  EXPECT_NE(swapped("\\\"source\\\"", "\\\"sourze\\\""), "");
  EXPECT_NE(swapped("\\\"fc.bias\\\"", "\\\"fc.bios\\\""), "");
  std::string not_finite = whole;
  not_finite.replace(not_finite.size() - 4, 4, std::string("\x00\x00\xC0\x7F", 4));
  EXPECT_NE(problem(not_finite), "");
}

}  // namespace
}  // namespace longhand::graph
