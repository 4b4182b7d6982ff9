#include "longhand/tasks/regressor.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"

namespace longhand::tasks {
namespace {

nlohmann::json scales_to_json(const std::vector<data::Scale>& scales) {
  nlohmann::json out = nlohmann::json::array();
  for (const data::Scale& scale : scales) out.push_back({scale.mean, scale.deviation});
  return out;
}

std::vector<data::Scale> read_scales(const ModelFile& file, const char* name, size_t count) {
  const Error damaged =
      input_error(fmt::format("{}: expected {} pairs of mean and deviation in '{}'", file.path(), count, name),
                  "the file is damaged; use an intact copy");
  const nlohmann::json& all = file.vocabulary();
  if (!all.contains(name) || !all[name].is_array() || all[name].size() != count) throw damaged;
  std::vector<data::Scale> out;
  for (const nlohmann::json& pair : all[name]) {
    const bool sound = pair.is_array() && pair.size() == 2 && pair[0].is_number() && pair[1].is_number();
    if (!sound) throw damaged;
    out.push_back({pair[0], pair[1]});
    if (!std::isfinite(out.back().mean) || !(out.back().deviation > 0.0)) throw damaged;
  }
  return out;
}

// Arrays of the linear forecast in a model's file.
constexpr const char* kCoefficients = "linear.coefficients";
constexpr const char* kIntercept = "linear.intercept";

std::vector<int64_t> shape_of(const baselines::Ridge& ridge) {
  return {ridge.outputs, static_cast<int64_t>(ridge.columns.size()), ridge.window};
}

// Empty where there are none.
std::vector<double> read_residual_scales(const ModelFile& file, size_t count) {
  if (!file.vocabulary().contains("residual_scales")) return {};
  const nlohmann::json& all = file.vocabulary()["residual_scales"];
  std::vector<double> out;
  for (size_t i = 0; all.is_array() && all.size() == count && i < count; ++i) {
    if (all[i].is_number() && all[i] > 0.0 && std::isfinite(all[i].get<double>())) out.push_back(all[i]);
  }
  if (out.size() == count) return out;
  throw input_error(fmt::format("{}: expected {} positive numbers in 'residual_scales'", file.path(), count),
                    "the file is damaged; use an intact copy");
}

baselines::Ridge read_linear(const ModelFile& file, const data::SeriesOptions& series, const Columns& columns,
                             int64_t outputs) {
  const Error damaged = input_error(file.path() + ": expected a linear forecast of the model's columns, found another",
                                    "the file is damaged; use an intact copy");
  const nlohmann::json& vocabulary = file.vocabulary();
  if (!vocabulary.contains("linear") || !vocabulary["linear"].is_object()) throw damaged;
  const nlohmann::json& linear = vocabulary["linear"];
  const auto field = [&](const char* name) { return linear.contains(name) ? linear[name] : nlohmann::json(); };
  const nlohmann::json names = field("columns"), window = field("window"), penalty = field("penalty");
  if (!names.is_array() || !window.is_number_integer() || !penalty.is_number()) throw damaged;
  baselines::Ridge out{.window = window, .outputs = outputs, .penalty = penalty};
  if (out.window < 1 || out.window > series.window || names.empty() ||
      names.size() > columns.inputs.size() + columns.targets.size()) {
    throw damaged;
  }
  for (const nlohmann::json& name : names) {
    const auto among = [&](const std::vector<std::string>& all) {
      return name.is_string() && std::find(all.begin(), all.end(), name.get<std::string>()) != all.end();
    };
    // With a horizon of 0 the window's last row holds the targets.
    if (!among(columns.inputs) && (series.horizon == 0 || !among(columns.targets))) throw damaged;
    out.columns.push_back(name);
  }
  out.coefficients = file.floats(kCoefficients, shape_of(out));
  out.intercept = file.floats(kIntercept, {outputs});
  return out;
}

// Training begins at the simpler forecast, whose error the network learns.
nn::InitOptions initial(const RegressorOptions& options) {
  nn::InitOptions out = options.init;
  if (options.residual_of != "none" && out.output == "same") out.output = "zeros";
  return out;
}

}  // namespace

RegressorOptions::RegressorOptions() { lstm.hidden = 64; }

void RegressorOptions::add_to(OptionTable& table) {
  series.add_to(table);
  table.add("difference", difference, "predict the difference from the last value in the window");
  table.add("residual-of", residual_of,
            "forecast whose error the network learns: a ridge regression of the window, the last value, or the value "
            "one season before",
            one_of({"none", "linear", "naive", "seasonal"}));
  table.add(
      "shrink", shrink,
      "multiply what the network adds to `residual-of` by the number from 0 to 1 with the smallest held-out error");
  table.add("normalise", normalise,
            "mean and deviation that standardise the inputs: of the training data or each window",
            one_of({"training", "window"}));
  table.add("season", season, "period of the seasonal-naive baseline, in rows; 0: no such baseline",
            between(0, 1 << 20));
  lstm.add_to(table);
  init.add_to(table);
}

void RegressorOptions::check() const {
  lstm.check();
  series.check();
  if (difference && series.horizon == 0) {
    throw usage_error("`difference`: expected `horizon` of at least 1, found 0",
                      "with `horizon` 0 the window's last value is the target itself; leave one of them out");
  }
  if (difference && residual_of != "none" && residual_of != "naive") {
    throw usage_error("`difference`: cannot be combined with `residual-of` " + residual_of,
                      "leave `difference` out, which is `residual-of` naive");
  }
  if (series.horizon == 0 && (residual_of == "naive" || is_seasonal() || of_each_window())) {
    throw usage_error(fmt::format("`{}`: expected `horizon` of at least 1, found 0",
                                  of_each_window() ? "normalise` window" : "residual-of` " + residual_of),
                      "with `horizon` 0 the targets' past is not read; leave one of them out");
  }
  if (is_linear() && series.window == 0) {
    throw usage_error("`residual-of` linear: expected `window` of at least 1, found 0",
                      "a linear forecast reads windows of one length; leave it out, or set `window`");
  }
  if (is_seasonal() && (season == 0 || season > series.window)) {
    throw usage_error(fmt::format("`residual-of` seasonal: expected `season` from 1 to `window`, found {} and {}",
                                  season, series.window),
                      "set `season`, and a `window` that is as long");
  }
  if (season > 0 && series.horizon == 0) {
    throw usage_error("`season`: expected `horizon` of at least 1, found 0",
                      "give `horizon` 1 or more, or leave `season` out");
  }
}

std::vector<std::string> RegressorOptions::shared() {
  RegressorOptions options;
  OptionTable table;
  options.series.add_to(table);
  std::vector<std::string> out = names_of(table);
  out.emplace_back("residual-of");
  return out;
}

Regressor::Regressor(const RegressorOptions& options, Columns columns)
    : EnsembleModel(
          {.lstm = options.lstm, .init = initial(options), .numbers = static_cast<int64_t>(columns.inputs.size())}),
      options_(options),
      columns_(std::move(columns)),
      reads_targets_(options.is_naive() || options.is_seasonal() || options.of_each_window()) {
  if (options_.has_gain()) gain_ = network_.parameters().declare("residual.gain", {1}, nn::constant(1.0));
  network_.add_output(outputs());
}

void Regressor::set_residual(std::optional<baselines::Ridge> linear, std::vector<double> scales) {
  LONGHAND_CHECK(scales.empty() || static_cast<int64_t>(scales.size()) == outputs());
  linear_ = std::move(linear);
  residual_scales_ = std::move(scales);
  linear_columns_.clear();
  for (size_t c = 0; linear_ && c < linear_->columns.size(); ++c) {
    const auto place = [&](const std::vector<std::string>& names) {
      return static_cast<size_t>(std::find(names.begin(), names.end(), linear_->columns[c]) - names.begin());
    };
    const size_t input = place(columns_.inputs), I = columns_.inputs.size();
    linear_columns_.push_back(input < I ? input : I + place(columns_.targets));
    LONGHAND_CHECK(linear_columns_.back() < I + columns_.targets.size());
    reads_targets_ = reads_targets_ || input == I;
  }
}

bool Regressor::reads_targets() const {
  return reads_targets_ ||
         std::any_of(others().begin(), others().end(), [](const auto& other) { return other->reads_targets(); });
}

int64_t Regressor::min_rows() const {
  int64_t rows = linear_ ? linear_->window : 1;
  if (options_.is_seasonal()) rows = std::max(rows, options_.season);
  for (const auto& other : others()) rows = std::max(rows, other->min_rows());
  return rows;
}

std::unique_ptr<Regressor> Regressor::load_member(const ModelFile& file) {
  const auto options = file.options<RegressorOptions>(kTask);
  Columns columns;
  columns.inputs = file.texts("inputs");
  columns.targets = file.texts("targets");
  if (columns.inputs.empty() || columns.targets.empty()) {
    throw input_error(file.path() + ": expected columns, found none", "the file is damaged; use an intact copy");
  }
  columns.input_scales = read_scales(file, "input_scales", columns.inputs.size());
  columns.target_scales = read_scales(file, "target_scales", columns.targets.size());
  auto model = std::make_unique<Regressor>(options, std::move(columns));
  std::vector<double> scales = read_residual_scales(file, static_cast<size_t>(model->outputs()));
  std::optional<baselines::Ridge> linear;
  if (options.is_linear()) linear = read_linear(file, options.series, model->columns_, model->outputs());
  file.fill(model->network_, linear ? 2 : 0);
  model->set_residual(std::move(linear), std::move(scales));
  return model;
}

void Regressor::save(const std::string& path, std::span<const float> values) const {
  nlohmann::json vocabulary = {{"inputs", columns_.inputs},
                               {"targets", columns_.targets},
                               {"input_scales", scales_to_json(columns_.input_scales)},
                               {"target_scales", scales_to_json(columns_.target_scales)}};
  if (!residual_scales_.empty()) vocabulary["residual_scales"] = residual_scales_;
  std::vector<io::TensorToWrite> linear;
  if (linear_) {
    vocabulary["linear"] = {{"columns", linear_->columns}, {"window", linear_->window}, {"penalty", linear_->penalty}};
    linear.emplace_back(kCoefficients, shape_of(*linear_), linear_->coefficients);
    linear.emplace_back(kIntercept, std::vector<int64_t>{linear_->outputs}, linear_->intercept);
  }
  write_model(path, kTask, options_, vocabulary, network_, values, linear);
}

nn::NetworkInput Regressor::input(const SeriesBatch& batch, const nn::DropoutKey& masks) const {
  return {.steps = batch.steps,
          .rows = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .x = batch.x.data(),
          .masks = masks};
}

nn::PoolInput<float> Regressor::pool_input(const SeriesBatch& batch, const Workspace& workspace) const {
  return {.kind = nn::PoolKind::kLast,
          .steps = batch.steps,
          .batch = batch.rows,
          .width = width(),
          .directions = options_.lstm.directions(),
          .lengths = batch.lengths.data(),
          .x = workspace.output,
          .stride = padded(width())};
}

// Leaves the predictions [B, A O] in workspace.predicted.
void Regressor::predict(const SeriesBatch& batch, const nn::NetworkInput& input, nn::Pass pass,
                        Workspace& workspace) const {
  workspace.output = network_.forward(input, pass, workspace);
  workspace.last.resize(batch.rows * padded(width()));
  nn::pool(pool_input(batch, workspace), workspace.last.data(), padded(width()), workspace.kept,
           workspace.context.pool);
  const int64_t stride = padded(outputs());
  workspace.predicted.resize(batch.rows * stride);
  network_.output().forward({.n = batch.rows, .x = workspace.last.data()}, workspace.predicted.data(), stride,
                            workspace);
  const float gain = pass == nn::Pass::kInference ? this->gain() : 1.0F;
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t j = 0; j < outputs(); ++j) {
      const auto at = static_cast<size_t>(b * outputs() + j);
      float& y = workspace.predicted[b * stride + j];
      y = batch.base[at] + gain * batch.scale[at] * y;
    }
  }
}

