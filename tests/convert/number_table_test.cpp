// Tables of numbers as text.
#include "longhand/convert/number_table.h"

#include "longhand/io/file.h"
#include "tests/io/hostile.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

using testing::error_of;

std::vector<double> numbers(const std::string& text) {
  return io::doubles(read_number_table("x.csv", text).numbers, "x");
}

TEST(NumberTable, ReadsSeparatorsNamesAndStyles) {
  const std::vector<double> four = {1, 2.5, -3, 4e-3};
  for (const char* text : {"1,2.5\n-3,4e-3\n", "a,b\n1,2.5\n-3,4e-3\n", "1;2,5\n-3;0,004\n", "1\t2.5\r\n-3\t0.004\r\n",
                           "1 2.5\n -3  4e-3 \n", "\"a\",\"b\"\n1,2.5\n-3,4e-3"}) {
    EXPECT_EQ(numbers(text), four) << text;
    EXPECT_EQ(io::describe(read_number_table("x", text).numbers), "float64 [2, 2]") << text;
  }
  EXPECT_EQ(read_number_table("x", "a,b\n1,2\n").names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(read_number_table("x", "1,2\n").names.empty());
  EXPECT_EQ(io::describe(read_number_table("x", "0.5\n1e-02\n").numbers), "float64 [2, 1]");
}

TEST(NumberTable, NamesTheCell) {
  const auto error = [](const std::string& text) { return error_of([&] { numbers(text); }); };
  EXPECT_NE(error("1,2\n3,x\n").find("x.csv:2: column 2: expected a finite number, found 'x'"), std::string::npos);
  EXPECT_NE(error("1,2\n3,\n").find("column 2: expected a finite number, found nothing"), std::string::npos);
  EXPECT_NE(error("1,2\n3\n").find("x.csv:2: expected 2 numbers"), std::string::npos);
  EXPECT_NE(error("1,nan\n"), "");
  EXPECT_NE(error("a,b\n").find("found none"), std::string::npos);
  EXPECT_NE(error(""), "");
}

TEST(NumberTable, RoundTrips) {
  const testing::TemporaryFolder folder;
  const std::vector<float> values = testing::random_vector<float>(33, 1.0, 1);
  io::OutputStream output(folder / "x.csv");
  write_names(output, {"a", "b,c", "d"});
  write_number_rows(output, 3, std::span(values).first(33));
  output.finish();
  const NumberTable table = read_number_table(folder / "x.csv");
  EXPECT_EQ(table.names[1], "b,c");
  const std::vector<float> back = io::floats(table.numbers, "x");
  EXPECT_TRUE(std::equal(back.begin(), back.end(), values.begin()));
  EXPECT_EQ(back.size(), 33U);
}

}  // namespace
}  // namespace longhand::convert
