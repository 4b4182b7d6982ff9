#include "longhand/tasks/regressor_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "longhand/base/error.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::tasks {
namespace {

constexpr int64_t kEvaluated = 256;       // windows in a batch
constexpr size_t kCalibratedApart = 200;  // minimum windows for one widening per output

// Sums what was predicted and what came, of each target.
class Errors {
 public:
  explicit Errors(const Regressor& model) : of_target_(static_cast<size_t>(model.targets())) {}

  void add(int64_t target, double predicted, double actual, double deviation) {
    OfTarget& t = of_target_[static_cast<size_t>(target)];
    const double error = predicted - actual;
    ++t.count;
    t.squared += error * error;
    t.absolute += std::abs(error);
    t.actual.push_back(actual);
    scaled_ += error * error / (deviation * deviation);
  }

  RegressionScore score() const {
    RegressionScore out;
    for (const OfTarget& t : of_target_) {
      const auto n = static_cast<double>(t.count);
      const double deviation = data::spread_of(t.actual, t.count).deviation;
      const double spread = n * deviation * deviation;
      out.values += t.count;
      out.mse += t.squared;
      out.mae += t.absolute;
      out.r2 += (spread > 0.0 ? 1.0 - t.squared / spread : 0.0) / static_cast<double>(of_target_.size());
    }
    const auto n = static_cast<double>(out.values);
    out.mse /= n;
    out.mae /= n;
    out.loss = scaled_ / n;
    return out;
  }

  double mse() const { return score().mse; }

 private:
  struct OfTarget {
    int64_t count = 0;
    double squared = 0.0, absolute = 0.0;
    std::vector<double> actual;
  };
  std::vector<OfTarget> of_target_;
  double scaled_ = 0.0;
};

uint64_t bits(double value) {
  uint64_t out = 0;
  std::memcpy(&out, &value, sizeof(out));
  return out;
}

}  // namespace

RegressionScore score_of(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                         const Forecast& forecast) {
  Errors errors(model);
  for (const data::Window& window : windows) {
    const data::Scale* scales = model.scales_of(table, window);
    for (int64_t a = 0; a < model.ahead(); ++a) {
      for (int64_t o = 0; o < model.targets(); ++o) {
        const double actual = table.target[static_cast<size_t>(o)][static_cast<size_t>(window.target + a)];
        errors.add(o, forecast(window, a, o), actual, scales[o].deviation);
      }
    }
  }
  return errors.score();
}

float best_gain(Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                Regressor::Workspace& workspace) {
  model.set_gain(1.0F);
  double product = 0.0, square = 0.0;
  SeriesBatch batch;
  for (size_t first = 0; first < windows.size(); first += kEvaluated) {
    model.get(table, windows.subspan(first, std::min<size_t>(kEvaluated, windows.size() - first)), true, batch);
    const std::span<const float> predicted = model.read(batch, workspace);
    const auto P = static_cast<size_t>(model.distribution().size());
    for (size_t i = 0; i < batch.base.size(); ++i) {
      const auto centre = static_cast<float>(model.distribution().centre(predicted.data() + i * P));
      const auto added = static_cast<double>(centre - batch.base[i]);
      product += added * static_cast<double>(batch.targets[i] - batch.base[i]);
      square += added * added;
    }
  }
  return square > 0.0 ? static_cast<float>(std::clamp(product / square, 0.0, 1.0)) : 0.0F;
}

