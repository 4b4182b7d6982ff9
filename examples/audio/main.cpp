// An audio effect: streams a WAV file through a model in blocks of 64 samples, as a plug-in would.
//
//   audio MODEL IN.wav OUT.wav
//
// The model reads one sample and writes one: `longhand train regressor --horizon 0 --inputs dry --target wet` on a
// table with a row for each sample. The file has one channel of 16-bit samples.
#include <longhand/stream.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace {

uint32_t number(const std::string& bytes, size_t at, size_t size) {
  uint32_t out = 0;
  for (size_t i = size; i-- > 0;) out = out << 8U | static_cast<unsigned char>(bytes.at(at + i));
  return out;
}

// Where the samples begin in a WAV file, and how many there are.
struct Samples {
  size_t begin = 0, count = 0;
  uint32_t rate = 0;
};

Samples find_samples(const std::string& file, const std::string& path) {
  Samples out;
  const bool is_wav = file.size() >= 12 && file.compare(0, 4, "RIFF") == 0 && file.compare(8, 4, "WAVE") == 0;
  for (size_t at = 12; is_wav && at + 8 <= file.size();) {
    const std::string name = file.substr(at, 4);
    const size_t size = number(file, at + 4, 4), body = at + 8;
    if (name == "fmt " && size >= 16 && body + 16 <= file.size()) {
      const bool good =
          number(file, body, 2) == 1 && number(file, body + 2, 2) == 1 && number(file, body + 14, 2) == 16;
      if (good) out.rate = number(file, body + 4, 4);
    }
    if (name == "data") {
      out.begin = body;
      out.count = std::min(size, file.size() - body) / 2;
    }
    at = body + size + size % 2;
  }
  if (out.rate == 0 || out.begin == 0) {
    throw longhand::input_error(path + ": expected a WAV file with one channel of 16-bit samples",
                                "convert it to that format");
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: audio MODEL IN.wav OUT.wav\n";
    return 2;
  }
  longhand::Stream stream(longhand::Model::load(argv[1]), /*inputs=*/1, /*outputs=*/1);
  std::ifstream in(argv[2], std::ios::binary);
  if (!in) throw longhand::input_error(std::string(argv[2]) + ": cannot be read", "check the path");
  std::string file((std::istreambuf_iterator<char>(in)), {});
  const Samples samples = find_samples(file, argv[2]);

  constexpr size_t kBlock = 64;
  float x[kBlock], y[kBlock];
  double worst = 0.0, total = 0.0;
  for (size_t first = 0; first < samples.count; first += kBlock) {
    const size_t n = std::min(kBlock, samples.count - first);
    char* block = file.data() + samples.begin + 2 * first;
    for (size_t i = 0; i < n; ++i) {
      int16_t sample = 0;
      std::memcpy(&sample, block + 2 * i, 2);  // WAV files, and the machines that this runs on, are little-endian
      x[i] = static_cast<float>(sample) / 32768.0F;
    }
    const auto start = std::chrono::steady_clock::now();
    stream.process(x, y, static_cast<int64_t>(n));  // what would run in the audio thread
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    worst = std::max(worst, seconds);
    total += seconds;
    for (size_t i = 0; i < n; ++i) {
      const float heard = std::isfinite(y[i]) ? std::clamp(y[i], -1.0F, 32767.0F / 32768.0F) : 0.0F;
      const auto sample = static_cast<int16_t>(std::lround(heard * 32768.0F));
      std::memcpy(block + 2 * i, &sample, 2);
    }
  }
  std::ofstream out(argv[3], std::ios::binary);
  if (!out.write(file.data(), static_cast<std::streamsize>(file.size())).flush()) {
    throw longhand::input_error(std::string(argv[3]) + ": cannot be written", "give another path");
  }
  const double duration = static_cast<double>(samples.count) / samples.rate;
  std::cout << samples.count << " samples, " << duration << " s of sound in " << total << " s; the slowest block of "
            << kBlock << " took " << 1e6 * worst << " us of " << 1e6 * kBlock / samples.rate << "\n";
} catch (const longhand::Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}
