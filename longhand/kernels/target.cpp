#include "longhand/kernels/target.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/target.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Twelve chains keep two multiply-add units of latency four busy, with some to spare, and fit into 16 registers.
double peak_flops(int64_t iterations) {
  const hn::CappedTag<float, 16> d;
  const auto scale = hn::Set(d, 0.999F);
  const auto shift = hn::Set(d, 0.001F);
  constexpr int kChains = 12;
  hn::Vec<decltype(d)> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = hn::Set(d, 0.001F * static_cast<float>(i));
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = hn::MulAdd(chain[i], scale, shift);
  }
  for (int i = 1; i < kChains; ++i) chain[0] = hn::Add(chain[0], chain[i]);
  // The sum is used, so that the loop cannot be left out: it is far below this bound.
  if (hn::GetLane(chain[0]) > 1e6F) return 0.0;
  return static_cast<double>(iterations) * kChains * static_cast<double>(hn::Lanes(d)) * 2.0;
}

// The sum of n floats, which start on a cache line; n is a multiple of 128.
float sum_of(const float* p, int64_t n) {
  const hn::CappedTag<float, 16> d;
  constexpr int kChains = 8;
  hn::Vec<decltype(d)> chain[kChains];
  for (int i = 0; i < kChains; ++i) chain[i] = hn::Zero(d);
  const auto lane_count = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < n; k += kChains * lane_count) {
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i) chain[i] = hn::Add(chain[i], hn::Load(d, p + k + i * lane_count));
  }
  for (int i = 1; i < kChains; ++i) chain[0] = hn::Add(chain[0], chain[i]);
  return hn::GetLane(chain[0]);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(peak_flops);
HWY_EXPORT(sum_of);

namespace {

constexpr int64_t kTargets = HWY_TARGETS;
std::atomic<bool> emulates_bf16{false};

template <class Visit>
void for_each_target(Visit visit) {
  // Highway numbers better targets lower.
  const int64_t usable = hwy::SupportedTargets() & kTargets;
  for (int bit = 0; bit < 62; ++bit) {
    const int64_t target = int64_t{1} << bit;
    if ((usable & target) != 0) visit(target);
  }
}

}  // namespace

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for_each_target([&](int64_t target) { names.emplace_back(hwy::TargetName(target)); });
  return names;
}

std::string simd_target() {
  std::string best;
  for_each_target([&](int64_t target) {
    if (best.empty()) best = hwy::TargetName(target);
  });
  return best;
}

void use_simd_target(const std::string& name) {
  hwy::SetSupportedTargetsForTest(0);
  int64_t chosen = 0;
  for_each_target([&](int64_t target) {
    if (name == hwy::TargetName(target)) chosen = target;
  });
  LONGHAND_CHECK(name.empty() || chosen != 0);
  hwy::SetSupportedTargetsForTest(chosen);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

bool bf16_is_native() {
#if HWY_ARCH_X86
  static const bool has_instruction = __builtin_cpu_supports("avx512bf16") != 0;
  constexpr int64_t kAvx512 = 2 * HWY_AVX3 - 1;  // it, and better ones
  return has_instruction && !emulates_bf16 && (hwy::SupportedTargets() & kTargets & kAvx512) != 0;
#else
  return false;
#endif
}

void emulate_bf16(bool emulate) { emulates_bf16 = emulate; }

double measure_peak_gflops() {
  using Clock = std::chrono::steady_clock;
  double best = 0.0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    const double flops = HWY_DYNAMIC_DISPATCH(peak_flops)(1'000'000);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, flops / seconds * 1e-9);
  }
  return best;
}

double measure_read_seconds(int64_t floats) {
  using Clock = std::chrono::steady_clock;
  const int64_t size = (floats + 127) / 128 * 128;
  Buffer<float> values(size);
  const int64_t repetitions = std::max<int64_t>(2, (1 << 20) / size);
  double best = 1e9;
  float sum = 0.0F;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < repetitions; ++i) sum += HWY_DYNAMIC_DISPATCH(sum_of)(values.data(), size);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, seconds / static_cast<double>(repetitions));
  }
  return sum == 0.0F ? best : 0.0;  // the sum is used, so that the loop cannot be left out
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
