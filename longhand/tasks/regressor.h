// The regressor: rows of numbers in, numbers out.
//
//   standardised inputs -> recurrent layers -> their last outputs -> linear, for every step ahead and every target
//
// What the network gives can be added to a simpler forecast, whose error it then learns (docs/forecasts.md):
//
//   forecast = base + gain scale network
//
// Losses are mean squared errors of standardised targets; what users see is in the data's own units.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/baselines/ridge.h"
#include "longhand/data/series.h"
#include "longhand/tasks/ensemble.h"

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
};

/// Names and scales of a model's columns.
struct Columns {
  std::vector<std::string> inputs, targets;
  std::vector<data::Scale> input_scales, target_scales;
};

/// One window as it lies in memory: column by column, with a stride from one row to the next, in the data's units.
struct WindowView {
  std::vector<const double*> inputs;   ///< [I] first rows
  std::vector<const double*> targets;  ///< [O] the same of the targets' past; read only where `reads_targets`
  std::vector<const double*> ahead;    ///< [O] first rows to predict; empty: unknown
  int64_t stride = 1;
  int64_t length = 0;
};

/// Windows side by side.
struct SeriesBatch {
  int64_t steps = 0;  ///< T
  int64_t rows = 0;   ///< B
  bool ragged = false;
  std::vector<int32_t> lengths;     ///< [B]
  Buffer<float> x;                  ///< [T, B, padded(I)] standardised
  std::vector<float> base;          ///< [B, A O] standardised: what is added to the network's outputs,
  std::vector<float> scale;         ///< [B, A O] after these have multiplied them
  std::vector<float> targets;       ///< [B, A O] standardised, step by step; empty where there are none
  std::vector<SeriesBatch> others;  ///< the same windows as the other members of an ensemble read them
};

class Regressor : public EnsembleModel<Regressor> {
 public:
  static constexpr const char* kTask = "regressor";
  /// Added to the variance of a window, in units of the training data's: what is constant in a window has some scale.
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
  /// A, the steps predicted, and O, the targets.
  int64_t ahead() const { return data::steps_ahead(options_.series); }
  int64_t targets() const { return static_cast<int64_t>(columns_.targets.size()); }

  /// What the forecast is added to, as far as it is fitted to data: the linear forecast (of `residual_of` linear), and
  /// the deviation of its error in each output [A O].
  void set_residual(std::optional<baselines::Ridge> linear, std::vector<double> scales);
  const std::optional<baselines::Ridge>& linear() const { return linear_; }
  const std::vector<double>& residual_scales() const { return residual_scales_; }
  /// Whether the past of targets that are no inputs is read, by any member.
  bool reads_targets() const;
  /// Whether what the network's outputs are added to depends on more than the window's last row.
  bool reads_whole_windows() const { return linear_ || options_.is_seasonal() || options_.of_each_window(); }
  /// Rows that a window has at least, for every member.
  int64_t min_rows() const;
  /// What multiplies the network's part of a forecast. It is kept among the parameters, though no gradient moves it: so
  /// it is that of the values beside it wherever these are averaged, kept or stored.
  float gain() const { return gain_ ? *network_.parameters().value(*gain_) : 1.0F; }
  void set_gain(float gain) { *network_.parameters().value(*gain_) = gain; }
  bool has_gain() const { return gain_.has_value(); }

  /// Lays windows side by side, for each member. All have what is to be predicted, or none.
  void lay(std::span<const WindowView> windows, SeriesBatch& batch) const;
  /// Lays windows of a table with this model's columns side by side; `targets` says whether the table has the rows to
  /// predict.
  void get(const data::Table& table, std::span<const data::Window> windows, bool targets, SeriesBatch& batch) const;

  struct Workspace : EnsembleWorkspace<Regressor, Workspace> {
    using EnsembleWorkspace::EnsembleWorkspace;

    const float* output = nullptr;  ///< of the recurrent layers
    nn::PoolKept<float> kept;
    Buffer<float> last, d_last, predicted, d_predicted, d_output;
    std::vector<float> predictions;
  };

  /// Squared errors of a batch, summed over its windows (of each the mean over steps and targets), and the gradients as
  /// `training` wants them.
  double train(const SeriesBatch& batch, const nn::GradientPass& training, Workspace& workspace);
  /// Predictions [B, A O], standardised, good until the workspace is used again. Of an ensemble, the mean of the
  /// members' predictions, which have the same scales.
  std::span<const float> read(const SeriesBatch& batch, Workspace& workspace) const;

 private:
  int64_t inputs() const { return static_cast<int64_t>(columns_.inputs.size()); }
  int64_t outputs() const { return ahead() * targets(); }
  int64_t width() const { return network_.width(); }
  void predict(const SeriesBatch& batch, const nn::NetworkInput& input, nn::Pass pass, Workspace& workspace) const;
  nn::NetworkInput input(const SeriesBatch& batch, const nn::DropoutKey& masks) const;
  nn::PoolInput<float> pool_input(const SeriesBatch& batch, const Workspace& workspace) const;

  void lay_inputs(const WindowView& window, int64_t b, SeriesBatch& batch) const;
  void lay_base(const WindowView& window, int64_t b, SeriesBatch& batch) const;

  RegressorOptions options_;
  Columns columns_;
  std::optional<baselines::Ridge> linear_;
  std::vector<size_t> linear_columns_;   // of the linear forecast: inputs, and from I on targets
  std::vector<double> residual_scales_;  // empty: ones
  bool reads_targets_ = false;
  std::optional<size_t> gain_;  // its parameter
};

}  // namespace longhand::tasks
