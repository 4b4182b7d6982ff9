// Forecasts from windows of numbers, and from windows with known columns, static columns and a series' name.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/utf8.h"
#include "longhand/data/numbers.h"
#include "longhand/model_parts.h"
#include "longhand/predict.h"
#include "longhand/workspace_pool.h"

namespace longhand {
namespace {

constexpr size_t kForecastTogether = 64;  // windows

void expect_count(const char* what, size_t expected, size_t found) {
  if (expected == found) return;
  throw input_error(fmt::format("expected {} {}, found {}", expected, what, found), "give one for each column and row");
}

void expect_finite(const std::vector<double>& numbers) {
  if (std::all_of(numbers.begin(), numbers.end(), [](double v) { return std::isfinite(v); })) return;
  throw input_error("expected finite numbers, found others", "fill the gaps first");
}

// Column c of a row-major matrix [rows, columns].
std::vector<double> column_of(const std::vector<double>& rows, size_t c, size_t columns) {
  std::vector<double> out;
  for (size_t i = c; i < rows.size(); i += columns) out.push_back(rows[i]);
  return out;
}

void append(std::vector<double>& to, const std::vector<double>& from, size_t more) {
  to.insert(to.end(), from.begin(), from.end());
  to.resize(to.size() + more, std::nan(""));
}

// Builds the table that `longhand predict` would read, with one series for each input.
class InputTable {
 public:
  InputTable(const Model& model, const tasks::Regressor& regressor) : model_(model), regressor_(regressor) {
    const tasks::Columns& columns = regressor.columns();
    table.inputs = columns.inputs;
    table.targets = columns.targets;
    table.known_names = columns.known;
    table.input.resize(columns.inputs.size());
    table.target.resize(columns.targets.size());
    table.known.resize(columns.known.size());
    for (const tasks::StaticInput& input : columns.statics) table.statics.push_back({input.name, {}, {}});
    table.starts = {0};
  }

  void add(const ForecastInput& input) {
    const auto I = static_cast<size_t>(model_.inputs());
    if (input.rows.empty() || input.rows.size() % I != 0) {
      throw input_error(fmt::format("expected rows of {} numbers, found {} numbers", I, input.rows.size()),
                        "give whole rows, at least one");
    }
    const size_t rows = input.rows.size() / I, ahead = static_cast<size_t>(regressor_.steps_read_ahead());
    if (static_cast<int64_t>(rows) < regressor_.min_rows()) {
      throw input_error(fmt::format("expected {} rows or more, found {}", regressor_.min_rows(), rows),
                        "give as many rows as the model's simpler forecast reads");
    }
    expect_count("numbers of columns known ahead", table.known.size() * (rows + ahead), input.known.size());
    expect_count("values of static columns", table.statics.size(), input.statics.size());
    expect_finite(input.rows);
    expect_finite(input.known);
    for (size_t c = 0; c < table.input.size(); ++c) append(table.input[c], column_of(input.rows, c, I), ahead);
    const std::vector<size_t>& places = model_.parts().base_inputs;  // of the targets among the inputs; empty: not read
    for (size_t o = 0; o < table.target.size(); ++o) {
      append(table.target[o], places.empty() ? std::vector<double>(rows, 0.0) : column_of(input.rows, places[o], I),
             ahead);
    }
    for (size_t k = 0; k < table.known.size(); ++k)
      append(table.known[k], column_of(input.known, k, table.known.size()), 0);
    for (size_t c = 0; c < table.statics.size(); ++c) add_static(table.statics[c], input.statics[c]);
    table.series.push_back(input.series);
    table.observed.push_back(table.rows + static_cast<int64_t>(rows));
    windows.push_back({table.rows, static_cast<int64_t>(rows), table.rows + static_cast<int64_t>(rows)});
    table.rows += static_cast<int64_t>(rows + ahead);
    table.starts.push_back(table.rows);
  }

  data::Table table;
  std::vector<data::Window> windows;

 private:
  void add_static(data::StaticColumn& column, const std::string& text) const {
    const tasks::StaticInput& input = regressor_.columns().statics[static_cast<size_t>(&column - table.statics.data())];
    column.texts.push_back(text);
    if (input.is_text) return;
    const std::optional<double> number = data::parse_number(text, {});
    if (!number) {
      throw input_error(fmt::format("static column '{}': expected a number, found '{}'", input.name, visible(text)),
                        "give a number with a decimal point");
    }
    column.numbers.push_back(*number);
  }

  const Model& model_;
  const tasks::Regressor& regressor_;
};

}  // namespace

struct LONGHAND_LOCAL Forecaster::Parts : UsedModel<tasks::Regressor> {
  using UsedModel::UsedModel;

