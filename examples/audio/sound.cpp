#include "sound.h"

#include <longhand/base/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>

namespace sound {
namespace {

constexpr uint32_t kUnknownSize = 0xFFFFFFFF;
// Writers to pipes use the largest size, 0, or a round number a little below 2^31.
constexpr uint32_t kSizeOfPipes = 0x7FFF0000;
constexpr size_t kHeaderBytes = 44;

size_t bytes_of(Encoding encoding) { return encoding == Encoding::kPcm16 ? 2 : 4; }

// WAV files, and the machines that this runs on, are little-endian.
template <class T>
T little(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

}  // namespace

std::optional<Format> format_of(std::string_view name, uint32_t rate) {
  if (name == "wav") return {};
  if (name == "s16") return Format{.header = false, .encoding = Encoding::kPcm16, .channels = 1, .rate = rate};
  if (name == "f32") return Format{.header = false, .encoding = Encoding::kFloat32, .channels = 1, .rate = rate};
  throw longhand::usage_error("unknown format of sound: " + std::string(name), "give wav, s16 or f32");
}

Reader::Reader(const std::string& path, std::optional<Format> format)
    : name_(path == "-" ? "standard input" : path), in_(path == "-" ? &std::cin : &file_) {
  if (path != "-") {
    file_.open(path, std::ios::binary);
    if (!file_ || std::filesystem::is_directory(path)) {
      throw longhand::input_error(path + ": cannot be read", "check the path");
    }
  }
  if (format) {
    format_ = *format;
  } else {
    read_header();
  }
}

size_t Reader::read_bytes(char* to, size_t n) {
  in_->read(to, static_cast<std::streamsize>(n));
  if (in_->bad()) throw longhand::input_error(name_ + ": cannot be read any further", "check the file or the disk");
  return static_cast<size_t>(in_->gcount());
}

std::string Reader::read_exactly(size_t n) {
  std::string bytes(n, '\0');
  if (read_bytes(bytes.data(), n) < n) {
    throw longhand::input_error(name_ + ": expected a WAV file, found one that ends in its header",
                                "give a whole file, or say with --format what the samples are (s16, f32)");
  }
  return bytes;
}

void Reader::read_header() {
  const std::string head = read_exactly(12);
  if (head.substr(0, 4) != "RIFF" || head.substr(8, 4) != "WAVE") {
    throw longhand::input_error(name_ + ": expected a WAV file, found something else",
                                "convert it to WAV, or say with --format what the samples are (s16, f32)");
  }
  for (;;) {
    const std::string chunk = read_exactly(8);
    const auto size = little<uint32_t>(chunk, 4);
    if (chunk.substr(0, 4) == "data") {
      if (format_.rate == 0) throw longhand::input_error(name_ + ": its header has no format", "convert it again");
      sized_ = size != 0 && size < kSizeOfPipes;
      left_ = size;
      return;
    }
    if (chunk.substr(0, 4) == "fmt ") {
      read_format(size);
    } else {
      for (uint64_t rest = uint64_t{size} + size % 2; rest > 0;) {  // in parts: the size may be anything
        const size_t part = std::min<uint64_t>(rest, 4096);
        read_exactly(part);
        rest -= part;
      }
    }
  }
}

void Reader::read_format(size_t size) {
  const std::string fields = size >= 16 && size <= 4096 ? read_exactly(size + size % 2) : std::string(16, '\0');
  auto tag = little<uint16_t>(fields, 0);
  if (tag == 0xFFFE && size >= 40) tag = little<uint16_t>(fields, 24);  // the first two bytes of the subformat
  const auto bits = little<uint16_t>(fields, 14);
  format_.channels = little<uint16_t>(fields, 2);
  format_.rate = little<uint32_t>(fields, 4);
  format_.encoding = tag == 3 ? Encoding::kFloat32 : Encoding::kPcm16;
  const bool known = (tag == 1 && bits == 16) || (tag == 3 && bits == 32);
  if (!known || format_.channels < 1 || format_.channels > 64 || format_.rate == 0) {
    throw longhand::input_error(name_ + ": expected samples of 16 bits or float32, found a WAV file with others",
                                "convert it: sox IN.wav -b 16 OUT.wav");
  }
}

void Reader::expect_rate(uint32_t rate) const {
  if (format_.rate == rate) return;
  throw longhand::input_error(
      name_ + ": expected " + std::to_string(rate) + " samples a second, found " + std::to_string(format_.rate),
      "convert it: sox IN.wav -r " + std::to_string(rate) + " OUT.wav");
}

size_t Reader::read(float* x, size_t n) {
  const size_t each = bytes_of(format_.encoding), channels = static_cast<size_t>(format_.channels);
  const size_t frame = each * channels;
  size_t wanted = n * frame;
  if (sized_) wanted = std::min<uint64_t>(wanted, left_);
  bytes_.resize(wanted);
  const size_t got = read_bytes(bytes_.data(), wanted);
  left_ -= sized_ ? got : 0;
  if ((sized_ && got < wanted) || got % frame != 0) {
    throw longhand::input_error(name_ + ": it ends after " + std::to_string(samples_ + got / frame) +
                                    " samples, before what its header says or within a sample",
                                "it is truncated: give a whole file");
  }
  for (size_t i = 0; i < got / frame; ++i) {
    double sum = 0.0;
    for (size_t c = 0; c < channels; ++c) {
      const char* at = bytes_.data() + i * frame + c * each;
      if (format_.encoding == Encoding::kPcm16) {
        int16_t value = 0;
        std::memcpy(&value, at, 2);
        sum += value / 32768.0;
      } else {
        float value = 0.0F;
        std::memcpy(&value, at, 4);
        sum += static_cast<double>(value);
      }
    }
    x[i] = static_cast<float>(sum / static_cast<double>(channels));
    if (!std::isfinite(x[i])) {
      throw longhand::input_error(name_ + ": sample " + std::to_string(samples_ + i) + " is not a finite number",
                                  "it is altered, or its samples are not float32");
    }
  }
  samples_ += got / frame;
  return got / frame;
}

Writer::Writer(std::string path, Format format)
    : path_(std::move(path)), out_(path_ == "-" ? &std::cout : &file_), format_(format) {
  format_.channels = 1;
  if (path_ != "-") {
    const std::filesystem::file_status there = std::filesystem::status(path_);
    const bool regular = !std::filesystem::exists(there) || std::filesystem::is_regular_file(there);
    if (regular) temporary_ = path_ + ".part";
    file_.open(regular ? temporary_ : path_, std::ios::binary);
  }
  if (!*out_) {
    temporary_.clear();
    check();
  }
  if (format_.header) write_header(kUnknownSize);
}

Writer::~Writer() {
  if (temporary_.empty()) return;
  file_.close();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
}

void Writer::check() const {
  if (*out_) return;
  throw longhand::input_error((path_ == "-" ? "standard output" : path_) + ": cannot be written",
                              "check the path, the disk, and whoever reads the pipe");
}

void Writer::write_header(uint32_t bytes) {
  const auto each = static_cast<uint16_t>(bytes_of(format_.encoding));
  std::string out = "RIFF";
  put(out, bytes == kUnknownSize ? kUnknownSize : bytes + static_cast<uint32_t>(kHeaderBytes) - 8);
  out += "WAVEfmt ";
  put(out, uint32_t{16});
  put(out, static_cast<uint16_t>(format_.encoding == Encoding::kPcm16 ? 1 : 3));
  put(out, uint16_t{1});  // channel
  put(out, format_.rate);
  put(out, format_.rate * each);
  put(out, each);
  put(out, static_cast<uint16_t>(8 * each));
  out += "data";
  put(out, bytes);
  out_->write(out.data(), static_cast<std::streamsize>(out.size()));
  check();
}

void Writer::write(const float* x, size_t n) {
  const size_t each = bytes_of(format_.encoding);
  bytes_.resize(n * each);
  for (size_t i = 0; i < n; ++i) {
    if (format_.encoding == Encoding::kFloat32) {
      std::memcpy(bytes_.data() + 4 * i, x + i, 4);
    } else {
      const float scaled = std::isfinite(x[i]) ? std::clamp(x[i] * 32768.0F, -32768.0F, 32767.0F) : 0.0F;
      const auto value = static_cast<int16_t>(std::lround(scaled));
      std::memcpy(bytes_.data() + 2 * i, &value, 2);
    }
  }
  out_->write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
  written_ += bytes_.size();
  check();
}

void Writer::flush() {
  out_->flush();
  check();
}

void Writer::finish() {
  if (format_.header && !temporary_.empty()) {
    if (written_ > kUnknownSize - kHeaderBytes) {
      throw longhand::input_error(path_ + ": more than 4 GiB, where WAV files end", "write to a pipe, or in parts");
    }
    out_->seekp(0);
    write_header(static_cast<uint32_t>(written_));
  }
  flush();
  if (temporary_.empty()) return;
  file_.close();
  check();
  std::filesystem::rename(temporary_, path_);
  temporary_.clear();
}

}  // namespace sound
