#include "longhand/tasks/recalibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/base/error.h"

namespace longhand::tasks {
namespace {

constexpr size_t kForecastTogether = 256;  // windows per batch

// Returns, for each series, all windows from the first that calibrates one of `windows` to the last of `windows`.
std::vector<data::Window> with_earlier(const Regressor& model, const data::Table& table,
                                       std::span<const data::Window> windows, int64_t count) {
  std::vector<data::Window> out;
  for (size_t begin = 0; begin < windows.size();) {
    const int64_t series = table.sequence_of(windows[begin].begin);
    size_t end = begin;
    while (end < windows.size() && table.sequence_of(windows[end].begin) == series) ++end;
    const data::Window& first = windows[begin];
    const int64_t rows = std::min(first.begin - table.starts[static_cast<size_t>(series)], count + model.ahead() - 1);
    for (int64_t at = first.begin - rows; at <= windows[end - 1].begin; ++at) {
      out.push_back({at, first.length, at + (first.target - first.begin)});
    }
    begin = end;
  }
  return out;
}

}  // namespace

void RollingCalibration::add(const data::Table& table, const data::Window& window, std::span<const float> parameters) {
  Past past{.target = window.target, .parameters = {parameters.begin(), parameters.end()}, .values = {}};
  const data::Scale* scales = model_.scales_of(table, window);
  const int64_t end = table.end_of(table.sequence_of(window.begin));
  for (int64_t a = 0; a < model_.ahead(); ++a) {
    for (size_t o = 0; o < table.target.size(); ++o) {
      const int64_t row = window.target + a;
      past.values.push_back(row < end ? scales[o].apply(table.target[o][static_cast<size_t>(row)])
                                      : std::numeric_limits<double>::quiet_NaN());
    }
  }
  past_.push_back(std::move(past));
  if (static_cast<int64_t>(past_.size()) > count_ + model_.ahead()) past_.pop_front();
}

bool RollingCalibration::apply(const data::Window& window, std::span<float> parameters) const {
  const ForecastDistribution& of = model_.distribution();
  const auto P = static_cast<size_t>(of.size());
  const int64_t O = model_.targets();
  std::vector<CalibrationValue> known;
  bool is_complete = true;
  for (int64_t j = 0; j < model_.ahead() * O; ++j) {
    const auto at = static_cast<size_t>(j);
    known.clear();
    for (auto past = past_.rbegin(); past != past_.rend() && static_cast<int64_t>(known.size()) < count_; ++past) {
      if (past->target + j / O >= window.target) continue;
      known.push_back({past->parameters.data() + at * P, past->values[at]});
    }
    is_complete = is_complete && static_cast<int64_t>(known.size()) >= kMinCalibrated;
    of.widen(parameters.data() + at * P, calibrate(of, known, interval_));
  }
  return is_complete;
}

int64_t forecast(const Regressor& model, const data::Table& table, std::span<const data::Window> windows,
                 const Recalibration& recalibration, Regressor::Workspace& workspace,
                 const std::function<void(const data::Window& window, std::span<const float> parameters)>& on_forecast,
                 const OnDone& on_done) {
  const bool again = recalibration.count > 0;
  std::vector<data::Window> more;
  if (again) more = with_earlier(model, table, windows, recalibration.count);
  const std::span<const data::Window> all = again ? std::span<const data::Window>(more) : windows;
  RollingCalibration rolling(model, recalibration.count, recalibration.interval);
  const auto n = static_cast<size_t>(model.ahead() * model.targets() * model.distribution().size());
  SeriesBatch batch;
  std::vector<float> own;
  int64_t left = 0;  // number of windows with a step that was not recalibrated
  size_t next = 0;   // index of the next element of `windows`
  for (size_t first = 0; first < all.size(); first += kForecastTogether) {
    const auto some = all.subspan(first, std::min(kForecastTogether, all.size() - first));
    model.get(table, some, false, batch);
    const std::span<const float> read = model.read(batch, workspace);
    for (size_t b = 0; b < some.size(); ++b) {
      const std::span<const float> parameters = read.subspan(b * n, n);
      const bool is_asked = windows[next].begin == some[b].begin;
      if (!again) {
        on_forecast(some[b], parameters);
      } else {
        const size_t at = first + b;
        if (at > 0 && table.sequence_of(all[at - 1].begin) != table.sequence_of(some[b].begin)) rolling.clear();
        if (is_asked) {
          own.assign(parameters.begin(), parameters.end());
          left += rolling.apply(some[b], own) ? 0 : 1;
          on_forecast(some[b], own);
        }
        rolling.add(table, some[b], parameters);
      }
      if (is_asked && next + 1 < windows.size()) ++next;
    }
    if (on_done) on_done(static_cast<int64_t>(first + some.size()), static_cast<int64_t>(all.size()));
  }
  return left;
}

OptionCheck recalibration_check() {
  OptionCheck out = between(kMinCalibrated, 1 << 16);
  out.also = 0.0;
  return out;
}

void expect_recalibration(const Regressor& model) {
  if (model.distribution().widenings() == 0) {
    throw usage_error("`recalibrate`: expected a model of quantiles or Gaussians, found one of " +
                          std::string(model.distribution().is_point() ? "points" : "counts"),
                      "leave it out: there is no interval that could be widened or narrowed");
  }
  if (model.options().series.window == 0) {
    throw usage_error("`recalibrate`: expected a model with a `window` of at least 1, found 0",
                      "leave it out: whole sequences have no earlier forecasts");
  }
}

}  // namespace longhand::tasks
