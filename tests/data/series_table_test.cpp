// Tables with the rows of several series: order, what is read of them, and what is refused.
#include "longhand/data/series_table.h"

#include <cmath>

#include "longhand/base/error.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

using testing::error_of;

SeriesOptions options() {
  return {.target = "y", .window = 2, .horizon = 1, .series_column = "id", .statics = "size,kind", .known = "price"};
}

// Two series, mixed; b has two rows with the price alone.
constexpr const char* kMixed =
    "id,size,kind,price,y\n"
    "b,2.5,shop,1,10\n"
    "a,1,mall,5,1\n"
    "a,1,mall,6,2\n"
    "b,2.5,shop,2,20\n"
    "b,2.5,shop,3,30\n"
    "a,1,mall,7,3\n"
    "b,2.5,shop,4,\n"
    "b,2.5,shop,9,\n";

TEST(SeriesTable, PutsTheRowsOfEachSeriesTogether) {
  const Table table = read_table(kMixed, options(), "f");
  EXPECT_EQ(table.series, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(table.starts, (std::vector<int64_t>{0, 5, 8}));
  EXPECT_EQ(table.observed, (std::vector<int64_t>{3, 8}));
  EXPECT_EQ(table.known[0], (std::vector<double>{1, 2, 3, 4, 9, 5, 6, 7}));
  EXPECT_EQ(table.target[0][2], 30.0);
  EXPECT_TRUE(std::isnan(table.target[0][3]) && std::isnan(table.input[0][4]));
  EXPECT_EQ(table.target[0][5], 1.0);
  ASSERT_EQ(table.statics.size(), 2U);
  EXPECT_EQ(table.statics[0].numbers, (std::vector<double>{2.5, 1.0}));
  EXPECT_TRUE(table.statics[1].numbers.empty());
  EXPECT_EQ(table.statics[1].texts, (std::vector<std::string>{"shop", "mall"}));
  EXPECT_EQ(table.sequence_of(4), 0);
  EXPECT_EQ(table.sequence_of(5), 1);
}

TEST(SeriesTable, SaysThatAKnownValueIsMissingAfterTheLastTarget) {
  std::string text = kMixed;
  text.replace(text.find("b,2.5,shop,9,"), 13, "b,2.5,shop,,");
  EXPECT_EQ(error_of([&] { read_table(text, options(), "f"); }),
            "f:9: column 'price': expected a value that is known ahead, found an empty cell");
}

// Times within a series may decrease or repeat: the table then has a warning.
TEST(SeriesTable, WarnsOfTimesThatDoNotIncrease) {
  const SeriesOptions of{.target = "y", .time = "t", .window = 2, .series_column = "id"};
  EXPECT_EQ(read_table("id,t,y\na,1,1\nb,1,2\na,2,3\nb,5,4\n", of, "f").times, "");
  EXPECT_EQ(
      read_table("id,t,y\na,2,1\nb,1,2\na,1,3\nb,1,4\na,3,5\n", of, "f").times,
      "column 't': 1 of 5 times are before and 1 equal to that of the row above, first in line 4; rows are read in "
      "the order of the file: sort them by time");
}

TEST(SeriesTable, GivesTheSameInEveryOrderOfTheSeries) {
  const Table mixed = read_table("id,y\na,1\nb,2\na,3\nb,4\n", {.target = "y", .series_column = "id"}, "f");
  const Table sorted = read_table("id,y\na,1\na,3\nb,2\nb,4\n", {.target = "y", .series_column = "id"}, "f");
  EXPECT_EQ(mixed.target, sorted.target);
  EXPECT_EQ(mixed.starts, sorted.starts);
}

TEST(SeriesTable, WindowsStayWithinASeriesAndItsPart) {
  std::string text = "id,y\n";
  for (int i = 0; i < 10; ++i) text += "a," + std::to_string(i) + "\nb," + std::to_string(100 + i) + "\n";
  const SeriesOptions of{.target = "y", .window = 3, .horizon = 2, .series_column = "id"};
  const Table table = read_table(text, of, "f");
  const auto train = windows_of_part(table, of, 0.0, 0.7), valid = windows_of_part(table, of, 0.7, 1.0);
  ASSERT_EQ(train.size(), 6U);  // targets 3..5 of each
  ASSERT_EQ(valid.size(), 4U);  // targets 7..8 of each
  EXPECT_EQ(train[3].begin, 10);
  EXPECT_EQ(valid[0].target, 7);
  EXPECT_EQ(valid[2].target, 17);
  for (const auto* some : {&train, &valid}) {
    for (const Window& window : *some) {
      EXPECT_EQ(table.sequence_of(window.begin), table.sequence_of(window.target + 1));
      EXPECT_EQ(window.target - window.begin, 3);
    }
  }
  EXPECT_EQ(windows(table, of, 0, table.rows).size(), 12U);
}

TEST(SeriesTable, OneSeriesMayHaveColumnsKnownAhead) {
  const SeriesOptions of{.target = "y", .window = 2, .horizon = 1, .known = "price"};
  const Table table = read_table("price,y\n1,10\n2,20\n3,30\n4,\n", of, "f");
  EXPECT_TRUE(table.series.empty());
  EXPECT_EQ(table.observed, std::vector<int64_t>{3});
  EXPECT_EQ(windows(table, of, 0, table.rows).size(), 1U);
  EXPECT_EQ(windows_of_part(table, of, 0.0, 1.0).size(), 1U);
}

TEST(SeriesTable, FaultsNameTheirPlace) {
  const auto fault = [](const std::string& text, const SeriesOptions& of = options()) {
    return error_of([&] { read_table(text, of, "f"); });
  };
  const std::string head = "id,size,kind,price,y\n";
  EXPECT_EQ(fault(head + "a,1,m,1,1\na,2,m,1,2\n"),
            "f:3: column 'size': expected '1', as in line 2 of series 'a', found '2'");
  EXPECT_NE(fault(head + "a,1,m,1,1\n ,2,m,1,2\n").find("f:3: column 'id': expected the name of a series"),
            std::string::npos);
  EXPECT_NE(fault(head + "a,,m,1,1\n").find("f:2: column 'size': expected a value, found an empty cell"),
            std::string::npos);
  EXPECT_NE(fault(head + "a,1,m,,1\n").find("f:2: column 'price': expected a number, found an empty cell"),
            std::string::npos);
  // A gap that is not at the end is a gap.
  EXPECT_NE(fault(head + "a,1,m,1,\na,1,m,1,2\n").find("f:2: column 'y': expected a number, found an empty cell"),
            std::string::npos);
  EXPECT_NE(fault(head + "a,1,m,1,1\n", {.series_column = "id", .known = "y"}).find("expected inputs and targets that"),
            std::string::npos);
  EXPECT_NE(fault(head + "a,1,m,1,1\n", {.series_column = "nobody"}).find("expected a column 'nobody'"),
            std::string::npos);
}

TEST(SeriesTable, OptionsThatDoNotGoTogetherAreRefused) {
  const auto usage = [](const SeriesOptions& of) { return error_of([&] { of.check(); }, ExitCode::kUsage); };
  EXPECT_NE(usage({.group = "g", .series_column = "s"}).find("cannot be combined with `group`"), std::string::npos);
  EXPECT_NE(usage({.inputs = "x", .window = 0, .horizon = 0, .series_column = "s"}).find("expected `window`"),
            std::string::npos);
  EXPECT_NE(usage({.statics = "a"}).find("`static`: expected `series-column`"), std::string::npos);
  EXPECT_NE(usage({.inputs = "x", .horizon = 0, .known = "p"}).find("`known`: expected `horizon`"), std::string::npos);
  EXPECT_NE(usage({.group = "g", .known = "p"}).find("`known`: cannot be combined"), std::string::npos);
  EXPECT_NE(usage({.series_column = "s", .statics = "a,a"}).find("found 'a' twice"), std::string::npos);
  EXPECT_NE(usage({.inputs = "p,q", .known = "q"}).find("found 'q' in both"), std::string::npos);
  EXPECT_NE(usage({.target = "q", .series_column = "s", .statics = "q"}).find("found 'q' in both"), std::string::npos);
}

}  // namespace
}  // namespace longhand::data
