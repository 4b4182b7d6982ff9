// Regressors as a user meets them.
#include <algorithm>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

TEST(Regressor, FitsALineAndForecastsASeries) {
  const TemporaryFolder folder;
  const Result line =
      run(folder, {"train",    "regressor", "--data",    "linear", "--inputs",        "x",    "--target", "y",
                   "--window", "1",         "--horizon", "0",      "--test-fraction", "0.2",  "--hidden", "16",
                   "--lr",     "0.01",      "--epochs",  "30",     "--out",           "line", "--json"});
  ASSERT_EQ(line.code, 0) << line.err;
  const nlohmann::json fitted = nlohmann::json::parse(line.out);
  EXPECT_GT(fitted["test_r2"], 0.9);
  EXPECT_EQ(fitted["baseline"]["name"], "ridge regression of the window");
  EXPECT_LT(fitted["baseline"]["mse"].get<double>(), 0.1 * fitted["test_naive_mse"].get<double>());
  EXPECT_LT(fitted["test_mse"].get<double>(), 1.5 * fitted["baseline"]["mse"].get<double>());

  const Words series = {"train", "regressor", "--data",   "sines",    "--target", "value",    "--window",
                        "30",    "--horizon", "4",        "--season", "17",       "--hidden", "16",
                        "--lr",  "0.01",      "--epochs", "4",        "--out",    "series"};
  const Result train = run(folder, with(series, {"--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  const nlohmann::json seen = nlohmann::json::parse(train.out);
  EXPECT_LT(seen["valid_mse"].get<double>(), 0.5 * seen["valid_naive_mse"].get<double>());
  EXPECT_LT(seen["valid_mse"].get<double>(), 0.5 * seen["valid_seasonal_naive_mse"].get<double>());

  const nlohmann::json json = nlohmann::json::parse(run(folder, {"eval", "series", "--data", "sines", "--json"}).out);
  EXPECT_GT(json["r2"], 0.8);
  EXPECT_TRUE(json["seasonal_naive_mse"].is_number());
  const Result predicted = run(folder, {"predict", "series", "--data", "sines"});
  std::istringstream rows(predicted.out);
  std::string header, row;
  std::getline(rows, header);
  EXPECT_EQ(header, "row,step,value");
  for (int step = 1; step <= 4; ++step) {
    ASSERT_TRUE(std::getline(rows, row)) << predicted.err;
    EXPECT_EQ(row.find("3000," + std::to_string(step) + ","), 0U) << row;
    const double t = 2999 + step, pi = std::acos(-1.0);  // the next that the generator would have made
    const double next = std::sin(2 * pi * t / 17) + 0.7 * std::sin(2 * pi * t / 41) + 0.4 * std::sin(2 * pi * t / 97);
    EXPECT_NEAR(std::stod(row.substr(row.rfind(',') + 1)), next, 0.6);
  }
  EXPECT_FALSE(std::getline(rows, row));
  const Result all = run(folder, {"predict", "series", "--data", "sines", "--all"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 1 + 4 * (3000 - 30 + 1));
}

// A forecast that begins with a linear one: what is said, stored, shown again without the training data, and predicted.
TEST(Regressor, LearnsWhatALineLeavesOver) {
  const TemporaryFolder folder;
  std::string table = "noise,half,value\n";
  double value = 0.0, before = 0.0;
  for (int i = 0; i < 400; ++i) {
    const double noise = (i * 7919 % 101) / 101.0 - 0.5, half = (i * 104729 % 89) / 89.0 - 0.5;
    value = 0.5 * before + 2.0 * half;  // of the row before
    table += std::to_string(noise) + "," + std::to_string(half) + "," + std::to_string(before) + "\n";
    before = value;
  }
  write_file(folder / "t.csv", table);
  const Words words = {"train",    "regressor", "--data",   "t.csv", "--inputs",        "noise,half,value",
                       "--target", "value",     "--window", "6",     "--test-fraction", "0.2",
                       "--hidden", "4",         "--epochs", "2",     "--residual-of",   "linear",
                       "--out",    "run"};
  const Result train = run(folder, with(words, {"--choose-inputs"}));
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("inputs that help"), std::string::npos) << train.err;
  EXPECT_NE(train.err.find("1 column is left out"), std::string::npos) << train.err;
  EXPECT_NE(train.err.find("linear part: ridge regression on the last"), std::string::npos) << train.err;
  EXPECT_NE(train.err.find("1 column is left out, since none of them reduces it by 0.5 %; 6 regressions\n"),
            std::string::npos)
      << train.err;
  EXPECT_NE(train.out.find("\nforecast   "), std::string::npos) << train.out;
  const Result again = run(folder, with(words, {"--choose-inputs", "--overwrite", "--json"}));
  const nlohmann::json as_json = nlohmann::json::parse(again.out);
  EXPECT_GE(as_json["residual_gain"].get<double>(), 0.0);
  EXPECT_LE(as_json["residual_gain"].get<double>(), 1.0);
  const nlohmann::json json = nlohmann::json::parse(run(folder, {"eval", "run", "--data", "t.csv", "--json"}).out);
  EXPECT_LT(json["ridge_mse"].get<double>(), 1e-4 * json["naive_mse"].get<double>());
  EXPECT_LT(json["mse"].get<double>(), 0.01 * json["naive_mse"].get<double>());
  EXPECT_EQ(json["residual_gain"], as_json["residual_gain"]);
  // The column that does not help need not be there; the next value of the line is known.
  const Result info = run(folder, {"info", "run", "--json"});
  EXPECT_NE(info.out.find("half,value"), std::string::npos) << info.out;
  const Result predicted = run(folder, {"predict", "run", "--data", "t.csv"});
  EXPECT_NEAR(std::stod(predicted.out.substr(predicted.out.rfind(',') + 1)), value, 0.1) << predicted.out;

  // Without a linear part the ridge regression is beside the model.
  const Words plain = {"train", "regressor", "--data", "t.csv", "--window", "6", "--hidden", "4", "--epochs", "1"};
  ASSERT_EQ(run(folder, with(plain, {"--out", "plain"})).code, 0);
  EXPECT_NE(run(folder, {"eval", "plain", "--data", "t.csv"}).err.find("--residual-of linear"), std::string::npos);
  ASSERT_EQ(run(folder, with(plain, {"--out", "alone", "--no-baseline"})).code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "alone/baseline.safetensors"));
  write_file(folder / "plain/baseline.safetensors", read_file(folder / "plain/model.safetensors"));
  const Result without = run(folder, {"eval", "plain", "--data", "t.csv"});
  EXPECT_EQ(without.code, 0) << without.err;
  EXPECT_NE(without.err.find("no baseline is shown"), std::string::npos) << without.err;
  const Result noted = run(folder, {"eval", "plain", "--data", "t.csv", "--json"});
  EXPECT_NE(noted.err.find("no baseline is shown"), std::string::npos) << noted.err;
  EXPECT_FALSE(nlohmann::json::parse(noted.out).contains("residual_gain"));
  expect_error(run(folder, with(plain, {"--out", "no", "--choose-inputs"})), 2, "--choose-inputs");
  expect_error(run(folder, with(plain, {"--out", "no", "--difference", "--residual-of", "linear"})), 2, "--difference");
}

TEST(Regressor, ReadsWholeSequencesOfDifferentLengths) {
  const TemporaryFolder folder;
  std::string table = "id,x,last\n";
  for (int s = 0; s < 60; ++s) {
    for (int t = 0; t < 3 + s % 4; ++t) {
      table += std::to_string(s) + "," + std::to_string((s * 7 + t * 3) % 11) + "," +
               std::to_string((s * 7 + (2 + s % 4) * 3) % 11) + "\n";
    }
  }
  write_file(folder / "t.csv", table);
  const Result train =
      run(folder, {"train",    "regressor", "--data",   "t.csv", "--inputs",  "x",   "--target", "last",
                   "--group",  "id",        "--window", "0",     "--horizon", "0",   "--hidden", "12",
                   "--epochs", "60",        "--lr",     "0.02",  "--out",     "run", "--json"});
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_GT(nlohmann::json::parse(train.out)["valid_r2"], 0.9);
  const Result predicted = run(folder, {"predict", "run", "--data", "t.csv"});
  EXPECT_EQ(std::count(predicted.out.begin(), predicted.out.end(), '\n'), 1 + 60) << predicted.err;
}

TEST(Regressor, IsMeasuredOnATableOfItsOwn) {
  const TemporaryFolder folder;
  std::string up, down;
  for (int i = 0; i < 60; ++i) up += std::to_string(i) + "," + std::to_string(1000000000 + 3 * i) + "\n";
  for (int i = 0; i < 40; ++i) down += std::to_string(i) + "," + std::to_string(1000000200 - 3 * i) + "\n";
  write_file(folder / "up.csv", "t, value\n" + up);  // names are without the blanks around them
  write_file(folder / "down.csv", "t,value\n" + down);
  const Words words = {"train",    "regressor", "--data",   "up.csv", "--target",     "value", "--window", "5",
                       "--hidden", "4",         "--epochs", "2",      "--difference", "--out", "run",      "--json"};
  expect_error(run(folder, with(words, {"--valid", "nowhere.csv"})), 1, "nowhere.csv");
  const Result train = run(folder, with(words, {"--valid", "down.csv", "--test", "down.csv"}));
  ASSERT_EQ(train.code, 0) << train.err;
  const nlohmann::json json = nlohmann::json::parse(train.out);
  EXPECT_EQ(json["valid_naive_mse"], 9.0);
  EXPECT_EQ(json["valid_mse"], json["test_mse"]);
  EXPECT_NE(read_file(folder / "run/report.html").find("naive mse"), std::string::npos);
  const Result predicted = run(folder, {"predict", "run", "--data", "down.csv"});
  EXPECT_EQ(predicted.out.find("row,step,value\n40,1,10000000"), 0U) << predicted.out << predicted.err;
  EXPECT_NE(predicted.out.find('.'), std::string::npos);  // digits of the deviation, not of the mean
  expect_error(run(folder, {"train", "tagger", "--resume", "run"}), 1,
               "if another command than `longhand train tagger` started the run");
}

TEST(Regressor, FaultsAreTwoLinesWithTheirPlace) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", "day,v\n1,2\n2,\n3,4\n");
  const auto refused = [&](const Words& more, int code, const std::string& why) {
    expect_error(run(folder, with({"train", "regressor", "--data", "t.csv", "--out", "other"}, more)), code, why);
    EXPECT_FALSE(io::exists(folder / "other"));
  };
  refused({}, 1, "t.csv:3: column 'v': expected a number, found an empty cell");
  refused({"--target", "w"}, 1, "t.csv:1: expected a column 'w', found day, v");
  refused({"--target", "day"}, 1, "too short to train on: expected windows of 24 rows");
  refused({"--window", "0"}, 2, "--window 0: expected --group");
  refused({"--horizon", "0", "--inputs", "v"}, 1, "t.csv:1: expected a target that is not an input, found 'v'");
  refused({"--target", "v,v"}, 2, "--target: expected each column once, found 'v' twice");
  write_file(folder / "g.csv", "g,v\na,1\nb,2\na,3\n");
  expect_error(run(folder, {"train", "regressor", "--data", "g.csv", "--group", "g"}), 1,
               "g.csv:4: expected the rows of each sequence together, found 'a' in 'g' again");
  write_file(folder / "c.csv", "g,\"a,b\"\n1,2\n2,3\n");
  expect_error(run(folder, {"train", "regressor", "--data", "c.csv"}), 1, "expected a target column without a comma");
  refused({"--horizon", "0", "--inputs", "day", "--difference"}, 2, "--difference: expected --horizon of at least 1");
}

}  // namespace
}  // namespace longhand::cli
