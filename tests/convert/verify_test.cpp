// Models that are proven by outputs that they must give; and an archive of Keras 3.
#include "longhand/convert/verify.h"

#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/audio_json.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/npz.h"
#include "longhand/convert/zip_file.h"
#include "tests/convert/compose_hdf5.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

// An LSTM whose weights are all zero: h is 0, and the skip adds x.
const char* const kPasses = R"({"in_shape": [null, 1], "in_skip": 1, "layers": [
  {"type": "lstm", "weights": [[[0, 0, 0, 0]], [[0, 0, 0, 0]], [0, 0, 0, 0]]}]})";

io::Array numbers(std::vector<int64_t> shape, const std::vector<float>& values) {
  return io::make_array(std::move(shape), std::span<const float>(values));
}

TEST(Verify, NamesTheLargestDifference) {
  const graph::Graph graph = json_to_graph(kPasses, "m.json", {}).graph;
  NumberFile input, expected;
  input.arrays = {{"", numbers({4}, {1.0F, 2.0F, 3.0F, 400.0F})}};
  expected.arrays = {{"", numbers({2, 2}, {1.0F, 2.0F, 3.5F, 404.0F})}};
  const Verification found = verify(graph, input, expected, "in", "out");
  EXPECT_EQ(found.numbers, 4);
  EXPECT_EQ(found.where, "[1, 0]");
  EXPECT_NEAR(found.largest, 0.5 / 3.5, 1e-7);  // relative above 1; the last is off by 4 of 404
  EXPECT_EQ(found.found, 3.0);
  EXPECT_EQ(found.expected, 3.5);
}

TEST(Verify, SequencesBeginAnewAndBelongTogether) {
  const graph::Graph graph = json_to_graph(kPasses, "m.json", {}).graph;
  NumberFile input, expected;
  input.arrays = {{"a", numbers({2}, {1.0F, 2.0F})}, {"b", numbers({1}, {3.0F})}};
  expected.arrays = {{"b", numbers({1}, {3.25F})}, {"a", numbers({2}, {1.0F, 2.0F})}};
  EXPECT_EQ(verify(graph, input, expected, "in", "out").where, "b [0]");
  expected.arrays.pop_back();
  EXPECT_THROW(verify(graph, input, expected, "in", "out"), Error);
  input.arrays = {{"", numbers({2}, {1.0F, 2.0F})}};
  expected.arrays = {{"", numbers({3}, {1.0F, 2.0F, 3.0F})}};
  EXPECT_THROW(verify(graph, input, expected, "in", "out"), Error);
}

TEST(Verify, NotANumberIsNoAgreement) {
  const graph::Graph graph = json_to_graph(kPasses, "m.json", {}).graph;
  NumberFile input, expected;
  input.arrays = {{"", numbers({2}, {1.0F, 2.0F})}};
  expected.arrays = {{"", numbers({2}, {std::nanf(""), 2.0F})}};
  EXPECT_TRUE(std::isnan(verify(graph, input, expected, "in", "out").largest));
}

// The arrays are those of import_keras_test's first case, without go_backwards; so are the numbers of its reversed
// input.
TEST(Verify, KerasArchive) {
  const std::string weights = longhand::testing::hdf5_bytes([](hid_t file) {
    hid_t group = file;
    std::vector<hid_t> groups;
    for (const char* name : {"layers", "lstm", "cell", "vars"}) {
      group = H5Gcreate2(group, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      groups.push_back(group);
    }
    const std::vector<std::vector<hsize_t>> shapes = {{2, 8}, {2, 8}, {8}};
    for (size_t k = 0; k < 3; ++k) {
      std::vector<float> values;
      for (int64_t i = 0; i < (k < 2 ? 16 : 8); ++i) {
        values.push_back(
            static_cast<float>(static_cast<double>((7 * i + 11 * static_cast<int64_t>(k)) % 17 - 8) * 0.06));
      }
      longhand::testing::write_hdf5(group, std::to_string(k).c_str(), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shapes[k],
                                    values.data());
    }
    for (const hid_t each : groups) H5Gclose(each);
  });
  const std::string config = R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [null, null, 2]}},
    {"class_name": "LSTM", "config": {"name": "my_lstm", "units": 2, "return_sequences": true}}]}})";
  const std::string path = ::testing::TempDir() + "longhand_verify_test.keras";
  io::write_file(path, zip_bytes({{"config.json", config},
                                  {"metadata.json", R"({"keras_version": "3.15.1"})"},
                                  {"model.weights.h5", weights}}));
  const Imported imported = import_file(path);
  EXPECT_EQ(imported.graph.nodes.at(0).name, "my_lstm");
  std::vector<float> x;
  for (int64_t t = 3; t >= 0; --t) {
    for (int64_t j = 0; j < 2; ++j)
      x.push_back(static_cast<float>(static_cast<double>((5 * (2 * t + j)) % 11 - 5) * 0.2));
  }
  expect_close(
      "archive", run_whole(imported, x, 4),
      {0.063144691F, -0.079361469F, 0.11009445F, -0.12951396F, 0.14515284F, -0.16999897F, 0.1244951F, 0.0076892972F},
      3e-7);
}

}  // namespace
}  // namespace longhand::convert
