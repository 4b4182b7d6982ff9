// Random numbers without a stream: each is a pure function of (seed, step, place, index), so that neither the number of
// threads nor a stop and resume can change one.
#pragma once

#include <array>
#include <cstdint>

namespace longhand {

/// The purposes random numbers are drawn for. Two purposes never share numbers.
enum class RngPlace : uint32_t {
  kParameter = 0x1000'0000,  ///< + index of the parameter in its arena
  kDropout = 0x2000'0000,    ///< + place of the mask in its model
  kBatches = 0x3000'0000,
  kSample = 0x4000'0000,
  kWords = 0x5000'0000,
  kHeldOut = 0x6000'0000,
};

/// Philox-4x32 with ten rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
/// Returns four words for a 128-bit counter under a 64-bit key.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A family of random numbers, addressed by index.
class CounterRng {
 public:
  CounterRng(uint64_t seed, uint64_t step, RngPlace place, uint32_t offset = 0)
      : seed_(seed), step_(step), place_(static_cast<uint32_t>(place) + offset) {}

  /// 32 random bits. Indices are good up to 2^34.
  uint32_t bits(uint64_t index) const;
  /// Uniform on [0, 1), a multiple of 2^-24: exact in float.
  float uniform(uint64_t index) const { return static_cast<float>(bits(index) >> 8) * 0x1p-24F; }
  /// Uniform on [0, 1) with 53 random bits, made from indices 2*index and 2*index + 1.
  double uniform_double(uint64_t index) const;
  /// Standard normal by Box and Muller's formula, made from indices 2*index and 2*index + 1.
  double normal(uint64_t index) const;
  /// Uniform on 0 .. n-1; n at most 2^32.
  uint64_t below(uint64_t index, uint64_t n) const { return (uint64_t{bits(index)} * n) >> 32; }

 private:
  uint64_t seed_;
  uint64_t step_;
  uint32_t place_;
};

}  // namespace longhand
