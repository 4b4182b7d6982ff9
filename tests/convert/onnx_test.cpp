// ONNX files, composed byte by byte: what is read, and what is refused.
#include "longhand/convert/onnx_file.h"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "longhand/io/file.h"
#include "tests/convert/compose.h"
#include "tests/io/hostile.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

namespace pb = testing::proto;
using testing::bytes_of;
using testing::error_of;
using testing::TemporaryFolder;

const std::string kTwo = pb::bytes(9, bytes_of<float>({1.5F, -2.0F}));

std::string small_onnx() {
  const std::string shape = pb::bytes(2, pb::bytes(1, pb::bytes(2, "batch")) + pb::bytes(1, pb::integer(1, 3)));
  const std::string input = pb::bytes(1, "x") + pb::bytes(2, pb::bytes(1, pb::integer(1, 1) + shape));
  const std::string attributes =
      pb::bytes(5, pb::bytes(1, "hidden_size") + pb::integer(3, 7) + pb::integer(20, 2)) +
      pb::bytes(5, pb::bytes(1, "alpha") + pb::bytes(7, bytes_of<float>({0.5F, 1})) + pb::integer(20, 6)) +
      pb::bytes(5, pb::bytes(1, "names") + pb::bytes(9, "Tanh") + pb::bytes(9, "Relu") + pb::integer(20, 8)) +
      pb::bytes(5, pb::bytes(1, "then") + pb::bytes(6, pb::node("Relu", pb::bytes(2, "y"))) + pb::integer(20, 5));
  return pb::model(pb::node("LSTM", pb::bytes(1, "x") + pb::bytes(1, "") + pb::bytes(2, "y") + attributes) +
                   pb::bytes(5, pb::tensor("w", 1, {2}, kTwo)) + pb::bytes(11, input)) +
         pb::bytes(14, pb::bytes(1, "author") + pb::bytes(2, "me"));
}

TEST(Onnx, ReadsGraphsAttributesAndArrays) {
  const OnnxModel model = read_onnx("x.onnx", small_onnx());
  EXPECT_EQ(model.opsets.at(""), 17);
  EXPECT_EQ(model.texts.at("author"), "me");
  ASSERT_EQ(model.graph.nodes.size(), 1U);
  const OnnxNode& node = model.graph.nodes[0];
  EXPECT_EQ(node.op_type, "LSTM");
  EXPECT_EQ(node.inputs, (std::vector<std::string>{"x", ""}));
  EXPECT_EQ(node.attribute("hidden_size")->integer, 7);
  EXPECT_EQ(node.attribute("alpha")->reals, (std::vector<float>{0.5F, 1}));
  EXPECT_EQ(node.attribute("names")->texts, (std::vector<std::string>{"Tanh", "Relu"}));
  EXPECT_EQ(node.attribute("then")->graphs[0].nodes[0].op_type, "Relu");
  EXPECT_EQ(node.attribute("other"), nullptr);
  EXPECT_EQ(io::floats(model.graph.initialisers[0].array, "w"), (std::vector<float>{1.5F, -2.0F}));
  ASSERT_EQ(model.graph.inputs.size(), 1U);
  EXPECT_EQ(model.graph.inputs[0].dtype, io::DType::kF32);
  EXPECT_EQ(model.graph.inputs[0].shape[0].name, "batch");
  EXPECT_EQ(model.graph.inputs[0].shape[0].value, -1);
  EXPECT_EQ(model.graph.inputs[0].shape[1].value, 3);
}

// The field of each type, packed and not, and bytes.
TEST(Onnx, ReadsEveryFieldOfNumbers) {
  const auto read = [](int type, const std::string& data) {
    return io::doubles(read_onnx_tensor("x", pb::tensor("w", type, {2}, data)).array, "w");
  };
  const std::vector<double> two = {1, 2};
  EXPECT_EQ(read(1, pb::bytes(4, bytes_of<float>({1, 2}))), two);
  EXPECT_EQ(read(1, pb::real(4, 1) + pb::real(4, 2)), two);
  for (const int type : {2, 3, 4, 5, 6, 9}) {
    EXPECT_EQ(read(type, pb::bytes(5, "\x01\x02")), type == 9 ? (std::vector<double>{1, 1}) : two) << type;
  }
  EXPECT_EQ(read(3, pb::integer(5, UINT64_MAX) + pb::integer(5, 2)), (std::vector<double>{-1, 2}));
  EXPECT_EQ(read(10, pb::bytes(5, pb::varint(0x3C00) + pb::varint(0x4000))), two);
  EXPECT_EQ(read(16, pb::bytes(5, pb::varint(0x3F80) + pb::varint(0x4000))), two);
  EXPECT_EQ(read(7, pb::integer(7, 1) + pb::integer(7, 2)), two);
  EXPECT_EQ(read(11, pb::bytes(10, bytes_of<double>({1, 2}))), two);
  EXPECT_EQ(read(12, pb::bytes(11, "\x01\x02")), two);
  EXPECT_EQ(read(13, pb::bytes(11, "\x01\x02")), two);
  EXPECT_EQ(read(5, pb::bytes(9, bytes_of<int16_t>({1, 2}))), two);
  const OnnxTensor texts = read_onnx_tensor("x", pb::tensor("w", 8, {2}, pb::bytes(6, "a") + pb::bytes(6, "b")));
  EXPECT_TRUE(texts.is_text);
  EXPECT_EQ(texts.texts, (std::vector<std::string>{"a", "b"}));
}

