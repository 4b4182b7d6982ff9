#include "longhand/base/rng.h"

#include <cmath>
#include <numbers>

namespace longhand {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  // The multipliers and the two Weyl constants are those of the paper's table 2.
  constexpr uint64_t kMultiplier0 = 0xD2511F53;
  constexpr uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9;
  constexpr uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMultiplier0 * counter[0];
    const uint64_t p1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

uint32_t CounterRng::bits(uint64_t index) const {
  const std::array<uint32_t, 4> counter = {static_cast<uint32_t>(index >> 2), place_, static_cast<uint32_t>(step_),
                                           static_cast<uint32_t>(step_ >> 32)};
  return philox(counter, {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)})[index & 3];
}

double CounterRng::uniform_double(uint64_t index) const {
  const uint64_t high = bits(2 * index);
  const uint64_t low = bits(2 * index + 1);
  return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
}

double CounterRng::normal(uint64_t index) const {
  const double u = (bits(2 * index) + 0.5) * 0x1p-32;  // never 0, whose logarithm is infinite
  const double v = bits(2 * index + 1) * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace longhand
