// TensorBoard's event files: the bytes are those of its own writer, and a file that was cut back is as if it had not
// been.
#include <sys/resource.h>

#include <bit>
#include <csignal>
#include <limits>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/io/tensorboard.h"
#include "tests/testing.h"

namespace longhand::io {
namespace {

using testing::TemporaryFolder;
using Scalars = std::vector<std::pair<std::string, double>>;

struct Record {
  double wall_time;
  int64_t step;
  Scalars scalars;
};

const std::vector<Record> kRecords = {
    {1700000000.25, 0, {{"loss/train", 2.5}, {"rate", 0.0}}},
    {1700000060.5,
     300,
     {{"loss/train", 0.1},
      {"loss/held-out", -1e-30},
      {"perplexity/held-out", std::numeric_limits<double>::infinity()},
      {"rate", 1e10},
      {"clipped", 0.25},
      {"norm/gradient", 3.0}}},
    {1700000061.0, -1, {{"a", 1.0}}},
};

void write_records(EventWriter& writer, size_t first = 0) {
  for (size_t i = first; i < kRecords.size(); ++i) {
    writer.write(kRecords[i].wall_time, kRecords[i].step, kRecords[i].scalars);
  }
}

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

uint64_t number_at(const std::string& file, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(file.at(at + i));
  return value;
}

// The masked CRC-32C by its definition: a division of polynomials, bit by bit.
uint64_t checksum(const std::string& bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const uint32_t out = (crc ^ static_cast<uint32_t>(static_cast<unsigned char>(c) >> bit)) & 1;
      crc = crc >> 1 ^ out * 0x82F63B78;
    }
  }
  crc = ~crc;
  return static_cast<uint32_t>((crc >> 15 | crc << 17) + 0xA282EAD8);
}

// The data of each record, or nothing where a length or a checksum is wrong.
std::optional<std::vector<std::string>> parse(const std::string& file) {
  std::vector<std::string> records;
  for (size_t at = 0; at < file.size();) {
    if (file.size() - at < 16) return {};
    const size_t length = number_at(file, at, 8);
    if (length > file.size() - at - 16) return {};
    if (number_at(file, at + 8, 4) != checksum(file.substr(at, 8))) return {};
    records.push_back(file.substr(at + 12, length));
    if (number_at(file, at + 12 + length, 4) != checksum(records.back())) return {};
    at += 16 + length;
  }
  return records;
}

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("a"), 0xC1D04330U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
}

// TensorBoard 2.21.0 wrote these bytes: RecordWriter(file).write(event.SerializeToString()) for an Event with
// file_version="brain.Event:2" and the first record's time, and for one Event a record, whose summary has
// Summary.Value(tag=TAG, simple_value=VALUE) for each scalar.
TEST(EventWriter, WritesTheBytesOfTensorBoardsOwnWriter) {
  const TemporaryFolder folder;
  EventWriter writer(folder / "tfevents", 0);
  write_records(writer);
  EXPECT_EQ(hex(read_file(folder / "tfevents")),
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe92b00000000000000861b"
            "c34b0900001040fc54d9412a200a110a0a6c6f73732f747261696e15000020400a0b0a04726174651500000000c25a795686"
            "0000000000000070011d5c090000204ffc54d94110ac022a780a110a0a6c6f73732f747261696e15cdcccc3d0a140a0d6c6f"
            "73732f68656c642d6f7574156042a28d0a1a0a13706572706c65786974792f68656c642d6f7574150000807f0a0b0a047261"
            "746515f90215500a0e0a07636c6970706564150000803e0a140a0d6e6f726d2f6772616469656e7415000040401ba3f75620"
            "0000000000000029eda950090000404ffc54d94110ffffffffffffffffff012a0a0a080a0161150000803f29ed8d9a");
}

TEST(EventWriter, LengthsAndChecksumsAreRight) {
  const TemporaryFolder folder;
  EventWriter writer(folder / "tfevents", 0);
  write_records(writer);
  writer.write(1.5, std::numeric_limits<int64_t>::min(), Scalars{{std::string(20000, 'x'), 1.0}});
  writer.write(2.5, 1, {});
  const std::string file = read_file(folder / "tfevents");
  const auto records = parse(file);
  ASSERT_TRUE(records.has_value());
  ASSERT_EQ(records->size(), kRecords.size() + 3);
  EXPECT_NE(records->at(0).find("brain.Event:2"), std::string::npos);
  for (size_t i = 1; i < records->size(); ++i) {
    EXPECT_EQ(records->at(i).find("brain.Event"), std::string::npos);
  }
  EXPECT_EQ(number_at(records->at(2), 1, 8), std::bit_cast<uint64_t>(kRecords[1].wall_time));
  EXPECT_EQ(records->back(), "\x09" + std::string("\0\0\0\0\0\0\x04\x40", 8) + "\x10\x01\x2a" + '\0');
  for (size_t at = 0; at < 40; ++at) {
    std::string altered = file;
    altered[at] = static_cast<char>(altered[at] ^ 4);
    EXPECT_FALSE(parse(altered).has_value()) << "byte " << at;
  }
}

TEST(EventWriter, TruncationRemovesLaterEvents) {
  const TemporaryFolder folder;
  EventWriter whole(folder / "whole", 0);
  std::vector<int64_t> lengths = {0};
  for (const Record& record : kRecords) {
    whole.write(record.wall_time, record.step, record.scalars);
    lengths.push_back(whole.bytes());
  }
  whole.flush();
  const std::string expected = read_file(folder / "whole");
  EXPECT_EQ(static_cast<size_t>(whole.bytes()), expected.size());
  for (size_t kept = 0; kept < lengths.size(); ++kept) {
    write_file(folder / "resumed", expected + "and half a record");
    EventWriter resumed(folder / "resumed", static_cast<size_t>(lengths[kept]));
    EXPECT_EQ(resumed.bytes(), lengths[kept]);
    write_records(resumed, kept);
    EXPECT_EQ(read_file(folder / "resumed"), expected) << kept << " records kept";
  }
  // One that was deleted meanwhile begins anew.
  EventWriter anew(folder / "deleted", 1000);
  write_records(anew);
  EXPECT_EQ(read_file(folder / "deleted"), expected);
}

// A limit on the size of files stands in for a full disk.
TEST(EventWriter, KeepsWholeRecordsWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  EventWriter writer(folder / "tfevents", 0);
  writer.write(1.0, 1, Scalars{{"loss", 2.0}});
  const std::string before = read_file(folder / "tfevents");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit saved{};
  getrlimit(RLIMIT_FSIZE, &saved);
  rlimit small = saved;
  small.rlim_cur = before.size() + 5;
  setrlimit(RLIMIT_FSIZE, &small);
  std::string error;
  try {
    writer.write(2.0, 2, Scalars{{"loss", 1.0}});
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    error = e.what();
  }
  setrlimit(RLIMIT_FSIZE, &saved);
  EXPECT_NE(error.find("cannot be written"), std::string::npos);
  EXPECT_EQ(read_file(folder / "tfevents"), before);
  EXPECT_EQ(static_cast<size_t>(writer.bytes()), before.size());
  writer.write(3.0, 3, Scalars{{"loss", 0.5}});
  ASSERT_TRUE(parse(read_file(folder / "tfevents")).has_value());
}

TEST(EventWriter, ReportsWhatCannotBeOpened) {
  const TemporaryFolder folder;
  EXPECT_THROW(EventWriter(folder / "no/such/tfevents", 0), Error);
}

}  // namespace
}  // namespace longhand::io
