// The regressor: rows of numbers in, numbers out.
//
//   standardised inputs -> recurrent layers -> their last outputs -> linear, for every step ahead and every target
//
// The network's output can be added to a simpler forecast, whose error it then learns (docs/forecasts.md):
//
//   forecast = base + gain scale network
//
// A forecast is a point or a distribution (forecast_distribution.h). The loss is the mean squared error of standardised
// targets, or the distribution's loss. Reported values are in units of the data.
//
// With columns known ahead, the recurrent layers also run over the steps to predict. There, the known and static
// columns keep their values, the other inputs are zero, and an indicator input is one. One output layer, shared by all
// steps, computes each step's forecast from the hidden state at that step.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/baselines/ridge.h"
#include "longhand/data/series.h"
#include "longhand/tasks/ensemble.h"
#include "longhand/tasks/forecast_distribution.h"
#include "longhand/tasks/regressor_columns.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights and scales; stored in its file.
struct RegressorOptions {
  RegressorOptions();

  data::SeriesOptions series;
  /// Predict how far the targets move from their last value in the window, instead of where they are: what is learned
  /// then holds at every level (as the last value that Zeng et al. 2023 subtract).
  bool difference = false;
  /// The forecast that the network's is added to: "none", "linear" (a ridge regression of the window), "naive" (the
  /// last value) or "seasonal" (the value one season before).
  std::string residual_of = "none";
  /// Whether what the network adds is multiplied by a number from 0 to 1 that makes the held-out error smallest.
  bool shrink = true;
  /// Mean and deviation that inputs are standardised by: of the "training" data, or of each "window", whose forecast is
  /// scaled back (reversible instance normalisation without parameters, Kim et al. 2022).
  std::string normalise = "training";
  int64_t season = 0;  ///< rows after which the targets are taken to come back, by the seasonal-naive forecast; 0: none
  nn::LstmOptions lstm;
  nn::InitOptions init;
  std::string output = "point";  ///< "point", "quantiles", "gaussian" or "negative-binomial" (counts)
  std::string quantiles = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9";  ///< levels of "quantiles"
  bool calibrate = true;  ///< widen or narrow intervals to their nominal coverage on held-out rows
  double interval = 0.8;  ///< probability of the central interval that is calibrated and measured
  /// Scaling of targets in tables with a column of series: "standard" or "mean-absolute" for each series on its own,
  /// "none" for all series together. "auto": mean-absolute for counts, else standard.
  std::string series_scale = "auto";

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Names of the options that say how tables are read: the members of an ensemble have the same.
  static std::vector<std::string> shared();

  bool is_naive() const { return difference || residual_of == "naive"; }
  bool is_linear() const { return residual_of == "linear"; }
  bool is_seasonal() const { return residual_of == "seasonal"; }
  bool of_each_window() const { return normalise == "window"; }
  bool has_gain() const { return shrink && residual_of != "none"; }
  ForecastDistribution distribution() const { return {output, parse_levels(quantiles, "quantiles")}; }
  /// `series_scale` with "auto" resolved: "standard", "mean-absolute" or "none".
  std::string used_series_scale() const;
};

/// One window as it lies in memory: column by column, with a stride from one row to the next, in the data's units.
struct WindowView {
  std::vector<const double*> inputs;   ///< [I] first rows
  std::vector<const double*> targets;  ///< [O] the same of the targets' past; read only where `reads_targets`
  std::vector<const double*> ahead;    ///< [O] first rows to predict; empty: unknown
  int64_t stride = 1;
  int64_t length = 0;
  const data::Scale* scales = nullptr;  ///< [O] target scales of the window's series; null: the model's
  const float* statics = nullptr;       ///< [static_width] network inputs of the window's series
  std::vector<const double*> known{};   ///< [columns] first of length + A rows, `known_stride` apart
  int64_t known_stride = 1;
};

/// A batch of windows.
struct SeriesBatch {
  int64_t steps = 0;  ///< T
  int64_t rows = 0;   ///< B
  bool ragged = false;
  std::vector<int32_t> lengths;     ///< [B] steps, including the steps ahead that are read
  Buffer<float> x;                  ///< [T, B, padded(I)] standardised
  std::vector<float> base;          ///< [B, A O] standardised: what is added to the network's outputs,
  std::vector<float> scale;         ///< [B, A O] after these have multiplied them
  std::vector<float> targets;       ///< [B, A O] standardised, step by step; empty where there are none
  std::vector<SeriesBatch> others;  ///< the same windows as the other members of an ensemble read them
};

class Regressor : public EnsembleModel<Regressor> {
 public:
  static constexpr const char* kTask = "regressor";
  /// Added to the variance of a window, in units of the training data's variance, so that constant columns have a
  /// scale.
  static constexpr double kLeastVariance = 1e-3;

