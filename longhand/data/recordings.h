// Recordings: sequences of inputs beside sequences of targets, of any length, and how they are cut for training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::data {

/// Numbers as a file has them: as floats, or as doubles until they are scaled.
class Numbers {
 public:
  std::vector<float> floats;
  std::vector<double> doubles;

  size_t size() const { return doubles.empty() ? floats.size() : doubles.size(); }
  double operator[](size_t i) const { return doubles.empty() ? static_cast<double>(floats[i]) : doubles[i]; }
  /// Makes them floats, (x - mean) / deviation by column; `scales` has one for each column.
  void apply(const std::vector<Scale>& scales);
};

/// One sequence. Symbols and classes are whole numbers below 2^24.
struct Recording {
  std::string name;  ///< of the file, for errors
  int64_t steps = 0;
  std::vector<Numbers> inputs{};  ///< for each input of a network [steps, width]
  Numbers targets{};              ///< [steps, width], or [width] of the sequence as a whole
};

struct RecordingSet {
  std::vector<Recording> list{};
  std::vector<int64_t> widths{};  ///< of the inputs
  int64_t targets = 0;            ///< width of the targets
  bool one_target = false;        ///< of each sequence as a whole
  std::vector<std::string> input_names{}, target_names{};
  int64_t sample_rate = 0;  ///< 0: not known
  std::string format{};     ///< "48000 Hz, 16-bit PCM"

  int64_t steps() const;
};

/// Steps of a recording: `count` .. `end` - 1 are measured; from `read` on they are read, to warm up.
struct Stretch {
  int64_t recording = 0;
  int64_t read = 0, count = 0, end = 0;

  int64_t counted() const { return end - count; }
  int64_t length() const { return end - read; }
};

/// How recordings are cut. 0 steps: not at all.
struct CutOptions {
  int64_t segment = 0;  ///< steps that are measured in a piece
  int64_t warm_up = 0;  ///< steps before these, which are read and not measured
};

/// What is trained on and what is held out: the last share of the sequences where there are many of them or each has
/// one target, else the last share of each recording, whose warm-up reaches into the part before.
struct SplitStretches {
  std::vector<Stretch> train, valid;
  bool by_sequence = false;
};
SplitStretches split_recordings(const RecordingSet& set, double held_out, int64_t warm_up);
/// All of them.
std::vector<Stretch> whole_recordings(const RecordingSet& set);

/// Cuts stretches into segments that count each step once; all read the same warm-up, so that they can go side by side.
/// What cannot be warmed up is left out: the first steps of a recording.
std::vector<Stretch> cut_stretches(const std::vector<Stretch>& stretches, const CutOptions& options);

/// Mean and deviation of each column of the targets in stretches, or of input `input`; deviation 1 for a column that is
/// constant.
std::vector<Scale> target_scales(const RecordingSet& set, const std::vector<Stretch>& stretches);
std::vector<Scale> input_scales(const RecordingSet& set, const std::vector<Stretch>& stretches, size_t input);

}  // namespace longhand::data
