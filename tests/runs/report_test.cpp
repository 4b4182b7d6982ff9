// Charts, their ticks and their thinning, and the report of a run from files as a training writes them.
#include "longhand/runs/report.h"

#include <cmath>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/io/chart.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

using io::linear_ticks;
using io::log_ticks;
using io::Point;
using io::thinned;
using io::Tick;
using testing::TemporaryFolder;

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> out;
  for (const Tick& tick : ticks) out.push_back(tick.label);
  return out;
}

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

using Labels = std::vector<std::string>;

TEST(Chart, TicksAreRoundAndAlike) {
  EXPECT_EQ(labels(linear_ticks(1.0, 10.0, 8, true)), (Labels{"2", "4", "6", "8", "10"}));
  EXPECT_EQ(labels(linear_ticks(1.0, 3.0, 8, true)), (Labels{"1", "2", "3"}));
  EXPECT_EQ(labels(linear_ticks(0.0, 0.0025, 7, false)),
            (Labels{"0", "0.0005", "0.0010", "0.0015", "0.0020", "0.0025"}));
  EXPECT_EQ(labels(linear_ticks(0.0, 2.1e-5, 5, false)), (Labels{"0", "5.0e-06", "1.0e-05", "1.5e-05", "2.0e-05"}));
  EXPECT_EQ(labels(linear_ticks(-1.0, 1.0, 4, false)), (Labels{"-1.0", "-0.5", "0", "0.5", "1.0"}));
  EXPECT_EQ(labels(linear_ticks(0.0, 50000.0, 5, false)), (Labels{"0", "10000", "20000", "30000", "40000", "50000"}));
  for (const double high : {1e-300, 3e-7, 0.7, 1.0, 9.99, 123456.0, 4e149}) {
    const size_t n = linear_ticks(0.0, high, 7, false).size();
    EXPECT_GE(n, 3U) << high;
    EXPECT_LE(n, 8U) << high;
  }
}

