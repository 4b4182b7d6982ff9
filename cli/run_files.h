// The inputs and outputs of `longhand run`: files that are named after them, arrays in npz and JSON, and what networks
// answer to whole sequences.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/convert/sequences.h"

namespace longhand::cli {

/// What an option says: a file, or NAME=FILE for each of `ports`, with commas between them or in an option each.
/// `format` is what another option says of them. Throws a usage error, naming `option`, for a port that is not there or
/// is there twice, and for a file whose format is not known.
std::vector<PortFile> port_files(const std::string& text, const std::vector<graph::Port>& ports,
                                 const std::string& option, const std::string& format, bool texts);

/// Reads sequences from files that cannot be read row by row: npz, JSON, texts (one sequence per line), or one file for
/// each input. Adds a note to `settings` for arrays and columns that are ignored.
convert::Sequences read_sequences(const graph::Graph& graph, RunSettings& settings,
                                  const convert::SymbolReader* symbols);
/// The sequences of a .npy array.
convert::Sequences sequences_of(const graph::Graph& graph, io::Array array, const std::string& path);
/// The rows of one sequence, each the numbers of all inputs.
convert::Sequence sequence_of_rows(const graph::Graph& graph, const std::vector<float>& rows, const std::string& path);

/// Writes what a network answers to sequences: rows as they come, arrays at the end.
class AnswerWriter {
 public:
  /// `sample_rate` is that of a WAV; 0: not known.
  AnswerWriter(const graph::Graph& graph, std::vector<PortFile> files, int64_t sample_rate);

  /// In CSV, writes no empty line between sequences, so that output rows correspond to rows of the table.
  void join_sequences() { marks_sequences_ = false; }
  /// `rows`: of each output.
  void add(const convert::Sequence& sequence, std::vector<graph::Array> outputs, const std::vector<int64_t>& rows);
  /// `batch_axes`: of each output. Nothing is written before, but to pipes.
  void finish(const convert::Sequences& sequences, const std::vector<int64_t>& batch_axes);

 private:
  struct Target {
    PortFile file;
    std::vector<size_t> outputs;  // which they are
    std::unique_ptr<RowWriter> rows;
    int64_t width = 0;
  };

  void add_rows(Target& target, const std::vector<graph::Array>& outputs, const std::vector<int64_t>& rows_of);
  convert::NamedArrays arrays_of(const Target& target, const convert::Sequences& sequences,
                                 const std::vector<int64_t>& batch_axes) const;

  const graph::Graph& graph_;
  int64_t sample_rate_;
  std::vector<Target> targets_;
  bool marks_sequences_ = true;
  bool keeps_ = false;                              // whether arrays are written
  std::vector<std::string> names_;                  // of the sequences
  std::vector<std::vector<graph::Array>> answers_;  // [outputs][sequences]
};

/// Runs a network on sequences that are arrays.
RunCount run_sequences(convert::SequenceRunner& runner, const graph::Graph& graph, const convert::Sequences& sequences,
                       const RunSettings& settings);
/// Runs it on rows, each sequence when it was read to its end.
RunCount run_rows(convert::SequenceRunner& runner, const graph::Graph& graph, RowReader& reader,
                  const RunSettings& settings);

}  // namespace longhand::cli
