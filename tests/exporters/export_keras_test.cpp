// Networks as models of Keras 3, and back. Keras itself loads them in bench/export_keras.py.
#include <nlohmann/json.hpp>

#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/zip_file.h"
#include "longhand/exporters/export_keras.h"
#include "tests/exporters/exported.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back
namespace {

std::string keras(const graph::Graph& graph) {
  return file_of(export_keras({.graph = graph, .name = "net"}, {}), ".keras");
}

std::string stacked(const std::vector<std::string>& layers, const std::string& input = "size = 4") {
  std::string out = "[[inputs]]\n" + input + "\n";
  for (const std::string& layer : layers) out += "[[layers]]\n" + layer + "\n";
  return out;
}

const std::vector<std::string> kKerasLayers = {
    "type = \"lstm\"\nname = \"l\"\nunits = 3\nlayers = 2",
    "type = \"lstm\"\nname = \"l\"\nunits = 3\nbidirectional = true\nmerge = \"sum\"",
    "type = \"lstm\"\nname = \"l\"\nunits = 3\nbidirectional = true\nlayers = 2",
    "type = \"lstm\"\nname = \"l\"\nunits = 3\nreturn = \"last\"",
    "type = \"lstm\"\nname = \"l\"\nunits = 3\nbidirectional = true\nreturn = \"last\"",
    "type = \"lstm\"\nname = \"l\"\nunits = 3\ngo_backwards = true",
    "type = \"gru\"\nname = \"l\"\nunits = 3",
    "type = \"gru\"\nname = \"l\"\nunits = 3\nreset_after = false",
    "type = \"rnn\"\nname = \"l\"\nunits = 3\nactivation = \"relu\"",
    "type = \"conv1d\"\nname = \"l\"\nunits = 4\nkernel = 3\ndilation = 2\npadding = \"causal\"",
    "type = \"conv1d\"\nname = \"l\"\nunits = 4\nkernel = 3\nstride = 2\npadding = \"same\"\ngroups = 2",
    "type = \"linear\"\nname = \"l\"\nunits = 2\nbias = false",
    "type = \"layer-norm\"\nname = \"l\"",
    "type = \"batch-norm\"\nname = \"l\"\nepsilon = 0.01",
    "type = \"leaky-relu\"\nalpha = 0.2",
    "type = \"elu\"\nalpha = 0.5",
    "type = \"softmax\"",
    "type = \"mish\"",
    "type = \"scale\"\nscale = 2.0\nshift = -1.0",
    "type = \"pool\"\nkind = \"mean\"",
    "type = \"pool\"\nkind = \"max\"",
    "type = \"max-pool1d\"\nkernel = 3\nstride = 2",
};

TEST(ExportKeras, EveryLayerComesBack) {
  for (const std::string& layer : kKerasLayers) {
    const graph::Graph graph = drawn(stacked({"type = \"linear\"\nname = \"first\"\nunits = 4", layer}));
    const Imported back = imported_from(keras(graph), "net.keras");
    // An LSTM's two biases become one, with a rounding.
    EXPECT_LE(largest_difference(answers(back.graph), answers(graph)), 1e-6) << layer;
  }
}

TEST(ExportKeras, ArraysLieWhereKerasLooks) {
  const graph::Graph graph = drawn(stacked(
      {"type = \"embedding\"\nname = \"e\"\nsymbols = 5\nunits = 3", "type = \"lstm\"\nname = \"a/b\"\nunits = 2",
       "type = \"lstm\"\nname = \"a.b\"\nunits = 2", "type = \"linear\"\nname = \"out\"\nunits = 1"},
      "symbols = 5"));
  const std::string bytes = keras(graph);
  EXPECT_EQ(keras(graph), bytes);
  const ZipFile zip("net.keras", bytes);
  const nlohmann::json config = nlohmann::json::parse(zip.read("config.json"));
  EXPECT_EQ(config["class_name"], "Sequential");
  const auto& layers = config["config"]["layers"];
  ASSERT_EQ(layers.size(), 5U);
  EXPECT_EQ(layers[0]["config"]["dtype"], "int32");
  EXPECT_EQ(layers[2]["config"]["name"], "a_b");
  EXPECT_EQ(layers[3]["config"]["name"], "a_b_2");
  const Hdf5Node weights = read_hdf5("weights", zip.read("model.weights.h5"));
  for (const char* place : {"layers/embedding/vars/0", "layers/lstm/cell/vars/2", "layers/lstm_1/cell/vars/0",
                            "layers/dense/vars/1", "vars"}) {
    EXPECT_NE(weights.find(place), nullptr) << place;
  }
  const Imported back = imported_from(bytes, "net.keras");
  EXPECT_LE(largest_difference(answers(back.graph), answers(graph)), 1e-6);
}

TEST(ExportKeras, RefusesByName) {
  const auto refused = [](const std::string& layer, const std::string& what) {
    expect_export_refused(export_keras, drawn(stacked({layer})), what);
  };
  refused("type = \"lstm\"\nname = \"low\"\nunits = 3\nlayer_norm = true", "layer 'low' (lstm)");
  refused("type = \"lstm\"\nname = \"low\"\nunits = 3\nprojection = 2", "a projection");
  refused("type = \"lstm\"\nname = \"low\"\nunits = 3\nclip = 1.0", "clip");
  refused("type = \"context\"\nname = \"c\"\nsize = 2", "layer 'c' (context)");
  refused("type = \"conv1d\"\nname = \"c\"\nunits = 2\nkernel = 3\npadding = [1, 0]", "other padding");
  refused("type = \"pool\"\nname = \"p\"\nkind = \"attention\"", "pooling but by the mean");
}

}  // namespace
}  // namespace longhand::exporters
