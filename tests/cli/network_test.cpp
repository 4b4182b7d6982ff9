// `longhand import`, `longhand run` and `longhand info` of networks of layers.
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

const char* const kDescription =
    "[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 5\n[[layers]]\ntype = \"linear\"\n"
    "name = \"o\"\nunits = 3\n";

class NetworkCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder / "net.toml", kDescription);
    const Result made = run(folder, {"import", "--network", folder / "net.toml", "--out", folder / "model"});
    ASSERT_EQ(made.code, 0) << made.err;
    std::string rows;
    for (int t = 0; t < 30; ++t) rows += std::to_string(t % 7) + "," + std::to_string(0.25 * (t % 3)) + "\n";
    write_file(folder / "in.csv", "a,b\n" + rows);
  }
  std::string outputs_of(std::vector<std::string> more) {
    std::vector<std::string> words = {"run", folder / "model", "--input", folder / "in.csv"};
    words.insert(words.end(), more.begin(), more.end());
    const Result result = run(folder, words);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  }
  TemporaryFolder folder;
};

TEST_F(NetworkCommands, RunInBlocksAndFromPipesGivesTheSame) {
  const std::string whole = outputs_of({});
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 30);
  EXPECT_EQ(outputs_of({"--block", "1"}), whole);
  EXPECT_EQ(outputs_of({"--block", "7"}), whole);
  outputs_of({"--output", folder / "out.csv"});
  EXPECT_EQ(read_file(folder / "out.csv"), whole);
  outputs_of({"--output", folder / "out.f32"});
  EXPECT_EQ(read_file(folder / "out.f32").size(), 30U * 3 * sizeof(float));
  const Result piped = run(folder, {"run", folder / "model"}, {.input = read_file(folder / "in.csv")});
  EXPECT_EQ(piped.out, whole);
}

TEST_F(NetworkCommands, AStateGoesOnWhereTheOtherEnded) {
  const std::string whole = outputs_of({}), all = read_file(folder / "in.csv");
  size_t middle = 0;
  for (int line = 0; line < 13; ++line) middle = all.find('\n', middle) + 1;
  const Result first =
      run(folder, {"run", folder / "model", "--state-out", folder / "s"}, {.input = all.substr(0, middle)});
  const Result second =
      run(folder, {"run", folder / "model", "--state-in", folder / "s"}, {.input = all.substr(middle)});
  EXPECT_EQ(first.out + second.out, whole);
  const std::string apart = outputs_of({"--sequence", "15"});
  EXPECT_EQ(apart.substr(0, apart.size() / 4), whole.substr(0, apart.size() / 4));
  EXPECT_NE(apart, whole);
  EXPECT_EQ(run(folder, {"run", folder / "model", "--input", folder / "in.csv", "--sequence", "11"}).code, 1);
  EXPECT_EQ(run(folder, {"run", folder / "model", "--state-in", folder / "model"}, {.input = all}).code, 1);
}

TEST_F(NetworkCommands, WhatIsWrongIsSaidAndLeavesNothing) {
  const auto code = [&](std::vector<std::string> words, const std::string& input = "") {
    const Result result = run(folder, words, {.input = input});
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 2) << result.err;
    return result.code;
  };
  EXPECT_EQ(code({"run", folder / "model", "--output", folder / "x.csv"}, "1,2\n3\n"), 1);
  EXPECT_EQ(code({"run", folder / "model", "--output", folder / "x.csv"}, "1,2\n3,nan\n"), 1);
  EXPECT_EQ(code({"run", folder / "model", "--output", folder / "x.csv"}, "1;2,5\n"), 1);
  EXPECT_EQ(code({"run", folder / "model", "--output", folder / "x.unknown"}, "1,2\n"), 2);
  EXPECT_EQ(code({"run", folder / "net.toml"}), 1);
  EXPECT_FALSE(io::exists(folder / "x.csv"));
  EXPECT_FALSE(io::exists(folder / "x.csv.part"));
  EXPECT_EQ(code({"import", folder / "net.toml", "--out", folder / "y"}), 1);
  EXPECT_EQ(code({"import", "--network", folder / "model", "--out", folder / "y"}), 2);
  EXPECT_FALSE(io::exists(folder / "y"));
  EXPECT_EQ(code({"eval", folder / "model", "--data", folder / "in.csv"}), 2);  // no columns are named
}

TEST_F(NetworkCommands, VerifyWritesTheModelOnlyIfItsOutputsAreTheExpectedOnes) {
  outputs_of({"--output", folder / "out.csv"});
  const auto verify = [&](const std::string& expected, const std::string& model) {
    return run(folder, {"import", "--network", folder / "net.toml", "--verify", folder / "in.csv", expected, "--out",
                        folder / model});
  };
  const Result same = verify(folder / "out.csv", "same");
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_NE(same.out.find("verify  90 numbers"), std::string::npos) << same.out;
  EXPECT_TRUE(std::filesystem::exists(folder / "same"));
  const std::string rows = read_file(folder / "out.csv");
  write_file(folder / "other.csv", rows.substr(0, rows.rfind(',')) + ",7\n");
  const Result differs = verify(folder / "other.csv", "differs");
  EXPECT_EQ(differs.code, 1);
  EXPECT_NE(differs.err.find("[29, 2]"), std::string::npos) << differs.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "differs"));
  EXPECT_EQ(run(folder, {"import", "--network", folder / "net.toml", "--verify", folder / "in.csv"}).code, 2);
}

TEST_F(NetworkCommands, InfoShowsTheLayers) {
  const Result info = run(folder, {"info", folder / "model"});
  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_NE(info.out.find("network of 2 layers, 198 parameters"), std::string::npos) << info.out;
  EXPECT_NE(info.out.find("stream  2 numbers -> 3 numbers a step, 10 of state"), std::string::npos) << info.out;
  EXPECT_EQ(nlohmann::json::parse(run(folder, {"info", folder / "model", "--json"}).out)["network"]["nodes"].size(),
            2U);
}

TEST_F(NetworkCommands, ImportShowsTheLayersWithoutWritingThem) {
  const Result shown = run(folder, {"import", "--network", folder / "net.toml"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("network of 2 layers, 198 parameters"), std::string::npos) << shown.out;
  const Result own = run(folder, {"import", folder / "model", "--out", folder / "copy"});
  EXPECT_EQ(own.code, 1);
  EXPECT_NE(own.err.find("expected a model of another program, found one of longhand"), std::string::npos) << own.err;
  EXPECT_FALSE(io::exists(folder / "copy"));
}

}  // namespace
}  // namespace longhand::cli