TEST(Onnx, NamesWhatItRefuses) {
  const auto error = [](const std::string& graph) { return error_of([&] { read_onnx("x.onnx", pb::model(graph)); }); };
  const std::string node = pb::node("Relu");
  EXPECT_EQ(error(node), "");
  EXPECT_NE(
      error(node + pb::bytes(5, pb::tensor("w", 14, {2}, kTwo))).find("'w': expected numbers, found ONNX's type 14"),
      std::string::npos);
  EXPECT_NE(error(node + pb::bytes(5, pb::tensor("w", 1, {3}, kTwo))).find("float32 [3] does not match its 8 bytes"),
            std::string::npos);
  EXPECT_NE(error(node + pb::bytes(5, pb::tensor("w", 1, {-1}, kTwo))).find("no shape of an array"), std::string::npos);
  EXPECT_NE(error(node + pb::bytes(15, "")).find("sparse"), std::string::npos);
  EXPECT_NE(error(pb::node("", pb::bytes(3, "n"))).find("'n' has no operator"), std::string::npos);
  EXPECT_NE(error("").find("no graph of operators"), std::string::npos);
  std::string deep = node;
  for (int i = 0; i < 50; ++i) deep = pb::node("If", pb::bytes(5, pb::bytes(1, "then") + pb::bytes(6, deep)));
  EXPECT_NE(error(deep).find("more than 8 deep"), std::string::npos);
  std::string many;
  for (int i = 0; i < 200'001; ++i) many += pb::node("A");
  EXPECT_NE(error(many).find("at most 200,000"), std::string::npos);
  EXPECT_NE(error_of([&] { read_onnx("x.onnx", pb::bytes(7, node)); }).find("of which version"), std::string::npos);
}

// Arrays in other files: inside the model's folder only.
TEST(Onnx, ReadsOtherFilesOnlyBesideTheModel) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "inner");
  io::write_file(folder / "inner/data.bin", std::string(4, 'x') + bytes_of<float>({1.5F, -2.0F}));
  io::write_file(folder / "secret.bin", std::string(64, 's'));
  ASSERT_EQ(::symlink((folder / "secret.bin").c_str(), (folder / "inner/link").c_str()), 0);
  const auto read = [&](const std::string& location, const std::string& offset, const std::string& length) {
    const auto entry = [](const std::string& key, const std::string& value) {
      return value.empty() ? "" : pb::bytes(13, pb::bytes(1, key) + pb::bytes(2, value));
    };
    const std::string external =
        entry("location", location) + entry("offset", offset) + entry("length", length) + pb::integer(14, 1);
    io::write_file(folder / "inner/m.onnx",
                   pb::model(pb::node("Relu") + pb::bytes(5, pb::tensor("w", 1, {2}, external))));
    return read_onnx(folder / "inner/m.onnx");
  };
  EXPECT_EQ(io::floats(read("data.bin", "4", "8").graph.initialisers[0].array, "w"), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(io::floats(read("./data.bin", "4", "").graph.initialisers[0].array, "w"),
            (std::vector<float>{1.5F, -2.0F}));
  const auto error = [&](const std::string& location, const std::string& offset = "", const std::string& length = "") {
    return error_of([&] { read(location, offset, length); });
  };
  EXPECT_NE(error("../secret.bin").find("outside of the model's folder"), std::string::npos);
  EXPECT_NE(error("../../etc/passwd").find("'w' is in another file, '../../etc/passwd'"), std::string::npos);
  EXPECT_NE(error("/etc/passwd").find("outside of the model's folder"), std::string::npos);
  EXPECT_NE(error("link").find("through a link"), std::string::npos);
  EXPECT_NE(error(".").find("no regular file"), std::string::npos);
  EXPECT_NE(error("none").find("does not exist"), std::string::npos);
  EXPECT_NE(error("data.bin", "5", "8"), "");
  EXPECT_NE(error("data.bin", "4", "9"), "");
  EXPECT_NE(error("data.bin", "18446744073709551615", "8"), "");
  EXPECT_NE(error("data.bin", "-4", "8"), "");
  EXPECT_NE(error_of([&] { read_onnx("x", io::read_file(folder / "inner/m.onnx")); }).find("from memory"),
            std::string::npos);
}

TEST(Onnx, RefusesTruncationsAndSurvivesDamage) {
  std::string whole = small_onnx();
  const auto reader = [](std::string_view bytes) { read_onnx("x", bytes); };
  EXPECT_GT(testing::expect_no_crash(whole, reader), 100);
  // What follows the versions of the operators may be missing.
  whole.resize(whole.size() - pb::bytes(14, pb::bytes(1, "author") + pb::bytes(2, "me")).size());
  testing::expect_no_prefix(whole, reader);
}

}  // namespace
}  // namespace longhand::convert
