// Networks as modules of PyTorch: the text of the module, its tensors, and the way back. PyTorch itself runs them in
// bench/export_torch.py.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "longhand/convert/torch_return.h"
#include "longhand/exporters/export_file.h"
#include "longhand/exporters/export_torch.h"
#include "longhand/exporters/torch_text.h"
#include "longhand/io/safetensors.h"
#include "longhand/io/safetensors_bytes.h"
#include "tests/exporters/exported.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back
namespace {

Exported torch(const graph::Graph& graph, const std::string& name = "model") {
  return export_torch({.graph = graph, .name = name}, {});
}
io::Safetensors weights_of(const Exported& exported) {
  return io::Safetensors::parse("weights", file_of(exported, ".safetensors"));
}
std::string part_between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin), to = text.find(end, from);
  EXPECT_NE(from, std::string::npos) << begin;
  EXPECT_NE(to, std::string::npos) << end;
  return from == std::string::npos || to == std::string::npos ? "" : text.substr(from, to - from);
}

const std::string kTiny = R"(
[[inputs]]
size = 2
[[layers]]
type = "lstm"
name = "lstm"
units = 3
[[layers]]
type = "linear"
name = "head.net.0"
units = 1
)";

TEST(ExportTorch, WritesTheModuleThatOneWritesByHand) {
  const Exported exported = torch(drawn(kTiny), "river level");
  ASSERT_EQ(exported.files.size(), 2U);
  EXPECT_EQ(exported.files[0].first, ".py");
  const std::string text = file_of(exported, ".py");
  EXPECT_EQ(part_between(text, "class RiverLevel(nn.Module):", "\nDTYPES ="), R"(class RiverLevel(nn.Module):
    """net.toml.

    x: [batch, time, 2] float32
    returns [batch, time, 1] float32
    state: what a call returned, for the steps that follow; None begins anew
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 3, batch_first=True)
        self.head_net_0 = nn.Linear(3, 1)
        self.metadata: dict[str, str] = {}

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        x, state = self.lstm(x, state)
        x = self.head_net_0(x)
        return x, state

)");
  const io::Safetensors weights = weights_of(exported);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"head_net_0.bias", "head_net_0.weight", "lstm.bias_hh_l0",
                                             "lstm.bias_ih_l0", "lstm.weight_hh_l0", "lstm.weight_ih_l0"}));
  EXPECT_EQ(weights.tensors().at("lstm.weight_ih_l0").shape, (std::vector<int64_t>{12, 2}));
}

// Exported, imported and run: the same bits, since the arrays are the same.
void expect_same_back(const std::string& what, const graph::Graph& graph) {
  const Exported exported = torch(graph);
  const Imported back = imported_from(file_of(exported, ".safetensors"), "model.safetensors");
  EXPECT_LE(largest_difference(answers(back.graph), answers(graph)), 2e-7) << what;
  // And once more, from what came back.
  EXPECT_EQ(file_of(torch(back.graph), ".py"), file_of(exported, ".py")) << what;
}

std::string layers(const std::vector<std::string>& each, const std::string& input = "size = 4") {
  std::string out = "[[inputs]]\n" + input + "\n";
  for (const std::string& layer : each) out += "[[layers]]\n" + layer + "\n";
  return out;
}

const std::vector<std::string> kRecurrent = {
    "type = \"lstm\"\nunits = 3\nlayers = 2\nbidirectional = true",
    "type = \"lstm\"\nunits = 3\nprojection = 2",
    "type = \"lstm\"\nunits = 3\nlayer_norm = true",
    "type = \"lstm\"\nunits = 3\nlayers = 3\nresidual = true",
    "type = \"lstm\"\nunits = 3\ninitial_state = true",
    "type = \"lstm\"\nunits = 3\nclip = 0.5\ncell_clip = 0.4",
    "type = \"lstm\"\nunits = 3\ninput_forget = 1",
    "type = \"lstm\"\nunits = 3\nactivations = [\"HardSigmoid\", \"Tanh\", \"Softsign\"]\nactivation_alpha = [0.25]",
    "type = \"lstm\"\nunits = 3\ngo_backwards = true",
    "type = \"lstm\"\nunits = 3\nbidirectional = true\nmerge = \"ave\"",
    "type = \"lstm\"\nunits = 3\nbidirectional = true\nreturn = \"last\"",
    "type = \"gru\"\nunits = 3\nlayers = 2",
    "type = \"gru\"\nunits = 3\nreset_after = false",
    "type = \"gru\"\nunits = 3\nactivations = [\"Sigmoid\", \"Relu\"]",
    "type = \"rnn\"\nunits = 3",
    "type = \"rnn\"\nunits = 3\nactivation = \"relu\"",
    "type = \"rnn\"\nunits = 3\nactivation = \"Softplus\"",
};

TEST(ExportTorch, EveryRecurrentLayerComesBack) {
  for (const std::string& layer : kRecurrent) expect_same_back(layer, drawn(layers({layer})));
}

const std::vector<std::string> kOthers = {
    "type = \"conv1d\"\nunits = 4\nkernel = 3\ndilation = 2\npadding = \"causal\"",
    "type = \"conv1d\"\nunits = 4\nkernel = 4\nstride = 2\npadding = \"same\"\ngroups = 2",
    "type = \"conv1d\"\nunits = 4\nkernel = 3\npadding = [2, 0]\nmode = \"reflect\"",
    "type = \"pad\"\nleft = 2\nright = 1\nmode = \"replicate\"",
    "type = \"max-pool1d\"\nkernel = 2",
    "type = \"layer-norm\"",
    "type = \"batch-norm\"",
    "type = \"scale\"\nscale = [1.0, 2.0, 0.5, -1.0]\nshift = 0.25",
    "type = \"pool\"\nkind = \"attention\"",
    "type = \"context\"\nsize = 2",
    "type = \"magnitude\"",
    "type = \"slice\"\nstart = 1\nend = 3",
    "type = \"reverse\"",
    "type = \"softmax\"",
    "type = \"elu\"\nalpha = 0.5",
    "type = \"hard-sigmoid\"",
    "type = \"selu\"",
    "type = \"clip\"\nmin = -0.5\nmax = 0.5",
};

TEST(ExportTorch, EveryOtherLayerComesBack) {
  for (const std::string& layer : kOthers) {
    expect_same_back(layer, drawn(layers({"type = \"linear\"\nname = \"first\"\nunits = 4", layer})));
  }
}

TEST(ExportTorch, OneLayerForSeveralOfOneSize) {
  const graph::Graph graph = drawn(layers(
      {"type = \"lstm\"\nname = \"a_0\"\nunits = 3", "type = \"lstm\"\nname = \"a_1\"\nunits = 3", "type = \"relu\""},
      "size = 2"));
  const std::string text = file_of(torch(graph), ".py");
  EXPECT_NE(text.find("nn.LSTM(2, 3, num_layers=2, batch_first=True)"), std::string::npos);
  expect_same_back("two layers", graph);
  const graph::Graph two = drawn(
      layers({"type = \"lstm\"\nname = \"a\"\nunits = 3", "type = \"lstm\"\nname = \"b\"\nunits = 2"}, "size = 2"));
  const std::string apart = file_of(torch(two), ".py");
  EXPECT_NE(apart.find("x, state[\"a\"] = self.a(x, state.get(\"a\"))"), std::string::npos) << apart;
  EXPECT_NE(apart.find("state = dict(state or {})"), std::string::npos);
}

TEST(ExportTorch, LengthsWhereLayersNeedWholeSequences) {
  const std::string both = "type = \"lstm\"\nname = \"lstm\"\nunits = 3\nbidirectional = true";
  const std::string text = file_of(torch(drawn(layers({both, "type = \"linear\"\nname = \"l\"\nunits = 1"}))), ".py");
  EXPECT_NE(text.find("def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:"), std::string::npos);
  EXPECT_NE(text.find("x, _ = run_ragged(self.lstm, x, None, lengths)"), std::string::npos);
  // A convolution reads beyond the end: no lengths.
  const std::string same = "type = \"conv1d\"\nname = \"c\"\nunits = 2\nkernel = 3\npadding = \"same\"";
  EXPECT_EQ(file_of(torch(drawn(layers({same, both}))), ".py").find("lengths: Tensor"), std::string::npos);
}

TEST(ExportTorch, SymbolsAreInTheMetadata) {
  const graph::Graph graph = drawn(
      layers({"type = \"embedding\"\nname = \"e\"\nsymbols = 3\nunits = 2"}, "symbols = [\"a\", \"\\\"\", \"\\n\"]"));
  const Exported exported = torch(graph);
  EXPECT_EQ(nlohmann::json::parse(weights_of(exported).text("symbols")), graph.symbols);
  EXPECT_NE(file_of(exported, ".py").find("def encode(self, text: str) -> Tensor:"), std::string::npos);
  EXPECT_EQ(imported_from(file_of(exported, ".safetensors"), "m.safetensors").graph.symbols, graph.symbols);
}

TEST(ExportTorch, StateDictsOfOthersFindTheirPlaces) {
  const graph::Graph graph = drawn(layers(
      {"type = \"lstm\"\nname = \"low\"\nunits = 3\nlayer_norm = true", "type = \"linear\"\nname = \"l\"\nunits = 1"}));
  const Exported exported = torch(graph);
  nlohmann::json state;
  const io::Safetensors weights = weights_of(exported);
  for (const auto& [name, tensor] : weights.tensors()) {
    const auto* values = reinterpret_cast<const float*>(tensor.bytes.data());
    const auto n = static_cast<size_t>(graph::count(tensor.shape));
    std::vector<std::vector<float>> rows;
    if (tensor.shape.size() == 1) {
      state[name] = std::vector<float>(values, values + n);
      continue;
    }
    const auto width = static_cast<size_t>(tensor.shape[1]);
    for (size_t i = 0; i < n; i += width) rows.emplace_back(values + i, values + i + width);
    state[name] = rows;
  }
  const ImportOptions options{.description = file_of(exported, ".safetensors"), .description_path = "m.safetensors"};
  EXPECT_EQ(answers(imported_from(state.dump(), "state.json", options).graph), answers(graph));
  const auto refused = [&](const std::string& what) {
    try {
      imported_from(state.dump(), "state.json", options);
      ADD_FAILURE() << "expected an error: " << what;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  nlohmann::json before = state;
  state["other.weight"] = {1.0, 2.0};
  refused("'other.weight'");
  state = before;
  state.erase("l.weight");
  refused("expected a tensor 'l.weight', found none");
  state = before;
  state["l.weight"] = {{1.0, 2.0}};
  EXPECT_THROW(answers(imported_from(state.dump(), "state.json", options).graph), Error);
}

TEST(ExportTorch, NamesOfPython) {
  EXPECT_EQ(python_name("head.net.0"), "head_net_0");
  EXPECT_EQ(python_name("class"), "class_");
  EXPECT_EQ(python_name("0"), "n0");
  EXPECT_EQ(python_name("/a/b:0"), "a_b_0");
  EXPECT_EQ(python_name(""), "value");
  EXPECT_EQ(python_name("\n\"\"\""), "value");
  EXPECT_EQ(python_name("größe"), "gr_e");
  EXPECT_EQ(python_name(std::string(1000, 'a')).size(), 40U);
  EXPECT_EQ(python_class_name("river level"), "RiverLevel");
  EXPECT_EQ(python_class_name("None"), "NoneModel");
  EXPECT_EQ(python_string("a\"b\\\n\xC3\xA9\xF0\x9F\x98\x80"), "\"a\\\"b\\\\\\x0a\\xe9\\U0001f600\"");
  EXPECT_EQ(python_float(0.1F), "0.1");
  EXPECT_EQ(python_float(-2.0F), "-2.0");
  EXPECT_EQ(python_float(1e-20F), "1e-20");
  EXPECT_EQ(python_tuple({1}), "(1,)");
}

// Python can import these files by name.
TEST(ExportTorch, FilesCanBeImported) {
  const ExportFormat& format = export_format("pytorch");
  for (const char* path : {"model.py", "a/b-c/river_level.py", "./Model2.py", "_m.py", "m\xC3\xBC/torch_model.py"}) {
    EXPECT_NO_THROW(format.check_path(path)) << path;
  }
  const std::map<std::string, std::string> refused = {{"torch.py", "torch_model.py"},
                                                      {"a/json.py", "json_model.py"},
                                                      {"my-model.py", "my_model.py"},
                                                      {"1.py", "n1.py"},
                                                      {"class.py", "class_.py"},
                                                      {"match.py", "match_.py"},
                                                      {"model", "model.py"},
                                                      {"amp.v2.py", "amp_v2.py"},
                                                      {"model.txt", "model.py"},
                                                      {"m\xC3\xBC.py", "m.py"},
                                                      {"numpy.py", "numpy_model.py"},
                                                      {"random-.py", "random_model.py"},
                                                      {".py", "py.py"},
                                                      {"with space.py", "with_space.py"}};
  for (const auto& [path, instead] : refused) {
    try {
      format.check_path(path);
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage) << path;
      EXPECT_NE(e.advice().find("such as " + instead), std::string::npos) << path << ": " << e.advice();
    }
  }
}

// Class names differ from the other names in the file.
TEST(ExportTorch, ClassesHaveNamesOfTheirOwn) {
  for (const auto& [name, expected] : std::map<std::string, std::string>{{"tensor", "TensorModel"},
                                                                         {"path", "PathModel"},
                                                                         {"f", "FModel"},
                                                                         {"state", "StateModel"},
                                                                         {"amp", "Amp"}}) {
    const std::string text = file_of(torch(drawn(kTiny), name), ".py");
    EXPECT_NE(text.find(fmt::format("class {}(nn.Module):", expected)), std::string::npos) << name;
    EXPECT_NE(text.find(fmt::format("-> {}:", expected)), std::string::npos) << name;
  }
}

// Names that would be code, or take the place of what a module needs.
TEST(ExportTorch, HostileNames) {
  const std::vector<std::string> names = {"forward",    "torch",    "self",     "import os; os.system('x')",
                                          "state_dict", "lambda",   "x",        "x\ny",
                                          "\"\"\"",     "__init__", "metadata", "F",
                                          "train",      "1",        "größe"};
  graph::Graph graph = drawn(layers({"type = \"linear\"\nname = \"l\"\nunits = 4"}));
  graph.source = "\"\"\"\nimport os\nos.abort()\n\\";
  graph.inputs.front().name = "lengths";
  graph.nodes.front().inputs = {"lengths"};
  for (const std::string& name : names) {
    graph::Node node = graph.nodes.back();
    node.name = name;
    node.inputs = graph.nodes.back().outputs;
    node.outputs = {name + "\n"};
    node.weights = {{"weight", name + ".w"}, {"bias", name + ".b"}};
    graph.arrays[name + ".w"] = graph.arrays.at("l.weight");
    graph.arrays[name + ".b"] = graph.arrays.at("l.bias");
    graph.nodes.push_back(node);
  }
  graph.outputs.front().name = graph.nodes.back().outputs.front();
  const Exported exported = torch(graph, "class\n");
  const std::string text = file_of(exported, ".py");
  EXPECT_EQ(text.find("\nimport os"), std::string::npos) << text;
  EXPECT_EQ(text.find("os.abort()\n"), std::string::npos);
  EXPECT_NE(text.find("class Class(nn.Module):"), std::string::npos) << text;
  const std::string own = part_between(text, "class Class(nn.Module):", "DTYPES =");
  for (const char* taken : {"self.forward =", "self.metadata =", "self.train =", "self.state_dict =", "self.1"}) {
    EXPECT_EQ(own.find(taken), std::string::npos) << taken;
  }
  EXPECT_EQ(std::count(own.begin(), own.end(), '"'), 6) << own;  // those of the docstring
  EXPECT_EQ(answers(imported_from(file_of(exported, ".safetensors"), "m.safetensors").graph), answers(graph));
}

TEST(ExportTorch, RefusesNodesByName) {
  graph::Graph graph = drawn(kTiny);
  graph.nodes.push_back(
      {.type = "DynamicQuantizeLinear", .name = "q", .inputs = {"head.net.0"}, .outputs = {"a", "b", "c"}});
  graph.outputs.front().name = "b";
  expect_export_refused(export_torch, graph, "node 'q' (DynamicQuantizeLinear)");
}

TEST(ExportTorch, NothingIsHalfWritten) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(write_exported(torch(drawn(kTiny)), folder / "none/model.py"), Error);
  io::make_folder(folder / "model.safetensors");
  EXPECT_THROW(write_exported(torch(drawn(kTiny)), folder / "model.py"), Error);
  EXPECT_FALSE(io::exists(folder / "model.py"));
  const std::vector<std::string> paths = write_exported(torch(drawn(kTiny)), folder / "other.py");
  EXPECT_EQ(paths, (std::vector<std::string>{folder / "other.py", folder / "other.safetensors"}));
}

// A safetensors file begins with the length of its header, which may be the first bytes of a pickle.
TEST(ExportTorch, LengthsThatBeginAsAPickle) {
  const std::vector<float> weights = {0.1F, 0.2F, 0.3F, 0.4F};
  std::string bytes;
  for (size_t pad = 0; pad < 900 && !bytes.starts_with("\x80\x02"); ++pad) {
    bytes = io::safetensors_bytes({{"pad", std::string(pad, 'x')}},
                                  {{"lstm.weight_ih_l0", {4, 1}, weights}, {"lstm.weight_hh_l0", {4, 1}, weights}});
  }
  ASSERT_TRUE(bytes.starts_with("\x80\x02"));
  EXPECT_EQ(imported_from(bytes, "m.safetensors").graph.nodes.size(), 1U);
}

// A graph of arrays: layers of ONNX as modules, literals that come back, branches that are taken.
TEST(ExportTorch, GraphsOfArraysComeBack) {
  graph::Graph graph;
  graph.inputs = {{.name = "x", .dims = {-1, -1, 2}, .batch_axis = 1, .time_axis = 0}};
  graph.outputs = {{.name = "y", .dims = {}}};
  const auto add = [&](const std::string& type, const std::vector<std::string>& inputs, const std::string& output) {
    graph.nodes.push_back({.type = type, .name = "n/" + output, .inputs = inputs, .outputs = {output}});
    return &graph.nodes.back();
  };
  const auto numbers = [&](const std::string& name, const graph::Dims& dims) {
    std::vector<float> values;
    for (int64_t i = 0; i < graph::count(dims); ++i) values.push_back(static_cast<float>((5 * i) % 7 - 3) * 0.2F);
    graph.arrays[name] = graph::array(dims, std::move(values));
  };
  numbers("W", {2, 12, 2});
  numbers("R", {2, 12, 3});
  numbers("B", {2, 24});
  numbers("P", {2, 9});
  numbers("V", {6, 4});
  numbers("v", {4});
  graph.arrays["half"] = graph::array({}, {0.5F});
  graph.arrays["start"] = graph::array_of_ints({1}, {1});
  graph.arrays["end"] = graph::array_of_ints({1}, {3});
  graph.arrays["last"] = graph::array_of_ints({1}, {-1});
  graph.arrays["shape"] = graph::array_of_ints({3}, {0, 0, 6});
  add("LSTM", {"x", "W", "R", "B", "", "", "", "P"}, "l")->attributes = {{"hidden_size", int64_t{3}},
                                                                         {"direction", std::string("bidirectional")}};
  add("Transpose", {"l"}, "t")->attributes = {{"perm", std::vector<int64_t>{0, 2, 1, 3}}};
  add("Reshape", {"t", "shape"}, "r");
  add("MatMul", {"r", "V"}, "m");
  add("Add", {"m", "v"}, "a");
  add("Mul", {"a", "half"}, "h");
  add("Slice", {"h", "start", "end", "last"}, "s");
  add("Shape", {"s"}, "unused");
  add("Sigmoid", {"s"}, "y");
  const Exported exported = torch(graph);
  const std::string text = file_of(exported, ".py");
  EXPECT_NE(text.find("class LstmVariant(SteppedLayers):"), std::string::npos) << text;
  EXPECT_NE(text.find("nn.Linear(6, 4, bias=False)"), std::string::npos) << text;
  EXPECT_NE(text.find("[:, :, 1:3]"), std::string::npos) << text;
  EXPECT_EQ(text.find("unused"), std::string::npos) << text;
  const Imported back = imported_from(file_of(exported, ".safetensors"), "m.safetensors");
  EXPECT_EQ(answers(back.graph), answers(graph));
}

// What a file says of its graph is not trusted.
TEST(ExportTorch, DamagedDescriptions) {
  const io::Safetensors weights = weights_of(torch(drawn(kTiny)));
  const std::string text = weights.text("longhand");
  NamedTensors tensors;
  for (const auto& [name, tensor] : weights.tensors()) {
    const auto* values = reinterpret_cast<const float*>(tensor.bytes.data());
    tensors.emplace_back(name, graph::array(tensor.shape, {values, values + graph::count(tensor.shape)}));
  }
  EXPECT_NO_THROW(returned_graph(text, "m", tensors, "m"));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string out = text;
    const size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? out : out.replace(at, from.size(), to);
  };
  for (const std::string& damaged :
       {std::string("{}"), std::string("[]"), text.substr(0, text.size() / 2), with("\"how\":\"same\"", "\"how\":1"),
        with("\"how\":\"same\"", "\"how\":\"onnx\""), with("\"how\":\"same\"", "\"how\":\"row\""),
        with("\"how\":\"same\"", "\"how\":\"transposed\""), with("[\"head_net_0.weight\"]", "[]"),
        with("[\"head_net_0.weight\"]", "[3]"), with("\"lstm\"", "\"Loop\"")}) {
    EXPECT_THROW(returned_graph(damaged, "m", tensors, "m"), Error) << damaged;
  }
}

}  // namespace
}  // namespace longhand::exporters
