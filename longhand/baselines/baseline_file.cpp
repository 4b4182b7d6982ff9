#include "longhand/baselines/baseline_file.h"

#include <charconv>
#include <limits>

namespace longhand::baselines {
namespace {

constexpr const char* kKind = "kind";
constexpr const char* kFormat = "format";  // the metadata's key, and what is the present one
constexpr const char* kPresentFormat = "longhand baseline 1";

}  // namespace

BaselineWriter::BaselineWriter(const std::string& kind) : metadata_{{kKind, kind}, {kFormat, kPresentFormat}} {}

void BaselineWriter::add_bytes(const std::string& name, const std::string& dtype, int64_t count, std::string bytes) {
  arrays_.push_back({name, dtype, count, std::move(bytes)});
}

void BaselineWriter::add_texts(const std::string& name, const std::vector<std::string>& texts) {
  std::vector<int32_t> lengths;
  std::string bytes;
  for (const std::string& text : texts) {
    if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
      throw input_error("baseline: expected texts below 2 GiB, found one of " + std::to_string(text.size()) + " bytes",
                        "give shorter texts, or `no-baseline`");
    }
    lengths.push_back(static_cast<int32_t>(text.size()));
    bytes += text;
  }
  add_numbers(name + ".lengths", lengths);
  const auto count = static_cast<int64_t>(bytes.size());
  add_bytes(name + ".bytes", "U8", count, std::move(bytes));
}

void BaselineWriter::write(const std::string& path) const {
  std::vector<io::TensorToWrite> tensors;
  // Arrays of 8 bytes go first, so that each begins at a multiple of its element's size.
  for (const int64_t size : {int64_t{8}, int64_t{4}, int64_t{1}}) {
    for (const Array& array : arrays_) {
      const int64_t own = array.dtype == "F64" ? 8 : array.dtype == "U8" ? 1 : 4;
      if (own == size) tensors.emplace_back(array.name, std::vector<int64_t>{array.count}, array.dtype, array.bytes);
    }
  }
  io::write_safetensors(path, metadata_, tensors);
}

BaselineFile BaselineFile::read(const std::string& path) { return BaselineFile(io::Safetensors::read(path)); }

BaselineFile BaselineFile::parse(const std::string& name, std::string contents) {
  return BaselineFile(io::Safetensors::parse(name, std::move(contents)));
}

BaselineFile::BaselineFile(io::Safetensors file) : file_(std::move(file)) {
  const auto& metadata = file_.metadata();
  const auto format = metadata.find(kFormat), kind = metadata.find(kKind);
  if (format == metadata.end() || kind == metadata.end() || format->second != kPresentFormat) {
    throw input_error(path() + ": expected a baseline of this version, found something else",
                      "remove it, or use an intact copy; the model beside it does not need it");
  }
  kind_ = kind->second;
}

void BaselineFile::expect(bool good, const std::string& what) const {
  if (good) return;
  throw input_error(path() + ": expected " + what + ", found something else",
                    "the file is damaged; remove it, or use an intact copy; the model beside it does not need it");
}

int64_t BaselineFile::number(const std::string& key, int64_t min, int64_t max) const {
  const std::string& digits = text(key);
  int64_t out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  expect(error == std::errc() && end == digits.data() + digits.size() && out >= min && out <= max,
         "'" + key + "' from " + std::to_string(min) + " to " + std::to_string(max));
  return out;
}

std::vector<std::string> BaselineFile::texts(const std::string& name) const {
  const std::string_view bytes = array(name + ".bytes", "U8");
  std::vector<std::string> out;
  size_t begin = 0;
  for (const int32_t length : numbers<int32_t>(name + ".lengths")) {
    expect(length >= 0 && static_cast<size_t>(length) <= bytes.size() - begin, "as many bytes as '" + name + "' has");
    out.emplace_back(bytes.substr(begin, static_cast<size_t>(length)));
    begin += static_cast<size_t>(length);
  }
  expect(begin == bytes.size(), "as many bytes as '" + name + "' has");
  return out;
}

std::string_view BaselineFile::array(const std::string& name, const std::string& dtype) const {
  const auto found = file_.tensors().find(name);
  expect(found != file_.tensors().end() && found->second.dtype == dtype && found->second.shape.size() == 1,
         "an array '" + name + "' of " + dtype);
  return found->second.bytes;
}

}  // namespace longhand::baselines
