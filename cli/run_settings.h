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

/// Description of the tables or arrays that a model was trained on.
struct TrainedColumns {
  std::vector<std::string> inputs{};  ///< names of the columns, or of the array; empty: unknown
  std::string group{};                ///< column that identifies the sequence of each row; empty: none
  std::string decimal = "auto";       ///< decimal separator: point or comma; auto: recognised
  bool header = true;                 ///< whether the table had a header; otherwise `inputs` are column numbers, from 1
};

/// For errors: the path, or "standard input".
std::string shown_input(const std::string& path);

struct RunSettings {
  std::vector<PortFile> inputs, outputs;
  std::string state_in, state_out;  ///< files; empty: none
  int64_t block = 0;                ///< steps at a time; 0: as many as are quick
  int64_t sequence = 0;             ///< steps of each sequence; 0: one sequence
  int64_t sample_rate = 0;          ///< of sound, whatever files and the model say; 0: as they say
  int64_t model_rate = 0;           ///< of the sound that the model was made for; 0: not known
  std::string unknown = "error";    ///< what becomes of symbols that a language model does not know
  int threads = 1;
  bool each_step = false;
  TrainedColumns trained;
  std::vector<std::string> notes;  ///< lines for the user, such as the columns that were read and ignored

  std::string input_name() const { return shown_input(inputs.front().path); }
  /// The sample rate of what is written, where that of the input is `found` (0: it has none); 0: not known. Throws an
  /// input error where the model was made for another one.
  int64_t rate_of(int64_t found, const std::string& path) const;
};

/// What was read.
struct RunCount {
  int64_t steps = 0, sequences = 0;
};

}  // namespace longhand::cli
