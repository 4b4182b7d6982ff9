// Rows of numbers from files and pipes, and to them: the time steps of `longhand run`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/convert/symbol_reader.h"
#include "longhand/io/array.h"

namespace longhand::cli {

/// Names of formats: csv, raw (float32, little-endian), npy, npz, wav, text and json (of input).
std::vector<std::string> input_formats();
std::vector<std::string> output_formats();
/// The format of a name that ends in .csv, .txt or .tsv, in .f32, .raw or .bin, in .npy, .npz, .wav or .json; empty for
/// another.
std::string format_of(const std::string& path);

/// What a row is.
struct RowLayout {
  int64_t width = 1;                               ///< numbers
  std::string names{};                             ///< of the numbers, for errors; empty: they have none
  bool arrays = false;                             ///< an array whose rows are others is for whole()
  const convert::SymbolReader* symbols = nullptr;  ///< for texts; null: the model reads none
  /// Column names of the numbers in a table with a header; empty: unknown.
  std::vector<std::string> columns{};
  /// Whether `columns` are those of the training table. Otherwise they are the names of the model's inputs, which a
  /// table need not have.
  bool trained_on_columns = false;
  bool header = true;            ///< whether that table had a header; otherwise `columns` are column numbers, from 1
  std::string group{};           ///< column of a table that identifies the sequence of each row; empty: none
  std::string decimal = "auto";  ///< decimal separator of tables: point or comma; auto: recognised
};

class RowReader {
 public:
  /// `path` - is standard input. Throws an input error where the file cannot be read. Not of npz and json.
  static std::unique_ptr<RowReader> open(const std::string& path, const std::string& format, const RowLayout& layout);
  virtual ~RowReader() = default;
  /// Appends up to `most` rows of `width` numbers to `rows`. Returns the number of rows, 0 at the end of the sequence.
  /// Throws an input error, with the line number in text formats, for a field that is not a number, and for a row with
  /// too few or too many numbers.
  virtual int64_t read(int64_t most, std::vector<float>& rows) = 0;
  /// Moves to the next sequence. Returns false if there is none.
  virtual bool next_sequence() { return false; }
  /// Name of the column that identifies the sequence of each row; empty: the input is one sequence.
  virtual std::string sequence_column() const { return ""; }
  /// Returns a line for the user about columns that were ignored, or read by position; empty: none.
  virtual std::string note() const { return ""; }
  /// The input as one array, where its rows cannot be read in turn: several sequences, or Fortran order. Nothing must
  /// have been read before.
  virtual std::optional<io::Array> whole() { return std::nullopt; }
  /// Frames a second of sound.
  virtual std::optional<int64_t> sample_rate() const { return std::nullopt; }
};

class RowWriter {
 public:
  /// `sample_rate` is that of a WAV; 0: not known. Throws a usage error where it is needed, and for npz.
  static std::unique_ptr<RowWriter> open(const std::string& path, const std::string& format, int64_t width,
                                         int64_t sample_rate = 0);
  virtual ~RowWriter() = default;
  virtual void write(const float* rows, int64_t n) = 0;
  /// What follows is another sequence. In CSV, an empty line says so; other formats have no such mark.
  virtual void begin_sequence() = 0;
  /// The file is complete. Without this, none is left behind.
  virtual void finish() = 0;
};

}  // namespace longhand::cli
