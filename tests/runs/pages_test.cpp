// The pages of findings: the numbers are on them, hostile texts are only shown, and nothing is fetched or run.
#include "longhand/runs/pages.h"

#include <cmath>
#include <limits>

#include "longhand/io/bars.h"
#include "longhand/io/file.h"
#include "longhand/io/heat_map.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/report.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

using testing::TemporaryFolder;

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

size_t count(const std::string& text, const std::string& what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

const std::string kHostile =
    "<script>alert(1)</script>\x1b[31m\u202Eevil\u202C \"quoted\" 'single' <img src=x onerror=alert(2)> \u200F &amp; "
    "\x80";

// What a page may never have, whatever the data are.
void expect_harmless(const std::string& html) {
  for (const char* bad : {"<script", "<img", "\x1b", "\u202E", "\u200F", "http:", "https:", "@import", "url("}) {
    EXPECT_FALSE(has(html, bad)) << bad;
  }
}

TEST(PageText, CutsBetweenCharactersAndShowsWhatTurnsTextRound) {
  EXPECT_EQ(io::shortened("äöü", 3), "äöü");
  EXPECT_EQ(io::shortened("äöü", 2), "äö…");
  EXPECT_EQ(io::shortened("a\xFFz", 9), "a\uFFFDz");
  EXPECT_EQ(io::shortened_start("äöü", 3), "äöü");
  EXPECT_EQ(io::shortened_start("äöü", 2), "…öü");
  EXPECT_EQ(io::isolated("a<b>\u202E\u200F&"), "<bdi>a&lt;b&gt;\\u202E\\u200F&amp;</bdi>");
  EXPECT_EQ(io::escape_html("שלום"), "שלום");
  expect_harmless(io::isolated(kHostile));
}

TEST(Bars, AreAsLongAsTheirValues) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::string html =
      io::draw(io::BarChart{.title = "<t>",
                            .x_title = "per cent",
                            .series = {{"one", 0}, {"two", 1}},
                            .groups = {{kHostile, "3 words", {25.0, 100.0}}, {"b", "", {kNan, 0.0}}}});
  EXPECT_EQ(count(html, "class=bar>"), 3U);
  EXPECT_TRUE(has(html, "--p:0.2500;--c:var(--c0)"));
  EXPECT_TRUE(has(html, "--p:1.0000;--c:var(--c1)"));
  EXPECT_TRUE(has(html, "<b>25.0</b>"));
  EXPECT_TRUE(has(html, "&lt;t&gt;"));
  EXPECT_TRUE(has(html, "per cent"));
  expect_harmless(html);
  EXPECT_EQ(io::draw(io::BarChart{.title = "t", .x_title = "x", .series = {}, .groups = {}}), "");
}

TEST(HeatMap, ShowsCountsAndSharesOfRows) {
  const std::string html = io::draw(io::HeatMap{.title = "t",
                                                .row_title = "gold",
                                                .column_title = "predicted",
                                                .rows = {"a", kHostile, "none"},
                                                .columns = {"a", kHostile},
                                                .counts = {1500, 500, 1, 4, 0, 0}});
  EXPECT_TRUE(has(html, "<td class='deep right' style='--p:75.0'>1,500<small>75.0 %</small></td>")) << html;
  EXPECT_TRUE(has(html, "<td class='' style='--p:20.0'>1<small>20.0 %</small></td>"));
  EXPECT_EQ(count(html, "<small>0.0 %</small>"), 2U);  // of the row without texts
  expect_harmless(html);
}

TEST(HeatMap, StaysReadableWithManyClasses) {
  std::vector<std::string> names;
  std::vector<int64_t> counts(50 * 50, 0);
  for (size_t k = 0; k < 50; ++k) {
    names.push_back("class " + std::to_string(k) + std::string(200, 'x'));
    counts[k * 50 + k] = 3;
  }
  counts[1] = 1;
  const std::string html = io::draw(io::HeatMap{.title = "t",
                                                .row_title = "gold",
                                                .column_title = "predicted",
                                                .rows = names,
                                                .columns = names,
                                                .counts = counts});
  EXPECT_TRUE(has(html, "<figure class='heat small wide'>"));
  EXPECT_EQ(count(html, ">3</td>"), 50U);
  EXPECT_TRUE(has(html, "1 of 4, 25.0 %'>1</td>"));
  EXPECT_LT(html.size(), 500000U);
  EXPECT_FALSE(has(html, std::string(30, 'x')));  // long names are cut
}

ClassFindings class_findings(const std::string& text) {
  return {.texts = 4,
          .wrong = 1,
          .confusion = {.rows = {text, "b"}, .columns = {text, "b"}, .counts = {2, 0, 1, 1}},
          .classes = {{.name = text, .texts = 2, .precision = 66.7, .recall = 100, .f1 = 80}},
          .most_confident = {{.text = io::shortened(text, 400),
                              .line = 7,
                              .gold = "b",
                              .predicted = text,
                              .probability = 0.875,
                              .gold_probability = 0.125}}};
}

TEST(Pages, OfClassifiersShowErrors) {
  const std::string html = page_of(class_findings(kHostile));
  EXPECT_TRUE(has(html, "1 of 4 texts have a wrong class (25.0 %)"));
  EXPECT_TRUE(has(html, "87.5 %"));
  EXPECT_TRUE(has(html, "line 7"));
  EXPECT_TRUE(has(html, "&lt;script&gt;alert(1)"));
  EXPECT_TRUE(has(html, "\\u202Eevil"));
  expect_harmless(html);
}