void fit_widening(Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                  Regressor::Workspace& workspace) {
  const std::span<float> widening = model.widening();
  std::fill(widening.begin(), widening.end(), 1.0F);
  std::vector<float> parameters, targets;
  SeriesBatch batch;
  for (size_t first = 0; first < windows.size(); first += kEvaluated) {
    model.get(table, windows.subspan(first, std::min<size_t>(kEvaluated, windows.size() - first)), true, batch);
    const std::span<const float> read = model.read(batch, workspace);
    parameters.insert(parameters.end(), read.begin(), read.end());
    targets.insert(targets.end(), batch.targets.begin(), batch.targets.end());
  }
  const auto n = static_cast<size_t>(model.ahead() * model.targets());
  const auto P = static_cast<size_t>(model.distribution().size());
  const auto C = static_cast<size_t>(model.distribution().widenings());
  const bool apart = windows.size() >= kCalibratedApart;
  for (size_t j = 0; j < (apart ? n : 1); ++j) {
    std::vector<CalibrationValue> values;
    for (size_t i = j; i < targets.size(); i += apart ? n : 1) {
      values.push_back({parameters.data() + i * P, static_cast<double>(targets[i])});
    }
    const std::vector<float> found = calibrate(model.distribution(), values, model.options().interval);
    for (size_t to = j; to < (apart ? j + 1 : n); ++to) std::copy(found.begin(), found.end(), &widening[to * C]);
  }
}

std::vector<Metric> RegressionScore::metrics() const {
  std::vector<Metric> out = {{"loss", loss}, {"mse", mse}, {"mae", mae}, {"r2", r2, true}, {"naive_mse", naive_mse}};
  if (seasonal_naive_mse) out.push_back({"seasonal_naive_mse", *seasonal_naive_mse});
  if (!measures) return out;
  const auto add = [&](const char* name, const std::optional<double>& value, bool more_is_better = false) {
    if (value) out.push_back({name, *value, more_is_better});
  };
  add("smape", measures->smape);
  add("mase", measures->mase);
  add("nse", measures->nse, true);
  add("crps", measures->crps);
  if (measures->coverage) add("coverage", 100.0 * *measures->coverage, true);
  add("interval_width", measures->width);
  add("naive_crps", measures->naive_crps);
  add("seasonal_naive_crps", measures->seasonal_crps);
  return out;
}

RegressionScore evaluate(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                         Regressor::Workspace& workspace, const ForecastObserver& observer) {
  Errors errors(model);
  const int64_t O = model.targets();
  const auto n = static_cast<size_t>(model.ahead() * O), P = static_cast<size_t>(model.distribution().size());
  const double interval = observer.interval > 0.0 ? observer.interval : model.options().interval;
  ForecastMeasurer measurer(model, model.distribution(), table, windows, interval);
  std::vector<double> values(n);
  double loss = 0.0;
  const auto measure = [&](const data::Window& window, std::span<const float> parameters) {
    const data::Scale* scales = model.scales_of(table, window);
    for (size_t j = 0; j < n; ++j) {
      const auto o = j % static_cast<size_t>(O), a = j / static_cast<size_t>(O);
      const float* p = parameters.data() + j * P;
      values[j] = scales[o].undo(model.distribution().centre(p));
      const double actual = table.target[o][static_cast<size_t>(window.target) + a];
      errors.add(static_cast<int64_t>(o), values[j], actual, scales[o].deviation);
      if (!model.distribution().is_point()) {
        loss += model.distribution().loss_of(p, scales[o].apply(actual), scales[o].deviation);
      }
    }
    measurer.add(window, parameters);
    if (observer.on_window) observer.on_window(window, values);
    if (observer.on_parameters) observer.on_parameters(window, parameters);
  };
  const int64_t left =
      forecast(model, table, windows, {observer.recalibrate, interval}, workspace, measure, observer.on_done);
  RegressionScore out = errors.score();
  if (!model.distribution().is_point()) out.loss = loss / static_cast<double>(out.values);
  out.windows = static_cast<int64_t>(windows.size());
  out.measures = measurer.measures();
  out.not_recalibrated = left;
  add_naive(model, table, windows, out);
  return out;
}

