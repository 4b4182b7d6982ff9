// longhand compare: runs that are found again, resumed, or failed; its files; its errors.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhand/lab/compare_sets.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

const Words kTiny = {"--data",  "tale", "--max-tokens", "1500", "--hidden", "12", "--epochs", "2",
                     "--batch", "8",    "--seeds",      "2",    "--out",    "cmp"};

nlohmann::json result_of(const TemporaryFolder& folder) {
  return nlohmann::json::parse(read_file(folder / "cmp/compare.json"));
}

int64_t runs_in(const TemporaryFolder& folder) {
  return std::distance(std::filesystem::directory_iterator(folder / "cmp/runs"), {});
}

TEST(Compare, WritesTableJsonCsvAndPageAndReusesRuns) {
  const TemporaryFolder folder;
  const Result first = run(folder, with({"compare", "depths"}, kTiny));
  ASSERT_EQ(first.code, 0) << first.err;
  for (const char* name : {"one layer", "two layers", "bidirectional", "held-out"}) {
    EXPECT_NE(first.out.find(name), std::string::npos) << first.out;
  }
  const nlohmann::json json = result_of(folder);
  ASSERT_EQ(json["variants"].size(), 3U);
  for (const nlohmann::json& variant : json["variants"]) {
    EXPECT_EQ(variant["runs"].size(), 2U);
    EXPECT_GT(variant["runs"][0]["memory_mib"], 1.0);
    EXPECT_GT(variant["runs"][0]["tokens_per_second"], 0.0);
    EXPECT_NE(variant["runs"][0]["train_loss"], variant["runs"][1]["train_loss"]);  // another seed
  }
  const std::string csv = read_file(folder / "cmp/compare.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 6);
  EXPECT_NE(read_file(folder / "cmp/report.html").find("<svg"), std::string::npos);

  const Result second = run(folder, with({"compare", "depths"}, kTiny));
  EXPECT_EQ(second.out, first.out);  // times included, since nothing was done
  EXPECT_EQ(std::count(second.err.begin(), second.err.end(), '('), 6) << second.err;  // "(done before)"
  EXPECT_EQ(runs_in(folder), 6);
  // Another option makes other runs, and leaves these where they are.
  ASSERT_EQ(run(folder, with(with({"compare", "depths"}, kTiny), {"--hidden", "8", "--seeds", "1"})).code, 0);
  EXPECT_EQ(runs_in(folder), 9);
}

TEST(Compare, AFailedRunIsARow) {
  const TemporaryFolder folder;
  write_file(
      folder / "grid.toml",
      "data = \"tale\"\nmax-tokens = 1500\nhidden = 12\nepochs = 2\nzoneout = 0.1\ncell = [\"lstm\", \"gru\"]\n");
  const Result result =
      run(folder, {"compare", "--grid", "grid.toml", "--seeds", "1", "--out", "cmp", "--quiet", "--markdown"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("| cell gru (failed: --zoneout: expected --cell lstm"), std::string::npos) << result.out;
  const nlohmann::json json = result_of(folder);
  EXPECT_EQ(json["variants"][0]["runs"][0]["status"], "done");
  EXPECT_EQ(json["variants"][1]["runs"][0]["status"], "failed");
}

TEST(Compare, AMissingTextIsAFailedRow) {
  const TemporaryFolder folder;
  write_file(folder / "texts.toml", "data = [\"nofile\", \"tale\"]\nmax-tokens = 1500\nhidden = 12\nepochs = 1\n");
  const Result result = run(folder, {"compare", "--grid", "texts.toml", "--seeds", "1", "--markdown"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("| data nofile (failed: nofile: expected a file"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("| data tale | "), std::string::npos) << result.out;
  EXPECT_TRUE(io::exists(folder / "runs/compare-texts/compare.json"));  // the grid's name
}

TEST(Compare, RestartsARunWithADamagedCheckpoint) {
  const TemporaryFolder folder;
  const Words words = with({"compare", "engines"}, with(kTiny, {"--seeds", "1"}));
  ASSERT_EQ(run(folder, words).code, 0);
  const nlohmann::json before = result_of(folder)["variants"];
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cmp/runs")) {
    std::filesystem::remove(entry.path() / "result.json");
    std::filesystem::resize_file(entry.path() / "checkpoint.safetensors", 100);
  }
  ASSERT_EQ(run(folder, words).code, 0);
  const nlohmann::json after = result_of(folder)["variants"];
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(after[i]["runs"][0]["train_loss"], before[i]["runs"][0]["train_loss"]);
}

TEST(Compare, ComparisonsAndRunsDoNotShareAFolder) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  expect_error(run(folder, with({"compare", "depths"}, with(kTiny, {"--out", "run"}))), 2, "run: holds a run");
  ASSERT_EQ(run(folder, with({"compare", "depths"}, with(kTiny, {"--seeds", "1"}))).code, 0);
  expect_error(run(folder, with(kSmall, {"--out", "cmp"})), 2, "cmp: holds a comparison");
}

// Taggers by their accuracy, in a folder of their own.
TEST(Compare, OtherTasksByTheirMeasure) {
  const TemporaryFolder folder;
  std::string sentences;
  for (int i = 0; i < 30; ++i) sentences += i % 2 == 0 ? "The D\ncat N\n\n" : "A D\ndog N\nbarks V\n\n";
  write_file(folder / "t.txt", sentences);
  const Words small = {"--data", "t.txt", "--hidden", "6", "--epochs", "2", "--seeds", "1", "--quiet"};
  const Result result = run(folder, with({"compare", "tagger", "depths"}, small));
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"accuracy", "words/s", "* the highest held-out accuracy", "runs/compare-tagger-depths"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << result.out;
  }
  const nlohmann::json json = nlohmann::json::parse(read_file(folder / "runs/compare-tagger-depths/compare.json"));
  EXPECT_TRUE(json["variants"][0]["summary"].contains("valid_accuracy"));
  EXPECT_FALSE(json["variants"][0]["summary"].contains("valid_perplexity"));
  expect_error(run(folder, with({"compare", "--seeds", "1", "tagger", "depths"}, small)), 2,
               "expected tagger before --seeds");
  expect_error(run(folder, with({"compare", "depths", "tagger"}, small)), 2, "expected tagger before depths");
  expect_error(run(folder, with({"compare", "taggr", "depths"}, small)), 2, "unknown command taggr");
  expect_error(run(folder, {"compare", "tagger", "depths"}), 2, "longhand compare tagger: expected --data");
  expect_error(run(folder, {"compare", "tagger", "depths", "--data", "tale"}), 1, "tale: ");
}

TEST(Compare, AGridIsEveryCombination) {
  const lab::CompareSet set = lab::grid_set("g", {{"hidden", {"8", "9"}}, {"cell", {"lstm", "gru", "rnn"}}});
  ASSERT_EQ(set.variants.size(), 6U);
  EXPECT_EQ(set.variants[0].name, "hidden 8, cell lstm");
  EXPECT_EQ(set.variants[5].name, "hidden 9, cell rnn");
  EXPECT_EQ(set.variants[5].options,
            (std::vector<std::pair<std::string, std::string>>{{"hidden", "9"}, {"cell", "rnn"}}));
}

TEST(Compare, RatesAreOneAndThreeTimesPowersOfTen) {
  EXPECT_EQ(lab::ladder_rate(0), 1.0);
  EXPECT_EQ(lab::ladder_rate(1), 3.0);
  EXPECT_EQ(lab::ladder_rate(2), 10.0);
  EXPECT_EQ(lab::ladder_rate(-1), 0.3);
  EXPECT_EQ(lab::ladder_rate(-2), 0.1);
  EXPECT_EQ(lab::ladder_rate(-5), 0.003);
  for (int rung = -9; rung < 9; ++rung) EXPECT_EQ(lab::nearest_rung(lab::ladder_rate(rung)), rung);
}

// Units that begin alike stay alike; the comparison says so.
TEST(Compare, EqualInitialWeightsKeepUnitsEqual) {
  const TemporaryFolder folder;
  const Result result = run(folder, with(with({"compare", "initialisers"}, kTiny), {"--seeds", "1", "--quiet"}));
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json variants = result_of(folder)["variants"];
  for (const nlohmann::json& variant : variants) {
    const bool alike = variant["name"] == "zeros" || variant["name"] == "constant";
    EXPECT_EQ(variant["note"] == "12 hidden units with only 1 distinct weight vector", alike) << variant["name"];
  }
}

TEST(Compare, ASearchEndsWhereBothNeighboursAreWorse) {
  const TemporaryFolder folder;
  const Result result =
      run(folder, with(with({"compare", "optimizers"}, kTiny),
                       {"--seeds", "1", "--valid-fraction", "0", "--average-after", "0", "--epochs", "1"}));
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json searched = result_of(folder)["variants"];
  for (const nlohmann::json& variant : searched) {
    EXPECT_NE(variant["note"].get<std::string>().find("the best of"), std::string::npos);
  }
  // With a rate of the user's nothing is searched.
  const Result given = run(folder, with(with({"compare", "optimizers"}, kTiny),
                                        {"--seeds", "1", "--lr", "0.01", "--epochs", "1", "--quiet"}));
  ASSERT_EQ(given.code, 0) << given.err;
  const nlohmann::json not_searched = result_of(folder)["variants"];
  for (const nlohmann::json& variant : not_searched) EXPECT_EQ(variant["note"], "");
}

TEST(Compare, ContinuesAfterAKill) {
  const TemporaryFolder folder, whole;
  const Words words = with(with({"compare", "engines"}, kTiny), {"--epochs", "60", "--quiet", "--seeds", "1"});
  EXPECT_EQ(run(folder, words, {.signal = SIGINT, .checkpoint = "cmp/runs", .milliseconds = 200}).code, 130);
  const Result result = run(folder, words);
  ASSERT_EQ(result.code, 0) << result.err;
  ASSERT_EQ(run(whole, words).code, 0);
  const nlohmann::json expected = result_of(whole), actual = result_of(folder);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(expected["variants"][i]["runs"][0]["train_loss"], actual["variants"][i]["runs"][0]["train_loss"]);
  }
}

