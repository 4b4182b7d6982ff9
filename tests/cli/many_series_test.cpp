// Many series in one table, distributions and backtests, as a user meets them.
#include <fmt/core.h>

#include <cmath>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// Shops of very different sizes, mixed; sales follow the price of the same day. The last three days have prices alone.
std::string shops(bool with_future) {
  std::string text = "shop,region,price,sales\n";
  for (int day = 0; day < 120 + (with_future ? 3 : 0); ++day) {
    for (int shop = 0; shop < 4; ++shop) {
      const double price = 2.0 + ((day * 7 + shop * 3) % 11) / 10.0;
      const double sales = std::pow(10.0, shop) * (10.0 - 3.0 * price + std::sin(0.9 * day + shop));
      text += fmt::format("s{},{},{:f},{}\n", shop, shop % 2 == 0 ? "north" : "south", price,
                          day < 120 ? std::to_string(std::llround(sales)) : "");
    }
  }
  return text;
}

const Words kTrain = {"train",    "regressor", "--data",    "shops.csv", "--series-column", "shop",
                      "--static", "region",    "--known",   "price",     "--target",        "sales",
                      "--window", "10",        "--horizon", "3",         "--test-fraction", "0.2",
                      "--hidden", "8",         "--lr",      "0.01",      "--epochs",        "3",
                      "--season", "7"};

