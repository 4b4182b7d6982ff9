#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/rng.h"
#include "longhand/data/simulations.h"

namespace longhand::data {
namespace {

constexpr double kSamplesASecond = 1000.0;
constexpr uint32_t kSpeedPlace = 11, kSensorPlace = 12, kAnomalyPlace = 13;

// A part of the signal with a fault.
struct Anomaly {
  int64_t begin = 0, end = 0;
  int kind = 0;  // 1 bearing, 2 imbalance, 3 looseness, 4 cable
  double strength = 1.0;
};

// Draws one anomaly in each of `count` equal parts of the signal. The kinds are equally frequent, up to rounding.
std::vector<Anomaly> draw_anomalies(uint64_t seed, int64_t steps, int64_t count) {
  const CounterRng rng(seed, 0, RngPlace::kSample, kAnomalyPlace);
  std::vector<Anomaly> out;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = steps * i / count, extent = steps * (i + 1) / count - begin;
    const auto n = static_cast<uint64_t>(i);
    const int kind = 1 + static_cast<int>(i % 4);
    const int64_t length = std::min(extent, static_cast<int64_t>(300 + rng.below(4 * n, 700)));
    const int64_t from = begin + static_cast<int64_t>(rng.below(4 * n + 1, static_cast<uint64_t>(extent - length + 1)));
    out.push_back({from, from + length, kind, std::pow(10.0, -1.3 * rng.uniform_double(4 * n + 2))});
  }
  return out;
}

}  // namespace

std::string vibration_table(uint64_t seed, int64_t steps, int64_t anomalies) {
  const CounterRng speed(seed, 0, RngPlace::kSample, kSpeedPlace), sensor(seed, 0, RngPlace::kSample, kSensorPlace);
  const std::vector<Anomaly> wrong = draw_anomalies(seed, steps, anomalies);
  constexpr double kTurn = 2.0 * std::numbers::pi;
  std::string out = "acceleration,anomaly\n";
  double phase = 0.0, drift = 0.0, impact = 0.0, ring = 0.0;
  size_t next = 0;
  for (int64_t t = 0; t < steps; ++t) {
    const auto i = static_cast<uint64_t>(t);
    while (next < wrong.size() && wrong[next].end <= t) ++next;
    const int kind = next < wrong.size() && wrong[next].begin <= t ? wrong[next].kind : 0;
    drift += (-drift + 20.0 * speed.normal(i)) / 2000.0;
    const double hertz = 25.0 * (1.0 + 0.1 * drift), before = phase;
    phase += kTurn * hertz / kSamplesASecond;
    const double load = 1.0 + 0.2 * std::sin(kTurn * static_cast<double>(t) / 7300.0);
    const double strength = kind != 0 ? wrong[next].strength : 0.0;
    const double shaft = 0.6 + (kind == 2 ? 0.8 * strength : 0.0);
    double x = shaft * std::sin(phase) + 0.25 * std::sin(2.0 * phase + 0.7) + 0.1 * std::sin(3.0 * phase + 1.9);
    x += load * (0.3 + 0.1 * std::sin(phase)) * std::sin(7.0 * phase + 0.4);
    if (kind == 3) x += strength * (0.5 * std::sin(0.5 * phase) + 0.3 * std::sin(1.5 * phase));
    // A ball passes the fault 3.58 times a turn, and the case rings at 180 Hz.
    const bool hit = std::floor(3.58 * phase / kTurn) > std::floor(3.58 * before / kTurn);
    if (kind == 1 && hit) impact = 1.2 * strength;
    impact *= 0.93;
    ring += kTurn * 180.0 / kSamplesASecond;
    x += impact * std::sin(ring);
    x += 0.05 * sensor.normal(2 * i);
    if (kind == 4 && sensor.uniform_double(4 * i + 3) < 0.1 * strength) x = 0.0;
    out += fmt::format("{:.4f},{}\n", x, kind);
  }
  return out;
}

}  // namespace longhand::data