TEST(Compare, TrainsAgainWhereAnotherFileOfTheOptionsChanged) {
  const TemporaryFolder folder;
  std::string words;
  for (int i = 0; i < 60; ++i) words += i % 3 == 0 ? "Ann\tB-N\nruns\tO\n\n" : "a\tO\ndog\tO\nruns\tO\n\n";
  write_file(folder / "words", words);
  write_file(folder / "grid.toml", "hidden = [4]\n");
  const Words compare = {"compare", "tagger", "--grid", "grid.toml", "--data",    "words", "--epochs", "1",
                         "--seeds", "1",      "--out",  "cmp",       "--vectors", "v.txt", "--embed",  "2"};
  const auto errors = [&](const std::string& vectors) {
    write_file(folder / "v.txt", vectors);
    const Result result = run(folder, compare);
    EXPECT_EQ(result.code, 0) << result.err;
    return result.err;
  };
  EXPECT_EQ(errors("Ann 1 0\ndog 0 1\n").find("(reused)"), std::string::npos);
  EXPECT_NE(errors("Ann 1 0\ndog 0 1\n").find("(reused)"), std::string::npos);
  EXPECT_EQ(errors("Ann 0 1\ndog 0 1\n").find("(reused)"), std::string::npos);
  EXPECT_EQ(runs_in(folder), 2);
}

