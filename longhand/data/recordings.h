// Recordings: sequences of inputs with their targets, of any length, and how they are cut into training segments.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::data {

/// Numbers read from a file: floats, or doubles until they are scaled.
class Numbers {
 public:
  std::vector<float> floats;
  std::vector<double> doubles;

  size_t size() const { return doubles.empty() ? floats.size() : doubles.size(); }
  double operator[](size_t i) const { return doubles.empty() ? static_cast<double>(floats[i]) : doubles[i]; }
  /// Converts to floats, (x - mean) / deviation. `scales` has one scale per column.
  void apply(const std::vector<Scale>& scales);
};

/// One sequence. Symbols and classes are stored as whole numbers below 2^24.
struct Recording {
  std::string name;  ///< file name, for errors
  int64_t steps = 0;
  std::vector<Numbers> inputs{};  ///< [steps, width] for each network input
  Numbers targets{};              ///< [steps, width], or [width] for the whole sequence
};

struct RecordingSet {
  std::vector<Recording> list{};
  std::vector<int64_t> widths{};  ///< [inputs]
  int64_t targets = 0;            ///< target size O
  bool one_target = false;        ///< one target per sequence, not per step
  std::vector<std::string> input_names{}, target_names{};
  int64_t sample_rate = 0;  ///< 0: unknown
  std::string format{};     ///< "48000 Hz, 16-bit PCM"

  int64_t steps() const;
};

/// A range of steps of a recording. Steps `count` .. `end` - 1 are measured; steps `read` .. `count` - 1 are only read,
/// to warm up the state.
struct Stretch {
  int64_t recording = 0;
  int64_t read = 0, count = 0, end = 0;

  int64_t counted() const { return end - count; }
  int64_t length() const { return end - read; }
};

/// How recordings are cut into segments.
struct CutOptions {
  int64_t segment = 0;  ///< measured steps of a segment; 0: recordings are not cut
  int64_t warm_up = 0;  ///< steps read before them, not measured
};

/// Training and held-out data. With many sequences, or one target per sequence, the last sequences are held out.
/// Otherwise the end of each recording is held out; its warm-up steps belong to the training part.
struct SplitStretches {
  std::vector<Stretch> train, valid;
  bool by_sequence = false;
};
SplitStretches split_recordings(const RecordingSet& set, double held_out, int64_t warm_up);
/// Returns one stretch for each whole recording.
std::vector<Stretch> whole_recordings(const RecordingSet& set);

/// Cuts stretches into segments that measure each step once. All segments have the same number of warm-up steps, so
/// that they fit in one batch. The first `warm_up` steps of a recording are not measured.
std::vector<Stretch> cut_stretches(const std::vector<Stretch>& stretches, const CutOptions& options);

/// Mean and standard deviation of each column of the targets, or of input `input`, in the stretches. The deviation of
/// a constant column is 1.
std::vector<Scale> target_scales(const RecordingSet& set, const std::vector<Stretch>& stretches);
std::vector<Scale> input_scales(const RecordingSet& set, const std::vector<Stretch>& stretches, size_t input);

}  // namespace longhand::data
