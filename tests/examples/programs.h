// The audio programs of examples/, run as a user would, and the sounds and networks that their tests make.
#pragma once

#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "longhand/io/wav.h"
#include "tests/cli/process.h"

namespace longhand::examples {

using cli::Limits;
using cli::Result;
using io::read_file;
using io::write_file;

inline const std::string kPrograms = LONGHAND_EXAMPLES;
inline const std::string kModels = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/models/";

// Says so where a folder of ../shared is not on this machine.
inline bool is_here(const std::string& folder) {
  if (io::exists(folder)) return true;
  std::cout << "the files of other programs are not on this machine: " << folder << "\n";
  return false;
}

inline std::string bytes_of(const std::vector<float>& x) {
  return {reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float)};
}

inline std::vector<float> floats_of(const std::string& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

inline std::vector<float> npy(const std::string& path) { return io::floats(io::read_npy(path), path); }

/// Sines of so many turns in 512 samples, added.
inline std::vector<float> sines(size_t samples, const std::vector<double>& turns, double size = 0.25) {
  std::vector<float> out(samples);
  for (size_t i = 0; i < samples; ++i) {
    double sum = 0.0;
    for (const double each : turns)
      sum += std::sin(2.0 * 3.14159265358979323846 * each * static_cast<double>(i) / 512.0);
    out[i] = static_cast<float>(size * sum);
  }
  return out;
}

inline double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double out = 0.0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    out = d > out || std::isnan(d) ? d : out;
  }
  return out;
}

class AudioPrograms : public ::testing::Test {
 protected:
  /// Makes a network of layers without trained weights: `layers` is TOML.
  std::string network(const std::string& name, int inputs, const std::string& layers) {
    write_file(folder / (name + ".toml"), "[[inputs]]\nsize = " + std::to_string(inputs) + "\n" + layers);
    return imported(name, {"--network", folder / (name + ".toml"), "--seed", "1"});
  }
  /// Imports a model.
  std::string imported(const std::string& name, std::vector<std::string> words) {
    words.insert(words.begin(), "import");
    const Result made = cli::run(folder, cli::with(words, {"--out", folder / name}));
    EXPECT_EQ(made.code, 0) << made.err;
    return folder / name;
  }
  Result run(const std::string& program, std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), kPrograms + "/" + program);
    return cli::run_program(folder, words, {.input = input});
  }
  std::string write_sound(const std::string& name, const std::vector<float>& x, const io::WavFormat& format) {
    io::write_wav(folder / name, format, x);
    return folder / name;
  }
  testing::TemporaryFolder folder;
};

}  // namespace longhand::examples
