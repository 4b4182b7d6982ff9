#include "longhand/io/npy.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/file.h"

namespace longhand::io {
namespace {

constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr size_t kPreamble = 8;                // magic and version
constexpr size_t kLongestNpyHeader = 1 << 16;  // those of arrays of numbers have about 120 bytes
constexpr size_t kRowDigits = 20;              // room for a number of rows that is not known yet

Error bad_npy(const std::string& name, const std::string& problem) {
  return input_error(name + ": not a valid .npy file: " + problem,
                     "it is truncated, altered or of another format; write it again with numpy.save");
}

// Parses the header, a Python dictionary of three entries: texts, truth values, and tuples of integers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader parse() {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !has_descr) {
        has_descr = true;
        descr();
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        header_.fortran_order = truth();
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        shape();
      } else {
        fail();
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    blanks();
    if (at_ != text_.size() || !has_descr || !has_order || !has_shape) fail();
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail() const {
    throw bad_npy(name_,
                  fmt::format("expected descr, fortran_order and shape, found '{}'", visible(text_.substr(0, 100))));
  }
  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail();
  }

  std::string_view quoted() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail();
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }

  bool truth() {
    blanks();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return word == "True";
    }
    fail();
  }

  // Python 2 wrote an L after long integers.
  void shape() {
    expect('(');
    while (!take(')')) {
      blanks();
      int64_t extent = 0;
      size_t digits = 0;
      for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
        if (__builtin_mul_overflow(extent, int64_t{10}, &extent)) fail();
        if (__builtin_add_overflow(extent, int64_t{text_[at_] - '0'}, &extent)) fail();
      }
      if (digits == 0) fail();
      take('L');
      header_.shape.push_back(extent);
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    if (!byte_size(DType::kF64, header_.shape)) fail();
  }

  void descr() {
    blanks();
    if (at_ < text_.size() && text_[at_] == '[') {
      throw input_error(name_ + ": expected an array of numbers, found a structured array",
                        "save its fields as arrays of their own");
    }
    const std::string_view code = quoted();
    struct Row {
      std::string_view code;
      DType dtype;
    };
    static constexpr Row kRows[] = {{"f2", DType::kF16}, {"f4", DType::kF32}, {"f8", DType::kF64},
                                    {"i1", DType::kI8},  {"i2", DType::kI16}, {"i4", DType::kI32},
                                    {"i8", DType::kI64}, {"u1", DType::kU8},  {"u2", DType::kU16},
                                    {"u4", DType::kU32}, {"u8", DType::kU64}, {"b1", DType::kBool}};
    const char order = code.empty() ? '\0' : code.front();
    const bool ordered = order == '<' || order == '>' || order == '|' || order == '=';
    for (const Row& row : kRows) {
      if (!ordered || code.substr(1) != row.code) continue;
      header_.dtype = row.dtype;
      header_.big_endian = order == '>';
      return;
    }
    const bool objects = code.find('O') != std::string_view::npos;
    throw input_error(
        fmt::format("{}: expected real numbers or truth values, found {} (dtype '{}')", name_,
                    objects ? "Python objects, which are never executed" : "another type", visible(code.substr(0, 20))),
        "convert the array with .astype(numpy.float32) or another type of numbers");
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
  NpyHeader header_;
};

// The length of the header after the preamble and its length field, whose size is `field`.
size_t header_length(std::string_view preamble, std::string_view length, const std::string& name) {
  if (preamble.substr(0, kNpyMagic.size()) != kNpyMagic) throw bad_npy(name, "it does not begin with \\x93NUMPY");
  uint64_t value = 0;
  std::memcpy(&value, length.data(), length.size());
  if (value > kLongestNpyHeader) throw bad_npy(name, fmt::format("its header should have {} bytes", value));
  return static_cast<size_t>(value);
}

// Bytes of the length field.
size_t length_field(std::string_view preamble, const std::string& name) {
  const auto version = static_cast<unsigned char>(preamble[kNpyMagic.size()]);
  if (version < 1 || version > 3) {
    throw bad_npy(name, fmt::format("expected version 1, 2 or 3, found {}", int{version}));
  }
  return version == 1 ? 2 : 4;
}

