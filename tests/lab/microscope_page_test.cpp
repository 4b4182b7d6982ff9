// What the microscope writes: a page in which a hostile text is text, JSON and CSV.
#include "longhand/lab/microscope_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/lab/microscope_text.h"
#include "tests/lab/microscope_models.h"

namespace longhand::lab {
namespace {

using testing::TemporaryFolder;

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(MicroscopePage, HostileTextsAreShownAsText) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  const std::string attack =
      "</script><script>alert(1)</script><!--\xE2\x80\xAE"
      "evil\xE2\x80\xA8\x01]]> <img src=x onerror=alert(2)>\n";
  tasks::LanguageModelOptions words = language_options(4);
  words.text.level = "word";
  for (const bool by_word : {false, true}) {
    const tasks::ModelFile file = language_file(by_word ? words : language_options(4), attack + kVerse, folder);
    const Microscope found = look(file, attack + kVerse, {.max_units = 4}, context);
    const std::string page = microscope_page(found, "<script>x", "a\"</title><b>", "longhand '</script>'");
    EXPECT_EQ(page.find("<script>alert"), std::string::npos);
    EXPECT_EQ(page.find("<img"), std::string::npos);
    EXPECT_EQ(page.find("<b>"), std::string::npos);
    EXPECT_EQ(page.find("<!--"), std::string::npos);
    EXPECT_EQ(page.find("\xE2\x80\xAE"), std::string::npos);
    EXPECT_EQ(page.find("\xE2\x80\xA8"), std::string::npos);
    EXPECT_EQ(page.find("\\u202e"), std::string::npos);
    EXPECT_EQ(page.find('\x01'), std::string::npos);
    EXPECT_EQ(count_of(page, "<script"), count_of(page, "</script>"));
    EXPECT_EQ(count_of(page, "<script>"), 1U);  // ours, which the policy names by its hash
    EXPECT_NE(page.find("default-src 'none'; script-src 'sha256-"), std::string::npos);
  }
  EXPECT_EQ(shown_symbol("\xE2\x80\xAE"), "\xE2\x80\xB9U+202E\xE2\x80\xBA");
  EXPECT_EQ(shown_symbol("\n"), "\xE2\x8F\x8E");
  EXPECT_EQ(shown_symbol(std::string_view("\x00", 1)), "\xE2\x80\xB9U+0000\xE2\x80\xBA");
  EXPECT_EQ(shown_symbol("\xFF"), "\\xFF");
  EXPECT_LT(shown_symbol(std::string(100000, 'x')).size(), 100U);
}

TEST(MicroscopePage, IsAsLargeAsItsUnits) {
  const TemporaryFolder folder;
  kernels::Context context(2);
  std::string text;
  while (text.size() < 30000) text += kVerse;
  const tasks::ModelFile file = language_file(language_options(6), text, folder);
  const Microscope found =
      look(file, text, {.max_symbols = 20000, .max_units = 5, .explain_most = 3, .context = 50}, context);
  EXPECT_EQ(found.subject.text.size(), 20000);
  ASSERT_EQ(found.subject.notes.size(), 1U);
  EXPECT_NE(found.subject.notes[0].find("20000"), std::string::npos);
  EXPECT_EQ(found.kept.size(), 5U);
  EXPECT_FALSE(found.kept_all);
  const std::string page = microscope_page(found, "m", "t", "c");
  // A symbol: 6 bytes of each unit, its number, five outputs and their probabilities, the right one, nats; in base64.
  EXPECT_LT(page.size(), 20000U * (5 * 6 + 2 + 20 + 2 + 4) * 4 / 3 + 120000U);
  // The levels are within half a step of the values.
  const KeptUnit::Values& c = found.kept[0].values[0];
  EXPECT_EQ(c.quantity, 'c');
  EXPECT_EQ(*std::min_element(c.levels.begin(), c.levels.end()), 0);
  EXPECT_EQ(*std::max_element(c.levels.begin(), c.levels.end()), 255);
}

TEST(MicroscopeText, JsonAndCsvAreWellFormed) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  const tasks::ModelFile file = language_file(language_options(4), kVerse, folder);
  const Microscope found = look(file, kVerse, {.explain_text = "dog", .explain_most = 2, .context = 10}, context);
  EXPECT_EQ(found.asked, 3U);
  const auto json = nlohmann::json::parse(microscope_json(found, "m", "t", 1));
  EXPECT_EQ(json["symbols"], kVerse.size());
  EXPECT_EQ(json["properties"][1]["property"], "position in the line");
  EXPECT_EQ(json["properties"][1]["units"].size(), 3U);
  EXPECT_LE(std::abs(json["properties"][1]["units"][0]["r"].get<double>()), 1.0);
  EXPECT_EQ(json["explanations"][0]["symbols"].size(), 10U);
  const std::string csv = microscope_csv(found);
  std::string_view rest = csv;
  size_t rows = 0;
  for (; !rest.empty(); ++rows) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), 8) << line;
    rest.remove_prefix(line.size() + 1);
  }
  EXPECT_GT(rows, 15U);
  EXPECT_NE(microscope_table(found).find("position in the line"), std::string::npos);
}

}  // namespace
}  // namespace longhand::lab
