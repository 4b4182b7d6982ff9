// The file of a baseline: what is wrong with one is an input error, whatever it is.
#include "longhand/baselines/baseline_file.h"

#include "longhand/io/file.h"
#include "tests/baselines/kinds.h"
#include "tests/testing.h"

namespace longhand::baselines {
namespace {

std::string bytes_of(const BaselineWriter& writer) {
  const testing::TemporaryFolder folder;
  writer.write(folder / "baseline");
  return io::read_file(folder / "baseline");
}

void read_any(const std::string& bytes) { read_and_ask(BaselineFile::parse("baseline", bytes)); }

TEST(BaselineFile, KeepsNumbersAndTexts) {
  BaselineWriter out("some");
  out.add("option", "7");
  out.add_numbers<double>("halves", std::vector<double>{0.5, -1.5});
  out.add_numbers<int32_t>("counts", std::vector<int32_t>{3, 2, 1});
  out.add_texts("words", {"", "a b", std::string("\0\n\xFF", 3)});
  const BaselineFile file = BaselineFile::parse("baseline", bytes_of(out));
  EXPECT_EQ(file.kind(), "some");
  EXPECT_EQ(file.number("option", 0, 10), 7);
  EXPECT_EQ(file.numbers<double>("halves"), (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(file.numbers<int32_t>("counts", 3), (std::vector<int32_t>{3, 2, 1}));
  EXPECT_EQ(file.texts("words"), (std::vector<std::string>{"", "a b", std::string("\0\n\xFF", 3)}));
  EXPECT_THROW(file.number("option", 8, 10), Error);
  EXPECT_THROW(file.numbers<float>("halves"), Error);
  EXPECT_THROW(file.numbers<int32_t>("counts", 4), Error);
  EXPECT_THROW(file.texts("none"), Error);
}

TEST(BaselineFile, RefusesNumbersThatAreNotFinite) {
  BaselineWriter out("some");
  out.add_numbers<float>("weights", std::vector<float>{1.0F, NAN});
  EXPECT_THROW(BaselineFile::parse("baseline", bytes_of(out)).numbers<float>("weights"), Error);
}

TEST(BaselineFile, RefusesTextsWhoseLengthsAreWrong) {
  BaselineWriter out("some");
  out.add_texts("words", {"abc"});
  const std::string good = bytes_of(out);
  ASSERT_NO_THROW(BaselineFile::parse("baseline", good).texts("words"));
  for (const int32_t length : {2, 4, -1, 2147483647}) {
    std::string altered = good;  // at its end the length, and then three bytes
    std::copy_n(reinterpret_cast<const char*>(&length), sizeof length,
                altered.data() + altered.size() - 3 - sizeof length);
    EXPECT_THROW(BaselineFile::parse("baseline", altered).texts("words"), Error) << length;
  }
}

TEST(BaselineFile, RefusesWhatIsCutOff) {
  for (const BaselineWriter& kind : all_kinds()) {
    const std::string bytes = bytes_of(kind);
    ASSERT_NO_THROW(read_any(bytes));
    for (size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 97) {
      EXPECT_THROW(read_any(bytes.substr(0, n)), Error) << n;
    }
  }
}

TEST(BaselineFile, SurvivesAlteredBytes) {
  for (const BaselineWriter& kind : all_kinds()) {
    const std::string bytes = bytes_of(kind);
    for (size_t i = 0; i < bytes.size(); ++i) {
      for (const char to : {'\0', '\x7F', '\xFF'}) {
        std::string altered = bytes;
        altered[i] = to;
        try {
          read_any(altered);
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ExitCode::kInput);
        }
      }
    }
  }
}

}  // namespace
}  // namespace longhand::baselines
