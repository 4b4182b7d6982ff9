// Segments of speech from the probabilities of frames.
#include "examples/audio/segments.h"

#include <gtest/gtest.h>

#include <vector>

namespace sound {

void PrintTo(const Segment& s, std::ostream* out) { *out << s.begin << " to " << s.end; }
bool operator==(const Segment& a, const Segment& b) { return a.begin == b.begin && a.end == b.end; }

namespace {

using Segments = std::vector<Segment>;

Segments segments_of(const std::vector<double>& probabilities, const SegmentOptions& options, int64_t samples) {
  Segments out;
  SpeechSegments speech(options, 512, [&](const Segment& s) { out.push_back(s); });
  for (const double p : probabilities) speech.push(p);
  speech.finish(samples);
  return out;
}

// Frames of 512 samples with one probability each.
std::vector<double> runs(const std::vector<std::pair<int, double>>& parts) {
  std::vector<double> out;
  for (const auto& [frames, probability] : parts) out.insert(out.end(), static_cast<size_t>(frames), probability);
  return out;
}

TEST(SpeechSegments, BeginAboveOneThresholdAndEndBelowAnother) {
  // 0.4 is between the thresholds: it begins nothing and ends nothing.
  EXPECT_EQ(segments_of(runs({{10, 0.4}, {10, 0.5}, {10, 0.4}, {10, 0.3}}), {}, 40 * 512),
            (Segments{{10 * 512 - 480, 30 * 512 + 480}}));
  EXPECT_EQ(segments_of(runs({{10, 0.4}, {10, 0.49}, {10, 0.36}}), {}, 30 * 512), Segments{});
  EXPECT_EQ(segments_of(runs({{10, 0.1}, {10, 0.5}, {10, 0.4}, {10, 0.3}}), {.neg_threshold = 0.45}, 40 * 512),
            (Segments{{10 * 512 - 480, 20 * 512 + 480}}));
}

TEST(SpeechSegments, ShortSilencesAndShortSpeechDoNotCount) {
  // The silence is 1,600 samples long when a frame begins 1,600 after its first: the fifth of 512.
  for (const int silence : {1, 4, 5, 6}) {
    const auto found = segments_of(runs({{10, 0.9}, {silence, 0.1}, {10, 0.9}, {10, 0.0}}), {}, (30 + silence) * 512);
    ASSERT_EQ(found.size(), silence < 5 ? 1U : 2U) << silence;
    EXPECT_EQ(found.back().end, (20 + silence) * 512 + 480);
  }
  // Seven frames have 3,584 samples, eight have 4,096; 4,000 is the shortest.
  EXPECT_EQ(segments_of(runs({{3, 0.0}, {7, 0.9}, {10, 0.0}}), {}, 20 * 512), Segments{});
  EXPECT_EQ(segments_of(runs({{3, 0.0}, {8, 0.9}, {10, 0.0}}), {}, 21 * 512),
            (Segments{{3 * 512 - 480, 11 * 512 + 480}}));
}

TEST(SpeechSegments, PaddingStaysWithinTheSoundAndSharesSilences) {
  EXPECT_EQ(segments_of(runs({{10, 0.9}}), {}, 10 * 512 - 100), (Segments{{0, 10 * 512 - 100}}));
  EXPECT_EQ(segments_of(runs({{10, 0.9}, {6, 0.0}, {10, 0.9}, {1, 0.0}}), {.pad = 4000}, 27 * 512),
            (Segments{{0, 13 * 512}, {13 * 512, 27 * 512}}));
  EXPECT_EQ(segments_of({}, {}, 0), Segments{});
}

TEST(SpeechSegments, AreGivenAsSoonAsTheirEndsAreCertain) {
  int given = 0;
  SpeechSegments speech({}, 512, [&](const Segment&) { ++given; });
  for (int t = 0; t < 20; ++t) speech.push(0.9);
  for (int t = 0; t < 4; ++t) speech.push(0.0);
  EXPECT_EQ(given, 0);  // speech may go on
  speech.push(0.0);
  EXPECT_EQ(given, 1);
}

// The expected numbers are those that Silero VAD's get_speech_timestamps (package 6.2) gives for these probabilities.
TEST(SpeechSegments, AreThoseOfSilero) {
  const std::vector<double> p = {0,    0.03, 0.06, 0.07, 0.11, 0.07, 0.8,  0.79, 0.75, 0,    0.06, 0.05,
                                 0,    0.09, 0,    0.03, 1,    0.99, 1,    0.83, 0.81, 0.7,  0.82, 0.77,
                                 0.85, 0.62, 0.63, 0.66, 0.63, 0.06, 0.84, 0.89, 0.81, 0.51, 0.41, 0.24,
                                 0.29, 0.35, 0.46, 0.4,  0.23, 0.15, 0.09, 0.2,  0.18, 0.07, 0.11, 0.13,
                                 0.09, 0.14, 0.15, 0.28, 0.06, 0.98, 0.7,  0.85, 0.17, 0.53, 0.51, 0.52};
  const int64_t samples = 60 * 512 - 100, ms = 16;
  EXPECT_EQ(segments_of(p, {}, samples), (Segments{{7712, 18400}}));
  EXPECT_EQ(segments_of(p, {.min_speech = 100 * ms, .min_silence = 0, .pad = 60 * ms}, samples),
            (Segments{{7232, 15104}, {15104, 18880}}));
  EXPECT_EQ(segments_of(p, {0.3, 0.1, 30 * ms, 100 * ms, 250 * ms}, samples),
            (Segments{{0, 6400}, {6400, 24320}, {24320, 30620}}));
  EXPECT_EQ(segments_of(p, {0.7, 0.55, 250 * ms, 30 * ms, 30 * ms}, samples), (Segments{{7712, 17376}}));
}

}  // namespace
}  // namespace sound
