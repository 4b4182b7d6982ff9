// Recalibrates each interval forecast on the latest known values (rolling split conformal prediction; Barber et al.
// 2023). Intervals then follow series that become harder or easier to forecast after training.
#pragma once

#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "longhand/tasks/regressor.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

/// Minimum number of known values for a calibration.
inline constexpr int64_t kMinCalibrated = 20;

/// Calibrates forecasts of one series on its earlier forecasts, separately for each target and step ahead.
class RollingCalibration {
 public:
  /// `count`: number of latest known values to use for each target and step. `interval`: see tasks::calibrate. The
  /// model must outlive this object.
  RollingCalibration(const Regressor& model, int64_t count, double interval)
      : model_(model), count_(count), interval_(interval) {}

  /// Forgets all forecasts; call it at the beginning of a series.
  void clear() { past_.clear(); }
  /// Adds a forecast with its parameters [A O P] before recalibration. Windows must be added in the order of the table.
  void add(const data::Table& table, const data::Window& window, std::span<const float> parameters);
  /// Widens or narrows a forecast's parameters [A O P], in place, by the errors of earlier forecasts of rows before
  /// `window.target`. A step ahead with fewer than kMinCalibrated such forecasts keeps its parameters. Returns whether
  /// all steps were calibrated.
  bool apply(const data::Window& window, std::span<float> parameters) const;

 private:
  struct Past {
    int64_t target = 0;             // first row of the forecast
    std::vector<float> parameters;  // [A O P]
    std::vector<double> values;     // [A O] standardised; NaN: unknown
  };

  const Regressor& model_;
  int64_t count_;
  double interval_;
  std::deque<Past> past_;
};

/// Options of `forecast`.
struct Recalibration {
  int64_t count = 0;      ///< see RollingCalibration; 0: no recalibration
  double interval = 0.8;  ///< see tasks::calibrate
};

/// Forecasts windows of a table, which must be in order. Calls `on_forecast` with each window and its forecast's
/// parameters [A O P], in units of the targets' scales. Recalibration also forecasts earlier windows, and needs the
/// values of the table's targets. Returns the number of windows with at least one step that was not recalibrated.
int64_t forecast(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                 const Recalibration& recalibration, Regressor::Workspace& workspace,
                 const std::function<void(const data::Window& window, std::span<const float> parameters)>& on_forecast,
                 const OnDone& on_done);

/// Returns the check of the option `recalibrate`: 0, or at least kMinCalibrated.
OptionCheck recalibration_check();
/// Throws a usage error if forecasts of this model cannot be recalibrated.
void expect_recalibration(const Regressor& model);

}  // namespace longhand::tasks