double Regressor::train(const SeriesBatch& batch, const nn::GradientPass& training, Workspace& workspace) {
  const auto steps = std::accumulate(batch.lengths.begin(), batch.lengths.end(), int64_t{0});
  const nn::GradientPass pass = network_.begin_training(training, batch.rows, steps, workspace);
  const nn::NetworkInput in = input(batch, pass.masks);
  predict(batch, in, nn::Pass::kTraining, workspace);

  const int64_t stride = padded(outputs()), n = outputs();
  workspace.d_predicted.resize(batch.rows * stride);
  double loss = 0.0;
  for (int64_t b = 0; b < batch.rows; ++b) {  // (59)
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(b * n + j);
      const float error = workspace.predicted[b * stride + j] - batch.targets[at];
      loss += static_cast<double>(error) * static_cast<double>(error) / static_cast<double>(n);
      workspace.d_predicted[b * stride + j] = pass.scale * 2.0F * error / static_cast<float>(n) * batch.scale[at];
    }
  }
  workspace.d_last.resize(batch.rows * padded(width()));
  network_.output().backward({.n = batch.rows, .x = workspace.last.data()}, workspace.d_predicted.data(), stride,
                             workspace.d_last.data(), workspace);
  workspace.d_output.resize(batch.steps * batch.rows * padded(width()));
  nn::pool_backward(pool_input(batch, workspace), workspace.kept, workspace.d_last.data(), padded(width()),
                    workspace.d_output.data(), static_cast<float*>(nullptr), workspace.context.pool);
  network_.backward(in, workspace.d_output.data(), pass.penalty_scale, workspace);
  return loss;
}

std::span<const float> Regressor::read(const SeriesBatch& batch, Workspace& workspace) const {
  predict(batch, input(batch, {}), nn::Pass::kInference, workspace);
  workspace.predictions.clear();
  for (int64_t b = 0; b < batch.rows; ++b) {
    const float* row = workspace.predicted.data() + b * padded(outputs());
    workspace.predictions.insert(workspace.predictions.end(), row, row + outputs());
  }
  if (!is_ensemble()) return workspace.predictions;
  LONGHAND_CHECK(batch.others.size() == others().size());
  std::vector<std::span<const float>> predictions;
  for (size_t i = 0; i < others().size(); ++i) {
    predictions.push_back(others()[i]->read(batch.others[i], *workspace.others[i]));
  }
  for (size_t j = 0; j < workspace.predictions.size(); ++j) {
    auto sum = static_cast<double>(workspace.predictions[j]);
    for (const std::span<const float> other : predictions) sum += static_cast<double>(other[j]);
    workspace.predictions[j] = static_cast<float>(sum / static_cast<double>(members()));
  }
  return workspace.predictions;
}

}  // namespace longhand::tasks
