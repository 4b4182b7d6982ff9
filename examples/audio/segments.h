// From the probability that a frame of sound is speech to the segments that are.
//
// The rule is that of Silero VAD's own get_speech_timestamps, with its names and defaults. Speech begins with a frame
// at or above the threshold, and ends where the probability falls below a lower one and does not come back up to the
// threshold for some time. Segments that are too short are left out, and the others are padded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace sound {

/// A range of samples, without the last.
struct Segment {
  int64_t begin = 0, end = 0;
};

struct SegmentOptions {
  double threshold = 0.5;       ///< speech begins at this probability
  double neg_threshold = 0.35;  ///< and may end below this one
  int64_t min_speech = 4000;    ///< samples; only longer segments count
  int64_t min_silence = 1600;   ///< samples without speech that end a segment
  int64_t pad = 480;            ///< samples that are added on both sides, at most half of the silence between segments
};

class SpeechSegments {
 public:
  /// A frame has `frame` samples. `emit` is called with each segment, in order, as soon as its end is certain.
  SpeechSegments(const SegmentOptions& options, int64_t frame, std::function<void(Segment)> emit)
      : options_(options), frame_(frame), emit_(std::move(emit)) {}

  /// The probability of the next frame.
  void push(double probability) {
    const int64_t begin = frame_ * frames_++;  // of this frame
    if (probability >= options_.threshold) {
      quiet_since_.reset();
      if (!speech_since_) speech_since_ = begin;
    } else if (speech_since_ && probability < options_.neg_threshold) {
      if (!quiet_since_) quiet_since_ = begin;
      if (begin - *quiet_since_ >= options_.min_silence) end_speech(*quiet_since_);
    }
    // What comes later cannot shorten the padding of a segment that is far enough behind.
    const int64_t next = speech_since_.value_or(begin + frame_);
    if (waiting_ && next - waiting_->end >= 2 * options_.pad) emit_waiting(waiting_->end + options_.pad);
  }

  /// The sound has `samples` samples in all.
  void finish(int64_t samples) {
    if (speech_since_) end_speech(samples);
    if (waiting_) emit_waiting(std::min(samples, waiting_->end + options_.pad));
  }

 private:
  void end_speech(int64_t end) {
    const Segment found{*speech_since_, end};
    speech_since_.reset();
    quiet_since_.reset();
    if (found.end - found.begin <= options_.min_speech) return;
    int64_t pad = options_.pad;
    if (waiting_) {
      const int64_t silence = found.begin - waiting_->end;
      if (silence < 2 * pad) pad = silence / 2;
      emit_waiting(waiting_->end + pad);
    }
    waiting_ = {std::max<int64_t>(0, found.begin - pad), found.end};
  }

  void emit_waiting(int64_t end) {
    const Segment out{waiting_->begin, end};
    waiting_.reset();
    emit_(out);
  }

  SegmentOptions options_;
  int64_t frame_;
  std::function<void(Segment)> emit_;
  int64_t frames_ = 0;
  std::optional<int64_t> speech_since_, quiet_since_;
  std::optional<Segment> waiting_;  // found, padded at its beginning
};

}  // namespace sound
