// Files of sequences for networks of layers: pairs of WAV files, arrays (.npz), tables (CSV).
#pragma once

#include <string>
#include <vector>

#include "longhand/data/recordings.h"
#include "longhand/graph/trainable.h"
#include "longhand/runs/sources.h"

namespace longhand::runs {

/// What is read of the files.
struct SequenceFileOptions {
  std::string input;   ///< tables: columns that are read; arrays: the name of the array; with commas between
  std::string target;  ///< tables: columns; arrays: the name of the array; sound: files
  std::string group;   ///< tables: the column that tells one sequence from the next; empty: a file is one
  std::string decimal = "auto";
  int64_t ahead = 0;  ///< steps from what is read to its target

  void add_to(OptionTable& table);
};

/// Files of a kind.
enum class SequenceFormat { kTable, kArrays, kSound };
/// By the end of the first name of a list.
SequenceFormat format_of(const std::string& sources);

/// Reads the files of a list with commas, each of which holds one recording or several, for a network. `classes`:
/// targets are whole numbers below the network's outputs. Throws an input error, with file and line or element, for
/// what does not fit the network or one another, and a usage error for options that are missing.
data::RecordingSet read_recordings(const std::string& sources, const SequenceFileOptions& options,
                                   const graph::TrainableNetwork& network, bool classes, Sources& from);

/// "in.wav: 48000 Hz, 16-bit PCM; 1 recording of 1,440,000 steps", for the user.
std::string describe_recordings(const std::string& sources, const data::RecordingSet& set);

}  // namespace longhand::runs
