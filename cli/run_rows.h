// Rows of numbers from files and pipes, and to them: the time steps of `longhand run`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace longhand::cli {

/// Names of formats: csv, raw (float32, little-endian), npy, and wav for input.
std::vector<std::string> row_formats();
/// The format of a name that ends in .csv or .txt, in .f32, .raw or .bin, in .npy or .wav; empty for another.
std::string format_of(const std::string& path);

class RowReader {
 public:
  /// `path` - is standard input. Throws an input error where the file cannot be read.
  static std::unique_ptr<RowReader> open(const std::string& path, const std::string& format, int64_t width);
  virtual ~RowReader() = default;
  /// Appends up to `most` rows of `width` numbers; returns how many there were, 0 at the end. Throws an input error,
  /// with the line where there are lines, for what is no number, and for a row that is too short or too long.
  virtual int64_t read(int64_t most, std::vector<float>& rows) = 0;
};

class RowWriter {
 public:
  static std::unique_ptr<RowWriter> open(const std::string& path, const std::string& format, int64_t width);
  virtual ~RowWriter() = default;
  virtual void write(const float* rows, int64_t n) = 0;
  /// The file is complete. Without this, none is left behind.
  virtual void finish() = 0;
};

}  // namespace longhand::cli
