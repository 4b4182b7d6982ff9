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

}  // namespace

RegressorOptions::RegressorOptions() { lstm.hidden = 64; }

void RegressorOptions::add_to(OptionTable& table) {
  series.add_to(table);
  table.add("difference", difference, "predict the difference from the last value in the window");
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
  if (season > 0 && series.horizon == 0) {
    throw usage_error("`season`: expected `horizon` of at least 1, found 0",
                      "give `horizon` 1 or more, or leave `season` out");
  }
}

std::vector<std::string> RegressorOptions::shared() {
  RegressorOptions options;
  OptionTable table;
  options.series.add_to(table);
  return names_of(table);
}

Regressor::Regressor(const RegressorOptions& options, Columns columns)
    : EnsembleModel(
          {.lstm = options.lstm, .init = options.init, .numbers = static_cast<int64_t>(columns.inputs.size())}),
      options_(options),
      columns_(std::move(columns)) {
  network_.add_output(outputs());
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
  file.fill(model->network_);
  return model;
}

void Regressor::save(const std::string& path, std::span<const float> values) const {
  const nlohmann::json vocabulary = {{"inputs", columns_.inputs},
                                     {"targets", columns_.targets},
                                     {"input_scales", scales_to_json(columns_.input_scales)},
                                     {"target_scales", scales_to_json(columns_.target_scales)}};
  write_model(path, kTask, options_, vocabulary, network_, values);
}

void Regressor::get(const data::Table& table, std::span<const data::Window> windows, bool targets,
                    SeriesBatch& batch) const {
  get_member(table, windows, targets, batch);
  batch.others.resize(others().size());
  for (size_t i = 0; i < others().size(); ++i) others()[i]->get_member(table, windows, false, batch.others[i]);
}

void Regressor::get_member(const data::Table& table, std::span<const data::Window> windows, bool targets,
                           SeriesBatch& batch) const {
  const int64_t I = inputs(), O = this->targets(), stride = padded(I);
  batch.rows = static_cast<int64_t>(windows.size());
  batch.steps = 0;
  batch.lengths.clear();
  for (const data::Window& window : windows) {
    batch.lengths.push_back(static_cast<int32_t>(window.length));
    batch.steps = std::max(batch.steps, window.length);
  }
  batch.ragged = false;
  batch.x.resize(batch.steps * batch.rows * stride);
  batch.x.fill(0.0F);
  batch.base.assign(static_cast<size_t>(batch.rows * O), 0.0F);
  batch.targets.clear();
  for (int64_t b = 0; b < batch.rows; ++b) {
    const data::Window& window = windows[static_cast<size_t>(b)];
    batch.ragged = batch.ragged || window.length < batch.steps;
    for (int64_t t = 0; t < window.length; ++t) {
      for (int64_t i = 0; i < I; ++i) {
        const auto c = static_cast<size_t>(i);
        const double value = table.input[c][static_cast<size_t>(window.begin + t)];
        batch.x[(t * batch.rows + b) * stride + i] = static_cast<float>(columns_.input_scales[c].apply(value));
      }
    }
    const auto scaled = [&](int64_t o, int64_t row) {
      const auto c = static_cast<size_t>(o);
      return static_cast<float>(columns_.target_scales[c].apply(table.target[c][static_cast<size_t>(row)]));
    };
    for (int64_t o = 0; options_.difference && o < O; ++o) {
      batch.base[static_cast<size_t>(b * O + o)] = scaled(o, window.begin + window.length - 1);
    }
    for (int64_t a = 0; targets && a < ahead(); ++a) {
      for (int64_t o = 0; o < O; ++o) batch.targets.push_back(scaled(o, window.target + a));
    }
  }
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
  const int64_t stride = padded(outputs()), O = targets();
  workspace.predicted.resize(batch.rows * stride);
  network_.output().forward({.n = batch.rows, .x = workspace.last.data()}, workspace.predicted.data(), stride,
                            workspace);
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t j = 0; j < outputs(); ++j) {
      workspace.predicted[b * stride + j] += batch.base[static_cast<size_t>(b * O + j % O)];
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
      const float error = workspace.predicted[b * stride + j] - batch.targets[static_cast<size_t>(b * n + j)];
      loss += static_cast<double>(error) * static_cast<double>(error) / static_cast<double>(n);
      workspace.d_predicted[b * stride + j] = pass.scale * 2.0F * error / static_cast<float>(n);
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
