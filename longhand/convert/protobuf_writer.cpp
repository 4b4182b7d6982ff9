#include "longhand/convert/protobuf_writer.h"

#include <bit>
#include <cstring>

namespace longhand::convert {
namespace {

// Wire type: the last three bits of a field's tag.
enum class WireForm : uint64_t { kVarint = 0, kBytes = 2, kFixed32 = 5 };

uint64_t tag_of(uint64_t field, WireForm form) { return field << 3 | static_cast<uint64_t>(form); }

void append_float(float value, std::string& out) {
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift & 0xFFU);
}

}  // namespace

void ProtobufWriter::append_varint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7FU) | 0x80U);
  out += static_cast<char>(value);
}

void ProtobufWriter::integer(uint64_t field, int64_t value) {
  varint(tag_of(field, WireForm::kVarint));
  varint(static_cast<uint64_t>(value));
}

void ProtobufWriter::real32(uint64_t field, float value) {
  varint(tag_of(field, WireForm::kFixed32));
  append_float(value, out_);
}

void ProtobufWriter::text(uint64_t field, std::string_view value) {
  varint(tag_of(field, WireForm::kBytes));
  varint(value.size());
  out_ += value;
}

void ProtobufWriter::integers(uint64_t field, const std::vector<int64_t>& values) {
  if (values.empty()) return;
  std::string packed;
  for (const int64_t value : values) append_varint(static_cast<uint64_t>(value), packed);
  text(field, packed);
}

void ProtobufWriter::reals32(uint64_t field, const std::vector<float>& values) {
  if (values.empty()) return;
  std::string packed;
  for (const float value : values) append_float(value, packed);
  text(field, packed);
}

}  // namespace longhand::convert
