// What the options of `longhand run` say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/run_rows.h"

namespace longhand::cli {

/// A file, or - for a standard stream; `port`: the input or output that it is of, empty: of all.
struct PortFile {
  std::string port, path, format;
};

/// For errors: the path, or "standard input".
std::string shown_input(const std::string& path);

struct RunSettings {
  std::vector<PortFile> inputs, outputs;
  std::string state_in, state_out;  ///< files; empty: none
  int64_t block = 0;                ///< steps at a time; 0: as many as are quick
  int64_t sequence = 0;             ///< steps of each sequence; 0: one sequence
  int64_t sample_rate = 0;          ///< of a WAV that is written; 0: as the input
  int threads = 1;
  bool each_step = false;

  std::string input_name() const { return shown_input(inputs.front().path); }
  /// The sample rate of what is written: the input's where none was given; 0: not known.
  int64_t rate_of(const RowReader* reader) const {
    return sample_rate > 0 || reader == nullptr ? sample_rate : reader->sample_rate().value_or(0);
  }
};

/// What was read.
struct RunCount {
  int64_t steps = 0, sequences = 0;
};

}  // namespace longhand::cli
