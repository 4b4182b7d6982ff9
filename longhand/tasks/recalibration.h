// Calibration of interval forecasts on the latest known values, at each forecast (a rolling split-conformal prediction;
// Barber et al. 2023). It adapts to series that have become harder or easier to forecast since the model was trained.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "longhand/tasks/regressor.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

/// Minimum number of known values to calibrate on.
inline constexpr int64_t kMinCalibrated = 20;

/// Calibrates forecasts of one series on its earlier forecasts, for each target and step ahead on its own.
class RollingCalibration {
 public:
  /// `count`: number of the latest known values of each target and step. `interval`: see tasks::calibrate. The model
  /// must outlive this.
  RollingCalibration(const Regressor& model, int64_t count, double interval)
      : model_(model), count_(count), interval_(interval) {}

  /// Forgets all forecasts; call it at the beginning of a series.
  void clear() { past_.clear(); }
  /// Adds a forecast with parameters [A O P]. Windows must be added in their order in the table.
  void add(const data::Table& table, const data::Window& window, std::span<const float> parameters);
  /// Widens or narrows a forecast's parameters [A O P] by the errors of earlier forecasts of rows before
  /// `window.target`. Leaves the values of a step as they are if fewer than kMinCalibrated of these rows were forecast
  /// at that step. Returns whether all steps were calibrated.
  bool apply(const data::Window& window, std::span<float> parameters) const;

 private:
  struct Past {
    int64_t target = 0;             // first row that was forecast
    std::vector<float> parameters;  // [A O P]
    std::vector<double> values;     // [A O] standardised; NaN: unknown
  };

  const Regressor& model_;
  int64_t count_;
  double interval_;
  std::deque<Past> past_;
};

/// How `forecast` calibrates.
struct Recalibration {
  int64_t count = 0;      ///< see RollingCalibration; 0: the model's calibration
  double interval = 0.8;  ///< see tasks::calibrate
};

/// Forecasts windows of a table, which must be in order, and calls `on_forecast` with each and its parameters [A O P],
/// in units of the targets' scales. If the forecasts are calibrated again, earlier windows are forecast, too; the
/// table's targets must then have values. Returns the number of windows that were not calibrated again in all steps.
int64_t forecast(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                 const Recalibration& recalibration, Regressor::Workspace& workspace,
                 const std::function<void(const data::Window& window, std::span<const float> parameters)>& on_forecast,
                 const OnDone& on_done);

/// The check of the option `recalibrate`: 0, or kMinCalibrated or more.
OptionCheck recalibration_check();
/// Throws a usage error unless forecasts of this model can be calibrated again.
void expect_recalibration(const Regressor& model);

}  // namespace longhand::tasks
