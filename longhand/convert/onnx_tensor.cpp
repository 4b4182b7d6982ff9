#include "longhand/convert/onnx_tensor.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/protobuf.h"
#include "longhand/io/byte_stream.h"

namespace longhand::convert {
namespace {

using io::DType;

constexpr int64_t kOnnxText = 8;

struct OnnxTypeRow {
  int64_t number;
  DType dtype;
};
constexpr OnnxTypeRow kOnnxTypes[] = {{1, DType::kF32},  {2, DType::kU8},   {3, DType::kI8},   {4, DType::kU16},
                                      {5, DType::kI16},  {6, DType::kI32},  {7, DType::kI64},  {9, DType::kBool},
                                      {10, DType::kF16}, {11, DType::kF64}, {12, DType::kU32}, {13, DType::kU64},
                                      {16, DType::kBf16}};

// The fields of a TensorProto.
struct RawTensor {
  std::vector<int64_t> shape;
  int64_t type = 0;
  std::string_view raw;
  bool has_raw = false, external = false, segmented = false;
  std::vector<float> reals;
  std::vector<double> doubles;
  std::vector<int64_t> integers, longs, unsigned_longs;
  std::vector<std::string> texts;
  std::string location, offset, length;
};

void read_external_entry(RawTensor& out, std::string_view message, const std::string& name) {
  std::string key, value;
  ProtobufReader reader(message, name);
  while (reader.next()) {
    if (reader.field() == 1) key = reader.text();
    if (reader.field() == 2) value = reader.text();
  }
  if (key == "location") out.location = value;
  if (key == "offset") out.offset = value;
  if (key == "length") out.length = value;
}

Error bad_tensor(const OnnxContext& context, const std::string& tensor, const std::string& problem) {
  return input_error(fmt::format("{}: the array '{}': {}", context.name, visible(tensor.substr(0, 100)), problem),
                     "the file is altered, or incomplete; export the model again");
}

int64_t decimal(const std::string& text, int64_t otherwise, const OnnxContext& context, const std::string& tensor) {
  if (text.empty()) return otherwise;
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 0) {
    throw bad_tensor(context, tensor, "its place in another file is no number: " + visible(text.substr(0, 40)));
  }
  return out;
}

// Only regular files inside the model's folder, without links on the way.
std::string external_path(const RawTensor& raw, const OnnxContext& context, const std::string& tensor) {
  namespace fs = std::filesystem;
  const std::string shown = visible(raw.location.substr(0, 200));
  const auto refuse = [&](const std::string& why) {
    return input_error(fmt::format("{}: the array '{}' is in another file, '{}', {}", context.name,
                                   visible(tensor.substr(0, 100)), shown, why),
                       "put the file beside the model, or export the model with its arrays in one file");
  };
  if (context.folder.empty()) throw refuse("and the model comes from memory or a stream");
  const fs::path location(raw.location);
  const bool inside = !raw.location.empty() && raw.location.find('\0') == std::string::npos && location.is_relative() &&
                      std::none_of(location.begin(), location.end(), [](const fs::path& part) { return part == ".."; });
  if (!inside) throw refuse("outside of the model's folder, which is refused");
  std::error_code error;
  fs::path path(context.folder);
  for (const fs::path& part : location) {
    path /= part;
    const fs::file_status status = fs::symlink_status(path, error);
    if (error || !fs::exists(status)) throw refuse("which does not exist");
    if (fs::is_symlink(status)) throw refuse("through a link, which is refused");
  }
  if (!fs::is_regular_file(path, error)) throw refuse("which is no regular file");
  return path.string();
}

std::string external_bytes(const RawTensor& raw, uint64_t size, const OnnxContext& context, const std::string& tensor) {
  io::InputStream file(external_path(raw, context, tensor));
  const auto offset = static_cast<uint64_t>(decimal(raw.offset, 0, context, tensor));
  const auto length = static_cast<uint64_t>(decimal(raw.length, static_cast<int64_t>(size), context, tensor));
  if (length != size || !file.size() || offset > *file.size() || *file.size() - offset < size) {
    throw bad_tensor(context, tensor,
                     fmt::format("expected {} bytes from byte {} of {}, found {} bytes of data", size, offset,
                                 file.name(), file.size().value_or(0)));
  }
  file.skip(offset);
  std::string out(size, '\0');
  file.read_all_of(out, "the array '" + visible(tensor.substr(0, 100)) + "'");
  return out;
}

template <class To, class From>
std::string narrowed(const std::vector<From>& values) {
  std::string out(values.size() * sizeof(To), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<To>(values[i]);
    std::memcpy(out.data() + i * sizeof(To), &value, sizeof(To));
  }
  return out;
}

// Elements in the fields of their types (the comments of TensorProto say which).
std::string typed_bytes(const RawTensor& raw, DType dtype) {
  switch (dtype) {
    case DType::kF32: return narrowed<float>(raw.reals);
    case DType::kF64: return narrowed<double>(raw.doubles);
    case DType::kI64: return narrowed<int64_t>(raw.longs);
    case DType::kU64: return narrowed<uint64_t>(raw.unsigned_longs);
    case DType::kU32: return narrowed<uint32_t>(raw.unsigned_longs);
    case DType::kI32: return narrowed<int32_t>(raw.integers);
    case DType::kI16:
    case DType::kU16:
    case DType::kF16:
    case DType::kBf16: return narrowed<uint16_t>(raw.integers);
    case DType::kI8:
    case DType::kU8:
    case DType::kBool: return narrowed<uint8_t>(raw.integers);
  }
  return {};
}

RawTensor raw_tensor(std::string_view message, const OnnxContext& context, std::string& name) {
  RawTensor out;
  ProtobufReader reader(message, context.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: reader.append(out.shape); break;
      case 2: out.type = reader.integer(); break;
      case 3: out.segmented = true; break;
      case 4: reader.append(out.reals); break;
      case 5: reader.append(out.integers); break;
      case 6: out.texts.emplace_back(reader.bytes()); break;
      case 7: reader.append(out.longs); break;
      case 8: name = reader.text(); break;
      case 9:
        out.raw = reader.bytes();
        out.has_raw = true;
        break;
      case 10: reader.append(out.doubles); break;
      case 11: reader.append(out.unsigned_longs); break;
      case 13: read_external_entry(out, reader.bytes(), context.name); break;
      case 14: out.external = reader.integer() == 1; break;
      default: break;
    }
  }
  return out;
}

}  // namespace

