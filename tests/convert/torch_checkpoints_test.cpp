// Checkpoints as training programs write them: objects and losses beside the weights, whole modules, weights in parts.
#include "longhand/base/error.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/torch_file.h"
#include "longhand/convert/torch_graph.h"
#include "tests/convert/compose.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

namespace pk = testing::pickle;
using testing::bytes_of;
using testing::error_of;
using testing::torch_zip;

const std::string kMatrix = pk::tensor("Float", "0", 6, 0, {2, 3}, {3, 1});

StateDict read_checkpoint(const std::string& value, const std::string& key = "") {
  const std::string file = torch_zip(value, {{"0", bytes_of<float>({1, 2, 3, 4, 5, 6})}});
  return find_state_dict(TorchFile::parse("x.pt", file), key);
}
std::string checkpoint_error(const std::string& value) {
  return error_of([&] { read_checkpoint(value); });
}

// An object of a type with these attributes, as pickle writes those of users' classes.
std::string object(const std::string& module, const std::string& type,
                   const std::vector<std::pair<std::string, std::string>>& attributes) {
  return pk::global(module, type) + ")\x81" + pk::dict(attributes) + "b";
}
std::string module_of(const std::string& type, const std::vector<std::pair<std::string, std::string>>& parameters,
                      const std::vector<std::pair<std::string, std::string>>& modules) {
  return object("mine", type,
                {{"training", "\x89"},
                 {"_parameters", pk::dict(parameters)},
                 {"_buffers", pk::dict({})},
                 {"_modules", pk::dict(modules)}});
}

TEST(TorchCheckpoint, ALossBesideTheStateDictIsNoPartOfIt) {
  const std::string weights = pk::dict({{"w", kMatrix}});
  const std::string loss = pk::tensor("Float", "0", 6, 0, {}, {});
  for (const char* name : {"model_state_dict", "state_dict", "model"}) {
    const StateDict state = read_checkpoint(pk::dict({{"loss", loss}, {name, weights}, {"epoch", pk::integer(3)}}));
    EXPECT_EQ(state.place, name);
    ASSERT_EQ(state.tensors.size(), 1U);
    EXPECT_EQ(state.tensors[0].first, "w");
  }
  // Under no usual name, it is the one with recurrent layers.
  const std::string recurrent = pk::dict({{"lstm.weight_hh_l0", kMatrix}});
  EXPECT_EQ(read_checkpoint(pk::dict({{"loss", loss}, {"mine", recurrent}})).place, "mine");
  EXPECT_NE(checkpoint_error(pk::dict({{"loss", loss}, {"mine", weights}})).find("several: '', 'mine'"),
            std::string::npos);
}

TEST(TorchCheckpoint, ObjectsOfUnknownTypesAreLeftOut) {
  const std::string config = object("omegaconf.dictconfig", "DictConfig", {{"lr", pk::integer(1)}});
  const std::string when = pk::global("datetime", "datetime") + pk::tuple({pk::text("bytes")}) + "R";
  const std::string filled = pk::global("mine", "List") + ")R(" + pk::integer(1) + "e";
  const std::string mode = pk::global("__builtin__", "getattr") + pk::tuple({pk::global("mine", "Mode")}) + "R";
  const StateDict state = read_checkpoint(pk::dict({{"hyper_parameters", config},
                                                    {"when", when},
                                                    {"list", filled},
                                                    {"mode", mode},
                                                    {"state_dict", pk::dict({{"w", kMatrix}, {"extra", config}})}}));
  ASSERT_EQ(state.tensors.size(), 1U);
  EXPECT_EQ(state.others, std::vector<std::string>{"extra"});
  EXPECT_NE(checkpoint_error(config).find("an object of omegaconf.dictconfig.DictConfig without one"),
            std::string::npos);
  for (const char* hostile : {"os", "posix", "subprocess", "runpy"}) {
    const std::string call = pk::global(hostile, "run") + pk::tuple({pk::text("id")}) + "R";
    const std::string error = checkpoint_error(pk::dict({{"state_dict", pk::dict({{"w", kMatrix}})}, {"x", call}}));
    EXPECT_NE(error.find(std::string(hostile) + ".run"), std::string::npos) << error;
  }
}

