#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/rng.h"
#include "longhand/data/simulations.h"

namespace longhand::data {
namespace {

// First-order low-pass filter; `high`: the high-pass, input minus low-pass.
class OnePole {
 public:
  OnePole(double hertz, double rate, bool high)
      : a_(1.0 - std::exp(-2.0 * std::numbers::pi * hertz / rate)), high_(high) {}
  double step(double x) {
    low_ += a_ * (x - low_);
    return high_ ? x - low_ : low_;
  }

 private:
  double a_, low_ = 0.0;
  bool high_;
};

// Adds a string plucked at step `from`: a delay line of noise with averaging feedback (Karplus and Strong).
void pluck(const CounterRng& rng, double hertz, double level, int64_t from, int64_t steps, double rate,
           std::vector<float>& out) {
  const auto period = static_cast<size_t>(std::max(2.0, rate / hertz));
  std::vector<double> line(period);
  OnePole soft(3000.0, rate, false);
  for (size_t i = 0; i < period; ++i) line[i] = soft.step(2.0 * rng.uniform_double(100 + i) - 1.0);
  const double decay = std::pow(0.001, 1.0 / (hertz * 3.0));  // 60 dB in three seconds
  for (int64_t t = 0; t < steps && from + t < static_cast<int64_t>(out.size()); ++t) {
    const size_t at = static_cast<size_t>(t) % period, next = (at + 1) % period;
    out[static_cast<size_t>(from + t)] += static_cast<float>(level * line[at]);
    line[at] = decay * (0.5 * line[at] + 0.5 * line[next]);
  }
}

// Frequency in Hz of note i of a pentatonic scale from a guitar's low E.
double note(uint64_t i) {
  constexpr int kScale[] = {0, 3, 5, 7, 10};
  const auto octave = static_cast<int>(i / 5);
  return 82.41 * std::pow(2.0, octave + kScale[i % 5] / 12.0);
}

// Phrases of half a second to two seconds: single notes, chords, sweeps and noise.
std::vector<float> play(uint64_t seed, int64_t steps, double rate) {
  std::vector<float> out(static_cast<size_t>(steps));
  int64_t at = 0;
  for (uint64_t phrase = 0; at < steps; ++phrase) {
    const CounterRng rng(seed, phrase, RngPlace::kSample);
    const auto length = static_cast<int64_t>(rate * (0.4 + 1.6 * rng.uniform_double(0)));
    const double level = std::pow(10.0, -1.5 * rng.uniform_double(1));  // 0 to -30 dB
    const double kind = rng.uniform_double(2);
    if (kind < 0.9) {
      const uint64_t strings = kind < 0.45 ? 1 : 2 + rng.below(20, 4);
      for (uint64_t s = 0; s < strings; ++s) {
        pluck(CounterRng(seed, phrase, RngPlace::kSample, static_cast<uint32_t>(s) + 1), note(rng.below(21 + s, 15)),
              level * 0.8 / std::sqrt(static_cast<double>(strings)), at + static_cast<int64_t>(s) * 400, 2 * length,
              rate, out);
      }
    } else {
      double phase = 0.0;
      for (int64_t t = 0; t < length && at + t < steps; ++t) {
        const double done = static_cast<double>(t) / static_cast<double>(length);
        phase += 2.0 * std::numbers::pi * 60.0 * std::pow(80.0, done) / rate;
        const double x = kind < 0.95 ? std::sin(phase) : rng.normal(1000 + static_cast<uint64_t>(t)) / 3.0;
        out[static_cast<size_t>(at + t)] += static_cast<float>(0.6 * level * x * std::sin(std::numbers::pi * done));
      }
    }
    at += length;
  }
  for (float& x : out) x = std::clamp(x, -0.999F, 0.999F);
  return out;
}

}  // namespace

AmplifierSound simulate_amplifier(uint64_t seed, int64_t steps, int64_t sample_rate) {
  const auto rate = static_cast<double>(sample_rate);
  AmplifierSound out{.input = play(seed, steps, rate), .output = {}};
  out.output.resize(out.input.size());
  OnePole coupling(120.0, rate, true), cabinet(4500.0, rate, false), block(30.0, rate, true);
  const double rise = 1.0 - std::exp(-1.0 / (0.010 * rate)), fall = 1.0 - std::exp(-1.0 / (0.080 * rate));
  double envelope = 0.0;
  for (size_t t = 0; t < out.input.size(); ++t) {
    const double x = 8.0 * coupling.step(static_cast<double>(out.input[t]));
    const double size = std::abs(x);
    envelope += (size > envelope ? rise : fall) * (size - envelope);
    const double biased = x - 0.3 * envelope + 0.15;
    const double shaped = biased >= 0.0 ? std::tanh(biased) : 0.7 * std::tanh(1.4 * biased);
    out.output[t] = static_cast<float>(0.8 * block.step(cabinet.step(shaped)));
  }
  return out;
}

}  // namespace longhand::data
