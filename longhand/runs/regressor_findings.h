// What is found when a regressor is measured: its forecasts beside what came, and beside the forecast that nothing
// changes. pages.h shows it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/tasks/forecast_measures.h"
#include "longhand/tasks/regressor.h"

namespace longhand::runs {

/// Mean squared and mean absolute error, in the units of the data and their square.
struct ForecastError {
  double mse = 0.0;
  double mae = 0.0;
};

/// The forecasts of one target so many steps ahead. A point's x is the forecast row of the table, from 1.
struct ForecastCurves {
  int64_t step = 0;  ///< 0: of the window's last row
  /// Of all windows, thinned (io::thinned). A residual is the forecast minus what came.
  std::vector<io::Point> actual, forecast, residuals, naive_residuals;
  /// Of the last windows, every one.
  std::vector<io::Point> last_actual, last_forecast, last_naive;
  std::vector<io::Interval> last_interval;  ///< the central interval; empty for point forecasts
};

/// The last forecast of one target of a series, over all steps ahead, with the actual values before and during it.
struct ForecastFan {
  std::string series, target;
  std::vector<io::Point> actual, forecast;
  std::vector<double> probabilities;                 ///< of the central intervals, widest first
  std::vector<std::vector<io::Interval>> intervals;  ///< [probabilities][steps]
};

struct TargetForecasts {
  std::string name;
  std::vector<ForecastError> model, naive;  ///< [A] by step ahead
  std::vector<ForecastCurves> curves;       ///< of the first step and the last; none where there are many targets
};

struct ForecastFindings {
  int64_t windows = 0;
  /// The naive forecast: each target's last value in the window, or (with a horizon of 0) its mean in training.
  bool naive_is_mean = false;
  std::vector<TargetForecasts> targets;
  std::string remark{};        ///< how the forecast is made, for the reader; or empty
  std::optional<double> gain;  ///< of what the network adds to a simpler forecast
  std::optional<tasks::ForecastMeasures> measures{};
  std::optional<tasks::ForecastMeasures> ridge{};  ///< of a Gaussian around the ridge forecast
  std::vector<ForecastFan> fans{};                 ///< for distributions with at least two steps ahead
};

/// Gathers the findings from the windows of an evaluation.
class ForecastExaminer {
 public:
  static constexpr size_t kCharted = 6;  ///< targets with curves
  static constexpr size_t kLast = 100;   ///< windows of the second chart
  static constexpr size_t kFans = 6;     ///< series whose last forecast is drawn

  /// `model` and `table` must outlive this. `interval`: probability of the central interval in the charts.
  ForecastExaminer(const tasks::Regressor& model, const data::Table& table, double interval = 0.8);

  /// Adds a window, its forecast [A O] and the parameters [A O P] of its distributions. Call it in the windows' order.
  void add(const data::Window& window, std::span<const double> forecast, std::span<const float> parameters = {});
  ForecastFindings findings() const;

 private:
  struct Series {  // of a target and a step
    std::vector<double> forecast;
    std::vector<io::Interval> intervals;
    ForecastError model, naive;  // sums
  };
  bool charted(int64_t target, int64_t step) const;
  double naive(const data::Window& window, int64_t target) const;
  ForecastCurves curves(int64_t target, int64_t step) const;
  io::Interval interval(const float* parameters, const data::Scale& scale, double probability, int64_t row) const;
  ForecastFan fan(size_t last) const;

  const tasks::Regressor& model_;
  const data::Table& table_;
  double interval_;
  bool ahead_;  // horizon above 0
  std::vector<data::Window> windows_;
  std::vector<Series> series_;  // [A, O]
  struct Last {                 // the last window of a series
    size_t window = 0;
    std::vector<double> forecast;
    std::vector<float> parameters;
  };
  std::vector<Last> lasts_;
};

}  // namespace longhand::runs