TEST(Pages, OfTaggersHighlightTheWord) {
  TagFindings findings{.of_chunks = true, .words = 50, .wrong = 4};
  findings.types = {{kHostile, {.gold = 4, .found = 2, .correct = 1}}, {"", {.gold = 1, .found = 1, .correct = 1}}};
  findings.confused = {{.gold = "B-X",
                        .found = kHostile,
                        .count = 3,
                        .examples = {{.before = kHostile, .word = "<b>", .after = " z", .line = 5}}}};
  const std::string html = page_of(findings);
  EXPECT_TRUE(has(html, "<mark>&lt;b&gt;</mark> z"));
  EXPECT_TRUE(has(html, "3 words, 75.0 % of the errors"));
  EXPECT_TRUE(has(html, "<b>50.0</b>"));  // precision
  EXPECT_TRUE(has(html, "<b>25.0</b>"));  // recall
  EXPECT_TRUE(has(html, "(no type)"));
  expect_harmless(html);
}

TEST(Pages, OfLanguageModelsShadeSymbols) {
  LineFindings findings{.symbols = 100, .nats = 1.5, .shortest = 20, .longest = 240, .lines = {}};
  findings.lines = {
      {.number = 3,
       .nats = 4.25,
       .symbols = {{"a", std::nan("")}, {"b", 0.5}, {"<", 2.5}, {"c", 2.75}, {"\u202E", 9.0}, {"\n", 1.0}}}};
  const std::string html = page_of(findings);
  EXPECT_TRUE(has(html, "<span class=unread>a</span>b<i class=s2>&lt;c</i><i class=s6>\\u202E</i><i class=s1>⏎</i>"))
      << html;
  EXPECT_TRUE(has(html, "<b>4.25</b> nats per symbol"));
  expect_harmless(html + page_of(std::vector<Sample>{{kHostile, kHostile, 0.5}}));
}

TEST(Pages, OfRegressorsNameBothForecasts) {
  ForecastFindings findings{.windows = 300, .targets = {}};
  TargetForecasts target{.name = kHostile, .model = {}, .naive = {}, .curves = {}};
  for (int a = 0; a < 4; ++a) {
    target.model.push_back({1.0 + a, 0.5});
    target.naive.push_back({10.0 + a, 2.0});
  }
  for (const int64_t step : {1, 4}) {
    ForecastCurves curves{.step = step};
    for (auto* points : {&curves.actual, &curves.forecast, &curves.residuals, &curves.naive_residuals,
                         &curves.last_actual, &curves.last_forecast, &curves.last_naive}) {
      *points = {{1, 2}, {2, 3}};
    }
    target.curves.push_back(curves);
  }
  findings.targets = {target};
  const std::string html = page_of(findings);
  EXPECT_TRUE(has(html, "<td>2.5</td><td>11.5</td><td>0.5</td><td>2</td>")) << html;  // the means over the steps
  EXPECT_TRUE(has(html, "<td>4</td><td>13</td>"));
  EXPECT_TRUE(has(html, "Of 4 steps ahead, the first and the last are drawn."));
  EXPECT_EQ(count(html, "<figure>"), 9U);  // by step, and of two steps four each
  EXPECT_TRUE(has(html, "4 steps ahead: residuals of the naive forecast"));
  EXPECT_TRUE(has(html, "naive (last value)"));
  expect_harmless(html);
}

TEST(Reports, OfEvaluationsHaveFiguresModelAndCommand) {
  const TemporaryFolder folder;
  Findings findings{.test = {{"macro_f1", 91.25}, {"loss", std::nan("")}}, .samples = {}, .cold = {}};
  findings.classes = class_findings(std::string(10'000'000, 'y') + "<script>");
  write_evaluation_report(
      folder / "page.html",
      {.title = kHostile, .data = kHostile, .options = {{"hidden", "7<"}}, .command = "longhand eval " + kHostile},
      findings, "accuracy 50 %\n");
  const std::string html = io::read_file(folder / "page.html");
  EXPECT_TRUE(has(html, "macro f1</dt><dd>91.25"));
  EXPECT_TRUE(has(html, "loss</dt><dd>none"));
  EXPECT_TRUE(has(html, "hidden = 7&lt;"));
  EXPECT_TRUE(has(html, "Made by <code><bdi>longhand eval &lt;script"));
  EXPECT_TRUE(has(html, "prefers-color-scheme: dark"));
  EXPECT_LT(html.size(), 100000U);  // of ten million characters the beginning is shown
  expect_harmless(html);
}

TEST(Reports, SayWhyNothingWasExamined) {
  const TemporaryFolder folder;
  io::write_file(folder / "metrics.jsonl", "{\"epoch\":1,\"train_loss\":1}\n");
  io::write_file(folder / "config.toml", "");
  Findings findings;
  findings.not_examined = "Nothing was held out.";
  write_report(folder.string(), findings, "longhand train lm --data 'a b'");
  const std::string html = io::read_file(folder / "report.html");
  EXPECT_TRUE(has(html, "Nothing was held out."));
  EXPECT_TRUE(has(html, "<bdi>longhand train lm --data &#39;a b&#39;</bdi>"));
  EXPECT_FALSE(has(html, "not trained on"));
}

}  // namespace
}  // namespace longhand::runs
