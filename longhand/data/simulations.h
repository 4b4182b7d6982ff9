// Simulated data for sequence models: a guitar amplifier, rivers, and a vibration sensor on a machine. Equal arguments
// give equal numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::data {

/// A guitar signal before and after the amplifier.
struct AmplifierSound {
  std::vector<float> input, output;  ///< [steps], between -1 and 1
};

/// Input: plucked strings (Karplus and Strong 1983) and chords at changing levels, noise and sweeps. Amplifier: a
/// high-pass filter, a gain, an asymmetric waveshaper whose bias follows the signal's envelope (attack 10 ms, release
/// 80 ms), a low-pass filter and a high-pass filter.
AmplifierSound simulate_amplifier(uint64_t seed, int64_t steps, int64_t sample_rate);

/// Hourly weather at one place.
struct Weather {
  std::vector<double> rain;         ///< mm an hour
  std::vector<double> temperature;  ///< degrees Celsius
};
/// Storms that last some hours, more often in winter; temperature with a yearly cycle, a daily cycle, and spells of
/// some days.
Weather simulate_weather(uint64_t seed, int64_t hours);

/// The constant properties of a river's catchment.
struct Catchment {
  double elevation = 300.0;      ///< m above the weather's place; 0.65 degrees colder every 100 m
  double soil_capacity = 150.0;  ///< mm of water that the soil holds
  double quick_share = 0.6;      ///< share of the soil's outflow into the quick reservoir
  double quick_hours = 18.0;     ///< time constant of the quick reservoir, hours
  double slow_hours = 900.0;     ///< time constant of the slow reservoir, hours
};
/// Draws catchment `index` of a region.
Catchment draw_catchment(uint64_t seed, uint64_t index);
/// Returns the discharge [hours] in mm an hour: degree-day snow melt, a soil store, and two linear reservoirs below
/// it, with 3 % of measurement noise. A year of the same weather is simulated first, as a warm-up.
std::vector<double> simulate_river(uint64_t seed, const Catchment& catchment, const Weather& weather);

/// Returns a CSV table with a row for each `step_hours` hours: time, rain, temperature, flow. Rows are means; rain and
/// flow in mm an hour.
std::string river_table(uint64_t seed, int64_t hours, int64_t step_hours);
/// As `river_table`, for several catchments one after the other. Columns: catchment, time, rain, temperature,
/// elevation, soil_capacity, quick_share, quick_hours, slow_hours, flow.
std::string catchments_table(uint64_t seed, int64_t catchments, int64_t hours, int64_t step_hours);

/// Returns a CSV table of the acceleration of a machine that turns at changing speed, 1000 samples a second: shaft,
/// gear mesh, noise. `anomalies` anomalies of four kinds are spread over it (bearing impacts, imbalance, looseness, a
/// loose cable); the weakest is a twentieth of the strongest. Columns: acceleration, anomaly (kind 1 to 4, 0: none).
std::string vibration_table(uint64_t seed, int64_t steps, int64_t anomalies);

}  // namespace longhand::data
