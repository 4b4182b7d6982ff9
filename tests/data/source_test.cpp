// What every reader of text begins with: marks, line ends and bytes that are no text; numbers and times.
#include "longhand/data/source.h"

#include <functional>

#include "longhand/base/error.h"
#include "longhand/data/numbers.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

const std::string kMark = "\xEF\xBB\xBF";

using testing::error_of;

TEST(Source, ByteOrderMarksAreRemoved) {
  EXPECT_EQ(clean_text(kMark + "ab", "f"), "ab");
  EXPECT_EQ(clean_text(kMark + "a\n" + kMark + "b" + kMark, "f"), "a\nb");  // of files that were joined
  EXPECT_EQ(clean_line(kMark + "ab", "f", 1), "ab");
  EXPECT_EQ(clean_text(kMark, "f"), "");
}

TEST(Source, LineEndsOfEverySystemAreNewlines) {
  EXPECT_EQ(clean_text("a\r\nb\rc\n\r\n", "f"), "a\nb\nc\n\n");
  EXPECT_EQ(clean_text("a\r", "f"), "a\n");
}

TEST(Source, RefusesOtherBytesWithTheirLine) {
  EXPECT_EQ(error_of([] { clean_text(std::string("a\nb\0c", 5), "f"); }),
            "f:2: expected a text, found a binary file (a zero byte at offset 3)");
  EXPECT_EQ(error_of([] { clean_text("a\r\n\xFF", "f"); }), "f:2: expected UTF-8, found byte 0xFF at offset 3");
  EXPECT_NE(error_of([] {
              clean_text(std::string("\xFF\xFE"
                                     "a\0",
                                     4),
                         "f");
            }).find("UTF-16"),
            std::string::npos);
  EXPECT_NE(error_of([] { clean_text(std::string("\xFE\xFF\0a", 4), "f"); }).find("UTF-16"), std::string::npos);
  for (const std::string& mark : {std::string("\xFF\xFE\0\0", 4), std::string("\0\0\xFE\xFF", 4)}) {
    EXPECT_EQ(error_of([&] { clean_text(mark + "a", "f"); }), "f:1: expected UTF-8, found UTF-32");
  }
  EXPECT_EQ(error_of([] { clean_line("a\xED\xA0\x80", "f", 7); }).substr(0, 4), "f:7:");  // a surrogate
}

TEST(Source, LinesAreTakenOneByOne) {
  std::string_view rest = "a\n\nb";
  EXPECT_EQ(take_line(rest), "a");
  EXPECT_EQ(take_line(rest), "");
  EXPECT_EQ(take_line(rest), "b");
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(trimmed(" \t"), "");
}

NumberStyleFinder found(const std::vector<std::string>& cells) {
  NumberStyleFinder finder;
  for (const std::string& cell : cells) finder.add(cell);
  return finder;
}

double read(const std::vector<std::string>& cells) {
  const std::optional<double> value = parse_number(cells.back(), found(cells).style());
  return value ? *value : std::nan("");
}

TEST(Numbers, StylesAreRecognised) {
  EXPECT_EQ(read({"1.5"}), 1.5);
  EXPECT_EQ(read({"1,5"}), 1.5);
  EXPECT_EQ(read({"1.234,5"}), 1234.5);
  EXPECT_EQ(read({"1,234.5"}), 1234.5);
  EXPECT_EQ(read({"1,234,567"}), 1234567.0);
  EXPECT_EQ(read({"1 234,5"}), 1234.5);
  EXPECT_EQ(read({"1'234.5"}), 1234.5);
  EXPECT_EQ(read({"2,5", "-1.234,5"}), -1234.5);
  EXPECT_EQ(read({"+2e-3"}), 0.002);
}

TEST(Numbers, ReportsAmbiguousNumbers) {
  EXPECT_EQ(found({"12", "1,234"}).ambiguous(), "1,234");
  EXPECT_EQ(found({"1,234", "1,5"}).ambiguous(), "");
  EXPECT_EQ(found({"1,234", "0.5"}).ambiguous(), "");
  EXPECT_EQ(found({"1.234", "1.5"}).ambiguous(), "");
}

TEST(Numbers, RejectsOtherText) {
  const NumberStyle point, comma{.decimal = ',', .thousands = true};
  for (const char* cell : {"", "x", "1.2.3", "nan", "inf", "1e999", "0x10", "1,5", "--1", "1 2"}) {
    EXPECT_FALSE(parse_number(cell, point)) << cell;
  }
  EXPECT_FALSE(parse_number("1.23,4", comma));
  EXPECT_FALSE(parse_number("1,5,6", comma));
}

TEST(Numbers, TimesAreSecondsSince1970) {
  EXPECT_EQ(parse_time("1970-01-01"), 0.0);
  EXPECT_EQ(parse_time("1970-01-02T00:00:01"), 86401.0);
  EXPECT_EQ(parse_time("02.01.1970 00:01"), 86460.0);
  EXPECT_EQ(parse_time("2000-03-01").value() - parse_time("2000-02-28").value(), 2 * 86400.0);  // a leap year
  EXPECT_EQ(parse_time("1970/01/01 01:00:00.5+01:00"), 0.5);
  EXPECT_EQ(parse_time("1234.5"), 1234.5);
  for (const char* cell : {"", "Monday", "1970-13-01", "1970-01-32", "1970-01-01 25:00"}) {
    EXPECT_FALSE(parse_time(cell)) << cell;
  }
}

}  // namespace
}  // namespace longhand::data