  // Writes a batch of windows, for each ensemble member.
  void get(std::span<const std::vector<double>> windows, tasks::SeriesBatch& batch) const {
    std::vector<tasks::WindowView> views;
    for (const std::vector<double>& window : windows) {
      tasks::WindowView& view = views.emplace_back();
      view.stride = model->inputs();
      view.length = static_cast<int64_t>(window.size()) / view.stride;
      // The network's own inputs come first; the others are targets.
      for (size_t i = 0; i < task_model.columns().inputs.size(); ++i) view.inputs.push_back(window.data() + i);
      for (const size_t i : model->parts().base_inputs) view.targets.push_back(window.data() + i);
    }
    task_model.lay(views, batch);
  }
};

Forecaster::Forecaster(std::shared_ptr<const Model> model, Threads threads)
    : parts_(std::make_unique<Parts>(std::move(model), Task::kRegressor, &Model::Parts::regressor, threads)) {}
Forecaster::~Forecaster() = default;
Forecaster::Forecaster(Forecaster&&) noexcept = default;
Forecaster& Forecaster::operator=(Forecaster&&) noexcept = default;

int64_t Forecaster::inputs() const { return parts_->model->inputs(); }
int64_t Forecaster::targets() const { return parts_->task_model.targets(); }
int64_t Forecaster::ahead() const { return parts_->task_model.ahead(); }
int64_t Forecaster::window() const { return parts_->task_model.options().series.window; }

std::vector<std::vector<double>> Forecaster::forecast(std::span<const std::vector<double>> windows) const {
  const tasks::Columns& columns = parts_->task_model.columns();
  if (!columns.known.empty() || !columns.statics.empty()) {
    throw input_error("expected the values of columns known ahead and static columns, found windows alone",
                      "call `predict`, which takes them");
  }
  if (columns.has_series_scales()) {  // scale of the window
    std::vector<ForecastInput> inputs;
    for (const std::vector<double>& window : windows) inputs.push_back({.rows = window});
    std::vector<std::vector<double>> out;
    for (Forecast& forecast : predict(inputs)) out.push_back(std::move(forecast.values));
    return out;
  }
  for (const std::vector<double>& window : windows) {
    if (window.empty() || static_cast<int64_t>(window.size()) % inputs() != 0) {
      throw input_error(fmt::format("expected rows of {} numbers, found {} numbers", inputs(), window.size()),
                        "give whole rows, at least one");
    }
    const int64_t rows = static_cast<int64_t>(window.size()) / inputs(), min = parts_->task_model.min_rows();
    if (rows < min) {
      throw input_error(fmt::format("expected windows of {} rows or more, found {}", min, rows),
                        "give as many rows as the model's simpler forecast reads");
    }
    if (!std::all_of(window.begin(), window.end(), [](double v) { return std::isfinite(v); })) {
      throw input_error("expected finite numbers, found others in a window", "fill the gaps first");
    }
  }
  std::vector<std::vector<double>> out;
  if (windows.empty()) return out;
  const std::vector<data::Scale>& scales = columns.target_scales;
  const tasks::ForecastDistribution& of = parts_->task_model.distribution();
  const auto P = static_cast<size_t>(of.size());
  const size_t values = static_cast<size_t>(ahead()) * scales.size();
  parts_->pool.with([&](tasks::Regressor::Workspace& workspace) {
    for (size_t begin = 0; begin < windows.size(); begin += kForecastTogether) {
      const auto some = windows.subspan(begin, std::min(kForecastTogether, windows.size() - begin));
      tasks::SeriesBatch batch;
      parts_->get(some, batch);
      const std::span<const float> predicted = parts_->task_model.read(batch, workspace);
      for (size_t b = 0; b < some.size(); ++b) {
        std::vector<double>& one = out.emplace_back();
        for (size_t j = 0; j < values; ++j) {
          one.push_back(scales[j % scales.size()].undo(of.centre(predicted.data() + (b * values + j) * P)));
        }
      }
    }
  });
  return out;
}

std::vector<double> Forecaster::forecast(std::span<const double> window) const {
  const std::vector<double> one(window.begin(), window.end());
  return std::move(forecast({&one, 1}).front());
}

std::vector<std::string> Forecaster::known_names() const { return parts_->task_model.columns().known; }

std::vector<std::string> Forecaster::static_names() const {
  std::vector<std::string> out;
  for (const tasks::StaticInput& input : parts_->task_model.columns().statics) out.push_back(input.name);
  return out;
}

bool Forecaster::has_quantiles() const { return !parts_->task_model.distribution().is_point(); }

std::vector<Forecast> Forecaster::predict(std::span<const ForecastInput> inputs, std::span<const double> levels) const {
  const tasks::Regressor& model = parts_->task_model;
  const tasks::ForecastDistribution& of = model.distribution();
  for (const double level : levels) of.expect_level(level);
  std::vector<Forecast> out;
  const auto O = static_cast<size_t>(targets()), n = static_cast<size_t>(ahead()) * O,
             P = static_cast<size_t>(of.size());
  parts_->pool.with([&](tasks::Regressor::Workspace& workspace) {
    for (size_t begin = 0; begin < inputs.size(); begin += kForecastTogether) {
      InputTable some(*parts_->model, model);
      const size_t end = std::min(begin + kForecastTogether, inputs.size());
      for (size_t i = begin; i < end; ++i) some.add(inputs[i]);
      tasks::prepare(model.columns(), model.options().series, some.table, "the input");
      tasks::SeriesBatch batch;
      model.get(some.table, some.windows, false, batch);
      const std::span<const float> predicted = model.read(batch, workspace);
      for (size_t b = 0; b < some.windows.size(); ++b) {
        const data::Scale* scales = model.scales_of(some.table, some.windows[b]);
        Forecast& one = out.emplace_back();
        one.quantiles.resize(levels.size());
        for (size_t j = 0; j < n; ++j) {
          const float* p = predicted.data() + (b * n + j) * P;
          const data::Scale& scale = scales[j % O];
          one.values.push_back(scale.undo(of.centre(p)));
          for (size_t k = 0; k < levels.size(); ++k) {
            one.quantiles[k].push_back(scale.undo(of.quantile(p, levels[k], scale.deviation)));
          }
        }
      }
    }
    return 0;
  });
  return out;
}

}  // namespace longhand
