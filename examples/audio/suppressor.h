// Noise suppression with DTLN (Westhausen and Meyer, "Dual-Signal Transformation LSTM Network for Real-Time Noise
// Suppression", Interspeech 2020): two models, one on spectra and one on samples, imported.
#pragma once

#include <kissfft/kiss_fftr.h>
#include <longhand/stream.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>

namespace sound {

class Suppressor {
 public:
  static constexpr size_t kFrame = 512, kHop = 128, kBins = kFrame / 2 + 1;
  /// Samples by which the output is behind the input: the first is complete when a whole frame was read.
  static constexpr size_t kDelay = kFrame - kHop;
  static constexpr unsigned kRate = 16000;

  /// `mask` reads the magnitudes of a frame's spectrum and writes a factor for each; `frames` reads the samples of such
  /// a masked frame and writes others. Throws an input error for models with other inputs and outputs.
  Suppressor(std::shared_ptr<const longhand::Model> mask, std::shared_ptr<const longhand::Model> frames)
      : mask_(std::move(mask), kBins, kBins),
        frames_(std::move(frames), kFrame, kFrame),
        forward_(kiss_fftr_alloc(kFrame, 0, nullptr, nullptr)),
        inverse_(kiss_fftr_alloc(kFrame, 1, nullptr, nullptr)) {}

  /// The next samples x [kHop] go in, and y [kHop] are the finished ones of kDelay samples before.
  void process(const float* x, float* y) {
    shift_in(in_, x);
    kiss_fftr(forward_.get(), in_.data(), spectrum_.data());
    for (size_t i = 0; i < kBins; ++i) magnitude_[i] = std::hypot(spectrum_[i].r, spectrum_[i].i);
    mask_.step(magnitude_.data(), factors_.data());
    for (size_t i = 0; i < kBins; ++i) {  // the phase stays
      spectrum_[i].r *= factors_[i] / kFrame;
      spectrum_[i].i *= factors_[i] / kFrame;
    }
    kiss_fftri(inverse_.get(), spectrum_.data(), masked_.data());
    frames_.step(masked_.data(), estimate_.data());
    constexpr std::array<float, kHop> kZeros{};
    shift_in(out_, kZeros.data());
    for (size_t i = 0; i < kFrame; ++i) out_[i] += estimate_[i];
    std::copy_n(out_.begin(), kHop, y);
  }

 private:
  using Frame = std::array<float, kFrame>;
  struct Free {
    void operator()(kiss_fftr_cfg plan) const { std::free(plan); }
  };
  using Plan = std::unique_ptr<kiss_fftr_state, Free>;

  static void shift_in(Frame& frame, const float* x) {
    std::copy(frame.begin() + kHop, frame.end(), frame.begin());
    std::copy_n(x, kHop, frame.end() - kHop);
  }

  longhand::Stream mask_, frames_;
  Plan forward_, inverse_;
  Frame in_{}, masked_{}, estimate_{}, out_{};
  std::array<kiss_fft_cpx, kBins> spectrum_{};
  std::array<float, kBins> magnitude_{}, factors_{};
};

}  // namespace sound
