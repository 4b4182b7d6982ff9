// Sound for the programs beside this file: one channel of samples, in files and pipes, read and written as it comes.
//
// WAV files ("Multimedia Programming Interface and Data Specifications 1.0", Microsoft and IBM, 1991; "Multiple Channel
// Audio Data and WAVE Files", Microsoft, 2007) with samples of 16 bits or float32, and such samples without a header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sound {

enum class Encoding { kPcm16, kFloat32 };

/// What the samples of a file are. PCM of 16 bits stands for value / 32768.
struct Format {
  bool header = true;  ///< WAV; otherwise samples alone
  Encoding encoding = Encoding::kPcm16;
  int channels = 1;
  uint32_t rate = 0;  ///< samples a second of each channel
};

/// "wav" is nothing, "s16" and "f32" are formats without a header, one channel at `rate`. Throws a usage error for
/// others.
std::optional<Format> format_of(std::string_view name, uint32_t rate);

class Reader {
 public:
  /// `path` may be "-", standard input. Without a `format` the file is a WAV file, which says its own. Throws an input
  /// error (as all that follow do) where it cannot be read.
  explicit Reader(const std::string& path, std::optional<Format> format = {});

  const Format& format() const { return format_; }
  /// For errors: the path, or "standard input".
  const std::string& name() const { return name_; }
  /// Throws an input error unless there are so many samples a second.
  void expect_rate(uint32_t rate) const;
  /// Waits for the next `n` samples and writes them to x [n], from -1 to 1: the mean where there are several channels.
  /// Returns how many there were, fewer than n at the end.
  size_t read(float* x, size_t n);

 private:
  void read_header();
  void read_format(size_t size);
  size_t read_bytes(char* to, size_t n);
  std::string read_exactly(size_t n);

  std::string name_;
  std::ifstream file_;
  std::istream* in_;
  Format format_;
  bool sized_ = false;  // whether left_ is known
  uint64_t left_ = 0;   // bytes of samples
  uint64_t samples_ = 0;
  std::vector<char> bytes_;
};

class Writer {
 public:
  /// `path` may be "-", standard output. One channel, otherwise as `format` says. A file is written beside its place
  /// until finish() puts it there.
  Writer(std::string path, Format format);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// x [n]. In 16 bits, what is beyond -1 to 1 becomes the extreme.
  void write(const float* x, size_t n);
  /// Sends what was written to whoever reads the pipe.
  void flush();
  void finish();

 private:
  void write_header(uint32_t bytes);
  void check() const;

  std::string path_, temporary_;  // temporary_ is empty where the output is no regular file
  std::ofstream file_;
  std::ostream* out_;
  Format format_;
  uint64_t written_ = 0;
  std::vector<char> bytes_;
};

}  // namespace sound
