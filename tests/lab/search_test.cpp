// Files of lists and ranges, and what a search draws from them.
#include "longhand/lab/search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/runs/registry.h"
#include "tests/testing.h"

namespace longhand::lab {
namespace {

using testing::TemporaryFolder;

class Grid {
 public:
  Grid() { settings_->add_to(table_); }

  std::vector<io::GridAxis> read(const std::string& text) {
    io::write_file(folder_ / "grid.toml", text);
    return io::read_grid(folder_ / "grid.toml", table_);
  }
  void expect_error(const std::string& text, const std::string& fragment) {
    try {
      read(text);
      ADD_FAILURE() << text << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage);
      EXPECT_NE(std::string(e.what()).find(fragment), std::string::npos) << e.what();
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      EXPECT_FALSE(std::string(e.advice()).empty());
    }
  }
  std::string value(const std::string& name) const { return table_.find(name)->text(); }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<runs::Settings> settings_ = runs::task_rows()[0].settings();
  OptionTable table_;
};

const std::string kSpace =
    "epochs = 5\nlr = {min = 1e-4, max = 1e-1, scale = \"log\"}\nhidden = {min = 32, max = 128, step = 32}\n"
    "layers = {min = 1, max = 3}\ndropout = {min = 0.0, max = 0.5}\noptimizer = [\"adam\", \"sgd\"]\n";

TEST(GridFile, HasListsAndRanges) {
  Grid grid;
  const std::vector<io::GridAxis> axes = grid.read(kSpace);
  ASSERT_EQ(axes.size(), 5U);
  EXPECT_EQ(axes[0].option, "lr");
  EXPECT_TRUE(axes[0].range->logarithmic);
  EXPECT_EQ(axes[1].range->count(), 4);
  EXPECT_EQ(axes[1].range->value(3), "128");
  EXPECT_EQ(axes[2].range->count(), 3);
  EXPECT_EQ(axes[4].values, (std::vector<std::string>{"adam", "sgd"}));
  EXPECT_EQ(grid.value("epochs"), "5");
  EXPECT_EQ(grid.value("layers"), "1");  // what varies keeps its value
}

TEST(GridFile, RefusesRangesThatAreNone) {
  Grid grid;
  grid.expect_error("lr = {min = 0.1}", "grid.toml:1: lr: max: expected a number, found none");
  grid.expect_error("lr = {min = 0.1, max = 0.1}", "expected min below max, found 0.1 and 0.1");
  grid.expect_error("lr = {min = 0.1, max = inf}", "max: expected a number, found inf");
  grid.expect_error("lr = {min = 0.1, max = \"1\"}", "max: expected a number, found 1");
  grid.expect_error("lr = {min = 0.1, max = 1, scale = \"cubic\"}", "expected \"linear\" or \"log\", found cubic");
  grid.expect_error("lr = {min = 0.1, max = 1, scale = 3}", "expected \"linear\" or \"log\", found 3");
  grid.expect_error("dropout = {min = 0.0, max = 0.5, scale = \"log\"}", "expected a number above 0");
  grid.expect_error("dropout = {min = 0.0, max = 1.5}", "dropout: max: expected");
  grid.expect_error("hidden = {min = 0, max = 8}", "hidden: min: expected");
  grid.expect_error("hidden = {min = 1.5, max = 8}", "hidden: min: expected");
  grid.expect_error("hidden = {min = 2, max = 8, step = 1.5}", "step: expected an integer");
  grid.expect_error("hidden = {min = 2, max = 8, step = 9}", "step: expected an integer above 0 and at most max - min");
  grid.expect_error("lr = {min = 0.1, max = 1, step = 0}", "step: expected a number above 0");
  grid.expect_error("lr = {min = 0.1, max = 1, step = 0.1, scale = \"log\"}", "found both");
  grid.expect_error("lr = {min = 0.1, max = 1, steps = 3}", "found steps");
  grid.expect_error("seed = {min = 1, max = 9007199254740994}", "at most 2^53");
  grid.expect_error("optimizer = {min = 0.1, max = 1}", "expected a list of values, found a range");
  grid.expect_error("layer-norm = {min = 0, max = 1}", "expected a list of values, found a range");
}

TEST(GridFile, AGridTakesRangesWithSteps) {
  Grid grid;
  const auto axes =
      listed("g", grid.read("dropout = {min = 0.1, max = 0.5, step = 0.1}\nlayers = {min = 1, max = 3}\n"));
  EXPECT_EQ(axes[0].values, (std::vector<std::string>{"0.1", "0.2", "0.3", "0.4", "0.5"}));
  EXPECT_EQ(axes[1].values, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(grid_set("g", axes).variants.size(), 15U);
  EXPECT_THROW(listed("g", grid.read("lr = {min = 0.1, max = 1}")), Error);
  EXPECT_THROW(listed("g", grid.read("batch = {min = 1, max = 64, scale = \"log\"}")), Error);
  EXPECT_THROW(listed("g", grid.read("seed = {min = 1, max = 100000000000}")), Error);
  std::string wide;
  for (const char* name : {"seed", "batch", "hidden"}) wide += std::string(name) + " = {min = 1, max = 100}\n";
  EXPECT_THROW(grid_set("g", listed("g", grid.read(wide))), Error);  // a million
}

TEST(RandomSearch, DrawsEachAxisEvenly) {
  Grid grid;
  const std::vector<Variant> trials = random_trials("g", grid.read(kSpace), 4000, 7);
  std::map<std::string, int> hidden, layers, optimizers;
  int decades[3] = {}, lower = 0;
  for (const Variant& trial : trials) {
    ASSERT_EQ(trial.options.size(), 5U);
    const double rate = std::stod(trial.options[0].second), dropout = std::stod(trial.options[3].second);
    ASSERT_GE(rate, 1e-4);
    ASSERT_LE(rate, 1e-1);
    ASSERT_GE(dropout, 0.0);
    ASSERT_LE(dropout, 0.5);
    ++decades[std::min(2, static_cast<int>(std::log10(rate) + 4.0))];
    lower += dropout < 0.25 ? 1 : 0;
    ++hidden[trial.options[1].second];
    ++layers[trial.options[2].second];
    ++optimizers[trial.options[4].second];
    ASSERT_LE(trial.options[0].second.size(), 9U);  // readable
  }
  // 4 standard deviations of a binomial count.
  const auto expect_share = [](int count, double share) {
    EXPECT_NEAR(count, 4000.0 * share, 4.0 * std::sqrt(4000.0 * share * (1.0 - share)));
  };
  for (const int count : decades) expect_share(count, 1.0 / 3.0);
  expect_share(lower, 0.5);
  ASSERT_EQ(hidden.size(), 4U);
  for (const auto& [value, count] : hidden) expect_share(count, 0.25);
  ASSERT_EQ(layers.size(), 3U);
  for (const auto& [value, count] : layers) expect_share(count, 1.0 / 3.0);
  for (const auto& [value, count] : optimizers) expect_share(count, 0.5);
}

TEST(RandomSearch, DependsOnTheSeedAloneAndGrowsAtItsEnd) {
  Grid grid;
  const auto axes = grid.read(kSpace);
  const auto names = [&](int64_t trials, int64_t seed) {
    std::vector<std::string> out;
    for (const Variant& trial : random_trials("g", axes, trials, seed)) out.push_back(trial.name);
    return out;
  };
  std::vector<std::string> more = names(40, 0);
  more.resize(20);
  EXPECT_EQ(more, names(20, 0));
  EXPECT_NE(more, names(20, 1));
}

TEST(RandomSearch, TriesNothingTwice) {
  Grid grid;
  const auto axes = grid.read("hidden = [8, 16, 32]\nlayers = {min = 1, max = 4}\n");
  std::set<std::string> names;
  for (const Variant& trial : random_trials("g", axes, 12, 3)) names.insert(trial.name);
  EXPECT_EQ(names.size(), 12U);
  EXPECT_TRUE(names.contains("hidden 16, layers 4"));
  EXPECT_THROW(random_trials("g", axes, 13, 3), Error);
  EXPECT_THROW(random_trials("g", {}, 1, 3), Error);
  // A value that is listed twice is one: there are fewer combinations than it seems.
  EXPECT_THROW(random_trials("g", grid.read("hidden = [8, 8]"), 2, 0), Error);
}

TEST(RandomSearch, IntegersOnALogarithmicScaleReachTheirEnds) {
  Grid grid;
  std::map<std::string, int> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    ++seen[random_trials("g", grid.read("batch = {min = 1, max = 4, scale = \"log\"}"), 1,
                         static_cast<int64_t>(seed))[0]
               .options[0]
               .second];
  }
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_GT(seen["1"], seen["4"]);
  EXPECT_GT(seen["4"], 20);
}

}  // namespace
}  // namespace longhand::lab