void OnnxContext::count() {
  if (--things_left >= 0) return;
  throw input_error(name + ": expected at most 200,000 nodes, attributes and arrays, found more",
                    "no LSTM model has so many; use an intact copy");
}

std::optional<DType> onnx_dtype(int64_t number) {
  for (const OnnxTypeRow& row : kOnnxTypes) {
    if (row.number == number) return row.dtype;
  }
  return std::nullopt;
}

int64_t onnx_number(DType dtype) {
  for (const OnnxTypeRow& row : kOnnxTypes) {
    if (row.dtype == dtype) return row.number;
  }
  return 0;
}

OnnxTensor parse_onnx_tensor(std::string_view message, OnnxContext& context) {
  context.count();
  OnnxTensor out;
  RawTensor raw = raw_tensor(message, context, out.name);
  const auto bad = [&](const std::string& problem) { return bad_tensor(context, out.name, problem); };
  if (raw.segmented) throw bad("it is a segment of a larger one, which is not read");
  out.array.shape = std::move(raw.shape);
  if (raw.type == kOnnxText) {
    const std::optional<uint64_t> count = io::byte_size(DType::kU8, out.array.shape);
    if (!count || *count != raw.texts.size()) throw bad(fmt::format("it has {} texts", raw.texts.size()));
    out.array.dtype = DType::kU8;
    out.is_text = true;
    out.texts = std::move(raw.texts);
    return out;
  }
  const std::optional<DType> dtype = onnx_dtype(raw.type);
  if (!dtype) throw bad(fmt::format("expected numbers, found ONNX's type {}", raw.type));
  out.array.dtype = *dtype;
  const std::optional<uint64_t> size = io::byte_size(*dtype, out.array.shape);
  if (!size) throw bad("its shape is no shape of an array: " + io::describe(out.array.shape));
  if (raw.external) {
    out.array.bytes = external_bytes(raw, *size, context, out.name);
  } else {
    out.array.bytes = raw.has_raw ? std::string(raw.raw) : typed_bytes(raw, *dtype);
  }
  if (out.array.bytes.size() != *size) {
    throw bad(fmt::format("{} does not match its {} bytes", io::describe(out.array), out.array.bytes.size()));
  }
  return out;
}

}  // namespace longhand::convert
