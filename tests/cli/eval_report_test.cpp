// longhand eval --report: the page of each task, beside the figures, and what it may not write over.
#include <iterator>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

bool has(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

// Words between blanks.
Result longhand(const TemporaryFolder& folder, const std::string& line) {
  std::istringstream words(line);
  return run(folder, {std::istream_iterator<std::string>(words), {}});
}

const std::string kScript = "<script>alert(1)</script>";

// Trains a small model, evaluates it with a page and without, and returns the two pages, of the evaluation and of the
// run.
std::pair<std::string, std::string> pages(const TemporaryFolder& folder, const std::string& task,
                                          const std::string& options, const std::string& data) {
  const Result trained = longhand(folder, "train " + task + " --data " + data + " " + options +
                                              " --hidden 6 --epochs 1 --seed 3 --out run --quiet");
  EXPECT_EQ(trained.code, 0) << trained.err;
  const Result plain = run(folder, {"eval", "run", "--data", data, "--json"});
  const Result with_page = run(folder, {"eval", "run", "--data", data, "--json", "--report", "page.html"});
  EXPECT_EQ(with_page.code, 0) << with_page.err;
  EXPECT_EQ(with_page.out, plain.out);  // the figures are the same
  EXPECT_EQ(with_page.err, plain.err);  // and there is no live line in a file
  std::pair<std::string, std::string> out = {read_file(folder / "page.html"), read_file(folder / "run/report.html")};
  for (const std::string& page : {out.first, out.second}) {
    EXPECT_FALSE(has(page, "<script"));
    EXPECT_TRUE(has(page, "<footer>"));
    EXPECT_TRUE(page.ends_with("</html>\n"));
  }
  EXPECT_TRUE(has(out.first, "<bdi>longhand eval run --data " + data + " --report page.html --json</bdi>"));
  EXPECT_TRUE(has(out.second, "<bdi>longhand train " + task));
  return out;
}

TEST(EvalReport, ShowsForecasts) {
  const TemporaryFolder folder;
  std::string csv = "a\n";
  for (int i = 0; i < 300; ++i) csv += std::to_string(i % 17) + "\n";
  write_file(folder / "data.csv", csv);
  const auto [page, report] = pages(folder, "regressor", "--window 6 --horizon 4", "data.csv");
  for (const std::string& each : {page, report}) {
    EXPECT_TRUE(has(each, "4 steps ahead: residuals of the naive forecast"));
    EXPECT_TRUE(has(each, "naive (last value)"));
  }
  EXPECT_TRUE(has(page, "Of 291 windows"));
  EXPECT_TRUE(has(report, "of the held-out data"));
}

TEST(EvalReport, ShowsConfusions) {
  const TemporaryFolder folder;
  std::string texts;
  for (int i = 0; i < 60; ++i) {
    const bool good = i % 2 == 0;
    texts += std::string("__label__") + (good ? "good" : "bad<b>") + " a " + (i % 3 == 0 ? "film" : kScript.c_str()) +
             " of note\n";
  }
  write_file(folder / "data.txt", texts);
  const auto [page, report] = pages(folder, "classifier", "--embed 4", "data.txt");
  EXPECT_TRUE(has(page, "Confusion matrix"));
  EXPECT_TRUE(has(page, "Most confident errors"));
  EXPECT_TRUE(has(page, "<bdi>bad&lt;b&gt;</bdi>"));
  EXPECT_TRUE(has(page, "a &lt;script&gt;alert(1)&lt;/script&gt; of note"));
  EXPECT_TRUE(has(report, "Confusion matrix"));
}

TEST(EvalReport, ShowsConfusedTags) {
  const TemporaryFolder folder;
  std::string columns;
  for (int i = 0; i < 30; ++i) {
    columns += "the O\n" + kScript + " B-LOC\nrose " + (i % 4 == 0 ? "B-ORG" : "O") + "\n\n";
  }
  write_file(folder / "data.txt", columns);
  const auto [page, report] = pages(folder, "tagger", "--embed 4 --hidden-characters 3", "data.txt");
  for (const std::string& each : {page, report}) {
    EXPECT_TRUE(has(each, "Precision, recall and F1 by type"));
    EXPECT_TRUE(has(each, "<mark>"));
  }
  EXPECT_TRUE(has(page, "&lt;script&gt;"));
}

TEST(EvalReport, ShowsSurprisingLinesAndSamples) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "line " + std::to_string(i) + (i == 30 ? kScript : " goes on and on") + "\n";
  write_file(folder / "data.txt", text);
  const auto [page, report] = pages(folder, "lm", "--batch 4 --embed 4 --bptt 16", "data.txt");
  for (const std::string& each : {page, report}) {
    EXPECT_TRUE(has(each, "Most surprising lines"));
    for (const char* temperature : {"0.5", "0.8", "1.1"}) {
      EXPECT_TRUE(has(each, std::string("temperature ") + temperature));
    }
    EXPECT_TRUE(has(each, "symbols read since a cold start"));
  }
}

// What cannot be read in a row is read in part.
TEST(EvalReport, ShowsLinesOfBidirectionalModels) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i) + " goes on and on\n";
  write_file(folder / "data.txt", text);
  const Result trained = longhand(folder,
                                  "train lm --data data.txt --bidirectional --hidden 4 --epochs 1 --bptt 8 "
                                  "--valid-fraction 0.5 --out run --quiet");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(has(read_file(folder / "run/report.html"), "Most surprising lines"));
  EXPECT_EQ(longhand(folder, "eval run --data data.txt --context 6 --report page.html").code, 0);
  EXPECT_TRUE(has(read_file(folder / "page.html"), "Most surprising lines"));
  EXPECT_FALSE(has(read_file(folder / "page.html"), "temperature"));
}

TEST(EvalReport, ShowsPredictionsOfOtherPrograms) {
  const TemporaryFolder folder;
  write_file(folder / "p.txt", "the O O\nAnna<b> B-PER B-LOC\n\nBert B-PER B-PER\n\n");
  const Result result = longhand(folder, "eval --predictions p.txt --report page.html --json");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(has(result.out, "\"f1\":50"));
  const std::string page = read_file(folder / "page.html");
  EXPECT_TRUE(has(page, "the <mark>Anna&lt;b&gt;</mark>"));
  EXPECT_TRUE(has(page, "1 word, 100.0 % of the errors"));
  EXPECT_TRUE(has(page, "longhand eval --predictions p.txt --report page.html"));
}

TEST(EvalReport, WritesOverEarlierPagesAlone) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "line " + std::to_string(i) + "\n";
  write_file(folder / "data.txt", text);
  ASSERT_EQ(longhand(folder, "train lm --data data.txt --batch 2 --hidden 4 --epochs 1 --out run --quiet").code, 0);
  const std::string model = read_file(folder / "run/model.safetensors");
  for (const char* name : {"data.txt", "run/model.safetensors", "run/../data.txt", "run", "none/page.html"}) {
    const Result result = run(folder, {"eval", "run", "--data", "data.txt", "--report", name});
    EXPECT_EQ(result.code, 2) << name;
    EXPECT_TRUE(has(result.err, std::string("--report ") + name)) << result.err;
    EXPECT_EQ(result.out, "");  // before anything is measured
  }
  EXPECT_EQ(read_file(folder / "data.txt"), text);
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), model);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(longhand(folder, "eval run --data data.txt --report page.html").code, 0);
  EXPECT_EQ(longhand(folder, "eval run --data data.txt --report run/report.html").code, 0);
}

}  // namespace
}  // namespace longhand::cli