const char* code_of(DType dtype) {
  switch (dtype) {
    case DType::kF16: return "<f2";
    case DType::kF32: return "<f4";
    case DType::kF64: return "<f8";
    case DType::kI8: return "|i1";
    case DType::kI16: return "<i2";
    case DType::kI32: return "<i4";
    case DType::kI64: return "<i8";
    case DType::kU8: return "|u1";
    case DType::kU16: return "<u2";
    case DType::kU32: return "<u4";
    case DType::kU64: return "<u8";
    case DType::kBool: return "|b1";
    case DType::kBf16: break;
  }
  throw input_error("an array of bfloat16 cannot be written as .npy, which has no such type",
                    "convert it to float32 first");
}

// Version 1, padded so that the elements begin at a multiple of 64; `rows_unknown` leaves room for the first extent.
std::string npy_header(DType dtype, std::span<const int64_t> shape, bool rows_unknown) {
  std::string extents;
  for (const int64_t extent : shape) extents += fmt::format("{}, ", std::max<int64_t>(extent, 0));
  if (shape.size() != 1 && !extents.empty()) extents.resize(extents.size() - 2);
  if (shape.size() == 1) extents.pop_back();
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", code_of(dtype), extents);
  const size_t room = text.size() + (rows_unknown ? kRowDigits : 0);
  const size_t whole = (kPreamble + 2 + room + 1 + 63) / 64 * 64;
  text.resize(whole - kPreamble - 3, ' ');
  text += '\n';
  const auto length = static_cast<uint16_t>(text.size());
  std::string out(kNpyMagic);
  out += {'\x01', '\x00', static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)};
  return out + text;
}

}  // namespace

Array read_npy(const std::string& path) { return read_npy(path, read_file(path)); }

Array read_npy(const std::string& name, std::string_view bytes) {
  if (bytes.size() < kPreamble + 2) throw bad_npy(name, fmt::format("it has {} bytes", bytes.size()));
  const size_t field = length_field(bytes, name);
  if (bytes.size() < kPreamble + field) throw bad_npy(name, fmt::format("it has {} bytes", bytes.size()));
  const size_t length = header_length(bytes, bytes.substr(kPreamble, field), name);
  std::string_view rest = bytes.substr(kPreamble + field);
  if (rest.size() < length) throw bad_npy(name, fmt::format("its header should have {} bytes", length));
  NpyHeader header = HeaderParser(rest.substr(0, length), name).parse();
  rest.remove_prefix(length);
  const std::optional<uint64_t> size = byte_size(header.dtype, header.shape);
  if (!size || *size != rest.size()) {
    throw bad_npy(name, fmt::format("{} {} does not match its size of {} bytes after the header", name_of(header.dtype),
                                    describe(header.shape), rest.size()));
  }
  Array out{header.dtype, std::move(header.shape), {}};
  const size_t element = size_of(out.dtype);
  out.bytes = header.fortran_order ? from_fortran_order(rest, out.shape, element) : std::string(rest);
  if (header.big_endian) swap_bytes(out.bytes, element);
  return out;
}

std::string npy_bytes(const Array& array) { return npy_header(array.dtype, array.shape, false) + array.bytes; }

void write_npy(const std::string& path, const Array& array) {
  const std::string header = npy_header(array.dtype, array.shape, false);
  const std::string_view chunks[] = {header, array.bytes};
  write_file(path, chunks);
}

NpyReader::NpyReader(InputStream& input, bool any_order) : input_(input) {
  std::string head(kPreamble, '\0');
  input.read_all_of(head, "the first bytes of a .npy file");
  std::string length(length_field(head, input.name()), '\0');
  input.read_all_of(length, "the header's length");
  std::string text(header_length(head, length, input.name()), '\0');
  input.read_all_of(text, "the header");
  header_ = HeaderParser(text, input.name()).parse();
  if (!has_rows() && !any_order) {
    throw input_error(
        input.name() + ": expected an array in C order with at least one dimension, found " +
            (header_.shape.empty() ? "a scalar" : "one in Fortran order, which has no rows to read in turn"),
        "write it with numpy.save(file, numpy.ascontiguousarray(x))");
  }
  if (!has_rows()) return;
  rows_left_ = header_.shape.front();
  row_bytes_ = byte_size(header_.dtype, std::span(header_.shape).subspan(1)).value_or(0);
}