void add_naive(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
               RegressionScore& score) {
  const bool ahead = model.options().series.horizon > 0;
  const auto value = [&](int64_t o, int64_t row) {
    return table.target[static_cast<size_t>(o)][static_cast<size_t>(row)];
  };
  score.naive_mse = score_of(model, table, windows, [&](const data::Window& w, int64_t, int64_t o) {
                      return ahead ? value(o, w.target - 1) : model.scales_of(table, w)[o].mean;
                    }).mse;
  const int64_t season = model.options().season;
  bool reaches = season > 0;
  for (const data::Window& w : windows) {
    const auto sequence = std::upper_bound(table.starts.begin(), table.starts.end(), w.target) - 1;
    reaches = reaches && w.target - season >= *sequence;
  }
  if (reaches) {
    score.seasonal_naive_mse = score_of(model, table, windows, [&](const data::Window& w, int64_t a, int64_t o) {
                                 return value(o, w.target + a % season - season);
                               }).mse;
  }
}

RegressorTask::RegressorTask(Regressor& model, const data::Table& table, std::vector<data::Window> train,
                             const data::Table& valid_table, std::vector<data::Window> valid,
                             const RegressorTaskOptions& options, kernels::Context& context)
    : model_(model),
      workspace_(model, options.engine, context),
      table_(table),
      valid_table_(valid_table),
      train_(std::move(train)),
      valid_(std::move(valid)),
      options_(options),
      buckets_(
          [&] {
            std::vector<int64_t> lengths;
            for (const data::Window& window : train_) lengths.push_back(window.length);
            return lengths;
          }(),
          options.groups) {}

StepResult RegressorTask::train_shard(int64_t index, uint64_t step, data::Shard shard) {
  nn::UpdateShard update{.seed = options_.groups.seed,
                         .step = step,
                         .count = static_cast<int64_t>(buckets_.update(index).size()),
                         .parts = buckets_.parts(index),
                         .shard = shard};
  for (const int64_t i : buckets_.update(index)) {
    update.steps += train_[static_cast<size_t>(i)].length + model_.steps_read_ahead();
  }
  StepResult result;
  model_.clear_gradients(workspace_.context);
  for (int64_t part = 0; part < update.parts; ++part) {
    std::vector<data::Window> windows;
    for (const int64_t i : buckets_.part(index, part, shard)) windows.push_back(train_[static_cast<size_t>(i)]);
    if (windows.empty()) continue;
    model_.get(table_, windows, true, batch_);
    result.loss_sum += model_.train(batch_, nn::pass_of_part(update, part), workspace_);
    result.count += static_cast<int64_t>(windows.size());
  }
  return result;
}

std::vector<Metric> RegressorTask::validate() {
  model_.pack(workspace_.context);
  if (model_.has_gain()) model_.set_gain(best_gain(model_, valid_table_, valid_, workspace_));
  if (model_.has_widening()) fit_widening(model_, valid_table_, valid_, workspace_);
  return evaluate(model_, valid_table_, valid_, workspace_).metrics();
}

std::string RegressorTask::fingerprint() const {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const auto* columns :
       {&table_.input, &table_.target, &valid_table_.input, &valid_table_.target, &table_.known, &valid_table_.known}) {
    for (const std::vector<double>& column : *columns) {
      for (const double value : column) hash = (hash ^ bits(value)) * 0x100000001b3U;
    }
  }
  for (const data::Table* table : {&table_, &valid_table_}) {
    for (const data::PreparedSeries& series : table->prepared) {
      for (const float value : series.statics) hash = (hash ^ bits(static_cast<double>(value))) * 0x100000001b3U;
      for (const data::Scale& scale : series.scales) hash = (hash ^ bits(scale.deviation)) * 0x100000001b3U;
    }
  }
  for (const auto* windows : {&train_, &valid_}) {
    for (const data::Window& window : *windows) {
      for (const int64_t part : {window.begin, window.length, window.target}) {
        hash = (hash ^ static_cast<uint64_t>(part)) * 0x100000001b3U;
      }
    }
  }
  return fmt::format("{} rows ({:016x}), {} training windows, {} held-out windows, {} parameters{}", table_.rows, hash,
                     train_.size(), valid_.size(), model_.parameters().count(),
                     described(options_.groups, model_.options()));
}

}  // namespace longhand::tasks
