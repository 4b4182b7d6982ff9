// An audio effect: streams a WAV file through a model in blocks of 64 samples, as a plug-in would.
//
//   audio MODEL IN.wav OUT.wav
//
// The model reads one sample and writes one: `longhand train regressor --horizon 0 --inputs dry --target wet` on a
// table with a row for each sample.
#include <longhand/stream.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "sound.h"

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: audio MODEL IN.wav OUT.wav\n";
    return 2;
  }
  longhand::Stream stream(longhand::Model::load(argv[1]), /*inputs=*/1, /*outputs=*/1);
  sound::Reader in(argv[2]);
  sound::Writer out(argv[3], in.format());

  constexpr size_t kBlock = 64;
  float x[kBlock], y[kBlock];
  double worst = 0.0, total = 0.0;
  size_t samples = 0;
  while (const size_t n = in.read(x, kBlock)) {
    const auto start = std::chrono::steady_clock::now();
    stream.process(x, y, static_cast<int64_t>(n));  // what would run in the audio thread
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    worst = std::max(worst, seconds);
    total += seconds;
    samples += n;
    out.write(y, n);
  }
  out.finish();
  const uint32_t rate = in.format().rate;
  std::cout << samples << " samples, " << static_cast<double>(samples) / rate << " s of sound in " << total
            << " s; the slowest block of " << kBlock << " took " << 1e6 * worst << " us of " << 1e6 * kBlock / rate
            << "\n";
} catch (const longhand::Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}
