// Exported C beside hostile texts and names, random networks, and the programs of the documents and examples.
#include <algorithm>
#include <map>

#include "longhand/base/error.h"
#include "longhand/exporters/export_file.h"
#include "tests/exporters/c_programs.h"

namespace longhand::exporters {
namespace {

const std::string kCompile = std::string(LONGHAND_C_COMPILER) + " " + kStrictC + " -O1";

const std::string kAmp =
    "sample_rate = 48000\n[[inputs]]\nname = \"audio\"\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 6\n"
    "[[layers]]\ntype = \"linear\"\nunits = 1\n";

void expect_error(const ExportModel& model, const ExportOptions& options, ExitCode code, const std::string& what,
                  const std::string& advice) {
  try {
    export_c(model, options);
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    EXPECT_NE(e.advice().find(advice), std::string::npos) << e.advice();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
  }
}

TEST(ExportCUses, RefusesNamesThatCHasNot) {
  const graph::Graph graph = drawn_network(kAmp);
  for (const char* name : {"", "1amp", "my amp", "a-b", "_amp", "am\xC3\xBC", "int", "class", "while", "a\nb"}) {
    expect_error({.graph = graph, .name = name}, {}, ExitCode::kUsage, "--name: expected a name for C", "--name amp");
  }
  expect_error({.graph = graph, .name = std::string(41, 'a')}, {}, ExitCode::kUsage, "at most 40", "--name amp");
  EXPECT_NO_THROW(export_c({.graph = graph, .name = std::string(40, 'a')}, {}));
}

TEST(ExportCUses, SaysWhatHasNoFormInC) {
  const graph::Graph both = drawn_network(
      "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"ends\"\nunits = 3\nbidirectional = true\n");
  expect_error({.graph = both, .name = "m"}, {}, ExitCode::kInput, "'ends' is bidirectional", "--steps 100");
  EXPECT_NO_THROW(export_c({.graph = both, .name = "m"}, {.steps = 9}));

  graph::Graph sine;
  sine.inputs = {{.name = "x", .dims = {1, 4}}};
  sine.nodes = {{.type = "Sin", .name = "wave", .inputs = {"x"}, .outputs = {"y"}}};
  sine.outputs = {{.name = "y", .dims = {}}};
  expect_error({.graph = sine, .name = "m"}, {}, ExitCode::kInput, "node 'wave' (Sin)", "--to onnx");

  graph::Graph largest;
  largest.inputs = {{.name = "x", .dims = {1, 4}}};
  largest.nodes = {{.type = "ArgMax", .name = "choice", .inputs = {"x"}, .outputs = {"y"}}};
  largest.outputs = {{.name = "y", .dims = {}}};
  expect_error({.graph = largest, .name = "m"}, {}, ExitCode::kInput, "", "");

  // Two sequences in every run.
  graph::Graph two;
  two.inputs = {{.name = "x", .dims = {-1, 2, 3}, .time_axis = 0}};
  two.arrays["w"] = graph::array({1, 8, 3}, std::vector<float>(24, 0.1F));
  two.arrays["r"] = graph::array({1, 8, 2}, std::vector<float>(16, 0.1F));
  two.nodes = {{.type = "LSTM",
                .name = "pair",
                .inputs = {"x", "w", "r"},
                .outputs = {"y"},
                .attributes = {{"keep_state", int64_t{1}}}}};
  two.outputs = {{.name = "y", .dims = {}}};
  expect_error({.graph = two, .name = "m"}, {}, ExitCode::kInput, "expected one sequence, found [1, 2, 3]", "--dims");

  graph::Graph huge = drawn_network(kAmp);
  huge.arrays["more"] = graph::array({(1 << 25) + 1}, std::vector<float>((1 << 25) + 1, 0.0F));
  expect_error({.graph = huge, .name = "m"}, {}, ExitCode::kInput, "at most 33,554,432 weights", "--to onnx");
}

TEST(ExportCUses, LeavesNothingHalfWritten) {
  const TemporaryFolder folder;
  const Exported exported = export_c({.graph = drawn_network(kAmp), .name = "amp"}, {});
  EXPECT_THROW(write_exported(exported, folder / "nowhere/amp.h"), Error);
  EXPECT_FALSE(io::exists(folder / "nowhere"));
  EXPECT_EQ(write_exported(exported, folder / "amp.h"), std::vector<std::string>{folder / "amp.h"});
  EXPECT_EQ(io::read_file(folder / "amp.h"), exported.files.at(0).second);
}

// Names and texts that could end a comment or a constant, or begin another one.
TEST(ExportCUses, TextsAreHarmless) {
  const std::string evil = "*/ int x; /* \\ ?\?/ \" // %s \xC3\xA9 @ $H";
  graph::Graph graph = drawn_network(
      "[[inputs]]\nsymbols = 4\n[[layers]]\ntype = \"embedding\"\nname = \"e\"\nsymbols = 4\nunits = 3\n"
      "[[layers]]\ntype = \"lstm\"\nname = \"l\"\nunits = 3\n");
  graph.symbols = {evil, "\n", std::string("\0a", 2), "?\?="};
  graph.source = evil + "\\\n*/";
  graph.nodes[0].outputs[0] = graph.nodes[1].inputs[0] = evil;
  graph.nodes[0].name = evil;
  graph.nodes[1].name = "///";
  CPrograms programs;
  programs.add("evil",
               ExportModel{.graph = graph, .name = "evil", .texts = {{"labels", "[\"*/\", \"\\\\\", \"?\?/\"]"}}});
  ASSERT_TRUE(programs.compile(kCompile));
  const std::vector<int32_t> x = testing::random_symbols(9, 4, 2);
  const std::vector<float> y = programs.run("evil", x);
  testing::expect_close(y, own_steps(graph, x), static_cast<int64_t>(y.size()), 5e-6, "evil");
}

// Layers one after the other, of sizes around those of vectors.
class RandomNetwork {
 public:
  explicit RandomNetwork(uint64_t seed) : rng_(seed, 0, RngPlace::kSample) {}

