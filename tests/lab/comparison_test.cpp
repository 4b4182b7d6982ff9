// Comparisons of runs: what the summaries are, and that every form of output is whole, aligned and escaped.
#include "longhand/lab/comparison.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "longhand/base/utf8.h"
#include "longhand/lab/comparison_page.h"
#include "tests/testing.h"

namespace longhand::lab {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

ComparedRun run(int64_t seed, double train, std::optional<double> valid) {
  return {.seed = seed,
          .failure = {},
          .parameters = 1234567,
          .epochs = 3,
          .best_epoch = 2,
          .train_loss = train,
          .valid_loss = valid,
          .tokens_per_second = 20000.0 + 100.0 * static_cast<double>(seed),
          .seconds = 75.0,
          .memory_mib = 1234.4,
          .curve = {{1, 25, train + 1, valid}, {2, 50, train + 0.5, valid}, {3, 75, train, valid}}};
}

ComparedRun failed(int64_t seed, std::string why) {
  return {.seed = seed, .failure = std::move(why), .valid_loss = {}, .curve = {}};
}

RunComparison example() {
  RunComparison out{.title = "Options",
                    .command = "longhand compare",
                    .machine = "a machine",
                    .common = {{"hidden", "512"}},
                    .published = {},
                    .variants = {}};
  out.variants.push_back({"plain", {}, "", {run(1, 1.5, 1.75), run(2, 1.4, 1.7), run(3, 1.6, 1.8)}});
  out.variants.push_back(
      {"zoneout", {{"zoneout", "0.1"}}, "a note", {run(1, 1.7, 1.65), run(2, 1.8, 1.6), run(3, 1.9, 1.66)}});
  out.variants.push_back({"broken", {{"lr", "100"}}, "", {failed(1, "not finite"), failed(2, "not finite")}});
  return out;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

size_t code_points(const std::string& text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return n;
}

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

TEST(Spread, IsTheMedianAndTheEnds) {
  const auto expect = [](const std::vector<double>& values, double median, double low, double high) {
    const Spread s = spread(values);
    EXPECT_EQ(s.median, median);
    EXPECT_EQ(s.low, low);
    EXPECT_EQ(s.high, high);
  };
  expect({3.0}, 3.0, 3.0, 3.0);
  expect({3.0, 1.0, 2.0}, 2.0, 1.0, 3.0);
  expect({4.0, 1.0, 2.0, 8.0}, 3.0, 1.0, 8.0);
  expect({kInf, 1.0, kInf, 2.0}, kInf, 1.0, kInf);
  expect({kInf, kInf}, kInf, kInf, kInf);
  EXPECT_TRUE(std::isnan(spread({}).median));
  const Spread s = spread({kNan, 1.0, 5.0});
  EXPECT_EQ(s.median, 5.0);
  EXPECT_EQ(s.low, 1.0);
  EXPECT_TRUE(std::isnan(s.high));
}

TEST(ComparisonText, IsTheTable) {
  EXPECT_EQ(to_text(example(), 80), R"(          training        held-out      held-out
  variant     loss            loss    perplexity          tokens/s  time    MiB
  plain      1.500           1.750          5.75            20,200  1:15  1,234
    1.400 to 1.600  1.700 to 1.800  5.47 to 6.05  20,100 to 20,300
* zoneout    1.800           1.650          5.21            20,200  1:15  1,234
    1.700 to 1.900  1.600 to 1.660  4.95 to 5.26  20,100 to 20,300
    a note
  broken
    2 of 2 seeds failed: not finite
* the lowest held-out loss
time: training only; MiB: peak memory of the process
median over the seeds, and range from the lowest to the highest
)");
}

TEST(ComparisonText, ComparesTrainingLossesWhereNothingIsHeldOut) {
  RunComparison comparison = example();
  for (ComparedVariant& variant : comparison.variants) {
    for (ComparedRun& r : variant.runs) r.valid_loss.reset();
    variant.runs.resize(1);
  }
  comparison.published = {{"elsewhere", 0.0, 78.4}};
  EXPECT_EQ(to_text(comparison, 80), R"(            training    training
  variant       loss  perplexity  tokens/s  time    MiB
published, on other machines:
  elsewhere        –       78.40         –     –      –
measured here:
* plain        1.500        4.48    20,100  1:15  1,234
  zoneout      1.700        5.47    20,100  1:15  1,234
    a note
  broken
    failed: not finite
* the lowest training loss
time: training only; MiB: peak memory of the process
published figures were measured on other machines, and perhaps on other texts
)");
}

TEST(ComparisonText, FitsTheTerminal) {
  RunComparison comparison = example();
  comparison.variants[0].name = "ein-Name-mit-ößü";  // 16 characters, 20 bytes
  comparison.variants[1].name = "a name that is far too long to stand beside its figures";
  comparison.variants[2].runs[1].failure = "something else, with so many words that they do not go on one line of 80";
  for (const int width : {80, 100, 140}) {
    for (const std::string& line : lines(to_text(comparison, width))) {
      EXPECT_LE(code_points(line), static_cast<size_t>(width)) << line;
    }
  }
  EXPECT_TRUE(has(to_text(comparison, 80), "1.700 to 1.800"));  // the held-out range has its place even so
  EXPECT_FALSE(has(to_text(comparison, 80), "20,100 to 20,300"));
  EXPECT_TRUE(has(to_text(comparison, 140), "20,100 to 20,300"));
  comparison.variants[1].name = "長短期記憶";  // 5 characters, 10 columns
  const std::vector<std::string> text = lines(to_text(comparison, 140));
  EXPECT_EQ(code_points(text[2]), code_points(text[4]) + 5) << text[2] << "\n" << text[4];
}

TEST(ComparisonText, PrintsNumbersOfAnySize) {
  RunComparison comparison;
  comparison.variants = {{"a", {}, "", {run(1, 0.01, 6.5)}},   {"b", {}, "", {run(1, 1.0, 18.6)}},
                         {"c", {}, "", {run(1, 1.0, 1000.0)}}, {"d", {}, "", {run(1, kInf, kNan)}},
                         {"e", {}, "", {run(1, 1.0, 7.5)}},    {"f", {}, "", {}}};
  comparison.variants[4].runs[0].tokens_per_second = kNan;
  comparison.variants[4].runs[0].seconds = 4.26;
  comparison.variants[4].runs[0].memory_mib = kInf;
  comparison.variants[3].runs[0].seconds = 3723.4;
  const std::vector<std::string> text = lines(to_text(comparison, 80));
  EXPECT_TRUE(has(text[2], "* a")) << text[2];
  EXPECT_TRUE(has(text[2], " 6.500      665.14 ")) << text[2];
  EXPECT_TRUE(has(text[3], " 1.2e+08 ")) << text[3];
  EXPECT_TRUE(has(text[4], " 1.0e+03         inf ")) << text[4];
  EXPECT_TRUE(has(text[5], " inf       nan         nan ")) << text[5];
  EXPECT_TRUE(has(text[5], " 1:02:03 ")) << text[5];
  EXPECT_TRUE(has(text[6], " 1,808 ")) << text[6];
  EXPECT_TRUE(has(text[6], " nan    4.3 s    inf")) << text[6];
  EXPECT_EQ(text[8], "    no runs");
}

TEST(ComparisonText, EmptyComparisons) {
  EXPECT_EQ(to_text({}, 80), "  no variants\n");
  EXPECT_EQ(count(to_csv({}), "\n"), 1U);
  EXPECT_TRUE(has(comparison_page({}), "nothing to compare"));
  EXPECT_EQ(to_json({})["variants"].size(), 0U);
  EXPECT_TRUE(has(to_markdown({}), "| variant |"));
}

TEST(ComparisonMarkdown, HasRangesInBrackets) {
  RunComparison comparison = example();
  comparison.variants[0].name = "a|b<i>*";
  const std::vector<std::string> text = lines(to_markdown(comparison));
  EXPECT_EQ(text[0], "| variant | training loss | held-out loss | held-out perplexity | tokens/s | time | MiB |");
  EXPECT_EQ(text[1], "|---|---:|---:|---:|---:|---:|---:|");
  EXPECT_EQ(
      text[2],
      "| a\\|b&lt;i>\\* | 1.500 (1.400 to 1.600) | 1.750 (1.700 to 1.800) | 5.75 (5.47 to 6.05) | 20,200 (20,100 to "
      "20,300) | 1:15 (1:15 to 1:15) | 1,234 (1,234 to 1,234) |");
  EXPECT_TRUE(has(text[3], "| **zoneout** \\* (a note) | ")) << text[3];
  EXPECT_EQ(text[4], "| broken (2 of 2 seeds failed: not finite) | – | – | – | – | – | – |");
}

TEST(ComparisonJson, HoldsEverything) {
  RunComparison comparison = example();
  comparison.variants[0].runs[2].train_loss = 800.0;  // its perplexity overflows
  comparison.variants[2].runs[1].failure = "bad byte \xff";
  const nlohmann::ordered_json json = nlohmann::ordered_json::parse(to_json(comparison).dump());
  EXPECT_EQ(json["common"]["hidden"], "512");
  const auto& plain = json["variants"][0];
  EXPECT_EQ(plain["summary"]["valid_loss"]["median"], 1.75);
  EXPECT_EQ(plain["summary"]["valid_loss"]["low"], 1.7);
  EXPECT_EQ(plain["summary"]["valid_perplexity"]["high"], std::exp(1.8));
  EXPECT_TRUE(plain["summary"]["train_perplexity"]["high"].is_null());
  EXPECT_EQ(plain["summary"]["train_loss"]["high"], 800.0);
  EXPECT_EQ(plain["runs"].size(), 3U);
  EXPECT_EQ(plain["runs"][1]["tokens_per_second"], 20200.0);
  EXPECT_EQ(plain["runs"][1]["curve"][1]["seconds"], 50.0);
  EXPECT_EQ(plain["runs"][1]["parameters"], 1234567);
  EXPECT_EQ(json["variants"][1]["options"]["zoneout"], "0.1");
  EXPECT_TRUE(json["variants"][2]["summary"].is_null());
  EXPECT_EQ(json["variants"][2]["runs"][1]["failure"], "bad byte \xef\xbf\xbd");
}

TEST(ComparisonCsv, QuotesWhatNeedsIt) {
  RunComparison comparison;
  comparison.variants = {{"a, \"b\"\nc", {}, "", {run(1, 0.5, 0.25), failed(2, "no, thanks")}},
                         {"d", {}, "", {run(1, 0.5, {})}}};
  EXPECT_EQ(to_csv(comparison),
            "variant,seed,status,train_loss,train_perplexity,valid_loss,valid_perplexity,best_epoch,epochs,"
            "tokens_per_second,seconds,memory_mib,parameters,failure\n"
            "\"a, \"\"b\"\"\nc\",1,done,0.5,1.6487212707001282,0.25,1.2840254166877414,2,3,20100,75,1234.4,1234567,\n"
            "\"a, \"\"b\"\"\nc\",2,failed,,,,,,,,,,,\"no, thanks\"\n"
            "d,1,done,0.5,1.6487212707001282,,,,3,20100,75,1234.4,1234567,\n");
}

TEST(ComparisonPage, ShowsEveryRunAndNeedsNothingElse) {
  RunComparison comparison = example();
  comparison.published = {{"elsewhere", 12345.0, 78.4}};
  const std::string html = comparison_page(comparison);
  EXPECT_EQ(count(html, "<figure>"), 2U);
  EXPECT_EQ(count(html, "<polyline"), 12U);               // six runs, by epoch and by seconds
  EXPECT_EQ(count(html, "<polyline class='faint'"), 8U);  // all but the median seed
  EXPECT_TRUE(has(html, "Held-out loss (nats per symbol) by epoch"));
  EXPECT_TRUE(has(html, "2 of 2 seeds failed: not finite"));
  EXPECT_TRUE(has(html, "zoneout *"));
  EXPECT_TRUE(has(html, "1.600 to 1.660"));
  EXPECT_TRUE(has(html, "zoneout = 0.1"));
  EXPECT_TRUE(has(html, "hidden = 512"));
  EXPECT_TRUE(has(html, "published, on another machine"));
  for (const char* outside : {"http", "<script", "@import", "url("}) EXPECT_FALSE(has(html, outside)) << outside;
}

TEST(ComparisonPage, EscapesWhatItIsGiven) {
  const std::string evil = "<script>'\"&";
  RunComparison c{.title = evil,
                  .command = evil,
                  .machine = evil,
                  .common = {{evil, evil}},
                  .published = {{evil, 1, 2}},
                  .variants = {}};
  c.variants = {{evil, {{evil, evil}}, evil, {run(1, 1.0, 2.0), run(2, 1.1, 2.1)}}, {evil, {}, "", {failed(1, evil)}}};
  const std::string html = comparison_page(c);
  EXPECT_FALSE(has(html, "<script"));
  EXPECT_FALSE(has(html, "'\"&<"));
  EXPECT_GE(count(html, "&lt;script&gt;&#39;&quot;&amp;"), 15U);
}

TEST(ComparisonPage, DrawsOnePointAndNoneThatIsNotFinite) {
  RunComparison comparison;
  comparison.variants = {{"a", {}, "", {run(1, 2.0, {})}}, {"b", {}, "", {run(1, kNan, {})}}};
  comparison.variants[0].runs[0].curve = {{1, 25, 2.0, {}}};
  for (CurvePoint& point : comparison.variants[1].runs[0].curve) point.train_loss = kInf;
  const std::string html = comparison_page(comparison);
  EXPECT_EQ(count(html, "<polyline"), 2U);
  EXPECT_TRUE(has(html, "points='500.0,200.0'"));
  EXPECT_TRUE(has(html, "Training loss"));
  EXPECT_TRUE(has(html, "<td>nan</td>"));
}

}  // namespace
}  // namespace longhand::lab