bool NpyReader::has_rows() const {
  return !header_.shape.empty() && (!header_.fortran_order || header_.shape.size() == 1);
}

// Memory grows with what is really there, not with what a header says.
std::string NpyReader::take(uint64_t bytes) {
  constexpr uint64_t kPiece = 1 << 24;
  std::string out;
  while (bytes > 0) {
    const size_t begin = out.size();
    const auto piece = static_cast<size_t>(std::min(bytes, kPiece));
    out.resize(begin + piece);
    input_.read_all_of(std::span(out).subspan(begin), "the elements of " + describe(header_.shape));
    bytes -= piece;
  }
  return out;
}

Array NpyReader::read_all() {
  Array out{header_.dtype, header_.shape, take(byte_size(header_.dtype, header_.shape).value_or(0))};
  char more = 0;
  if (input_.read({&more, 1}) > 0) throw bad_npy(input_.name(), "it goes on after its elements");
  if (header_.fortran_order) out.bytes = from_fortran_order(out.bytes, out.shape, size_of(out.dtype));
  if (header_.big_endian) swap_bytes(out.bytes, size_of(out.dtype));
  rows_left_ = 0;
  return out;
}

Array NpyReader::read(int64_t max) {
  Array out{header_.dtype, header_.shape, {}};
  out.shape.front() = std::clamp<int64_t>(max, 0, rows_left_);
  out.bytes = take(static_cast<uint64_t>(out.shape.front()) * row_bytes_);
  rows_left_ -= out.shape.front();
  if (header_.big_endian) swap_bytes(out.bytes, size_of(out.dtype));
  return out;
}

NpyWriter::NpyWriter(OutputStream& output, DType dtype, std::vector<int64_t> shape)
    : output_(output), dtype_(dtype), shape_(std::move(shape)), header_at_(output.position()) {
  LONGHAND_CHECK(!shape_.empty());
  if (shape_.front() < 0 && !output.can_rewrite()) {
    throw usage_error(output.name() + ": a .npy file has its number of rows first, and this is not known yet",
                      "write to a file, or write raw float32 or CSV, which have no header");
  }
  const std::optional<uint64_t> row = byte_size(dtype, std::span(shape_).subspan(1));
  LONGHAND_CHECK(row);
  row_bytes_ = *row;
  const std::string header = npy_header(dtype, shape_, shape_.front() < 0);
  header_bytes_ = header.size();
  output.write(header);
}

void NpyWriter::write(std::string_view elements) {
  LONGHAND_CHECK(row_bytes_ > 0 ? elements.size() % row_bytes_ == 0 : elements.empty());
  output_.write(elements);
  written_ += elements.size();
}

void NpyWriter::finish() {
  const auto rows = static_cast<int64_t>(row_bytes_ > 0 ? written_ / row_bytes_ : 0);
  if (shape_.front() >= 0) {
    if (row_bytes_ == 0 || rows == shape_.front()) return;
    throw input_error(fmt::format("{}: expected {} rows, found {}", output_.name(), shape_.front(), rows),
                      "the input ended early; use a complete one");
  }
  shape_.front() = rows;
  std::string header = npy_header(dtype_, shape_, false);
  LONGHAND_CHECK(header.size() <= header_bytes_);
  header.back() = ' ';
  header.resize(header_bytes_, ' ');
  header.back() = '\n';
  const size_t length = header_bytes_ - kPreamble - 2;
  header[kPreamble] = static_cast<char>(length & 0xFF);
  header[kPreamble + 1] = static_cast<char>(length >> 8);
  output_.rewrite(header_at_, header);
}

}  // namespace longhand::io
