#include "longhand/tasks/regressor.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"

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
    throw usage_error("--difference: expected --horizon of at least 1, found 0",
                      "with --horizon 0 the window's last value is the target itself; leave one of them out");
  }
  if (season > 0 && series.horizon == 0) {
    throw usage_error("--season: expected --horizon of at least 1, found 0",
                      "give --horizon 1 or more, or leave --season out");
  }
}

Regressor::Regressor(const RegressorOptions& options, Columns columns)
    : Regressor(options, std::move(columns), Memory::kNow) {}

Regressor::Regressor(const RegressorOptions& options, Columns columns, Memory memory)
    : options_(options),
      columns_(std::move(columns)),
      stack_({.lstm = options.lstm, .inputs = inputs(), .init = options.init}, arena_) {
  const int64_t H = options.lstm.hidden;
  output_weight_ =
      arena_.declare("output.weight", {outputs(), width()},
                     nn::weights(options.init, nn::Part::kOutput, {.n_in = width(), .n_out = outputs(), .hidden = H}));
  output_bias_ = arena_.declare("output.bias", {outputs()}, nn::bias(options.init, H));
  if (memory == Memory::kLater) return;
  arena_.allocate();
  parameters_changed();
}

std::unique_ptr<Regressor> Regressor::load(const ModelFile& file) {
  file.expect_task(kTask);
  RegressorOptions options;
  OptionTable table;
  options.add_to(table);
  file.read_options(table);
  file.check_options([&] { options.check(); });
  Columns columns;
  columns.inputs = file.texts("inputs");
  columns.targets = file.texts("targets");
  if (columns.inputs.empty() || columns.targets.empty()) {
    throw input_error(file.path() + ": expected columns, found none", "the file is damaged; use an intact copy");
  }
  columns.input_scales = read_scales(file, "input_scales", columns.inputs.size());
  columns.target_scales = read_scales(file, "target_scales", columns.targets.size());
  std::unique_ptr<Regressor> model(new Regressor(options, std::move(columns), Memory::kLater));
  file.fill(model->arena_);
  model->parameters_changed();
  return model;
}

void Regressor::save(const std::string& path, std::span<const float> values) const {
  RegressorOptions options = options_;
  OptionTable table;
  options.add_to(table);
  write_model(path, kTask, table,
              {{"inputs", columns_.inputs},
               {"targets", columns_.targets},
               {"input_scales", scales_to_json(columns_.input_scales)},
               {"target_scales", scales_to_json(columns_.target_scales)}},
              arena_, values);
}

void Regressor::initialise(uint64_t seed) {
  arena_.initialise(seed);
  parameters_changed();
}

void Regressor::parameters_changed() {
  stack_.weights.set_values(arena_.values().data());
  output_packed_ = nn::Packed::kNothing;
}

void Regressor::get(const data::Table& table, std::span<const data::Window> windows, bool targets,
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

nn::StackInput<float> Regressor::stack_input(const SeriesBatch& batch, const nn::DropoutKey& masks) const {
  return {.steps = batch.steps,
          .batch = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .x = batch.x.data(),
          .x_stride = padded(inputs()),
          .masks = masks};
}

nn::PoolInput<float> Regressor::pool_input(const SeriesBatch& batch) const {
  return {.kind = nn::PoolKind::kLast,
          .steps = batch.steps,
          .batch = batch.rows,
          .width = width(),
          .directions = options_.lstm.directions(),
          .lengths = batch.lengths.data(),
          .x = output_,
          .stride = padded(width())};
}

// Leaves the predictions [B, A O] in predicted_.
void Regressor::predict(const SeriesBatch& batch, const nn::DropoutKey& masks, nn::Pass pass, nn::Engine engine,
                        kernels::Context& context) {
  const bool training = pass == nn::Pass::kTraining;
  const nn::Packed wanted = training ? nn::Packed::kTraining : nn::Packed::kInference;
  if (engine == nn::Engine::kFused && output_packed_ < wanted) {
    kernels::pack_linear(arena_.value(output_weight_), outputs(), width(), training, packed_output_, context);
    output_packed_ = wanted;
  }
  stack_.state.reset(batch.rows);
  output_ = stack_.forward(stack_.state, stack_input(batch, masks), pass, engine, context);
  last_.resize(batch.rows * padded(width()));
  nn::pool(pool_input(batch), last_.data(), padded(width()), kept_, context.pool);
  const int64_t stride = padded(outputs());
  predicted_.resize(batch.rows * stride);
  nn::linear_forward({.inputs = width(),
                      .outputs = outputs(),
                      .n = batch.rows,
                      .x = last_.data(),
                      .x_stride = padded(width()),
                      .w = arena_.value(output_weight_),
                      .bias = arena_.value(output_bias_),
                      .y = predicted_.data(),
                      .y_stride = stride},
                     packed_output_, engine, context);
  const int64_t O = targets();
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t j = 0; j < outputs(); ++j) {
      predicted_[b * stride + j] += batch.base[static_cast<size_t>(b * O + j % O)];
    }
  }
}