  std::string toml() {
    const int64_t size = 1 + below(9);
    std::string out = fmt::format("[[inputs]]\nsize = {}\n", size);
    for (int64_t layers = 1 + below(5); layers > 0; --layers) out += layer();
    return out;
  }

 private:
  int64_t below(uint64_t n) { return static_cast<int64_t>(rng_.below(drawn_++, n)); }
  std::string layer() {
    const char* functions[] = {"relu", "tanh", "sigmoid", "softmax", "layer-norm", "batch-norm", "elu", "gelu"};
    const int64_t units = 1 + below(19), kind = below(7);
    std::string type = functions[below(8)], more;
    if (kind <= 1) type = "lstm", more = lstm_options(units);
    if (kind == 2) type = "gru", more = fmt::format("units = {}\nlayers = {}\n", units, 1 + below(2));
    if (kind == 3) type = "linear", more = fmt::format("units = {}\nbias = {}\n", units, below(2) == 0);
    if (kind == 4) {
      type = "conv1d";
      more = fmt::format("units = {}\nkernel = {}\ndilation = {}\npadding = \"causal\"\n", units, 1 + below(4),
                         1 + below(3));
    }
    if (kind == 5) type = "rnn", more = fmt::format("units = {}\n", units);
    return fmt::format("[[layers]]\ntype = \"{}\"\n{}", type, more);
  }
  std::string lstm_options(int64_t units) {
    std::string out = fmt::format("units = {}\nlayers = {}\n", units, 1 + below(3));
    if (below(3) == 0) out += "residual = true\n";
    if (units > 2 && below(3) == 0) out += fmt::format("projection = {}\n", units / 2);
    if (below(4) == 0) out += "layer_norm = true\n";
    if (below(4) == 0) out += "zoneout = 0.2\n";
    return out;
  }