  /// A model whose parameters have no values: `initialise` or `load` give them some.
  Regressor(const RegressorOptions& options, Columns columns);
  /// Throws an input error for a file that is damaged, or holds something else than a regressor. The model is packed.
  static std::unique_ptr<Regressor> load(const ModelFile& file) { return load_ensemble<Regressor>(file); }
  /// The same for one model, such as a member of an ensemble.
  static std::unique_ptr<Regressor> load_member(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;

  const RegressorOptions& options() const { return options_; }
  const Columns& columns() const { return columns_; }
  const ForecastDistribution& distribution() const { return distribution_; }
  /// Throws an input error with `what` in it if the model has static columns, columns known ahead, a scale for each
  /// series, or a distribution. Otherwise the network reads one number for each input and gives one for each output.
  void expect_plain(const std::string& what) const;
  /// Describes the feature that `expect_plain` rejects; empty if there is none.
  std::string unusual() const;
  /// A, the steps predicted, and O, the targets.
  int64_t ahead() const { return data::steps_ahead(options_.series); }
  int64_t targets() const { return static_cast<int64_t>(columns_.targets.size()); }

  bool reads_ahead() const { return !columns_.known.empty(); }
  /// Number of steps after the window over which the recurrent layers run.
  int64_t steps_read_ahead() const { return reads_ahead() ? ahead() : 0; }

  /// What the forecast is added to, as far as it is fitted to data: the linear forecast (of `residual_of` linear), and
  /// the deviation of its error in each output [A O].
  void set_residual(std::optional<baselines::Ridge> linear, std::vector<double> scales);
  const std::optional<baselines::Ridge>& linear() const { return linear_; }
  const std::vector<double>& residual_scales() const { return residual_scales_; }
  /// Whether the past of targets that are no inputs is read, by any member.
  bool reads_targets() const;
  /// Whether what the network's outputs are added to depends on more than the window's last row.
  bool reads_whole_windows() const { return linear_ || options_.is_seasonal() || options_.of_each_window(); }
  /// Target scales [O] for a window of a table.
  const data::Scale* scales_of(const data::Table& table, const data::Window& window) const {
    return columns_.scales_of(table, window);
  }
  /// Rows that a window has at least, for every member.
  int64_t min_rows() const;
  /// What multiplies the network's part of a forecast. It is kept among the parameters, though no gradient moves it: so
  /// it is that of the values beside it wherever these are averaged, kept or stored.
  float gain() const { return gain_ ? *network_.parameters().value(*gain_) : 1.0F; }
  void set_gain(float gain) { *network_.parameters().value(*gain_) = gain; }
  bool has_gain() const { return gain_.has_value(); }
  /// Widening factors of the distributions [A O, C], stored among the parameters like the gain.
  bool has_widening() const { return widening_.has_value(); }
  std::span<float> widening() {
    return {network_.parameters().value(*widening_), static_cast<size_t>(outputs() * distribution_.widenings())};
  }

  /// Lays windows side by side, for each member. All have what is to be predicted, or none.
  void lay(std::span<const WindowView> windows, SeriesBatch& batch) const;
  /// Fills a batch with windows of a table that has this model's columns; `targets` says whether the table has the rows
  /// to predict. `prepare` must have been called for a table of several series.
  void get(const data::Table& table, std::span<const data::Window> windows, bool targets, SeriesBatch& batch) const;

  struct Workspace : EnsembleWorkspace<Regressor, Workspace> {
    using EnsembleWorkspace::EnsembleWorkspace;

    const float* output = nullptr;  ///< of the recurrent layers
    nn::PoolKept<float> kept;
    Buffer<float> last, d_last, predicted, d_predicted, d_output;
    std::vector<int32_t> rows;
    std::vector<float> predictions;
  };

  /// Returns the loss summed over the windows of a batch; a window's loss is the mean over steps and targets. Computes
  /// the gradients as `training` asks.
  double train(const SeriesBatch& batch, const nn::GradientPass& training, Workspace& workspace);
  /// Returns predictions [B, A O P]: the standardised parameters of each value's distribution, averaged over the
  /// members of an ensemble. Valid until the workspace is used again.
  std::span<const float> read(const SeriesBatch& batch, Workspace& workspace) const;

 private:
  int64_t inputs() const { return static_cast<int64_t>(columns_.inputs.size()); }
  int64_t outputs() const { return ahead() * targets(); }
  int64_t width() const { return network_.width(); }
  int64_t network_outputs() const { return network_.output().outputs(); }
  /// Index in workspace.predicted of the first of the P values of output j of window b.
  int64_t place_of(int64_t b, int64_t j) const;
  const data::Scale& input_scale(const WindowView& window, size_t c) const;
  const data::Scale& target_scale(const WindowView& window, size_t o) const {
    return window.scales != nullptr ? window.scales[o] : columns_.target_scales[o];
  }
  ForecastDistribution::Place distribution_place(const SeriesBatch& batch, size_t at, bool training) const;
  nn::OutputRows rows_of(const SeriesBatch& batch, Workspace& workspace) const;
  void predict(const SeriesBatch& batch, const nn::NetworkInput& input, nn::Pass pass, Workspace& workspace) const;
  double losses(const SeriesBatch& batch, float scale, Workspace& workspace) const;
  void backward(const SeriesBatch& batch, const nn::NetworkInput& input, float penalty_scale, Workspace& workspace);
  nn::NetworkInput input(const SeriesBatch& batch, const nn::DropoutKey& masks) const;
  nn::PoolInput<float> pool_input(const SeriesBatch& batch, const Workspace& workspace) const;

  void lay_inputs(const WindowView& window, int64_t b, SeriesBatch& batch) const;
  void lay_more(const WindowView& window, int64_t b, SeriesBatch& batch) const;
  void lay_base(const WindowView& window, int64_t b, SeriesBatch& batch) const;

  RegressorOptions options_;
  Columns columns_;
  ForecastDistribution distribution_;
  std::vector<size_t> input_targets_;  // [I] index of the same column among targets; O: none
  std::optional<baselines::Ridge> linear_;
  std::vector<size_t> linear_columns_;   // of the linear forecast: inputs, and from I on targets
  std::vector<double> residual_scales_;  // empty: ones
  bool reads_targets_ = false;
  std::optional<size_t> gain_, widening_;  // indices of their parameters
};

}  // namespace longhand::tasks
