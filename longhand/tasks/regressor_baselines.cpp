#include "longhand/tasks/regressor_baselines.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/base/utf8.h"

namespace longhand::tasks {
namespace {

constexpr double kMinGain = 0.005;  // of the held-out error, by an input that is chosen

// Where a column is among inputs and targets: from I on, a target.
size_t place_of(const std::string& name, const Columns& columns) {
  const auto in = [&](const std::vector<std::string>& names) {
    return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  const size_t input = in(columns.inputs), I = columns.inputs.size();
  return input < I ? input : I + in(columns.targets);
}

const std::vector<double>& column_at(size_t place, const data::Table& table) {
  return place < table.input.size() ? table.input[place] : table.target[place - table.input.size()];
}

const data::Scale& scale_at(size_t place, const Columns& columns) {
  const size_t I = columns.inputs.size();
  return place < I ? columns.input_scales[place] : columns.target_scales[place - I];
}

// Index among the targets of the column at `place`; O: it is not a target.
size_t target_of(size_t place, const Columns& columns) {
  const std::string& name =
      place < columns.inputs.size() ? columns.inputs[place] : columns.targets[place - columns.inputs.size()];
  return static_cast<size_t>(std::find(columns.targets.begin(), columns.targets.end(), name) - columns.targets.begin());
}

// Standardises a column, each row by the scale of its series. A series new to the model is scaled by all its rows.
std::vector<double> standardised(size_t place, const Columns& columns, const data::Table& table) {
  const std::vector<double>& column = column_at(place, table);
  const size_t target = target_of(place, columns);
  std::vector<double> out;
  for (int64_t s = 0; s < table.sequences(); ++s) {
    data::Scale scale = scale_at(place, columns);
    if (!table.prepared.empty() && target < columns.targets.size()) {
      const data::PreparedSeries& series = table.prepared[static_cast<size_t>(s)];
      const size_t last = series.running.size() - std::min(series.running.size(), columns.targets.size());
      if (!series.scales.empty()) {
        scale = series.scales[target];
      } else if (!series.running.empty()) {
        scale = series.running[last + target];
      }
    }
    for (int64_t row = table.starts[static_cast<size_t>(s)]; row < table.starts[static_cast<size_t>(s) + 1]; ++row) {
      out.push_back(scale.apply(column[static_cast<size_t>(row)]));
    }
  }
  return out;
}

// The columns of both tables, as ridge regressions read them: inputs, then the targets that are none.
class RidgeColumns {
 public:
  explicit RidgeColumns(const RegressorData& data) : data_(data), names_(data.columns.inputs) {
    for (const std::string& name : data.columns.targets) {
      if (data.series.horizon > 0 && place_of(name, data.columns) >= data.columns.inputs.size()) names_.push_back(name);
    }
    fill(data.table, train_);
    if (!data.valid.empty()) fill(data.valid_table, valid_);
  }

  baselines::RidgeData data() const {
    return {train_, data_.train, valid_, data_.valid, data::steps_ahead(data_.series), names_};
  }

  // The columns that a forecast may read.
  std::vector<baselines::RidgeChoice> choices() const {
    std::vector<std::vector<size_t>> sets;
    const auto add = [&](std::vector<size_t> columns) {
      if (!columns.empty() && std::find(sets.begin(), sets.end(), columns) == sets.end()) sets.push_back(columns);
    };
    std::vector<size_t> inputs, targets, all;
    for (size_t c = 0; c < names_.size(); ++c) {
      const auto& of_targets = data_.columns.targets;
      all.push_back(c);
      if (c < data_.columns.inputs.size()) inputs.push_back(c);
      if (std::find(of_targets.begin(), of_targets.end(), names_[c]) != of_targets.end()) targets.push_back(c);
    }
    add(inputs);
    if (data_.series.horizon > 0) add(targets);
    add(all);
    std::vector<baselines::RidgeChoice> out;
    for (const auto& columns : sets) out.push_back({.columns = columns, .window = data_.series.window});
    return out;
  }

 private:
  size_t place_of_target(size_t o) const { return data_.columns.inputs.size() + o; }

  void fill(const data::Table& table, baselines::Columns& out) const {
    for (const std::string& name : names_) {
      const size_t place = place_of(name, data_.columns);
      out.x.push_back(standardised(place, data_.columns, table));
    }
    for (size_t o = 0; o < table.target.size(); ++o) {
      out.y.push_back(standardised(place_of_target(o), data_.columns, table));
    }
  }

  const RegressorData& data_;
  std::vector<std::string> names_;
  baselines::Columns train_, valid_;
};

// Computes a ridge regression's forecasts for windows of a table.
class RidgeReader {
 public:
  RidgeReader(const baselines::Ridge& ridge, const Columns& columns) : ridge_(ridge), columns_(columns) {
    for (const std::string& name : ridge.columns) places_.push_back(place_of(name, columns));
  }

  // Returns the standardised forecast [K]; `scales` [O] are those of the window.
  std::vector<double> predict(const data::Table& table, const data::Window& window, const data::Scale* scales) const {
    std::vector<double> x, y(static_cast<size_t>(ridge_.outputs));
    for (const size_t place : places_) {
      const size_t target = target_of(place, columns_);
      const data::Scale& scale = target < columns_.targets.size() ? scales[target] : scale_at(place, columns_);
      const std::vector<double>& column = column_at(place, table);
      for (int64_t t = window.length - ridge_.window; t < window.length; ++t) {
        x.push_back(scale.apply(column[static_cast<size_t>(window.begin + t)]));
      }
    }
    ridge_.predict(x.data(), y.data());
    return y;
  }

 private:
  const baselines::Ridge& ridge_;
  const Columns& columns_;
  std::vector<size_t> places_;
};

std::vector<float> error_deviations(const baselines::Ridge& ridge, const Columns& columns, const data::Table& table,
                                    std::span<const data::Window> windows) {
  const RidgeReader reader(ridge, columns);
  const size_t O = columns.targets.size();
  std::vector<double> squares(static_cast<size_t>(ridge.outputs), 0.0);
  for (const data::Window& window : windows) {
    const data::Scale* scales = columns.scales_of(table, window);
    const std::vector<double> y = reader.predict(table, window, scales);
    for (size_t j = 0; j < y.size(); ++j) {
      const double actual = table.target[j % O][static_cast<size_t>(window.target) + j / O];
      squares[j] += std::pow(scales[j % O].apply(actual) - y[j], 2);
    }
  }
  std::vector<float> out;
  for (const double sum : squares) {
    out.push_back(static_cast<float>(std::sqrt(sum / static_cast<double>(windows.size()))));
  }
  return out;
}

std::string described(const baselines::RidgeFit& fit, const RegressorData& data) {
  const baselines::Ridge& ridge = fit.ridge;
  double variance = 0.0;  // of the targets, so that the error is in the data's units
  for (const data::Scale& scale : data.columns.target_scales) {
    variance += scale.deviation * scale.deviation / static_cast<double>(data.columns.target_scales.size());
  }
  const bool one = data.columns.target_scales.size() == 1;
  return fmt::format(
      "linear part: ridge regression on the last {} of {} rows of {}, penalty {:.3g}, held-out {} {:.6g}", ridge.window,
      data.series.window, visible(listed(ridge.columns)), ridge.penalty,
      one ? "mean squared error" : "mean squared error of standardised targets",
      fit.held_out_mse * (one ? variance : 1.0));
}

// Deviations of the errors that the network is to learn, of each output, in units in which it gives 1.
std::vector<double> error_scales(const Regressor& model, const RegressorData& data) {
  constexpr size_t kTogether = 256;
  const auto n = static_cast<size_t>(model.ahead() * model.targets());
  std::vector<double> squares(n, 0.0);
  SeriesBatch batch;
  for (size_t first = 0; first < data.train.size(); first += kTogether) {
    const auto some = data.train.subspan(first, std::min(kTogether, data.train.size() - first));
    model.get(data.table, some, true, batch);
    for (size_t i = 0; i < batch.targets.size(); ++i) {
      squares[i % n] +=
          std::pow(static_cast<double>(batch.targets[i] - batch.base[i]) / static_cast<double>(batch.scale[i]), 2);
    }
  }
  std::vector<double> out;
  for (const double sum : squares) {
    const double deviation = std::sqrt(sum / static_cast<double>(data.train.size()));
    out.push_back(deviation > 1e-6 ? deviation : 1.0);  // else only rounding is left to learn
  }
  return out;
}

}  // namespace

std::optional<baselines::RidgeFit> fit_ridge(const RegressorData& data) {
  if (data.series.window == 0) return std::nullopt;
  const RidgeColumns columns(data);
  std::optional<baselines::RidgeFit> out = baselines::fit_ridge(columns.data(), columns.choices());
  if (out) {
    const bool held_out = !data.valid.empty();
    out->ridge.deviations = error_deviations(out->ridge, data.columns, held_out ? data.valid_table : data.table,
                                             held_out ? data.valid : data.train);
  }
  return out;
}

std::string fit_residual(Regressor& model, const RegressorData& data) {
  const RegressorOptions& options = model.options();
  if (options.residual_of == "none") return "";
  std::string out;
  std::optional<baselines::Ridge> linear;
  if (options.is_linear()) {
    const std::optional<baselines::RidgeFit> fit = fit_ridge(data);
    if (!fit) {
      throw input_error(fmt::format("`residual-of` linear: expected 2 training windows or more, found {}, or too many "
                                    "values to predict at once",
                                    data.train.size()),
                        "give more rows, or leave `residual-of` out");
    }
    out = described(*fit, data);
    linear = fit->ridge;
  }
  model.set_residual(linear, {});
  model.set_residual(linear, error_scales(model, data));
  return out;
}

ChosenInputs choose_inputs(const RegressorData& data, double most_work) {
  const RidgeColumns columns(data);
  baselines::RidgeData all = columns.data();
  all.names.resize(data.columns.inputs.size());
  const baselines::ChosenColumns chosen = baselines::choose_columns(all, data.series.window, kMinGain, most_work);
  if (chosen.columns.empty()) {
    throw input_error("`choose-inputs`: expected windows that a ridge regression can be fitted to, found too few",
                      "give more rows, or name the inputs yourself");
  }
  ChosenInputs out;
  for (const auto& c : chosen.columns) {
    out.columns.push_back(c.column);
    out.description +=
        fmt::format("{}{} ({:.4g})", out.description.empty() ? "" : ", ", visible(all.names[c.column]), c.held_out_mse);
  }
  std::sort(out.columns.begin(), out.columns.end());
  out.description =
      "inputs that help, with the held-out error of a ridge regression (standardised) after each: " + out.description;
  if (const size_t left = all.names.size() - chosen.columns.size(); left > 0) {
    out.description += fmt::format("; {} left out, since none of {} reduces it by {:g} %",
                                   left == 1 ? "1 column is" : fmt::format("{} columns are", left),
                                   chosen.tried_all ? "them" : "those that were tried", 100.0 * kMinGain);
  }
  out.description += fmt::format("; {}", format_count(chosen.fits, "regression"));
  if (chosen.window < data.series.window) {
    out.description += fmt::format(" on the last {} of {} rows", chosen.window, data.series.window);
  }
  if (!chosen.tried_all) out.description += ", of the most promising columns at each step (the work is limited)";
  return out;
}

RegressionScore evaluate_ridge(const Regressor& model, const baselines::Ridge& ridge, const data::Table& table,
                               std::span<const data::Window> windows, double interval) {
  const RidgeReader reader(ridge, model.columns());
  const auto O = static_cast<size_t>(model.targets());
  const ForecastDistribution gaussian("gaussian", {});
  ForecastMeasurer measurer(model, gaussian, table, windows, interval > 0.0 ? interval : model.options().interval);
  std::vector<float> parameters(2 * static_cast<size_t>(ridge.outputs));
  // Each window's forecasts are asked for one after the other.
  const data::Window* last = nullptr;
  std::vector<double> y;
  RegressionScore out = score_of(model, table, windows, [&](const data::Window& window, int64_t a, int64_t o) {
    const data::Scale* scales = model.scales_of(table, window);
    if (&window != last) {
      y = reader.predict(table, window, scales);
      for (size_t j = 0; j < ridge.deviations.size(); ++j) {
        parameters[2 * j] = static_cast<float>(y[j]);
        parameters[2 * j + 1] = ridge.deviations[j];
      }
      if (!ridge.deviations.empty()) measurer.add(window, parameters);
      last = &window;
    }
    return scales[o].undo(y[static_cast<size_t>(a) * O + static_cast<size_t>(o)]);
  });
  out.windows = static_cast<int64_t>(windows.size());
  if (!ridge.deviations.empty()) out.measures = measurer.measures();
  return out;
}

baselines::Ridge read_ridge(const std::string& path, const Regressor& model) {
  const baselines::BaselineFile file = baselines::BaselineFile::read(path);
  baselines::Ridge out = baselines::Ridge::read(file);
  const size_t places = model.columns().inputs.size() + model.columns().targets.size();
  bool fits = out.window <= model.options().series.window && out.outputs == model.ahead() * model.targets();
  for (const std::string& name : out.columns) fits = fits && place_of(name, model.columns()) < places;
  file.expect(fits, "a ridge regression of the model's columns and steps");
  return out;
}

}  // namespace longhand::tasks
