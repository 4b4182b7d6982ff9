// Accuracy measures of forecasts over many windows, for each series and over all series. The naive and the
// seasonal-naive forecast are measured too, as Gaussians with the standard deviation of their errors before the first
// window.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::tasks {

class Regressor;
class ForecastDistribution;

/// Measures of one target of one series, in units of the data.
struct SeriesMeasures {
  std::string series, target;
  int64_t values = 0;
  double mse = 0.0, mae = 0.0, crps = 0.0;
  std::optional<double> mase, nse, coverage;
};

/// Means over all values; MASE and NSE are unweighted means over all targets of all series.
struct ForecastMeasures {
  /// In per cent: the mean of 200 |y - f| / (|y| + |f|), 0 if both are 0 (Makridakis 1993).
  double smape = 0.0;
  /// Mean absolute error, divided by that of the (seasonal) naive forecast one step (season) ahead on the rows of the
  /// series before its first target (Hyndman and Koehler 2006). None if these rows are too few or constant.
  std::optional<double> mase;
  /// Nash-Sutcliffe efficiency (1970): 1 - sum of squared errors / sum of squared distances from the values' mean.
  std::optional<double> nse, nse_median;
  /// Continuous ranked probability score, in units of the data; the absolute error for a point.
  double crps = 0.0;
  double interval = 0.0;                  ///< probability of the central interval
  std::optional<double> coverage, width;  ///< share of values in the interval, and its mean width
  std::optional<double> naive_crps, naive_coverage, seasonal_crps, seasonal_coverage;
  std::vector<SeriesMeasures> each;
};

class ForecastMeasurer {
 public:
  /// All references must outlive this. `windows`: all windows that `add` will be called with.
  ForecastMeasurer(const Regressor& model, const ForecastDistribution& distribution, const data::Table& table,
                   std::span<const data::Window> windows, double interval);

  /// Adds a window and the parameters [A O P] of its forecast.
  void add(const data::Window& window, std::span<const float> parameters);
  ForecastMeasures measures() const;

 private:
  struct Naive {
    std::vector<double> deviations;  // [A] of errors before the first window; empty: unknown
    double crps = 0.0;
    int64_t covered = 0, values = 0;
  };
  struct Sums {  // of one target of one series
    int64_t values = 0, covered = 0, intervals = 0;
    double absolute = 0.0, squared = 0.0, smape = 0.0, crps = 0.0, width = 0.0;
    double mean = 0.0, spread = 0.0;  // of the values, by Welford's method
    double naive_error = 0.0;         // mean absolute, one season ahead; 0: unknown
    Naive naive, seasonal;
  };

  void add_value(Sums& sums, const float* parameters, const data::Scale& scale, double actual) const;
  void add_naive(Naive& naive, double forecast, int64_t step, double actual) const;
  void measure_past(int64_t sequence, int64_t target, int64_t first_row, Sums& sums) const;
  double value(int64_t target, int64_t row) const {
    return table_.target[static_cast<size_t>(target)][static_cast<size_t>(row)];
  }

  const Regressor& model_;
  const ForecastDistribution& distribution_;
  const data::Table& table_;
  double interval_;
  std::vector<Sums> sums_;  // [sequences, O]
};

}  // namespace longhand::tasks
