// `longhand export`: what it writes, and what it refuses without leaving anything.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

std::vector<double> numbers(std::string text) {
  std::replace(text.begin(), text.end(), ',', ' ');
  std::istringstream in(text);
  std::vector<double> out;
  for (double number = 0.0; in >> number;) out.push_back(number);
  return out;
}

class ExportCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder / "net.toml",
               "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 5\n[[layers]]\n"
               "type = \"linear\"\nname = \"o\"\nunits = 3\n");
    const Result made = run(folder, {"import", "--network", folder / "net.toml", "--out", folder / "model"});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(folder.string())) ++count;
    return count;
  }
  // Fails with two lines, and leaves nothing.
  void expect_error(int code, const std::string& says, std::vector<std::string> words) {
    const size_t before = files();
    words.insert(words.begin(), "export");
    const Result result = run(folder, words);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 2) << result.err;
    EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
    EXPECT_EQ(files(), before) << says;
  }
  TemporaryFolder folder;
};

TEST_F(ExportCommand, WritesAFileThatIsReadAgain) {
  const size_t before_it = files();
  const Result shown = run(folder, {"export", folder / "model", "--to", "onnx"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("input   r_h_in float32 [1, batch, 5]"), std::string::npos) << shown.out;
  EXPECT_EQ(files(), before_it);
  const Result result = run(folder, {"export", folder / "model", "--to", "onnx", "--out", folder / "m.onnx"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("wrote   " + (folder / "m.onnx")), std::string::npos) << result.out;
  EXPECT_EQ(run(folder, {"import", folder / "m.onnx", "--out", folder / "again"}).code, 0);
  const std::string rows = "1,2\n0.5,-1\n0,3\n";
  const Result before = run(folder, {"run", folder / "model"}, {.input = rows});
  const Result after = run(folder, {"run", folder / "again"}, {.input = rows});
  EXPECT_EQ(before.code, 0);
  EXPECT_EQ(std::count(after.out.begin(), after.out.end(), '\n'), 3) << after.err;
  const std::vector<double> expected = numbers(before.out), found = numbers(after.out);
  ASSERT_EQ(expected.size(), 9U);
  ASSERT_EQ(found.size(), 9U);
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(found[i], expected[i], 1e-6);
}

TEST_F(ExportCommand, WhatIsWrongIsSaidAndLeavesNothing) {
  const std::string model = folder / "model";
  expect_error(2, "--to", {model});
  expect_error(2, "expected one of", {model, "--to", "onxn", "--out", folder / "x"});
  expect_error(2, "--name", {model, "--to", "onnx", "--name", "1 x", "--out", folder / "x"});
  expect_error(2, "--name", {model, "--to", "onnx", "--name", "a/b", "--out", folder / "x"});
  expect_error(2, "another file than the model", {model, "--to", "onnx", "--out", model});
  expect_error(2, "another file than the model", {model, "--to", "onnx", "--out", folder.string() + "/./model"});
  expect_error(2, "folder", {model, "--to", "onnx", "--out", folder.string()});
  expect_error(1, "nowhere", {model, "--to", "onnx", "--out", folder / "nowhere/x.onnx"});
  expect_error(1, "missing", {folder / "missing", "--to", "onnx", "--out", folder / "x"});
  expect_error(1, "net.toml", {folder / "net.toml", "--to", "onnx", "--out", folder / "x"});
  expect_error(2, "float", {model, "--to", "onnx", "--weights", "int8", "--out", folder / "x"});
  const std::string whole = read_file(model);
  write_file(folder / "cut", whole.substr(0, whole.size() - 40));
  expect_error(1, "cut", {folder / "cut", "--to", "onnx", "--out", folder / "x"});
}

}  // namespace
}  // namespace longhand::cli