double Regressor::run(const SeriesBatch& batch, const GradientPass& training, nn::Engine engine,
                      kernels::Context& context) {
  GradientPass pass = training;
  if (pass.scale == 0.0F) pass.scale = 1.0F / static_cast<float>(batch.rows);
  if (pass.penalty_scale == 0.0F) {
    const auto rows = std::accumulate(batch.lengths.begin(), batch.lengths.end(), int64_t{0});
    pass.penalty_scale = 1.0F / static_cast<float>(rows);
  }
  arena_.allocate_gradients();
  if (!pass.add) std::fill(arena_.gradients().begin(), arena_.gradients().end(), 0.0F);
  predict(batch, pass.masks, nn::Pass::kTraining, engine, context);

  const int64_t stride = padded(outputs()), n = outputs();
  d_predicted_.resize(batch.rows * stride);
  double loss = 0.0;
  for (int64_t b = 0; b < batch.rows; ++b) {  // (59)
    for (int64_t j = 0; j < n; ++j) {
      const float error = predicted_[b * stride + j] - batch.targets[static_cast<size_t>(b * n + j)];
      loss += static_cast<double>(error) * static_cast<double>(error) / static_cast<double>(n);
      d_predicted_[b * stride + j] = pass.scale * 2.0F * error / static_cast<float>(n);
    }
  }
  d_last_.resize(batch.rows * padded(width()));
  nn::linear_backward({.inputs = width(),
                       .outputs = n,
                       .n = batch.rows,
                       .x = last_.data(),
                       .x_stride = padded(width()),
                       .w = arena_.value(output_weight_),
                       .dy = d_predicted_.data(),
                       .dy_stride = stride,
                       .dx = d_last_.data(),
                       .dx_stride = padded(width()),
                       .dw = arena_.gradient(output_weight_),
                       .dbias = arena_.gradient(output_bias_)},
                      packed_output_, engine, context);
  d_output_.resize(batch.steps * batch.rows * padded(width()));
  nn::pool_backward(pool_input(batch), kept_, d_last_.data(), padded(width()), d_output_.data(),
                    static_cast<float*>(nullptr), context.pool);
  stack_.backward(stack_input(batch, pass.masks), {.d_output = d_output_.data(), .penalty_scale = pass.penalty_scale},
                  engine, arena_.gradients().data(), context);
  return loss;
}

std::span<const float> Regressor::read(const SeriesBatch& batch, nn::Engine engine, kernels::Context& context) {
  predict(batch, {}, nn::Pass::kInference, engine, context);
  predictions_.clear();
  for (int64_t b = 0; b < batch.rows; ++b) {
    const float* row = predicted_.data() + b * padded(outputs());
    predictions_.insert(predictions_.end(), row, row + outputs());
  }
  return predictions_;
}

}  // namespace longhand::tasks