int64_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST(ManySeries, AreTrainedMeasuredAndForecastFromOneFile) {
  const TemporaryFolder folder;
  write_file(folder / "shops.csv", shops(false));
  write_file(folder / "next.csv", shops(true));
  const Result train = run(folder, with(kTrain, {"--output", "gaussian", "--out", "run", "--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("480 rows in 4 series"), std::string::npos) << train.err;
  const nlohmann::json seen = nlohmann::json::parse(train.out);
  EXPECT_TRUE(seen["test_coverage"].is_number()) << train.out;
  EXPECT_GT(seen["test_crps"], 0.0);
  EXPECT_NE(read_file(folder / "run/metrics.jsonl").find("\"valid_crps\""), std::string::npos);

  const nlohmann::json json = nlohmann::json::parse(run(folder, {"eval", "run", "--data", "shops.csv", "--backtest",
                                                                 "5", "--stride", "2", "--interval", "0.5", "--json"})
                                                        .out);
  EXPECT_EQ(json["windows"], 20);
  EXPECT_EQ(json["values"], 60);
  EXPECT_EQ(json["interval"], 0.5);
  ASSERT_EQ(json["series"].size(), 4U);
  EXPECT_EQ(json["series"][3]["series"], "s3");
  EXPECT_TRUE(json["ridge_crps"].is_number() && json["naive_crps"].is_number() &&
              json["seasonal_naive_crps"].is_number());
  const Result text = run(folder, {"eval", "run", "--data", "shops.csv", "--backtest", "5", "--report", "page.html"});
  for (const char* word : {"sMAPE", "MASE", "Nash-Sutcliffe", "CRPS", "are in the 80 % interval"}) {
    EXPECT_NE(text.out.find(word), std::string::npos) << text.out << text.err;
  }
  const std::string page = read_file(folder / "page.html");
  EXPECT_NE(page.find("Each series"), std::string::npos);
  EXPECT_NE(page.find("s2: the last forecast"), std::string::npos);
  EXPECT_NE(page.find("class=band"), std::string::npos);

  const Result predicted = run(folder, {"predict", "run", "--data", "next.csv", "--levels", "0.25,0.75"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(predicted.out.find("series,row,step,sales,sales 0.25,sales 0.75\ns0,120,1,"), 0U) << predicted.out;
  EXPECT_EQ(lines(predicted.out), 1 + 4 * 3);
  const Result as_json = run(folder, {"predict", "run", "--data", "next.csv", "--json"});
  std::istringstream rows(as_json.out);
  std::string row;
  int count = 0;
  while (std::getline(rows, row)) {
    const nlohmann::json one = nlohmann::json::parse(row);
    const nlohmann::json& sales = one["targets"]["sales"];
    EXPECT_LT(sales["quantiles"]["0.1"], sales["forecast"]) << row;
    EXPECT_LT(sales["forecast"], sales["quantiles"]["0.9"]) << row;
    ++count;
  }
  EXPECT_EQ(count, 12);
  // Without the prices of the days to come there is no forecast; a series of its own has its own scale.
  expect_error(run(folder, {"predict", "run", "--data", "shops.csv"}), 1,
               "expected 3 rows after the last one of series 's0', with values of --known alone, found 0");
  std::string renamed = shops(true);
  for (size_t at = renamed.find("s3,"); at != std::string::npos; at = renamed.find("s3,", at + 1)) renamed[at] = 'x';
  write_file(folder / "new.csv", renamed);
  const Result unknown = run(folder, {"predict", "run", "--data", "new.csv"});
  EXPECT_NE(unknown.out.find("\nx3,120,3,"), std::string::npos) << unknown.out << unknown.err;
  expect_error(run(folder, {"lab", "microscope", "run", "--text", "shops.csv"}), 1,
               "found one with columns known ahead");
}

TEST(ManySeries, HaveEveryKindOfForecast) {
  const TemporaryFolder folder;
  write_file(folder / "shops.csv", shops(false));
  for (const std::string output : {"point", "quantiles", "negative-binomial"}) {
    const Result train =
        run(folder, with(kTrain, {"--output", output, "--quantiles", "0.1,0.5,0.9", "--out", output, "--json"}));
    ASSERT_EQ(train.code, 0) << train.err;
    EXPECT_EQ(nlohmann::json::parse(train.out).contains("test_coverage"), output != "point") << train.out;
    const Result all = run(folder, {"predict", output, "--data", "shops.csv", "--all"});
    EXPECT_EQ(lines(all.out), 1 + 4 * 3 * (120 - 10 - 3 + 1)) << all.err;
  }
  expect_error(run(folder, {"predict", "point", "--data", "shops.csv", "--all", "--levels", "0.5"}), 1,
               "found one of points");
  expect_error(run(folder, {"predict", "quantiles", "--data", "shops.csv", "--all", "--levels", "0.01"}), 1,
               "expected levels from 0.1 to 0.9");
}

// One series with a distribution: the base, the gain and the calibration, and the same bits after an interruption.
TEST(ManySeries, ADistributionMayBeginWithALine) {
  const TemporaryFolder folder;
  const Words words = {"train",         "regressor", "--data",   "sines", "--target", "value", "--window", "30",
                       "--horizon",     "2",         "--hidden", "8",     "--epochs", "2",     "--output", "gaussian",
                       "--residual-of", "linear",    "--json"};
  const Result whole = run(folder, with(words, {"--out", "whole"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  ASSERT_EQ(run(folder, with(words, {"--out", "parts", "--epochs", "2", "--threads", "2"})).code, 0);
  EXPECT_EQ(read_file(folder / "whole/model.safetensors"), read_file(folder / "parts/model.safetensors"));
  const nlohmann::json json = nlohmann::json::parse(run(folder, {"eval", "whole", "--data", "sines", "--json"}).out);
  EXPECT_TRUE(json["ridge_crps"].is_number()) << json;
  EXPECT_TRUE(json["coverage"].is_number()) << json;
}

// Notes report series that are too short, times out of order, options without effect and intervals not measured.
TEST(ManySeries, WhatIsLeftOutIsSaid) {
  const TemporaryFolder folder;
  std::string text = "id,day,kind,y\n";
  for (int day = 0; day < 60; ++day) {
    text += fmt::format("wave,{},a,{:f}\nflat,{},b,4\n", day == 30 ? 3 : day, 5.0 + std::sin(0.5 * day), day);
    if (day < 5) text += fmt::format("short,{},a,{}\n", day, day);
  }
  write_file(folder / "t.csv", text);
  const Words train = {"train",    "regressor", "--data",   "t.csv",     "--series-column", "id", "--static", "kind",
                       "--time",   "day",       "--target", "y",         "--window",        "6",  "--hidden", "4",
                       "--epochs", "1",         "--output", "quantiles", "--out",           "run"};
  const auto says = [](const Result& result, const std::string& what) {
    EXPECT_NE(result.err.find(what), std::string::npos) << what << '\n' << result.err;
  };
  const Result trained = run(folder, with(train, {"--interval", "0.95", "--no-shrink"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  says(trained, "note: t.csv: 1 of 3 series (short) is too short to train on, and left out\n");
  says(trained, "note: t.csv: column 'day': 1 of 125 times are before and 0 equal to that of the row above");
  says(trained, "note: a target is constant in the training rows (flat)");
  says(trained, "note: turning off --shrink has no effect with --residual-of none");
  says(trained, "note: no 95 % interval is measured");
  EXPECT_EQ(trained.err.find("for held-out rows"), std::string::npos) << trained.err;
  const Result point = run(folder, with(train, {"--output", "point", "--quantiles", "0.2,0.8", "--out", "point"}));
  says(point, "note: --quantiles has no effect with --output point\n");

  const Result eval = run(folder, {"eval", "run", "--data", "t.csv", "--backtest", "10", "--interval", "0.95"});
  says(eval,
       "note: no 95 % interval is measured, since the model's quantiles are those from 0.1 to 0.9: train with "
       "--quantiles from 0.025 to 0.975, or give --interval 0.8 or less");
  says(run(folder, {"eval", "point", "--data", "t.csv", "--interval", "0.9"}),
       "--interval is that of the simpler forecasts alone");
  std::string renamed = text;
  for (size_t at = renamed.find("wave,"); at != std::string::npos; at = renamed.find("wave,", at + 1))
    renamed[at] = 'x';
  write_file(folder / "new.csv", renamed);
  const Result predicted = run(folder, {"predict", "run", "--data", "new.csv"});
  says(predicted, "note: new.csv: 1 of 3 series (short) is too short for a window, and left out\n");
  says(predicted, "note: new.csv: 1 of 3 series (xave) is new to the model, and scaled by its own rows\n");
}

TEST(ManySeries, IntervalsAreCalibratedAgainOnTheLatestValues) {
  const TemporaryFolder folder;
  // Noise that is three times as strong in the last rows.
  std::string text = "id,y\n";
  uint64_t state = 7;
  for (int row = 0; row < 500; ++row) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const double uniform = static_cast<double>(state >> 40U) / static_cast<double>(1U << 24U) - 0.5;
    text += fmt::format("a,{:.5f}\n", 10.0 + uniform * (row < 300 ? 1.0 : 3.0));
  }
  write_file(folder / "t.csv", text);
  ASSERT_EQ(run(folder, {"train",    "regressor", "--data",           "t.csv", "--series-column", "id",
                         "--window", "4",         "--hidden",         "4",     "--epochs",        "2",
                         "--output", "gaussian",  "--valid-fraction", "0.2",   "--test-fraction", "0.45",
                         "--out",    "run"})
                .code,
            0);
  const auto coverage = [&](const Words& more) {
    const Result out =
        run(folder, with({"eval", "run", "--data", "t.csv", "--backtest", "120", "--stride", "1", "--json"}, more));
    return nlohmann::json::parse(out.out)["coverage"].get<double>();
  };
  EXPECT_LT(coverage({}), 60.0);
  EXPECT_NEAR(coverage({"--recalibrate", "60"}), 80.0, 8.0);
  EXPECT_NE(run(folder, {"eval", "run", "--data", "t.csv", "--backtest", "9", "--recalibrate", "60"})
                .out.find("calibration          each forecast on the last 60 known values of its series\n"),
            std::string::npos);
  EXPECT_NE(run(folder, {"eval", "run", "--data", "t.csv", "--backtest", "120", "--stride", "1"})
                .err.find("the interval is too narrow: these rows are harder to forecast than those it was calibrated "
                          "on; --recalibrate 250"),
            std::string::npos);
  const auto width = [&](const Words& more) {
    const Result out = run(folder, with({"predict", "run", "--data", "t.csv", "--json"}, more));
    const nlohmann::json q = nlohmann::json::parse(out.out)["targets"]["y"]["quantiles"];
    return q["0.9"].get<double>() - q["0.1"].get<double>();
  };
  EXPECT_GT(width({"--recalibrate", "60"}), 1.5 * width({}));
  expect_error(run(folder, {"predict", "run", "--data", "t.csv", "--recalibrate", "5"}), 2, "--recalibrate");
  write_file(folder / "few.csv", text.substr(0, 150));
  EXPECT_NE(run(folder, {"predict", "run", "--data", "few.csv", "--recalibrate", "50"})
                .err.find("a forecast keeps the model's calibration: fewer than 20 earlier values are known"),
            std::string::npos);
}

TEST(ManySeries, FaultsAreTwoLines) {
  const TemporaryFolder folder;
  write_file(folder / "shops.csv", shops(false));
  const auto refused = [&](const Words& more, int code, const std::string& why) {
    expect_error(run(folder, with(with(kTrain, more), {"--out", "other"})), code, why);
    EXPECT_FALSE(io::exists(folder / "other"));
  };
  refused({"--group", "shop"}, 2, "--series-column: cannot be combined with --group");
  refused({"--output", "negative-binomial", "--residual-of", "naive"}, 2,
          "--output negative-binomial: cannot be combined");
  refused({"--quantiles", "0.5,0.4"}, 2, "--quantiles: expected rising numbers");
  refused({"--interval", "1"}, 2, "--interval");
  refused({"--static", "price"}, 2, "--static: expected columns that --known does not have");
  refused({"--known", "price", "--static", "nothing"}, 1, "expected a column 'nothing'");
  refused({"--window", "500"}, 1, "too short to train on: expected windows of 500 rows and 3 ahead, found");
  write_file(folder / "half.csv", "id,y\na,1\na,2.5\na,3\n");
  expect_error(
      run(folder, {"train", "regressor", "--data", "half.csv", "--window", "1", "--valid-fraction", "0",
                   "--series-column", "id", "--target", "y", "--output", "negative-binomial", "--out", "other"}),
      1, "half.csv: column 'y': expected counts, found 2.5 in row 2 of series 'a'");
  expect_error(run(folder, {"eval", "nothing", "--data", "shops.csv", "--interval", "2"}), 2, "--interval");
}

}  // namespace
}  // namespace longhand::cli