TEST(Compare, WritesNoReportBeforeTheFirstRun) {
  const TemporaryFolder folder;
  const Words words = with(with({"compare", "engines"}, kTiny), {"--epochs", "5000", "--seeds", "1"});
  const Result result = run(folder, words, {.signal = SIGINT, .checkpoint = "cmp/runs", .milliseconds = 200});
  EXPECT_EQ(result.code, 130);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("interrupted before the end of the first run"), std::string::npos) << result.err;
  EXPECT_FALSE(io::exists(folder / "cmp/compare.json"));
  EXPECT_FALSE(io::exists(folder / "cmp/report.html"));
}

TEST(Compare, TheCommandLineAtFaultIsExitCodeTwo) {
  const TemporaryFolder folder;
  expect_error(run(folder, {"compare"}), 2, "expected the name of a set or --grid, found neither");
  expect_error(run(folder, {"compare", "optimisers"}), 2, "did you mean optimizers?");
  expect_error(run(folder, {"compare", "depths", "--data", "-"}), 2, "found standard input");
  write_file(folder / "bad.toml", "hidden = [8, 0]\n");
  expect_error(run(folder, {"compare", "--grid", "bad.toml"}), 2, "bad.toml:1: hidden: expected an integer from 1");
  write_file(folder / "none.toml", "hidden = []\n");
  expect_error(run(folder, {"compare", "--grid", "none.toml"}), 2, "found an empty one");
  write_file(folder / "twice.toml", "data = \"tale\"\nhidden = [16, 24, 16]\n");
  expect_error(run(folder, {"compare", "--grid", "twice.toml"}), 2,
               "twice.toml:2: hidden: expected different values, found 16 twice");
  expect_error(run(folder, {"compare", "depths", "--grid", "bad.toml"}), 2, "found both");
  expect_error(run(folder, {"compare", "depths", "--data", "none.txt"}), 1, "none.txt: expected a file");
}

}  // namespace
}  // namespace longhand::cli
