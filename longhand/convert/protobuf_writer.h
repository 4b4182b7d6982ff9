// Writes messages in the wire format of Protocol Buffers (protobuf.h reads it), field by field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::convert {

class ProtobufWriter {
 public:
  /// The message so far.
  const std::string& bytes() const { return out_; }
  std::string take() { return std::move(out_); }

  void integer(uint64_t field, int64_t value);
  void real32(uint64_t field, float value);
  /// Writes a string, bytes, or an encoded message.
  void text(uint64_t field, std::string_view value);
  void message(uint64_t field, const ProtobufWriter& value) { text(field, value.bytes()); }
  /// Writes all values as one packed field; writes nothing for an empty list.
  void integers(uint64_t field, const std::vector<int64_t>& values);
  void reals32(uint64_t field, const std::vector<float>& values);

 private:
  void varint(uint64_t value) { append_varint(value, out_); }
  static void append_varint(uint64_t value, std::string& out);

  std::string out_;
};

}  // namespace longhand::convert