TEST(TorchCheckpoint, TensorsThatOnlyPyTorchUnderstandsAreRefused) {
  const std::string quantised = pk::global("torch._utils", "_rebuild_qtensor") + pk::tuple({kMatrix}) + "R";
  const std::string error = checkpoint_error(pk::dict({{"w", kMatrix}, {"q", quantised}}));
  EXPECT_NE(error.find("'q': expected a tensor of plain numbers"), std::string::npos) << error;
  EXPECT_NE(error.find("_rebuild_qtensor"), std::string::npos) << error;
  const std::string storage = pk::tensor("QInt8", "0", 6, 0, {6}, {1});
  EXPECT_NE(checkpoint_error(pk::dict({{"w", storage}})).find("torch.QInt8Storage"), std::string::npos);
}

TEST(TorchCheckpoint, AWholeModuleIsReadAsItsStateDict) {
  const std::string lstm = module_of("LSTM", {{"weight_ih_l0", kMatrix}, {"bias", "N"}}, {});
  const std::string net = module_of("Net", {{"scale", kMatrix}}, {{"lstm", lstm}, {"none", "N"}});
  for (const std::string& value : {net, pk::dict({{"epoch", pk::integer(1)}, {"model", net}})}) {
    const StateDict state = read_checkpoint(value);
    EXPECT_TRUE(state.of_module);
    ASSERT_EQ(state.tensors.size(), 2U);
    EXPECT_EQ(state.tensors[0].first, "scale");
    EXPECT_EQ(state.tensors[1].first, "lstm.weight_ih_l0");
  }
  // A module within itself, and modules that each have the next one twice.
  const std::string within =
      pk::global("mine", "Net") + ")\x81q\x07" +
      pk::dict({{"_parameters", pk::dict({{"w", kMatrix}})}, {"_modules", pk::dict({{"again", "h\x07"}})}}) + "b";
  EXPECT_NE(checkpoint_error(within).find("nested too deep"), std::string::npos);
  std::string doubled = module_of("Net", {{"w", kMatrix}}, {}) + "q\x07";
  for (int i = 0; i < 30; ++i) doubled += module_of("Net", {}, {{"a", "h\x07"}, {"b", "h\x07"}}) + "q\x07";
  EXPECT_NE(checkpoint_error("(" + doubled + "1h\x07").find("too many"), std::string::npos);
}

graph::Array ramp(graph::Dims dims, float scale) {
  std::vector<float> values;
  for (int64_t i = 0; i < graph::count(dims); ++i) values.push_back(scale * static_cast<float>(i % 7 - 3));
  return graph::array(std::move(dims), std::move(values));
}

void add_lstm(NamedTensors& to, const std::string& name, int64_t inputs, int64_t hidden) {
  to.emplace_back(name + ".weight_ih_l0", ramp({4 * hidden, inputs}, 0.1F));
  to.emplace_back(name + ".weight_hh_l0", ramp({4 * hidden, hidden}, 0.2F));
}
void add_linear(NamedTensors& to, const std::string& name, int64_t inputs, int64_t outputs) {
  to.emplace_back(name + ".weight", ramp({outputs, inputs}, 0.3F));
  to.emplace_back(name + ".bias", ramp({outputs}, 0.1F));
}
std::string graph_error(const NamedTensors& tensors, NameOrder order = NameOrder::kOfModules) {
  return error_of([&] { state_dict_to_graph(tensors, "model.pt", {}, order); });
}