  CounterRng rng_;
  uint64_t drawn_ = 0;
};

TEST(ExportCUses, RandomNetworks) {
  CPrograms programs;
  std::map<std::string, std::string> all;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const std::string name = fmt::format("random_{}", seed);
    all[name] = RandomNetwork(seed).toml();
    programs.add(name, drawn_network(all[name], seed + 1));
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const std::string name = fmt::format("random_{}", seed);
    const graph::Graph graph = drawn_network(all[name], seed + 1);
    const int64_t n = 24 * graph.inputs.front().dims.back();
    std::vector<float> x = testing::random_vector<float>(n, 1.0, static_cast<uint32_t>(seed));
    x.resize(static_cast<size_t>(n));
    const std::vector<float> y = programs.run(name, x), expected = own_steps(graph, x);
    ASSERT_EQ(y.size(), expected.size()) << all[name];
    testing::expect_close(y, expected, static_cast<int64_t>(y.size()), 2e-5, all[name]);
  }
}

std::string source(const std::string& path) { return io::read_file(std::string(LONGHAND_SOURCE_DIR) + "/" + path); }

// The program that docs/export-c.md shows, in place and with two channels.
TEST(ExportCUses, TheDocumentsExample) {
  const TemporaryFolder folder;
  const std::string page = source("docs/export-c.md");
  const size_t begin = page.find("```c\n") + 5;
  const graph::Graph graph = drawn_network(kAmp);
  io::write_file(folder / "amp.h", export_c({.graph = graph, .name = "amp"}, {}).files.at(0).second);
  io::write_file(folder / "plugin.c",
                 page.substr(begin, page.find("```", begin) - begin) +
                     "\n#include <stdio.h>\nint main(void) {\n  float x[2][64];\n"
                     "  if (fread(x[0], sizeof x[0], 1, stdin) != 1) return 1;\n  memcpy(x[1], x[0], sizeof x[0]);\n"
                     "  begin();\n  process(x[0], x[1], 64);\n  if (memcmp(x[0], x[1], sizeof x[0]) != 0) return 2;\n"
                     "  fwrite(x[0], sizeof x[0], 1, stdout);\n  return 0;\n}\n");
  ASSERT_TRUE(succeeds(
      fmt::format("{} {} -O2 -o '{}' '{}'", LONGHAND_C_COMPILER, kStrictC, folder / "plugin", folder / "plugin.c"),
      folder / "log"))
      << io::read_file(folder / "log");
  std::vector<float> x = testing::random_vector<float>(64, 1.0, 1);
  x.resize(64);
  io::write_file(folder / "in", std::string(reinterpret_cast<const char*>(x.data()), 256));
  ASSERT_EQ(std::system(fmt::format("'{0}/plugin' < '{0}/in' > '{0}/out'", folder.string()).c_str()), 0);
  const std::string bytes = io::read_file(folder / "out");
  ASSERT_EQ(bytes.size(), 256U);
  std::vector<float> y(64);
  std::copy_n(bytes.data(), 256, reinterpret_cast<char*>(y.data()));
  testing::expect_close(y, own_steps(graph, x), 64, 5e-6, "plug-in");
}

// examples/device: samples of 16 bits.
TEST(ExportCUses, TheExampleForDevices) {
  const TemporaryFolder folder;
  const graph::Graph graph = drawn_network(kAmp);
  io::write_file(folder / "model.h", export_c({.graph = graph, .name = "model"}, {}).files.at(0).second);
  ASSERT_TRUE(succeeds(fmt::format("{} {} -O2 -I'{}' -o '{}' '{}/examples/device/device.c'", LONGHAND_C_COMPILER,
                                   kStrictC, folder.string(), folder / "device", LONGHAND_SOURCE_DIR),
                       folder / "log"))
      << io::read_file(folder / "log");
  std::vector<float> x;
  std::string bytes;
  for (const int32_t each : testing::random_symbols(500, 65536, 4)) {
    const int32_t sample = each - 32768;
    x.push_back(static_cast<float>(sample) / 32768.0F);
    bytes += static_cast<char>(sample & 255);
    bytes += static_cast<char>(sample >> 8 & 255);
  }
  io::write_file(folder / "in", bytes);
  ASSERT_EQ(std::system(fmt::format("'{0}/device' < '{0}/in' > '{0}/out'", folder.string()).c_str()), 0);
  const std::string out = io::read_file(folder / "out");
  const std::vector<float> expected = own_steps(graph, x);
  ASSERT_EQ(out.size(), 2 * expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto low = static_cast<uint8_t>(out[2 * i]);
    const auto sample = static_cast<int16_t>(low | static_cast<uint8_t>(out[2 * i + 1]) << 8);
    EXPECT_LE(std::abs(static_cast<float>(sample) / 32768.0F - expected[i]), 1.01F / 32768.0F) << i;
  }
}

}  // namespace
}  // namespace longhand::exporters
