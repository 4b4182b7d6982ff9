// Reads sequences for networks of layers: pairs of WAV files, arrays (.npz), tables (CSV).
#pragma once

#include <string>
#include <vector>

#include "longhand/data/recordings.h"
#include "longhand/graph/trainable.h"
#include "longhand/runs/sources.h"

namespace longhand::runs {

/// Which parts of the files are read.
struct SequenceFileOptions {
  std::string input;   ///< tables: columns; arrays: name of the array; separated by commas
  std::string target;  ///< tables: columns; arrays: name of the array; sound: files
  std::string group;   ///< tables: column that identifies the sequence; empty: a file is one sequence
  std::string decimal = "auto";
  int64_t ahead = 0;  ///< steps from an input to its target

  void add_to(OptionTable& table);
};

/// File formats.
enum class SequenceFormat { kTable, kArrays, kSound };
/// Returns the format, by the file extension of the first name in the list.
SequenceFormat format_of(const std::string& sources);

/// Throws a usage error for options that do not apply to the file format of `sources`.
void check_used(const SequenceFileOptions& options, const std::string& sources);

/// Reads the recordings of all files in `sources`, a list separated by commas. `classes`: targets are whole numbers
/// below the network's number of outputs. Throws an input error, with file and line or element, for data that do not
/// fit the network or the other files, and a usage error for missing options.
data::RecordingSet read_recordings(const std::string& sources, const SequenceFileOptions& options,
                                   const graph::TrainableNetwork& network, bool classes, Sources& from);

/// Returns a line for the user: "in.wav: 48000 Hz, 16-bit PCM; 1 recording of 1,440,000 steps".
std::string describe_recordings(const std::string& sources, const data::RecordingSet& set);

}  // namespace longhand::runs
