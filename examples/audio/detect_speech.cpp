// Where there is speech in a sound: streams it through Silero VAD, imported, and prints a line for each segment of
// speech, its beginning and its end in seconds, as soon as they are certain.
//
//   detect_speech MODEL IN.wav
//   arecord -q -f S16_LE -r 16000 | detect_speech MODEL -
#include <longhand/stream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "program.h"
#include "segments.h"
#include "sound.h"

namespace {

// What a step of the model reads: a frame, after the end of the frame before unless the model remembers that itself.
struct Frames {
  int64_t context, size;
  uint32_t rate;
};

Frames frames_of(const longhand::Model& model) {
  for (const Frames& frames :
       {Frames{64, 512, 16000}, Frames{0, 512, 16000}, Frames{32, 256, 8000}, Frames{0, 256, 8000}}) {
    if (model.inputs() == frames.context + frames.size) return frames;
  }
  throw longhand::input_error(
      "expected a model that reads 576 or 512 samples a step (16 kHz), or 288 or 256 (8 kHz), "
      "found one that reads " +
          std::to_string(model.inputs()),
      "import Silero VAD: docs/import.md");
}

struct Settings {
  std::string model, input, format = "wav", probabilities;
  double threshold = 0.5, neg_threshold = -1.0;
  int64_t min_speech_ms = 250, min_silence_ms = 100, pad_ms = 30;
};

void add_options(CLI::App& app, Settings& settings) {
  const auto duration = CLI::Range(int64_t{0}, int64_t{3600000});
  app.add_option("model", settings.model, "imported model")->required();
  app.add_option("input", settings.input, "sound, - for standard input")->required();
  app.add_option("--format", settings.format, "format of the input: wav, or samples alone, s16 or f32")
      ->check(CLI::IsMember({"wav", "s16", "f32"}))
      ->capture_default_str();
  app.add_option("--threshold", settings.threshold, "probability at which speech begins")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--neg-threshold", settings.neg_threshold, "probability below which it may end [threshold - 0.15]")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--min-speech-ms", settings.min_speech_ms, "milliseconds of the shortest segment")
      ->check(duration)
      ->capture_default_str();
  app.add_option("--min-silence-ms", settings.min_silence_ms, "milliseconds of silence that end a segment")
      ->check(duration)
      ->capture_default_str();
  app.add_option("--pad-ms", settings.pad_ms, "milliseconds added before and after a segment")
      ->check(duration)
      ->capture_default_str();
  app.add_option("--probabilities", settings.probabilities, "file for the probability of each frame, a line each");
}

sound::SegmentOptions segment_options(const Settings& settings, int64_t rate) {
  const double low = settings.neg_threshold < 0.0 ? std::max(settings.threshold - 0.15, 0.01) : settings.neg_threshold;
  if (!(settings.neg_threshold <= settings.threshold)) {  // NaN too
    throw longhand::usage_error("--neg-threshold is above --threshold", "speech begins above both and ends below both");
  }
  return {.threshold = settings.threshold,
          .neg_threshold = low,
          .min_speech = settings.min_speech_ms * rate / 1000,
          .min_silence = settings.min_silence_ms * rate / 1000,
          .pad = settings.pad_ms * rate / 1000};
}

class Detector {
 public:
  explicit Detector(const std::shared_ptr<const longhand::Model>& model)
      : stream_(model, /*inputs=*/-1, /*outputs=*/1),
        frames_(frames_of(*model)),
        x_(static_cast<size_t>(frames_.context + frames_.size)) {}

  const Frames& frames() const { return frames_; }
  // Where the next frame goes.
  float* frame() { return x_.data() + frames_.context; }
  // The probability that the frame is speech.
  float step() {
    float probability = 0.0F;
    stream_.step(x_.data(), &probability);
    std::copy(x_.end() - frames_.context, x_.end(), x_.begin());
    return probability;
  }

 private:
  longhand::Stream stream_;
  Frames frames_;
  std::vector<float> x_;
};

void run(const Settings& settings) {
  Detector detector(longhand::Model::load(settings.model, longhand::Task::kNetwork));
  const uint32_t rate = detector.frames().rate;
  const auto size = static_cast<size_t>(detector.frames().size);
  sound::Reader in(settings.input, sound::format_of(settings.format, rate));
  in.expect_rate(rate);
  std::ofstream probabilities;
  if (!settings.probabilities.empty()) probabilities.open(settings.probabilities);
  probabilities.precision(9);

  int segments = 0;
  double speech = 0.0, taken = 0.0;
  sound::SpeechSegments found(segment_options(settings, rate), detector.frames().size, [&](const sound::Segment& s) {
    const double begin = static_cast<double>(s.begin) / rate, end = static_cast<double>(s.end) / rate;
    std::printf("%.3f\t%.3f\n", begin, end);
    std::fflush(stdout);
    ++segments;
    speech += end - begin;
  });
  int64_t samples = 0, frames = 0;
  for (size_t n = size; n == size;) {
    n = in.read(detector.frame(), size);
    if (n == 0) break;
    std::fill(detector.frame() + n, detector.frame() + size, 0.0F);  // the last frame may be short
    const auto start = std::chrono::steady_clock::now();
    const float probability = detector.step();
    taken += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (probabilities.is_open()) probabilities << probability << "\n";
    found.push(static_cast<double>(probability));
    samples += static_cast<int64_t>(n);
    ++frames;
  }
  found.finish(samples);
  if (!settings.probabilities.empty() && !probabilities.flush()) {
    throw longhand::input_error(settings.probabilities + ": cannot be written", "give another path");
  }
  std::fprintf(stderr, "%d segments, %.3f s of speech in %.3f s of sound; %.1f us for a frame of %.0f ms\n", segments,
               speech, static_cast<double>(samples) / rate,
               1e6 * taken / static_cast<double>(std::max<int64_t>(1, frames)), 1e3 * static_cast<double>(size) / rate);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Prints where there is speech in a sound: the beginning and the end of each segment, in seconds");
  add_options(app, settings);
  return sound::run_program(app, argc, argv, [&] { run(settings); });
}
