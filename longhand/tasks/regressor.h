// The regressor: rows of numbers in, numbers out.
//
//   standardised inputs -> recurrent layers -> their last outputs -> linear, for every step ahead and every target
//
// Losses are mean squared errors of standardised targets; what users see is in the data's own units.
#pragma once

#include <memory>
#include <string>
#include <vector>

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
  int64_t season = 0;  ///< rows after which the targets are taken to come back, by the seasonal-naive forecast; 0: none
  nn::LstmOptions lstm;
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Names of the options that say how tables are read: the members of an ensemble have the same.
  static std::vector<std::string> shared();
};

/// Names and scales of a model's columns.
struct Columns {
  std::vector<std::string> inputs, targets;
  std::vector<data::Scale> input_scales, target_scales;
};

/// Windows side by side.
struct SeriesBatch {
  int64_t steps = 0;  ///< T
  int64_t rows = 0;   ///< B
  bool ragged = false;
  std::vector<int32_t> lengths;     ///< [B]
  Buffer<float> x;                  ///< [T, B, padded(I)] standardised
  std::vector<float> base;          ///< [B, O] standardised: what predictions are added to; zeros without `difference`
  std::vector<float> targets;       ///< [B, A O] standardised, step by step; empty where there are none
  std::vector<SeriesBatch> others;  ///< the same windows as the other members of an ensemble read them
};

class Regressor : public EnsembleModel<Regressor> {
 public:
  static constexpr const char* kTask = "regressor";

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
  void get_member(const data::Table& table, std::span<const data::Window> windows, bool targets,
                  SeriesBatch& batch) const;
  void predict(const SeriesBatch& batch, const nn::NetworkInput& input, nn::Pass pass, Workspace& workspace) const;
  nn::NetworkInput input(const SeriesBatch& batch, const nn::DropoutKey& masks) const;
  nn::PoolInput<float> pool_input(const SeriesBatch& batch, const Workspace& workspace) const;

  RegressorOptions options_;
  Columns columns_;
};

}  // namespace longhand::tasks
