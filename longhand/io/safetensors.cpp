#include "longhand/io/safetensors.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors_bytes.h"

namespace longhand::io {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kLargestHeader = 100'000'000;  // the format's own limit

// Bytes an element; 0 for a name that is not a dtype.
size_t dtype_size(const std::string& dtype) {
  static const std::map<std::string, size_t> kSizes = {{"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"I16", 2}, {"U16", 2},
                                                       {"F16", 2},  {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},
                                                       {"I64", 8},  {"U64", 8},  {"F64", 8}};
  const auto found = kSizes.find(dtype);
  return found == kSizes.end() ? 0 : found->second;
}

Error damaged(const std::string& path, const std::string& problem) {
  return input_error(path + ": not a valid safetensors file: " + problem,
                     "it is truncated, altered or of another format; use an intact copy");
}

bool all_counts(const json& array) {
  return array.is_array() && std::all_of(array.begin(), array.end(), [](const json& n) {
           return n.is_number_unsigned() && n.get<uint64_t>() <= uint64_t{1} << 48;
         });
}

// Bytes that the shape takes; nothing where that overflows.
bool byte_size(const std::vector<int64_t>& shape, size_t element, uint64_t& bytes) {
  bytes = element;
  for (const int64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) return false;
  }
  return true;
}

}  // namespace

namespace {

// The length of the header, and the header, after which the arrays begin aligned.
std::string head_of(const std::map<std::string, std::string>& metadata, const std::vector<TensorToWrite>& tensors) {
  ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorToWrite& tensor : tensors) {
    const uint64_t end = offset + tensor.bytes.size();
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  text.insert(0, reinterpret_cast<const char*>(&length), kLengthBytes);
  return text;
}

}  // namespace

void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorToWrite>& tensors) {
  const std::string head = head_of(metadata, tensors);
  std::vector<std::string_view> chunks = {head};
  for (const TensorToWrite& tensor : tensors) chunks.push_back(tensor.bytes);
  write_file(path, chunks);
}

std::string safetensors_bytes(const std::map<std::string, std::string>& metadata,
                              const std::vector<TensorToWrite>& tensors) {
  std::string out = head_of(metadata, tensors);
  for (const TensorToWrite& tensor : tensors) out += tensor.bytes;
  return out;
}

Safetensors Safetensors::read(const std::string& path) { return parse(path, read_file(path)); }

Safetensors Safetensors::parse(const std::string& path, std::string whole) {
  Safetensors file;
  file.path_ = path;
  file.contents_ = std::move(whole);
  const std::string_view contents = file.contents_;
  uint64_t length = 0;
  if (contents.size() < kLengthBytes) throw damaged(path, fmt::format("it has {} bytes", contents.size()));
  std::memcpy(&length, contents.data(), kLengthBytes);
  if (length > kLargestHeader || length > contents.size() - kLengthBytes) {
    throw damaged(path, fmt::format("its header should have {} bytes, and the file has {}", length, contents.size()));
  }
  const json header = parse_json(contents.substr(kLengthBytes, length), path);
  if (!header.is_object()) throw damaged(path, "its header is not an object");
  const std::string_view data = contents.substr(kLengthBytes + length);

  std::vector<std::pair<uint64_t, uint64_t>> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) throw damaged(path, "its metadata is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) throw damaged(path, "its metadata '" + key + "' is not a text");
        file.metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    const bool complete = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() &&
                          entry.contains("shape") && all_counts(entry["shape"]) && entry.contains("data_offsets") &&
                          all_counts(entry["data_offsets"]) && entry["data_offsets"].size() == 2;
    if (!complete) throw damaged(path, "its entry '" + name + "' lacks a dtype, a shape or two offsets");
    Tensor tensor{entry["dtype"].get<std::string>(), entry["shape"].get<std::vector<int64_t>>(), {}};
    const auto begin = entry["data_offsets"][0].get<uint64_t>();
    const auto end = entry["data_offsets"][1].get<uint64_t>();
    uint64_t bytes = 0;
    if (dtype_size(tensor.dtype) == 0) throw damaged(path, "'" + name + "' has the unknown dtype " + tensor.dtype);
    if (begin > end || end > data.size()) {
      throw damaged(path, fmt::format("'{}' should end at byte {} of {}", name, end, data.size()));
    }
    if (!byte_size(tensor.shape, dtype_size(tensor.dtype), bytes) || bytes != end - begin) {
      throw damaged(path, fmt::format("'{}' of shape [{}] does not match its size of {} bytes", name,
                                      fmt::join(tensor.shape, ", "), end - begin));
    }
    tensor.bytes = data.substr(begin, end - begin);
    extents.emplace_back(begin, end);
    file.tensors_.emplace(name, std::move(tensor));
  }
  std::sort(extents.begin(), extents.end());
  uint64_t covered = 0;
  for (const auto& [begin, end] : extents) {
    if (begin != covered) throw damaged(path, fmt::format("its arrays overlap or leave a gap at byte {}", covered));
    covered = end;
  }
  if (covered != data.size()) {
    throw damaged(path, fmt::format("its arrays end at byte {} of {}", covered, data.size()));
  }
  return file;
}

const std::string& Safetensors::text(const std::string& name) const {
  const auto found = metadata_.find(name);
  if (found == metadata_.end()) {
    throw input_error(path_ + ": expected the metadata '" + name + "', found none",
                      "use a file that longhand wrote; weights alone are not a model");
  }
  return found->second;
}

void Safetensors::check_floats(const std::string& name, const std::vector<int64_t>& shape) const {
  const auto found = tensors_.find(name);
  const std::string wanted = fmt::format("expected '{}', F32 [{}]", name, fmt::join(shape, ", "));
  if (found == tensors_.end()) {
    throw input_error(path_ + ": " + wanted + ", found no such array", "use a file that matches its configuration");
  }
  const Tensor& tensor = found->second;
  if (tensor.dtype != "F32" || tensor.shape != shape) {
    throw input_error(fmt::format("{}: {}, found {} [{}]", path_, wanted, tensor.dtype, fmt::join(tensor.shape, ", ")),
                      "use a file that matches its configuration");
  }
}

void Safetensors::copy_floats(const std::string& name, const std::vector<int64_t>& shape, std::span<float> out) const {
  check_floats(name, shape);
  const std::string_view bytes = tensors_.at(name).bytes;
  LONGHAND_CHECK(bytes.size() == out.size_bytes());
  std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<char*>(out.data()));
}

}  // namespace longhand::io