TEST(TorchCheckpoint, WeightNormBecomesTheWeight) {
  for (const std::string& style : {std::string("old"), std::string("new")}) {
    NamedTensors tensors;
    add_lstm(tensors, "rnn", 3, 2);
    const std::string base = style == "old" ? "out.weight" : "out.parametrizations.weight.original";
    tensors.emplace_back("out.bias", ramp({1}, 0.1F));
    tensors.emplace_back(base + (style == "old" ? "_g" : "0"), graph::array({1, 1}, {10.0F}));
    tensors.emplace_back(base + (style == "old" ? "_v" : "1"), graph::array({1, 2}, {3.0F, 4.0F}));
    const Imported imported = state_dict_to_graph(tensors, "model.pt", {});
    EXPECT_EQ(imported.graph.arrays.at("out.weight").floats, (std::vector<float>{6.0F, 8.0F})) << style;
  }
  NamedTensors pruned;
  add_lstm(pruned, "rnn", 3, 2);
  pruned.emplace_back("out.weight_orig", ramp({1, 2}, 1.0F));
  pruned.emplace_back("out.weight_mask", ramp({1, 2}, 1.0F));
  EXPECT_NE(graph_error(pruned).find("'out.weight_orig'"), std::string::npos);
  pruned.erase(pruned.end() - 2, pruned.end());
  pruned.emplace_back("out.parametrizations.weight.original", ramp({1, 2}, 1.0F));
  EXPECT_NE(graph_error(pruned).find("parametrization"), std::string::npos);
  NamedTensors columns;
  add_lstm(columns, "rnn", 3, 2);
  columns.emplace_back("out.weight_g", ramp({1, 2}, 1.0F));
  columns.emplace_back("out.weight_v", ramp({1, 2}, 1.0F));
  EXPECT_NE(graph_error(columns).find("for each row"), std::string::npos);
}

// What a state dict does not say, and other orders would fit as well.
TEST(TorchCheckpoint, HowLayersAreConnectedIsNotGuessed) {
  NamedTensors two;
  add_lstm(two, "encoder", 3, 3);
  add_lstm(two, "decoder", 3, 3);
  add_linear(two, "out", 3, 2);
  EXPECT_NE(graph_error(two).find("'encoder' and 'decoder' are recurrent layers"), std::string::npos);

  NamedTensors front;
  add_linear(front, "project", 3, 3);
  add_lstm(front, "rnn", 3, 3);
  EXPECT_NE(graph_error(front).find("fits before the recurrent layers and after them"), std::string::npos);
  NamedTensors behind;
  add_lstm(behind, "rnn", 3, 3);
  add_linear(behind, "out", 3, 3);
  EXPECT_EQ(graph_error(behind), "");  // made after the LSTM
  EXPECT_NE(graph_error(behind, NameOrder::kSorted).find("fits before"), std::string::npos);
}

// Names that differ in numbers are in the order of the numbers, however the file sorts them.
TEST(TorchCheckpoint, NumberedLayersAreInOrder) {
  NamedTensors tensors;
  add_lstm(tensors, "lstm10", 4, 5);
  add_lstm(tensors, "lstm2", 2, 4);
  add_lstm(tensors, "lstm1", 3, 2);
  add_linear(tensors, "out", 5, 1);
  const Imported imported = state_dict_to_graph(tensors, "model.safetensors", {}, NameOrder::kSorted);
  ASSERT_EQ(imported.graph.nodes.size(), 4U);
  EXPECT_EQ(imported.graph.nodes[0].name, "lstm1");
  EXPECT_EQ(imported.graph.nodes[1].name, "lstm2");
  EXPECT_EQ(imported.graph.nodes[2].name, "lstm10");
}

TEST(TorchCheckpoint, AMatrixBeforeTheLayersIsAnEmbeddingWhateverItsName) {
  NamedTensors tensors;
  tensors.emplace_back("encoder.weight", ramp({7, 3}, 0.5F));
  add_lstm(tensors, "rnn", 3, 2);
  add_linear(tensors, "decoder", 2, 7);
  const Imported imported = state_dict_to_graph(tensors, "model.pt", {});
  EXPECT_TRUE(notes_have(imported, "embedding 'encoder': 7 symbols, 3 numbers each"));
  EXPECT_NE(graph_error(tensors, NameOrder::kSorted), "");
}

TEST(TorchCheckpoint, PartsOfSafetensorsAreRefused) {
  const testing::TemporaryFolder folder;
  const std::string index = folder / "model.safetensors.index.json", part = folder / "model-00001-of-00002.safetensors";
  io::write_file(index, R"({"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}})");
  io::write_file(part, std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
  EXPECT_NE(error_of([&] { import_file(index); }).find("an index of several files"), std::string::npos);
  EXPECT_NE(error_of([&] { import_file(part); }).find("one of several files"), std::string::npos);
}

}  // namespace
}  // namespace longhand::convert
