#include "longhand/convert/protobuf.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {

void ProtobufReader::fail(const char* problem) const {
  throw input_error(fmt::format("{}: not a valid ONNX or protobuf file: {}", name_, problem),
                    "it is truncated, altered or of another format; use an intact copy");
}

uint64_t ProtobufReader::varint(std::string_view& from) const {
  uint64_t out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (from.empty()) fail("a number is truncated");
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    out |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return out;
  }
  fail("a number has more than ten bytes");
}

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  const uint64_t tag = varint(rest_);
  field_ = tag >> 3;
  wire_ = static_cast<Wire>(tag & 7U);
  if (field_ == 0) fail("a field has the number 0");
  const auto fixed = [&](size_t size) {
    if (rest_.size() < size) fail("a number is truncated");
    number_ = 0;
    std::memcpy(&number_, rest_.data(), size);
    rest_.remove_prefix(size);
  };
  switch (wire_) {
    case Wire::kVarint: number_ = varint(rest_); break;
    case Wire::kFixed64: fixed(8); break;
    case Wire::kFixed32: fixed(4); break;
    case Wire::kBytes: {
      const uint64_t size = varint(rest_);
      if (size > rest_.size()) fail("a field is longer than what holds it");
      bytes_ = rest_.substr(0, static_cast<size_t>(size));
      rest_.remove_prefix(static_cast<size_t>(size));
      break;
    }
    default: fail("a field has an unknown form");
  }
  return true;
}

int64_t ProtobufReader::integer() const {
  if (wire_ != Wire::kVarint) fail("expected an integer");
  return static_cast<int64_t>(number_);
}

float ProtobufReader::real32() const {
  if (wire_ != Wire::kFixed32) fail("expected a number of 32 bits");
  return std::bit_cast<float>(static_cast<uint32_t>(number_));
}

std::string_view ProtobufReader::bytes() const {
  if (wire_ != Wire::kBytes) fail("expected bytes");
  return bytes_;
}

std::string ProtobufReader::text() const {
  if (find_invalid_utf8(bytes()) != std::string_view::npos) fail("a text is not UTF-8");
  return std::string(bytes_);
}

void ProtobufReader::append(std::vector<int64_t>& out) const {
  if (wire_ == Wire::kVarint) return out.push_back(static_cast<int64_t>(number_));
  std::string_view packed = bytes();
  while (!packed.empty()) out.push_back(static_cast<int64_t>(varint(packed)));
}

template <class T>
void ProtobufReader::append_fixed(std::vector<T>& out, Wire one) const {
  const auto add = [&](const void* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    out.push_back(value);
  };
  if (wire_ == one) return add(&number_);
  const std::string_view packed = bytes();
  if (packed.size() % sizeof(T) != 0) fail("a list of numbers is truncated");
  const size_t begin = out.size();
  out.resize(begin + packed.size() / sizeof(T));
  if (!packed.empty()) std::memcpy(out.data() + begin, packed.data(), packed.size());
}

void ProtobufReader::append(std::vector<float>& out) const { append_fixed(out, Wire::kFixed32); }
void ProtobufReader::append(std::vector<double>& out) const { append_fixed(out, Wire::kFixed64); }

}  // namespace longhand::convert
