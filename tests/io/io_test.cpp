// Files, safetensors and configuration: what is written reads back, and what is damaged is refused.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "tests/testing.h"

namespace longhand::io {
namespace {

using testing::TemporaryFolder;

using testing::error_of;

size_t files_in(const TemporaryFolder& folder) {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator(folder.string()), std::filesystem::directory_iterator()));
}

TEST(File, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  write_file(folder / "a", "first");
  write_file(folder / "a", "second");
  EXPECT_EQ(read_file(folder / "a"), "second");
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(File, ErrorsSayWhy) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of([&] { read_file(folder / "none"); }).find("No such file"), std::string::npos);
  EXPECT_NE(error_of([&] { read_file(folder.string()); }).find("found a folder"), std::string::npos);
  EXPECT_NE(error_of([&] { write_file(folder / "no/such", "x"); }).find("cannot be written"), std::string::npos);
  write_file(folder / "file", "x");
  EXPECT_NE(error_of([&] { make_folder(folder / "file"); }).find("cannot create this folder"), std::string::npos);
}

// A limit on the size of files stands in for a full disk: in both, a write stops half-way.
TEST(File, KeepsTheOldContentsWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit saved{};
  getrlimit(RLIMIT_FSIZE, &saved);
  rlimit small = saved;
  small.rlim_cur = 100;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string error = error_of([&] { write_file(folder / "a", std::string(1000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &saved);
  EXPECT_NE(error.find("cannot be written"), std::string::npos);
  EXPECT_EQ(read_file(folder / "a"), "old");
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(LineWriter, AppendsAfterWhatIsKept) {
  const TemporaryFolder folder;
  write_file(folder / "a", "one\ntwo\nthr");
  LineWriter(folder / "a", 8).write("three");
  EXPECT_EQ(read_file(folder / "a"), "one\ntwo\nthree\n");
}

struct Sample {
  std::vector<float> a{1, 2, 3, 4, 5, 6}, b{7};
  void write(const std::string& path) const {
    write_safetensors(path, {{"config", "{\"x\": 1}"}}, {{"a", {2, 3}, a}, {"b", {1}, b}});
  }
};

TEST(Safetensors, RoundTrips) {
  const TemporaryFolder folder;
  const Sample sample;
  sample.write(folder / "f");
  const Safetensors file = Safetensors::read(folder / "f");
  EXPECT_EQ(file.text("config"), "{\"x\": 1}");
  std::vector<float> a(6);
  file.copy_floats("a", {2, 3}, a);
  EXPECT_EQ(a, sample.a);
  EXPECT_NE(error_of([&] { file.copy_floats("a", {3, 2}, a); }).find("found F32 [2, 3]"), std::string::npos);
  EXPECT_NE(error_of([&] { file.copy_floats("c", {6}, a); }).find("no such array"), std::string::npos);
  EXPECT_NE(error_of([&] { file.text("vocabulary"); }).find("found none"), std::string::npos);
}

TEST(Safetensors, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  Sample().write(folder / "f");
  const std::string whole = read_file(folder / "f");
  for (size_t size = 0; size < whole.size(); ++size) {
    write_file(folder / "t", std::string_view(whole).substr(0, size));
    EXPECT_NE(error_of([&] { Safetensors::read(folder / "t"); }), "") << size << " bytes";
  }
  write_file(folder / "t", whole + "x");
  EXPECT_NE(error_of([&] { Safetensors::read(folder / "t"); }), "");
}

// Whatever one byte becomes, reading ends in a file with consistent extents or in an error.
TEST(Safetensors, SurvivesEveryAlteredByte) {
  const TemporaryFolder folder;
  Sample().write(folder / "f");
  const std::string whole = read_file(folder / "f");
  int refused = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\0', '\xFF', '"', '9'}) {
      std::string altered = whole;
      altered[at] = value;
      write_file(folder / "t", altered);
      try {
        const Safetensors file = Safetensors::read(folder / "t");
        for (const auto& [name, tensor] : file.tensors()) {
          ASSERT_LE(tensor.bytes.size(), whole.size());
        }
      } catch (const Error& e) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(Safetensors, RefusesHostileHeaders) {
  const TemporaryFolder folder;
  const auto with_header = [&](const std::string& header, size_t data) {
    uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    write_file(folder / "f", bytes + header + std::string(data, 'x'));
    return error_of([&] { Safetensors::read(folder / "f"); });
  };
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(with_header(good, 8), "");
  const std::vector<std::pair<std::string, size_t>> hostile = {
      {good, 7},
      {good, 9},
      {"[]", 0},
      {"{", 0},
      {std::string(20000, '['), 0},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       8},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8},
      {R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", 8},
      {R"({"a":{"dtype":"F32","shape":[2]}})", 8},
      {R"({"a":3})", 0},
      {R"({"__metadata__":{"x":3}})", 0},
      {R"({"__metadata__":[]})", 0},
  };
  for (const auto& [header, data] : hostile) EXPECT_NE(with_header(header, data), "") << header.substr(0, 120);
}

TEST(Safetensors, ReadsFilesThatOthersWrote) {
  const std::string folder = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/safetensors_vectors/";
  if (!exists(folder)) GTEST_SKIP() << "needs the files of other programs, which are not here: " << folder;
  EXPECT_FALSE(Safetensors::read(folder + "burn_multi_layer.safetensors").tensors().empty());
  EXPECT_FALSE(Safetensors::read(folder + "syoyo_model.safetensors").tensors().empty());
  EXPECT_NE(error_of([&] { Safetensors::read(folder + "syoyo_abuse_attempt_1.safetensors"); }), "");
}

struct Settings {
  int64_t hidden = 256;
  double rate = 0.5;
  bool lower = false;
  std::string name = "x";
  OptionTable table;
  Settings() {
    table.add("hidden", hidden, "units", at_least(1));
    table.add("lr", rate, "rate", more_than(0.0));
    table.add("lowercase", lower, "lower");
    table.add("data", name, "file");
  }
};

TEST(Config, TomlAndJsonReadBackToTheSameValues) {
  const TemporaryFolder folder;
  Settings a;
  a.hidden = 7;
  a.rate = 0.1;
  a.lower = true;
  a.name = "a \"quoted\" \\ path\n\u6625";
  write_file(folder / "c.toml", to_toml(a.table));
  Settings b;
  EXPECT_EQ(read_toml(folder / "c.toml", b.table).size(), 4U);
  Settings c;
  from_json(nlohmann::json::parse(to_json(a.table).dump()), "m", c.table);
  for (const Settings* s : {&b, &c}) {
    EXPECT_EQ(s->hidden, 7);
    EXPECT_EQ(s->rate, 0.1);
    EXPECT_TRUE(s->lower);
    EXPECT_EQ(s->name, a.name);
  }
}

TEST(Config, WholeNumbersSurviveAsFloatingPoint) {
  const TemporaryFolder folder;
  Settings a;
  a.rate = 2.0;
  write_file(folder / "c.toml", to_toml(a.table));
  EXPECT_NE(read_file(folder / "c.toml").find("lr = 2.0\n"), std::string::npos);
  write_file(folder / "d.toml", "lr = 3\n");
  read_toml(folder / "d.toml", a.table);
  EXPECT_EQ(a.rate, 3.0);
}

TEST(Config, ErrorsNameTheLineAndTheNearestOption) {
  const TemporaryFolder folder;
  Settings s;
  const auto error = [&](const std::string& text) {
    write_file(folder / "c.toml", text);
    return error_of([&] { read_toml(folder / "c.toml", s.table); }, ExitCode::kUsage);
  };
  EXPECT_NE(error("\nhiden = 3\n").find("c.toml:2: hiden: not an option"), std::string::npos);
  EXPECT_NE(error("hidden = 0\n").find("c.toml:1: hidden: expected an integer of at least 1, found '0'"),
            std::string::npos);
  EXPECT_NE(error("hidden = \"x\"\n"), "");
  EXPECT_NE(error("hidden = [1]\n"), "");
  EXPECT_NE(error("lowercase = 1\n"), "");
  EXPECT_NE(error("hidden = \n").find("c.toml:1"), std::string::npos);
  EXPECT_NE(error("\xFF\xFE"), "");
}

TEST(Config, JsonWithAnUnknownOptionIsOfAnotherVersion) {
  Settings s;
  EXPECT_NE(error_of([&] {
              from_json({{"hidden", 3}, {"peepholes", true}}, "m", s.table);
            }).find("peepholes"),
            std::string::npos);
  EXPECT_NE(error_of([&] { from_json({{"hidden", -3}}, "m", s.table); }), "");
  from_json({{"hidden", 3}}, "m", s.table);
  EXPECT_EQ(s.hidden, 3);
}

}  // namespace
}  // namespace longhand::io
