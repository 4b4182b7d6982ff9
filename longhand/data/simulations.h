// Data that are computed, for networks over sequences: an amplifier, rivers, and a sensor on a machine. The same
// options give the same numbers every time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::data {

/// What a guitar's signal is before an amplifier and after it.
struct AmplifierSound {
  std::vector<float> input, output;  ///< [steps], between -1 and 1
};

/// Plucked strings (Karplus and Strong 1983) and chords at changing levels, and some noise and sweeps, through: a
/// high-pass filter, a gain, an asymmetric waveshaper whose bias follows the signal's envelope (rising in 10 ms,
/// falling in 80 ms), and a low-pass and a high-pass filter.
AmplifierSound simulate_amplifier(uint64_t seed, int64_t steps, int64_t sample_rate);

/// Hourly weather of some place.
struct Weather {
  std::vector<double> rain;         ///< mm an hour
  std::vector<double> temperature;  ///< degrees Celsius
};
/// Storms of some hours, more of them in winter; temperature with a season, a day, and spells of some days.
Weather simulate_weather(uint64_t seed, int64_t hours);

/// What does not change with time in a river's catchment.
struct Catchment {
  double elevation = 300.0;      ///< m above the weather's place, where it is 0.65 degrees colder for every 100 m
  double soil_capacity = 150.0;  ///< mm that the soil holds
  double quick_share = 0.6;      ///< of the water that leaves the soil, into the quick reservoir
  double quick_hours = 18.0;     ///< time constant of the quick reservoir
  double slow_hours = 900.0;     ///< of the slow one
};
/// Catchment `index` of a region.
Catchment draw_catchment(uint64_t seed, uint64_t index);
/// Discharge in mm an hour of two linear reservoirs below a soil that fills and dries, and snow that melts by
/// degree-day; begins after a year of the same weather. With 3 % of noise, as gauges have it.
std::vector<double> simulate_river(uint64_t seed, const Catchment& catchment, const Weather& weather);

/// A table with rows of `step_hours` hours: time, rain, temperature, flow (means; mm an hour).
std::string river_table(uint64_t seed, int64_t hours, int64_t step_hours);
/// The same for several catchments one after the other, with their name and what does not change: catchment, time,
/// rain, temperature, elevation, soil_capacity, quick_share, quick_hours, slow_hours, flow.
std::string catchments_table(uint64_t seed, int64_t catchments, int64_t hours, int64_t step_hours);

/// Acceleration of a machine that turns at changing speed, 1000 samples a second: shaft, gear mesh, noise. `anomalies`
/// of four kinds are spread over it, the weakest a twentieth of the strongest: impacts of a bearing, imbalance,
/// looseness, a loose cable. Columns: acceleration, anomaly (the number of the kind, 0: none).
std::string vibration_table(uint64_t seed, int64_t steps, int64_t anomalies);

}  // namespace longhand::data
