// Helpers that several tests share: reproducible random arrays, a comparison that scales with the values, and a pass
// over every SIMD target of the machine.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"
#include "longhand/base/executor.h"
#include "longhand/base/rng.h"
#include "longhand/kernels/target.h"

namespace longhand::testing {

/// Uniform on [-scale, scale): `rows` rows of `columns`, `stride` apart, with zeros between.
template <class T>
std::vector<T> random_rows(int64_t rows, int64_t columns, int64_t stride, double scale, uint32_t place) {
  const CounterRng rng(7, 0, RngPlace::kSample, place);
  std::vector<T> out(static_cast<size_t>(rows * stride + kLineFloats), T(0));
  for (int64_t i = 0; i < rows * columns; ++i) {
    const double u = 2.0 * rng.uniform(static_cast<uint64_t>(i)) - 1.0;
    out[static_cast<size_t>(i / columns * stride + i % columns)] = static_cast<T>(scale * u);
  }
  return out;
}

template <class T>
std::vector<T> random_vector(int64_t n, double scale, uint32_t place) {
  return random_rows<T>(1, n, n, scale, place);
}

inline std::vector<int32_t> random_symbols(int64_t n, int64_t below, uint32_t place) {
  const CounterRng rng(7, 1, RngPlace::kSample, place);
  std::vector<int32_t> out;
  for (int64_t i = 0; i < n; ++i) {
    out.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(i), static_cast<uint64_t>(below))));
  }
  return out;
}

/// A copy on a cache line, as the fused kernels want their activations.
template <class T>
Buffer<T> aligned(const std::vector<T>& values) {
  Buffer<T> out(static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), out.data());
  return out;
}

/// Fails where an element differs by more than `tolerance` times the largest expected magnitude, or is no number.
template <class A, class B>
void expect_close(const A& actual, const B& expected, int64_t n, double tolerance, const std::string& what) {
  double largest = 0.0, worst = 0.0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto a = static_cast<double>(actual[static_cast<size_t>(i)]);
    const auto e = static_cast<double>(expected[static_cast<size_t>(i)]);
    if (!std::isfinite(a) || !std::isfinite(e)) {
      ADD_FAILURE() << what << ": element " << i << " of " << n << " is " << a << ", expected " << e;
      return;
    }
    largest = std::max(largest, std::abs(e));
    if (std::abs(a - e) > worst) {
      worst = std::abs(a - e);
      at = i;
    }
  }
  EXPECT_LE(worst, tolerance * largest) << what << ": element " << at << " of " << n << " differs by " << worst
                                        << ", and the largest is " << largest;
}

/// The first line of the error that `body` throws, which must have this exit code and an advice; empty where none is
/// thrown.
inline std::string error_of(const std::function<void()>& body, ExitCode code = ExitCode::kInput) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_FALSE(e.advice().empty()) << e.what();
    return e.what();
  }
  return "";
}

/// Runs `body` once on every SIMD target that this machine has, and restores the best.
template <class Body>
void on_every_target(const Body& body) {
  for (const std::string& target : kernels::simd_targets()) {
    SCOPED_TRACE(target);
    kernels::use_simd_target(target);
    body();
  }
  kernels::use_simd_target("");
}

/// Runs the body on every target with bf16 emulated, and once more where that is native.
template <class Body>
void on_every_target_in_bf16(const Body& body) {
  kernels::emulate_bf16(true);
  on_every_target(body);
  kernels::emulate_bf16(false);
  if (kernels::bf16_is_native()) body();
}

/// An empty folder of the running test's own, removed with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "longhand-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// A host's threads: the parts one after another, from the last to the first.
class OneByOne : public Executor {
 public:
  int size() const noexcept override { return 3; }
  void run(int parts, void (*work)(void*, int), void* context) noexcept override {
    for (int part = parts - 1; part >= 0; --part) work(context, part);
  }
};

}  // namespace longhand::testing
