// Zip archives, .npz, HDF5 and .keras: what is read, and what is refused.
#include <fmt/core.h>
#include <hdf5.h>

#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/keras_archive.h"
#include "longhand/convert/npz.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "tests/convert/compose.h"
#include "tests/convert/compose_hdf5.h"
#include "tests/io/hostile.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

using testing::bytes_of;
using testing::error_of;
using testing::TemporaryFolder;

TEST(Zip, RoundTripsAndRefusesDamage) {
  const std::string whole = zip_bytes({{"a", "first"}, {"b/c", std::string(1000, 'x')}});
  EXPECT_EQ(whole, zip_bytes({{"a", "first"}, {"b/c", std::string(1000, 'x')}}));
  EXPECT_LT(whole.size(), 400U);
  const ZipFile zip("x", whole);
  EXPECT_EQ(zip.read("a"), "first");
  EXPECT_EQ(zip.read("b/c"), std::string(1000, 'x'));
  EXPECT_NE(error_of([&] { zip.read("d"); }).find("expected an entry 'd'"), std::string::npos);
  const auto read_all = [](std::string_view bytes) {
    const ZipFile file("x", std::string(bytes));
    for (const auto& [name, size] : file.entries()) file.read(name);
  };
  testing::expect_no_prefix(whole, read_all);
  EXPECT_GT(testing::expect_no_crash(whole, read_all), 100);
}

TEST(Zip, RefusesBombsAndRepeatedNames) {
  const std::string bomb = zip_bytes({{"a", std::string(40 << 20, '\0')}});
  EXPECT_NE(error_of([&] { ZipFile("x", bomb); }).find("a zip bomb"), std::string::npos);
  std::string twice = zip_bytes({{"aa", "1"}, {"ab", "2"}});
  for (size_t at = twice.find("ab"); at != std::string::npos; at = twice.find("ab")) twice[at + 1] = 'a';
  EXPECT_NE(error_of([&] { ZipFile("x", twice); }).find("'aa' twice"), std::string::npos);
}

TEST(Npz, RoundTripsAndRefusesDamage) {
  const TemporaryFolder folder;
  const NamedArrays arrays = {{"a", io::make_array({2}, std::vector<float>{1, 2})},
                              {"b", io::make_array({1, 1}, std::vector<int64_t>{3})}};
  write_npz(folder / "x.npz", arrays);
  const NamedArrays back = read_npz(folder / "x.npz");
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[1].first, "b");
  EXPECT_EQ(back[1].second.bytes, arrays[1].second.bytes);
  EXPECT_EQ(io::describe(back[0].second), "float32 [2]");
  const std::string whole = io::read_file(folder / "x.npz");
  testing::expect_no_prefix(whole, [](std::string_view bytes) { read_npz("x", std::string(bytes)); });
  testing::expect_no_crash(whole, [](std::string_view bytes) { read_npz("x", std::string(bytes)); });
  EXPECT_NE(error_of([] { read_npz("x", zip_bytes({{"a.txt", "1"}})); }).find("x: a.txt"), std::string::npos);
  EXPECT_NE(error_of([&] { write_npz(folder / "y", {arrays[0], arrays[0]}); }), "");
}

TEST(Hdf5, ReadsGroupsAttributesAndArrays) {
  const Hdf5Node file = read_hdf5("x.h5", testing::small_hdf5());
  EXPECT_EQ(io::floats(file.find("g/numbers")->data.array, "x"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(io::describe(file.find("g/numbers")->data.array), "float32 [2, 3]");
  EXPECT_EQ(io::integers(file.find("/g/big")->data.array, "x"), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(io::describe(file.find("g/packed")->data.array), "float64 [1000]");
  EXPECT_EQ(io::doubles(file.find("g/packed")->data.array, "x")[7], 0.5);
  EXPECT_EQ(io::floats(file.find("g/half")->data.array, "x"), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(file.find("g/truth")->data.array.dtype, io::DType::kBool);
  EXPECT_EQ(file.attribute("fixed")->texts, (std::vector<std::string>{"abc", "de"}));
  EXPECT_EQ(file.attribute("fixed")->text_shape, (std::vector<int64_t>{2}));
  EXPECT_EQ(file.attribute("variable")->texts, (std::vector<std::string>{"a longer text"}));
  EXPECT_EQ(file.attribute("units")->array.count(), 1);
  EXPECT_EQ(file.attribute("nothing")->kind, Hdf5Data::Kind::kOther);
}

// What is not read says what it is, and no other file is opened.
TEST(Hdf5, FollowsNoLinkAndReadsNoCompoundType) {
  const Hdf5Node file = read_hdf5("x.h5", testing::strange_hdf5());
  EXPECT_EQ(file.find("soft")->data.other, "a link to another place");
  EXPECT_EQ(file.find("external")->data.other, "a link to another file");
  EXPECT_EQ(file.find("compound")->data.other, "a compound type");
  EXPECT_EQ(file.find("elsewhere")->data.other, "an array in other files");
  EXPECT_EQ(file.find("soft")->children.size(), 0U);
}

TEST(Hdf5, RefusesCyclesAndHugeShapes) {
  EXPECT_NE(
      error_of([] { read_hdf5("x.h5", testing::cyclic_hdf5()); }).find("/a/b: the group is reached a second time"),
      std::string::npos);
  EXPECT_NE(error_of([] { read_hdf5("x.h5", testing::huge_hdf5(int64_t{1} << 40)); }).find("64 times larger"),
            std::string::npos);
  EXPECT_NE(error_of([] { read_hdf5("x.h5", testing::huge_hdf5(int64_t{1} << 62)); }).find("no shape of an array"),
            std::string::npos);
  EXPECT_NE(error_of([] { read_hdf5("x.h5", testing::deep_hdf5(100)); }).find("more than 64 deep"), std::string::npos);
  EXPECT_NE(error_of([] { read_hdf5("x.h5", "no HDF5"); }).find("not an HDF5 file"), std::string::npos);
}

// Each read is a process of its own, so that not every byte is tried.
TEST(Hdf5, RefusesTruncationsAndSurvivesDamage) {
  const std::string whole = testing::small_hdf5();
  const auto reader = [](std::string_view bytes) { read_hdf5("x.h5", bytes); };
  testing::expect_no_prefix(whole, reader, whole.size() / 31);
  EXPECT_GT(testing::expect_no_crash(whole, reader, whole.size() / 43), 10);
}

TEST(Keras, ReadsAnArchive) {
  const std::string whole = zip_bytes({{"config.json", "{\"class_name\": \"Sequential\"}"},
                                       {"metadata.json", "{}"},
                                       {"model.weights.h5", testing::small_hdf5()}});
  const KerasArchive archive = read_keras_archive("x.keras", whole);
  EXPECT_EQ(archive.config, "{\"class_name\": \"Sequential\"}");
  EXPECT_NE(archive.weights.find("g/numbers"), nullptr);
  EXPECT_NE(error_of([] {
              read_keras_archive("x", zip_bytes({{"config.json", "{}"}}));
            }).find("model.weights.h5"),
            std::string::npos);
  testing::expect_no_prefix(
      whole, [](std::string_view bytes) { read_keras_archive("x", std::string(bytes)); }, 7);
}

}  // namespace
}  // namespace longhand::convert
