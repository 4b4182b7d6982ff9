// A regressor and its windows, as the trainer drives them; and how regressors are measured.
#pragma once

#include <functional>
#include <optional>

#include "longhand/data/buckets.h"
#include "longhand/tasks/forecast_measures.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

struct RegressorTaskOptions {
  data::GroupOptions groups;  ///< how many windows make an update, and the seed
  nn::Engine engine = nn::Engine::kFused;
};

/// Errors of a model's predictions and of simpler forecasts, over every window, step ahead and target, in the data's
/// own units.
struct RegressionScore {
  int64_t windows = 0;
  int64_t values = 0;  ///< that were predicted
  double mse = 0.0;
  double mae = 0.0;
  double r2 = 0.0;    ///< 1 - squared errors / squared distances from the values' mean, the mean over the targets
  double loss = 0.0;  ///< mean squared error of standardised values, or the distribution's loss
  /// Of the forecast that nothing changes: each target's last value in the window; with a horizon of 0, of its mean in
  /// training.
  double naive_mse = 0.0;
  /// Of the seasonal-naive baseline (the value one season before), over the same windows. No value where there is no
  /// season, or where a window reaches back less.
  std::optional<double> seasonal_naive_mse;
  /// Set only by `evaluate`.
  std::optional<ForecastMeasures> measures;
  int64_t not_recalibrated = 0;  ///< windows with steps that `recalibrate` skipped: too few known values

  /// loss, mse, mae, r2 and naive_mse; also seasonal_naive_mse and `measures` if they have values.
  std::vector<Metric> metrics() const;
};

/// Told what an evaluation finds.
struct ForecastObserver {
  /// Of each window, in order: the forecast [A O], step by step, in the data's own units.
  std::function<void(const data::Window& window, std::span<const double> forecast)> on_window{};
  OnDone on_done{};  ///< in windows
  /// Called for each window with the parameters [A O P] of its distributions, in units of the targets' scales.
  std::function<void(const data::Window& window, std::span<const float> parameters)> on_parameters{};
  double interval = 0.0;    ///< probability of the central interval to measure; 0: the model's option
  int64_t recalibrate = 0;  ///< number of latest known values to calibrate each forecast on; 0: the model's calibration
};

/// Adds the errors of the naive and, where there is one, of the seasonal-naive forecast.
void add_naive(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
               RegressionScore& score);

RegressionScore evaluate(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                         Regressor::Workspace& workspace, const ForecastObserver& observer = {});

/// The score of any forecast, in the data's units.
using Forecast = std::function<double(const data::Window& window, int64_t step, int64_t target)>;
RegressionScore score_of(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                         const Forecast& forecast);

/// The gain, from 0 to 1, of the smallest squared error of standardised targets. The model's gain is 1 afterwards.
float best_gain(Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                Regressor::Workspace& workspace);

/// Fits the widening of a model's distributions on these windows (see `calibrate`): for each target and step ahead if
/// there are at least 200 windows, else one for all.
void fit_widening(Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                  Regressor::Workspace& workspace);

class RegressorTask final : public Task {
 public:
  /// Windows of a table, and those held out, of the same or another. The tables must outlive this; `valid` may be
  /// empty: then there is no validation.
  RegressorTask(Regressor& model, const data::Table& table, std::vector<data::Window> train,
                const data::Table& valid_table, std::vector<data::Window> valid, const RegressorTaskOptions& options,
                kernels::Context& context);

  ParameterArena& parameters() override { return model_.parameters(); }
  void parameters_changed() override { model_.parameters_changed(); }
  void begin_epoch(int64_t epoch) override { buckets_.begin_epoch(epoch); }
  int64_t steps() const override { return buckets_.size(); }
  int64_t batch() const override { return buckets_.rows(); }
  StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) override;
  bool has_validation() const override { return !valid_.empty(); }
  const data::Table& valid_table() const { return valid_table_; }
  std::span<const data::Window> valid_windows() const { return valid_; }
  std::vector<Metric> validate() override;
  std::string fingerprint() const override;
  void save_model(const std::string& path, std::span<const float> values) const override { model_.save(path, values); }

 private:
  Regressor& model_;
  Regressor::Workspace workspace_;
  const data::Table& table_;
  const data::Table& valid_table_;
  std::vector<data::Window> train_, valid_;
  RegressorTaskOptions options_;
  data::Buckets buckets_;
  SeriesBatch batch_;
};

}  // namespace longhand::tasks
