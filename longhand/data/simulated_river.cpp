#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/rng.h"
#include "longhand/data/simulations.h"

namespace longhand::data {
namespace {

constexpr double kYear = 8766.0;  // hours
constexpr uint32_t kRainPlace = 1, kWarmthPlace = 2, kNoisePlace = 3, kCatchmentPlace = 4;

double season(int64_t hour, double coldest) {
  return std::cos(2.0 * std::numbers::pi * (static_cast<double>(hour) / kYear - coldest));
}

// "2001-03-28 14:00" for an hour counted from 2001-01-01, in a calendar of 365 days a year.
std::string shown_hour(int64_t hour) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int64_t day = hour / 24;
  const int64_t year = day / 365;
  day %= 365;
  int month = 0;
  while (day >= kDays[month]) day -= kDays[month++];
  return fmt::format("{}-{:02}-{:02} {:02}:00", 2001 + year, month + 1, day + 1, hour % 24);
}

double mean_of(const std::vector<double>& values, int64_t first, int64_t n) {
  double sum = 0.0;
  for (int64_t i = first; i < first + n; ++i) sum += values[static_cast<size_t>(i)];
  return sum / static_cast<double>(n);
}

}  // namespace

Weather simulate_weather(uint64_t seed, int64_t hours) {
  const CounterRng rain(seed, 0, RngPlace::kSample, kRainPlace), warmth(seed, 0, RngPlace::kSample, kWarmthPlace);
  Weather out;
  int64_t left = 0;  // remaining hours of the storm
  double strength = 0.0, spell = 0.0;
  for (int64_t t = 0; t < hours; ++t) {
    const auto i = static_cast<uint64_t>(t);
    if (left == 0 && rain.uniform_double(4 * i) < 0.016 * (1.0 + 0.4 * season(t, 0.0))) {
      left = 2 + static_cast<int64_t>(rain.below(8 * i + 4, 22));
      strength = -std::log(1.0 - rain.uniform_double(4 * i + 1)) * (1.3 - 0.4 * season(t, 0.0));
    }
    const double shape = left > 0 ? -std::log(1.0 - rain.uniform_double(4 * i + 3)) : 0.0;
    out.rain.push_back(strength * shape);
    if (left > 0 && --left == 0) strength = 0.0;
    spell += (-spell + 4.0 * std::sqrt(2.0 * 60.0) * warmth.normal(i)) / 60.0;
    const double day = -4.0 * std::cos(2.0 * std::numbers::pi * static_cast<double>(t % 24 - 3) / 24.0);
    out.temperature.push_back(9.0 - 9.0 * season(t, 0.05) + day + spell);
  }
  return out;
}

Catchment draw_catchment(uint64_t seed, uint64_t index) {
  const CounterRng rng(seed, index, RngPlace::kSample, kCatchmentPlace);
  const auto between = [&](uint64_t i, double low, double high) {
    return low * std::pow(high / low, rng.uniform_double(i));
  };
  return {.elevation = 1200.0 * rng.uniform_double(0),
          .soil_capacity = between(1, 60.0, 300.0),
          .quick_share = 0.3 + 0.5 * rng.uniform_double(2),
          .quick_hours = between(3, 6.0, 48.0),
          .slow_hours = between(4, 400.0, 2000.0)};
}

std::vector<double> simulate_river(uint64_t seed, const Catchment& c, const Weather& weather) {
  const CounterRng noise(seed, 0, RngPlace::kSample, kNoisePlace);
  const auto hours = static_cast<int64_t>(weather.rain.size());
  const auto warm_up = std::min<int64_t>(hours, static_cast<int64_t>(kYear));
  double snow = 0.0, soil = 0.5 * c.soil_capacity, quick = 0.0, slow = 20.0;
  std::vector<double> out;
  for (int64_t t = -warm_up; t < hours; ++t) {
    const auto at = static_cast<size_t>(t < 0 ? t + warm_up : t);
    const double warmth = weather.temperature[at] - 0.0065 * c.elevation;
    const double frozen = std::clamp(0.5 - warmth / 2.0, 0.0, 1.0);
    const double melt = std::min(snow, 0.15 * std::max(0.0, warmth));  // 3.6 mm a day and degree
    snow += frozen * weather.rain[at] - melt;
    const double water = (1.0 - frozen) * weather.rain[at] + melt;
    const double wet = soil / c.soil_capacity;
    const double runs_off = water * wet * wet;
    soil += water - runs_off;
    soil -= std::min(soil, 0.016 * std::max(0.0, warmth + 2.0) * std::min(1.0, 1.4 * wet));
    const double drains = std::max(0.0, soil - c.soil_capacity) + 0.0015 * soil * wet * wet;
    soil -= drains;
    const double quick_in = c.quick_share * runs_off, slow_in = runs_off - quick_in + drains;
    quick += quick_in;
    slow += slow_in;
    const double from_quick = quick / c.quick_hours, from_slow = slow / c.slow_hours;
    quick -= from_quick;
    slow -= from_slow;
    if (t >= 0) out.push_back((from_quick + from_slow) * std::exp(0.03 * noise.normal(static_cast<uint64_t>(t))));
  }
  return out;
}

std::string river_table(uint64_t seed, int64_t hours, int64_t step_hours) {
  const Weather weather = simulate_weather(seed, hours);
  const std::vector<double> flow = simulate_river(seed, {}, weather);
  std::string out = "time,rain,temperature,flow\n";
  for (int64_t t = 0; t + step_hours <= hours; t += step_hours) {
    out += fmt::format("{},{:.3f},{:.2f},{:.5f}\n", shown_hour(t), mean_of(weather.rain, t, step_hours),
                       mean_of(weather.temperature, t, step_hours), mean_of(flow, t, step_hours));
  }
  return out;
}

std::string catchments_table(uint64_t seed, int64_t catchments, int64_t hours, int64_t step_hours) {
  std::string out = "catchment,time,rain,temperature,elevation,soil_capacity,quick_share,quick_hours,slow_hours,flow\n";
  for (int64_t i = 0; i < catchments; ++i) {
    const auto index = static_cast<uint64_t>(i);
    const Catchment c = draw_catchment(seed, index);
    const uint64_t own = seed * 1000003U + index + 1;
    const Weather weather = simulate_weather(own, hours);
    const std::vector<double> flow = simulate_river(own, c, weather);
    const std::string fixed = fmt::format("{:.0f},{:.1f},{:.3f},{:.2f},{:.1f}", c.elevation, c.soil_capacity,
                                          c.quick_share, c.quick_hours, c.slow_hours);
    for (int64_t t = 0; t + step_hours <= hours; t += step_hours) {
      out +=
          fmt::format("c{:02},{},{:.3f},{:.2f},{},{:.5f}\n", i + 1, shown_hour(t), mean_of(weather.rain, t, step_hours),
                      mean_of(weather.temperature, t, step_hours), fixed, mean_of(flow, t, step_hours));
    }
  }
  return out;
}

}  // namespace longhand::data
