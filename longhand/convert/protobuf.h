// The wire format of Protocol Buffers: fields by number, without a schema and without copies.
//
// Source: https://protobuf.dev/programming-guides/encoding/. Groups, which ended with proto2, are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::convert {

/// Reads the fields of a message one after the other. All functions throw an input error for bytes that are no message.
class ProtobufReader {
 public:
  enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  /// `name` stands for the file in errors. Both outlive the reader.
  ProtobufReader(std::string_view message, const std::string& name) : rest_(message), name_(name) {}

  /// Goes to the next field; false at the end.
  bool next();
  /// The present field's number and form.
  uint64_t field() const { return field_; }
  Wire wire() const { return wire_; }

  /// The present field as one value. A number is never in the form of bytes and the reverse: that is an error.
  int64_t integer() const;
  float real32() const;
  std::string_view bytes() const;
  /// The same as a text in UTF-8.
  std::string text() const;

  /// Appends the present field, one value or several packed ones, of a repeated field.
  void append(std::vector<int64_t>& out) const;
  void append(std::vector<float>& out) const;
  void append(std::vector<double>& out) const;

 private:
  [[noreturn]] void fail(const char* problem) const;
  uint64_t varint(std::string_view& from) const;
  template <class T>
  void append_fixed(std::vector<T>& out, Wire one) const;

  std::string_view rest_;
  const std::string& name_;
  uint64_t field_ = 0;
  Wire wire_ = Wire::kVarint;
  uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace longhand::convert
