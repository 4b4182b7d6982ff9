#include "longhand/tasks/regressor.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand::tasks {
namespace {

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

Regressor::Regressor(const RegressorOptions& options, Columns columns)
    : EnsembleModel({.lstm = options.lstm, .init = initial(options), .numbers = columns.network_inputs()}),
      options_(options),
      columns_(std::move(columns)),
      distribution_(options.distribution()),
      reads_targets_(options.is_naive() || options.is_seasonal() || options.of_each_window() ||
                     (columns_.has_series_scales() && options.series.horizon > 0)) {
  for (const std::string& name : columns_.inputs) {
    const auto found = std::find(columns_.targets.begin(), columns_.targets.end(), name);
    input_targets_.push_back(static_cast<size_t>(found - columns_.targets.begin()));
  }
  if (options_.has_gain()) gain_ = network_.parameters().declare("residual.gain", {1}, nn::constant(1.0));
  if (options_.calibrate && distribution_.widenings() > 0) {
    widening_ = network_.parameters().declare("calibration.widening", {outputs() * distribution_.widenings()},
                                              nn::constant(1.0));
  }
  network_.add_output((reads_ahead() ? targets() : outputs()) * distribution_.size());
}

std::string Regressor::unusual() const {
  std::string out;
  const auto add = [&](bool has, const char* what) {
    if (has) out += (out.empty() ? "" : " and ") + std::string(what);
  };
  add(reads_ahead(), "columns known ahead");
  add(!columns_.statics.empty(), "static columns");
  add(columns_.has_series_scales(), "a scale for each series");
  add(!distribution_.is_point(), "a distribution as its forecast");
  return out;
}

void Regressor::expect_plain(const std::string& what) const {
  const std::string found = unusual();
  if (found.empty()) return;
  throw input_error(
      fmt::format("{}: expected a regressor of one series and point forecasts, found one with {}", what, found),
      "use `longhand predict`, `longhand eval` or a Forecaster with this model");
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
  Columns columns = read_columns(file);
  if (columns.known != data::split_names(options.series.known)) {
    throw input_error(file.path() + ": expected the columns of `known`, found others",
                      "the file is damaged; use an intact copy");
  }
  auto model = std::make_unique<Regressor>(options, std::move(columns));
  std::vector<double> scales = read_residual_scales(file, static_cast<size_t>(model->outputs()));
  std::optional<baselines::Ridge> linear;
  if (options.is_linear()) linear = read_linear(file, options.series, model->columns_, model->outputs());
  file.fill(model->network_, linear ? 2 : 0);
  model->set_residual(std::move(linear), std::move(scales));
  return model;
}

void Regressor::save(const std::string& path, std::span<const float> values) const {
  nlohmann::json vocabulary = nlohmann::json::object();
  add_to(vocabulary, columns_);
  if (!residual_scales_.empty()) vocabulary["residual_scales"] = residual_scales_;
  std::vector<io::TensorToWrite> linear;
  if (linear_) {
    vocabulary["linear"] = {{"columns", linear_->columns}, {"window", linear_->window}, {"penalty", linear_->penalty}};
    linear.emplace_back(kCoefficients, shape_of(*linear_), linear_->coefficients);
    linear.emplace_back(kIntercept, std::vector<int64_t>{linear_->outputs}, linear_->intercept);
  }
  write_model(path, kTask, options_, vocabulary, network_, values, linear);
}

}  // namespace longhand::tasks
