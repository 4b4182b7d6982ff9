#include "longhand/io/tensorboard.h"

#include <bit>

namespace longhand::io {
namespace {

// A CRC over data that itself holds CRCs says little, so the format rotates and shifts those that it stores.
uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U; }

// The lowest `count` bytes, little-endian.
std::string fixed(uint64_t value, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  return out += static_cast<char>(value);
}

// A field of a protobuf message: its number and kind in one byte (for numbers below 16), then its value.
enum class Kind { kVarint = 0, kEightBytes = 1, kBytes = 2, kFourBytes = 5 };
std::string field(int number, Kind kind, const std::string& value) {
  return static_cast<char>(number << 3 | static_cast<int>(kind)) + value;
}
std::string varint_field(int number, uint64_t value) { return field(number, Kind::kVarint, varint(value)); }
std::string double_field(int number, double value) {
  return field(number, Kind::kEightBytes, fixed(std::bit_cast<uint64_t>(value), 8));
}
std::string float_field(int number, float value) {
  return field(number, Kind::kFourBytes, fixed(std::bit_cast<uint32_t>(value), 4));
}
std::string bytes_field(int number, const std::string& value) {
  return field(number, Kind::kBytes, varint(value.size()) + value);
}

std::string record(const std::string& data) {
  const std::string length = fixed(data.size(), 8);
  return length + fixed(masked_crc32c(length), 4) + data + fixed(masked_crc32c(data), 4);
}

}  // namespace

EventWriter::EventWriter(std::string path, size_t keep_bytes) : file_(std::move(path), keep_bytes) {}

void EventWriter::write(double wall_time, int64_t step, std::span<const std::pair<std::string, double>> scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    summary += bytes_field(1, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));
  }
  const std::string time = double_field(1, wall_time);
  std::string event = time;
  if (step != 0) event += varint_field(2, static_cast<uint64_t>(step));  // a field that is absent is zero
  event += bytes_field(5, summary);
  const std::string version = file_.bytes() == 0 ? record(time + bytes_field(3, "brain.Event:2")) : "";
  file_.append(version + record(event));
}

void EventWriter::flush() { file_.flush(); }

int64_t EventWriter::bytes() const { return static_cast<int64_t>(file_.bytes()); }

}  // namespace longhand::io
