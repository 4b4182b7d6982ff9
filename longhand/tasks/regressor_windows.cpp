// How a regressor lays out windows: its inputs, and what its network's outputs are added to.
#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/tasks/regressor.h"

namespace longhand::tasks {
namespace {

// Of a column of a window, in units of the training data.
data::Scale scale_of_window(const double* first, int64_t stride, int64_t length, const data::Scale& scale) {
  double mean = 0.0, squares = 0.0;
  for (int64_t t = 0; t < length; ++t) mean += scale.apply(first[t * stride]);
  mean /= static_cast<double>(length);
  for (int64_t t = 0; t < length; ++t) squares += std::pow(scale.apply(first[t * stride]) - mean, 2);
  return {mean, std::sqrt(squares / static_cast<double>(length) + Regressor::kLeastVariance)};
}

}  // namespace

const data::Scale& Regressor::input_scale(const WindowView& window, size_t c) const {
  const size_t target = input_targets_[c];
  return target < columns_.targets.size() && window.scales != nullptr ? window.scales[target]
                                                                      : columns_.input_scales[c];
}

// Writes to row b of the batch, at every time step: known columns, the indicator of steps ahead, and static inputs.
void Regressor::lay_more(const WindowView& window, int64_t b, SeriesBatch& batch) const {
  const int64_t stride = padded(columns_.network_inputs()), K = static_cast<int64_t>(columns_.known.size());
  const int64_t first_static = inputs() + (reads_ahead() ? K + 1 : 0), width = columns_.static_width();
  LONGHAND_CHECK(static_cast<int64_t>(window.known.size()) == K && (width == 0 || window.statics != nullptr));
  for (int64_t t = 0; t < window.length + steps_read_ahead(); ++t) {
    float* x = batch.x.data() + (t * batch.rows + b) * stride;
    for (int64_t k = 0; k < K; ++k) {
      const auto c = static_cast<size_t>(k);
      x[inputs() + k] = static_cast<float>(columns_.known_scales[c].apply(window.known[c][t * window.known_stride]));
    }
    if (reads_ahead()) x[inputs() + K] = t < window.length ? 0.0F : 1.0F;
    std::copy_n(window.statics, width, x + first_static);
  }
}

void Regressor::lay_inputs(const WindowView& window, int64_t b, SeriesBatch& batch) const {
  const int64_t stride = padded(columns_.network_inputs());
  for (int64_t i = 0; i < inputs(); ++i) {
    const auto c = static_cast<size_t>(i);
    const data::Scale& scale = input_scale(window, c);
    data::Scale own;
    if (options_.of_each_window()) own = scale_of_window(window.inputs[c], window.stride, window.length, scale);
    for (int64_t t = 0; t < window.length; ++t) {
      const double value = own.apply(scale.apply(window.inputs[c][t * window.stride]));
      batch.x[(t * batch.rows + b) * stride + i] = static_cast<float>(value);
    }
  }
}

void Regressor::lay_base(const WindowView& window, int64_t b, SeriesBatch& batch) const {
  const int64_t O = targets(), n = outputs(), last = window.length - 1;
  std::vector<double> base(static_cast<size_t>(n), 0.0);
  if (linear_) {
    std::vector<double> x;
    for (const size_t c : linear_columns_) {
      const bool is_input = c < columns_.inputs.size();
      const size_t o = c - (is_input ? 0 : columns_.inputs.size());
      const data::Scale& scale = is_input ? input_scale(window, c) : target_scale(window, o);
      const double* first = is_input ? window.inputs[c] : window.targets[o];
      for (int64_t t = window.length - linear_->window; t < window.length; ++t) {
        x.push_back(scale.apply(first[t * window.stride]));
      }
    }
    linear_->predict(x.data(), base.data());
  }
  for (int64_t o = 0; o < O; ++o) {
    const auto c = static_cast<size_t>(o);
    const data::Scale& scale = target_scale(window, c);
    data::Scale own;
    if (options_.of_each_window()) own = scale_of_window(window.targets[c], window.stride, window.length, scale);
    for (int64_t j = o; j < n; j += O) {
      const auto k = static_cast<size_t>(j), at = static_cast<size_t>(b * n + j);
      const auto past = [&](int64_t t) { return scale.apply(window.targets[c][t * window.stride]); };
      const int64_t season = options_.season;
      if (options_.is_naive()) base[k] = past(last);
      if (options_.is_seasonal()) base[k] = past(window.length + (j / O) % season - season);
      if (options_.of_each_window() && !options_.is_naive() && !options_.is_seasonal() && !linear_) base[k] = own.mean;
      batch.base[at] = static_cast<float>(base[k]);
      batch.scale[at] = static_cast<float>(own.deviation * (residual_scales_.empty() ? 1.0 : residual_scales_[k]));
      if (distribution_.is_counts()) batch.scale[at] = static_cast<float>(scale.deviation);  // counts are divided by it
    }
  }
}

void Regressor::lay(std::span<const WindowView> windows, SeriesBatch& batch) const {
  batch.rows = static_cast<int64_t>(windows.size());
  batch.steps = 0;
  batch.lengths.clear();
  for (const WindowView& window : windows) {
    batch.lengths.push_back(static_cast<int32_t>(window.length + steps_read_ahead()));
    batch.steps = std::max(batch.steps, window.length + steps_read_ahead());
  }
  batch.ragged = false;
  batch.x.resize(batch.steps * batch.rows * padded(columns_.network_inputs()));
  batch.x.fill(0.0F);
  batch.base.resize(static_cast<size_t>(batch.rows * outputs()));
  batch.scale.resize(static_cast<size_t>(batch.rows * outputs()));
  batch.targets.clear();
  for (int64_t b = 0; b < batch.rows; ++b) {
    const WindowView& window = windows[static_cast<size_t>(b)];
    LONGHAND_CHECK(window.length >= min_rows());
    batch.ragged = batch.ragged || batch.lengths[static_cast<size_t>(b)] < batch.steps;
    lay_inputs(window, b, batch);
    if (columns_.network_inputs() > inputs()) lay_more(window, b, batch);
    lay_base(window, b, batch);
    for (int64_t a = 0; !window.ahead.empty() && a < ahead(); ++a) {
      for (size_t o = 0; o < window.ahead.size(); ++o) {
        const double value = target_scale(window, o).apply(window.ahead[o][a * window.stride]);
        batch.targets.push_back(static_cast<float>(value));
      }
    }
  }
  batch.others.resize(others().size());
  for (size_t i = 0; i < others().size(); ++i) others()[i]->lay(windows, batch.others[i]);
}

const data::Scale* Columns::scales_of(const data::Table& table, const data::Window& window) const {
  if (table.prepared.empty()) return target_scales.data();
  const int64_t s = table.sequence_of(window.begin);
  const data::PreparedSeries& own = table.prepared[static_cast<size_t>(s)];
  if (!own.scales.empty()) return own.scales.data();
  const int64_t row = window.begin + window.length - 1 - table.starts[static_cast<size_t>(s)];
  return own.running.data() + row * static_cast<int64_t>(targets.size());
}

void Regressor::get(const data::Table& table, std::span<const data::Window> windows, bool targets,
                    SeriesBatch& batch) const {
  std::vector<WindowView> views;
  for (const data::Window& window : windows) {
    WindowView& view = views.emplace_back();
    view.length = window.length;
    for (const auto& column : table.input) view.inputs.push_back(column.data() + window.begin);
    for (const auto& column : table.target) {
      view.targets.push_back(column.data() + window.begin);
      if (targets) view.ahead.push_back(column.data() + window.target);
    }
    for (const auto& column : table.known) view.known.push_back(column.data() + window.begin);
    if (options_.series.series_column.empty()) continue;
    LONGHAND_CHECK(!table.prepared.empty());
    view.scales = scales_of(table, window);
    view.statics = table.prepared[static_cast<size_t>(table.sequence_of(window.begin))].statics.data();
  }
  lay(views, batch);
}

}  // namespace longhand::tasks
