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
#include "longhand/kernels/linear.h"
#include "longhand/nn/lstm_stack.h"
#include "longhand/nn/pooling.h"
#include "longhand/tasks/gradient_pass.h"
#include "longhand/tasks/model_file.h"

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
  std::vector<int32_t> lengths;  ///< [B]
  Buffer<float> x;               ///< [T, B, padded(I)] standardised
  std::vector<float> base;       ///< [B, O] standardised: what predictions are added to; zeros without `difference`
  std::vector<float> targets;    ///< [B, A O] standardised, step by step; empty where there are none
};

class Regressor {
 public:
  static constexpr const char* kTask = "regressor";

  /// A model with all weights zero; `initialise` or `load` give them values.
  Regressor(const RegressorOptions& options, Columns columns);
  /// Throws an input error for a file that is damaged, or holds something else than a regressor.
  static std::unique_ptr<Regressor> load(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;
  void initialise(uint64_t seed);
  void parameters_changed();

  const RegressorOptions& options() const { return options_; }
  const Columns& columns() const { return columns_; }
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  /// A, the steps predicted, and O, the targets.
  int64_t ahead() const { return data::steps_ahead(options_.series); }
  int64_t targets() const { return static_cast<int64_t>(columns_.targets.size()); }

  /// Lays windows of a table with this model's columns side by side; `targets` says whether the table has the rows to
  /// predict.
  void get(const data::Table& table, std::span<const data::Window> windows, bool targets, SeriesBatch& batch) const;

  /// Squared errors of a batch, summed over its windows (of each the mean over steps and targets), and the gradients as
  /// `training` wants them.
  double run(const SeriesBatch& batch, const GradientPass& training, nn::Engine engine, kernels::Context& context);
  /// Predictions [B, A O], standardised, good until the next call.
  std::span<const float> read(const SeriesBatch& batch, nn::Engine engine, kernels::Context& context);

 private:
  enum class Memory { kNow, kLater };
  Regressor(const RegressorOptions& options, Columns columns, Memory memory);

  int64_t inputs() const { return static_cast<int64_t>(columns_.inputs.size()); }
  int64_t outputs() const { return ahead() * targets(); }
  int64_t width() const { return options_.lstm.outputs(); }
  void predict(const SeriesBatch& batch, const nn::DropoutKey& masks, nn::Pass pass, nn::Engine engine,
               kernels::Context& context);
  nn::StackInput<float> stack_input(const SeriesBatch& batch, const nn::DropoutKey& masks) const;
  nn::PoolInput<float> pool_input(const SeriesBatch& batch) const;

  RegressorOptions options_;
  Columns columns_;
  ParameterArena arena_;
  nn::WholeStack<float> stack_;
  size_t output_weight_ = 0, output_bias_ = 0;

  nn::Packed output_packed_ = nn::Packed::kNothing;
  kernels::PackedLinear packed_output_;
  const float* output_ = nullptr;  // of the stack
  nn::PoolKept<float> kept_;
  Buffer<float> last_, d_last_, predicted_, d_predicted_, d_output_;
  std::vector<float> predictions_;
};

}  // namespace longhand::tasks