TEST(Chart, LogarithmicTicksAreOneTwoFiveOrPowers) {
  EXPECT_EQ(labels(log_ticks(4.0, 110.0, 7)), (Labels{"5", "10", "20", "50", "100"}));
  EXPECT_EQ(labels(log_ticks(0.09, 1.1, 7)), (Labels{"0.1", "0.2", "0.5", "1"}));
  EXPECT_EQ(labels(log_ticks(0.5, 2e4, 7)), (Labels{"1", "10", "100", "1000", "10000"}));
  EXPECT_EQ(labels(log_ticks(1e-6, 1.0, 7)), (Labels{"1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}));
  EXPECT_LE(log_ticks(1e-100, 1e100, 7).size(), 7U);
}

TEST(Chart, ThinningKeepsEndsAndExtremes) {
  std::vector<Point> points;
  for (int i = 0; i < 10000; ++i) points.push_back({static_cast<double>(i), std::sin(0.01 * i)});
  points[4321].y = 50.0;
  points[7654].y = -60.0;
  const std::vector<Point> few = thinned(points, 600);
  EXPECT_LE(few.size(), 600U);
  EXPECT_GE(few.size(), 500U);
  EXPECT_EQ(few.front().x, 0.0);
  EXPECT_EQ(few.back().x, 9999.0);
  size_t peaks = 0;
  for (size_t i = 0; i < few.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(few[i - 1].x, few[i].x);
    }
    peaks += few[i].y == 50.0 || few[i].y == -60.0 ? 1 : 0;
  }
  EXPECT_EQ(peaks, 2U);
  EXPECT_EQ(thinned({points.begin(), points.begin() + 600}, 600).size(), 600U);
  EXPECT_EQ(thinned({points.begin(), points.begin() + 601}, 4).size(), 4U);
}

TEST(Chart, PlacesPointsOnTheirAxes) {
  const std::string linear =
      io::draw({.title = "t", .x_title = "x", .curves = {{"c", 0, {{0, 0}, {5, 50}, {10, 100}}}}, .mark = {}});
  EXPECT_TRUE(has(linear, "points='0.0,1000.0 500.0,519.2 1000.0,38.5'")) << linear;  // the top is at 104
  const std::string log = io::draw({.title = "t",
                                    .x_title = "x",
                                    .log_beyond = 10.0,
                                    .curves = {{"c", 0, {{0, 1}, {5, 10}, {10, 100}}}},
                                    .mark = {}});
  EXPECT_TRUE(has(log, "points='0.0,963.0 500.0,500.0 1000.0,37.0'")) << log;
  EXPECT_TRUE(has(log, "logarithmic"));
  EXPECT_FALSE(has(linear, "logarithmic"));
}

TEST(Chart, LeavesOutWhatIsNotFinite) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(io::draw({.title = "t", .x_title = "x", .curves = {}, .mark = {}}), "");
  EXPECT_EQ(io::draw({.title = "t", .x_title = "x", .curves = {{"c", 0, {{1, kNan}, {kInf, 1}}}}, .mark = {}}), "");
  const std::string html = io::draw({.title = "<t>",
                                     .x_title = "x",
                                     .curves = {{"a'b", 13, {{1, kNan}, {2, 3}, {3, -kInf}}}, {"none", 1, {}}},
                                     .mark = io::Mark{"m", {1, kNan}, 0}});
  EXPECT_EQ(count(html, "<polyline"), 1U);
  EXPECT_TRUE(has(html, "points='500.0,200.0'")) << html;  // alone: in the middle, at four fifths of the height
  EXPECT_FALSE(has(html, "nan"));
  EXPECT_FALSE(has(html, "inf"));
  EXPECT_TRUE(has(html, "&lt;t&gt;"));
  EXPECT_TRUE(has(html, "a&#39;b"));
  EXPECT_TRUE(has(html, "dashed"));
}

std::string row(int epoch, const std::string& valid, const std::string& more = "") {
  return "{\"epoch\":" + std::to_string(epoch) +
         ",\"step\":18,\"seconds\":2.5,\"train_loss\":" + std::to_string(3.0 / epoch) + ",\"valid_loss\":" + valid +
         more + "}\n";
}

// The report of a run with these metrics.
std::string report(const std::string& metrics, const Findings& findings = {}) {
  const TemporaryFolder folder;
  io::write_file(folder / "metrics.jsonl", metrics);
  io::write_file(folder / "config.toml", "hidden = 20 # <&>\n");
  write_report(folder.string() + "/", findings);
  return io::read_file(folder / "report.html");
}

TEST(Report, ShowsTestResults) {
  const std::string html =
      report(row(1, "2.5"), {.test = {{"macro_f1", 91.25}, {"naive_mse", 0.00012345}}, .samples = {}, .cold = {}});
  EXPECT_TRUE(has(html, "<h2>Test</h2>"));
  EXPECT_TRUE(has(html, "macro f1"));
  EXPECT_TRUE(has(html, "91.25"));
  EXPECT_TRUE(has(html, "0.00012345"));
  EXPECT_LT(html.find("macro f1"), html.find("naive mse"));
  EXPECT_FALSE(has(report(row(1, "2.5")), "<h2>Test</h2>"));
}

TEST(Report, ShowsTheRunAndNeedsNothingElse) {
  const std::string html =
      report(row(1, "2.5", ",\"train_perplexity\":20.0,\"learning_rate\":1e-05,\"gradient_norm\":0.5") +
                 row(2, "1.25", ",\"train_perplexity\":4.5,\"learning_rate\":2e-05,\"gradient_norm\":0.1") +
                 row(3, "1.75", ",\"train_perplexity\":2.5,\"learning_rate\":1e-05,\"gradient_norm\":9"),
             {.test = {}, .samples = {{"a <prompt>", " and <more>"}}, .cold = {}});
  EXPECT_TRUE(has(html, "<b>a &lt;prompt&gt;</b> and &lt;more&gt;"));
  EXPECT_TRUE(has(html, "hidden = 20 # &lt;&amp;&gt;"));
  EXPECT_TRUE(has(html, "best: 1.2500 in epoch 2"));
  EXPECT_TRUE(has(html, "<dt>training perplexity</dt><dd>2.500</dd>"));
  EXPECT_EQ(count(html, "<figure>"), 4U);
  EXPECT_EQ(count(html, "<polyline"), 5U);  // two of them losses
  EXPECT_TRUE(has(html, "2.0e-05"));
  EXPECT_TRUE(has(html, "longhand-test-"));  // the folder's name, though its path ended in a slash
  for (const char* outside : {"http", "<script", "@import", "url("}) EXPECT_FALSE(has(html, outside)) << outside;
}

TEST(Report, LeavesOutWhatTheRowsDoNotHave) {
  const std::string html = report(row(1, "null") + row(2, "null"));
  EXPECT_EQ(count(html, "<figure>"), 1U);
  EXPECT_EQ(count(html, "<polyline"), 1U);
  EXPECT_FALSE(has(html, "best held-out"));
  EXPECT_TRUE(has(html, "<dt>training loss</dt><dd>1.5000</dd>"));
  EXPECT_EQ(count(report(""), "<figure>"), 0U);
}

// The losses after a cold start: over epochs of whichever text they are, and of the kept model by distance.
TEST(Report, DrawsColdStarts) {
  const std::string valid = ",\"valid_cold_nats_1_5\":2.5,\"valid_cold_nats_6_20\":1.5,\"valid_cold_nats_21_100\":1.25";
  std::string train = valid;
  for (size_t at = train.find("valid"); at != std::string::npos; at = train.find("valid"))
    train.replace(at, 5, "train");
  for (const std::string& more : {valid, train}) {
    const std::string html = report(row(1, "1.5", more) + row(2, "1.25", more));
    EXPECT_TRUE(has(html, "Loss from a cold start"));
    EXPECT_TRUE(has(html, "after 21 to 100"));
    EXPECT_EQ(count(html, "<polyline"), 5U);  // two losses, three bands
  }
  const std::string html = report(
      row(1, "1.5"), {.test = {},
                      .samples = {},
                      .cold = ColdCurve{.text = "held-out text", .nats = {3, 2, 1}, .bands = {}, .warm_nats = 1}});
  EXPECT_TRUE(has(html, "symbols read since a cold start (nats per symbol, held-out text)"));
  EXPECT_TRUE(has(html, "within the text"));
  EXPECT_FALSE(has(report(row(1, "1.5")), "cold start"));
}

TEST(Report, DrawsTheBatchOnlyIfItChanges) {
  EXPECT_FALSE(has(report(row(1, "1", ",\"batch\":32") + row(2, "1", ",\"batch\":32")), "Batch"));
  EXPECT_TRUE(has(report(row(1, "1", ",\"batch\":32") + row(2, "1", ",\"batch\":64")), "Batch"));
}

TEST(Report, StaysLightForLongRuns) {
  std::string metrics;
  for (int epoch = 1; epoch <= 5000; ++epoch) {
    metrics += row(epoch, epoch % 3 == 0 ? "null" : std::to_string(2.0 + epoch % 7), ",\"gradient_norm\":0.5");
  }
  EXPECT_LT(report(metrics).size(), 50000U);
}

TEST(Report, RefusesDamagedMetrics) {
  for (const char* line : {"{\n", "[]\n", "{\"epoch\":\"one\",\"train_loss\":1}\n", "{\"epoch\":1}\n",
                           "{\"epoch\":1,\"train_loss\":\"low\"}\n", "{\"epoch\":1,\"train_loss\":1e999}\n"}) {
    try {
      report(row(1, "1") + line);
      FAIL() << line;
    } catch (const Error& e) {
      EXPECT_TRUE(has(e.what(), "metrics.jsonl:2: expected an evaluation")) << e.what();
    }
  }
  EXPECT_EQ(count(report(row(1, "1") + "{\"epoch\":2,\"train_loss\":null}\n"), "<polyline"), 2U);
}

}  // namespace
}  // namespace longhand::runs
