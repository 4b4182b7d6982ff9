// NumPy's .npy files: one array each.
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Layout: "\x93NUMPY", the version (two
// bytes), the header's length (2 bytes in version 1, 4 in versions 2 and 3), the header (a Python dictionary with
// descr, fortran_order and shape), the elements.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/array.h"
#include "longhand/io/byte_stream.h"

namespace longhand::io {

/// What a header says.
struct NpyHeader {
  DType dtype = DType::kF32;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads versions 1, 2 and 3, either order of indices and of bytes. Throws an input error for a file that is truncated
/// or altered, bytes after the array, and elements that are not real numbers or truth values; Python objects, which are
/// pickles, are refused by name and never executed.
Array read_npy(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
Array read_npy(const std::string& name, std::string_view bytes);

void write_npy(const std::string& path, const Array& array);
/// The contents of such a file.
std::string npy_bytes(const Array& array);

/// Reads an array in blocks of rows (the first dimension), as from a pipe.
class NpyReader {
 public:
  /// Reads the header. The array must be in C order with at least one dimension, unless `any_order`: others are then
  /// for read_all(). `input` must outlive the reader.
  explicit NpyReader(InputStream& input, bool any_order = false);

  const NpyHeader& header() const { return header_; }
  /// Rows that are left.
  int64_t rows_left() const { return rows_left_; }
  /// The next rows, at most `max`; an array without rows at the end. Throws an input error where bytes are missing.
  Array read(int64_t max);
  /// The whole array, in C order, where nothing was read yet. Throws an input error where bytes are missing, or left.
  Array read_all();
  /// Whether it has rows to read in turn.
  bool has_rows() const;

 private:
  std::string take(uint64_t bytes);

  InputStream& input_;
  NpyHeader header_;
  int64_t rows_left_ = 0;
  uint64_t row_bytes_ = 0;
};

/// Writes an array in blocks of rows.
class NpyWriter {
 public:
  /// `shape` is the whole array's. Its first extent may be -1, not known yet, where the output is a file; finish()
  /// then says how many rows there were. Throws a usage error for -1 on a pipe. `output` must outlive the writer.
  NpyWriter(OutputStream& output, DType dtype, std::vector<int64_t> shape);

  /// Appends rows: elements of the writer's type, whole rows.
  void write(std::string_view elements);
  /// Completes the header. Throws an input error where the number of rows is not the one promised. Does not finish the
  /// output.
  void finish();

 private:
  OutputStream& output_;
  DType dtype_;
  std::vector<int64_t> shape_;
  uint64_t row_bytes_ = 0, header_at_ = 0, header_bytes_ = 0, written_ = 0;
};

}  // namespace longhand::io
