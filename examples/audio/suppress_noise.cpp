// Removes noise from speech at 16 kHz as it comes: streams it through the two models of DTLN, imported.
//
//   suppress_noise MASK FRAMES IN.wav OUT.wav
//   arecord -q -f S16_LE -r 16000 | suppress_noise MASK FRAMES - - | aplay -q
//
// The output has the length and the encoding of the input, and one channel.
#include <longhand/stream.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "program.h"
#include "sound.h"
#include "suppressor.h"

namespace {

using sound::Suppressor;

struct Settings {
  std::string mask, frames, input, output, format = "wav";
};

void add_options(CLI::App& app, Settings& settings) {
  app.add_option("mask", settings.mask, "imported first model, of spectra")->required();
  app.add_option("frames", settings.frames, "imported second model, of samples")->required();
  app.add_option("input", settings.input, "sound at 16 kHz, - for standard input")->required();
  app.add_option("output", settings.output, "what is left of it, - for standard output")->required();
  app.add_option("--format", settings.format, "format of both: wav, or samples alone, s16 or f32")
      ->check(CLI::IsMember({"wav", "s16", "f32"}))
      ->capture_default_str();
}

// How long the blocks took, the waiting for a pipe apart.
class Times {
 public:
  template <class Work>
  void measure(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    total_ += seconds;
    worst_ = std::max(worst_, seconds);
    ++blocks_;
  }
  void print(double duration) const {
    std::fprintf(stderr,
                 "%.3f s of sound in %.3f s: real-time factor %.4f; %.1f us for a block of %.0f ms, at most %.1f\n",
                 duration, total_, duration > 0.0 ? total_ / duration : 0.0, 1e6 * total_ / std::max(1.0, blocks_),
                 1e3 * Suppressor::kHop / Suppressor::kRate, 1e6 * worst_);
  }

 private:
  double total_ = 0.0, worst_ = 0.0, blocks_ = 0.0;
};

void run(const Settings& settings) {
  const auto load = [](const std::string& path) { return longhand::Model::load(path, longhand::Task::kNetwork); };
  Suppressor suppressor(load(settings.mask), load(settings.frames));
  sound::Reader in(settings.input, sound::format_of(settings.format, Suppressor::kRate));
  in.expect_rate(Suppressor::kRate);
  sound::Writer out(settings.output, in.format());

  float x[Suppressor::kHop], y[Suppressor::kHop];
  Times times;
  size_t read = 0, written = 0, late = Suppressor::kDelay;  // `late` finished samples are from before the sound
  for (bool more = true; more || written < read;) {
    const size_t n = more ? in.read(x, Suppressor::kHop) : 0;
    more = n == Suppressor::kHop;
    read += n;
    if (written == read) break;
    std::fill(x + n, x + Suppressor::kHop, 0.0F);
    times.measure([&] { suppressor.process(x, y); });
    const size_t skipped = std::min(late, Suppressor::kHop);
    late -= skipped;
    const size_t count = std::min(Suppressor::kHop - skipped, read - written);
    out.write(y + skipped, count);
    out.flush();
    written += count;
  }
  out.finish();
  times.print(static_cast<double>(read) / Suppressor::kRate);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Removes noise from speech at 16 kHz");
  add_options(app, settings);
  return sound::run_program(app, argc, argv, [&] { run(settings); });
}
