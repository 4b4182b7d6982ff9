// Regressors under the microscope: the rows of a table, in windows that follow one another, each a sequence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/lab/microscope_subject.h"
#include "longhand/nn/pooling.h"
#include "longhand/tasks/regressor.h"

namespace longhand::lab {
namespace {

struct SeriesSubject {
  SeriesSubject(std::shared_ptr<tasks::Regressor> of, nn::Engine engine, kernels::Context& context)
      : model(std::move(of)), workspace(engine, context) {}

  std::shared_ptr<tasks::Regressor> model;
  data::Table table;
  bool has_targets = false;
  std::vector<data::Window> windows;  // one after another
  std::vector<int64_t> starts{0};     // of the windows among the shown rows
  Buffer<float> x, last, d_last, predicted;
  nn::PoolKept<float> kept;
  nn::OutputWorkspace workspace;
  tasks::SeriesBatch batch;

  int64_t outputs() const { return model->ahead() * model->targets(); }
  size_t window_of(int64_t position) const {
    return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), position) - starts.begin() - 1);
  }

  ProbeInput lay(const SubjectRows& rows) {
    const auto B = static_cast<int64_t>(rows.replaced.size()), I = static_cast<int64_t>(model->columns().inputs.size());
    const int64_t stride = padded(I), T = rows.end - rows.begin;
    model->get(table, {&windows[window_of(rows.begin)], 1}, false, batch);
    x.resize(T * B * stride);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t b = 0; b < B; ++b) {
        float* to = x.data() + (t * B + b) * stride;
        std::copy_n(batch.x.data() + t * stride, stride, to);
        // The mean of every column is zero here.
        if (rows.replaced[static_cast<size_t>(b)] == rows.begin + t) std::fill_n(to, stride, 0.0F);
      }
    }
    return {.steps = T, .rows = B, .x = x.data()};
  }

  nn::PoolInput<float> pool_input(const float* y, int64_t T, int64_t rows) const {
    return {.kind = nn::PoolKind::kLast,
            .steps = T,
            .batch = rows,
            .width = model->network().width(),
            .directions = model->options().lstm.directions(),
            .x = y,
            .stride = padded(model->network().width())};
  }

  // Standardised forecasts [rows, padded(outputs)] of a window, with their base.
  const float* run_output(const float* y, int64_t T, int64_t rows) {
    const int64_t W = padded(model->network().width()), stride = padded(outputs());
    last.resize(rows * W);
    nn::pool(pool_input(y, T, rows), last.data(), W, kept, workspace.context.pool);
    predicted.resize(rows * stride);
    model->network().output().forward({.n = rows, .x = last.data()}, predicted.data(), stride, workspace);
    for (int64_t b = 0; b < rows; ++b) {
      for (int64_t j = 0; j < outputs(); ++j) {
        float& out = predicted[b * stride + j];
        out = batch.base[static_cast<size_t>(j)] + scale_of_network(j) * out;
      }
    }
    return predicted.data();
  }

  // What multiplies the network's outputs for the window of the batch.
  float scale_of_network(int64_t j) const { return model->gain() * batch.scale[static_cast<size_t>(j)]; }

  const data::Scale& scale_of_output(int64_t j) const {
    return model->columns().target_scales[static_cast<size_t>(j % model->targets())];
  }

  std::string forecast(const data::Window& window, const float* row, int64_t j) const {
    const int64_t ahead = j / model->targets(), o = j % model->targets();
    std::string out = shown_symbol(model->columns().targets[static_cast<size_t>(o)]);
    if (model->options().series.horizon > 0) out += fmt::format(", {} ahead", ahead + 1);
    out += fmt::format(": {:.5g}", scale_of_output(j).undo(static_cast<double>(row[j])));
    const int64_t at = window.target + ahead;
    if (has_targets && at < table.rows) {
      out += fmt::format(" (it was {:.5g})", table.target[static_cast<size_t>(o)][static_cast<size_t>(at)]);
    }
    return out;
  }

  void read(int64_t begin, int64_t end, const float* y, ModelOutputs& out) {
    constexpr int64_t kMostShown = 24;
    const size_t w = window_of(begin);
    const float* row = run_output(y, end - begin, 1);
    std::string& text = out.forecasts[w];
    for (int64_t j = 0; j < std::min(outputs(), kMostShown); ++j) {
      text.append(j > 0 ? "\n" : "").append(forecast(windows[w], row, j));
    }
    if (outputs() > kMostShown) text += "\n\xE2\x80\xA6";
  }

  void measure(const Decision& decision, int64_t rows, const float* y, double* scores, float* d_y) {
    const int64_t T = decision.end - decision.begin;
    const float* all = run_output(y, T, rows);
    const data::Scale& scale = scale_of_output(decision.target);
    for (int64_t b = 0; b < rows; ++b) {
      scores[b] = scale.undo(static_cast<double>(all[b * padded(outputs()) + decision.target]));
    }
    if (d_y == nullptr) return;
    std::vector<float> d_scores(static_cast<size_t>(padded(outputs())), 0.0F);
    d_scores[static_cast<size_t>(decision.target)] =
        static_cast<float>(scale.deviation) * scale_of_network(decision.target);
    d_last.resize(padded(model->network().width()));
    model->network().output().backward_input(1, d_scores.data(), padded(outputs()), d_last.data());
    nn::pool_backward(pool_input(y, T, 1), kept, d_last.data(), padded(model->network().width()), d_y,
                      static_cast<float*>(nullptr), workspace.context.pool);
  }
};

// The targets need not be in the table, except where they are the base of the forecasts.
void read_series(SeriesSubject& own, const std::string& contents, const std::string& source) {
  const tasks::Regressor& model = *own.model;
  data::SeriesOptions columns = model.options().series;
  columns.inputs = fmt::format("{}", fmt::join(model.columns().inputs, ","));
  columns.target = fmt::format("{}", fmt::join(model.columns().targets, ","));
  try {
    own.table = data::read_table(contents, columns, source);
    own.has_targets = true;
  } catch (const Error&) {
    if (model.reads_targets()) throw;
    columns.target = columns.inputs;
    own.table = data::read_table(contents, columns, source);
  }
}

// Windows that follow one another; of a model of whole sequences, these.
void cut_windows(SeriesSubject& own, const std::string& source, int64_t max_symbols, Subject& out) {
  const data::SeriesOptions& series = own.model->options().series;
  bool cut = false;
  for (size_t s = 0; s + 1 < own.table.starts.size(); ++s) {
    const int64_t begin = own.table.starts[s], end = own.table.starts[s + 1];
    const int64_t length = series.window > 0 ? series.window : end - begin;
    for (int64_t at = begin; at + length <= end && length > 0; at += length) {
      cut = cut || own.starts.back() + length > max_symbols;
      if (cut) break;
      own.windows.push_back({at, length, series.horizon > 0 ? at + length : at + length - 1});
      own.starts.push_back(own.starts.back() + length);
    }
  }
  if (own.windows.empty()) {
    throw input_error(fmt::format("{}: expected a window of {} rows or more, found {} rows (at most {} are read)",
                                  source, series.window, own.table.rows, max_symbols),
                      "give more rows, or a larger `max-symbols`");
  }
  const int64_t left = own.table.rows - own.starts.back();
  if (left > 0) {
    out.notes.push_back(fmt::format("{} of {} left out: {}", format_count(left, "row"),
                                    format_count(static_cast<double>(own.table.rows)),
                                    cut ? "beyond --max-symbols, or no whole window" : "no whole window"));
  }
  out.notes.push_back("windows that follow one another are shown; the state is empty at the start of each");
}

// The rows as short numbers, and what they are as properties.
void show_rows(const SeriesSubject& own, Subject& out) {
  const tasks::Columns& columns = own.model->columns();
  out.properties.push_back({"row in the window", {}});
  for (const std::string& name : columns.inputs) out.properties.push_back({"input " + shown_symbol(name), {}});
  for (const std::string& name : columns.targets) {
    if (own.has_targets) out.properties.push_back({"target " + shown_symbol(name), {}});
  }
  for (size_t w = 0; w < own.windows.size(); ++w) {
    const data::Window& window = own.windows[w];
    for (int64_t t = 0; t < window.length; ++t) {
      const auto row = static_cast<size_t>(window.begin + t);
      size_t p = 0;
      out.properties[p++].values.push_back(static_cast<float>(t));
      for (size_t i = 0; i < columns.inputs.size(); ++i) {
        const double z = columns.input_scales[i].apply(own.table.input[i][row]);
        out.properties[p++].values.push_back(static_cast<float>(z));
      }
      for (size_t o = 0; own.has_targets && o < columns.targets.size(); ++o) {
        const double z = columns.target_scales[o].apply(own.table.target[o][row]);
        out.properties[p++].values.push_back(static_cast<float>(z));
      }
      out.text.symbols.push_back(static_cast<int32_t>(out.text.names.size()));
      out.text.names.push_back(fmt::format("{:.4g}", own.table.input[0][row]));
      out.text.ends_line.push_back(0);
    }
  }
  out.text.starts = own.starts;
  out.text.spaced = true;
}

}  // namespace

Subject regressor_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                          const MicroscopeOptions& options, kernels::Context& context) {
  std::shared_ptr<tasks::Regressor> model = tasks::Regressor::load(file);
  model->expect_plain(file.path());
  Subject out{.model = model,
              .task = "regressor",
              .noun = "row",
              .replacement = "a row of the columns' means",
              .score = "forecast",
              .asks = "forecast",
              .engine = nn::parse_engine(options.engine)};
  auto own = std::make_shared<SeriesSubject>(model, out.engine, context);
  read_series(*own, contents, source);
  cut_windows(*own, source, options.max_symbols, out);
  show_rows(*own, out);
  out.outputs.of_sequences = true;
  out.outputs.forecasts.resize(own->windows.size());
  const auto O = static_cast<size_t>(model->targets());
  for (int64_t j = 0; j < own->outputs(); ++j) {
    out.outputs.names.push_back(shown_symbol(model->columns().targets[static_cast<size_t>(j) % O]));
  }
  if (model->columns().inputs.size() > 1) {
    out.notes.push_back("the numbers shown are those of the column " + shown_symbol(model->columns().inputs[0]));
  }
  out.lay = [own](const SubjectRows& rows) { return own->lay(rows); };
  out.read = [own](int64_t begin, int64_t end, const float* y, ModelOutputs& outputs) {
    own->read(begin, end, y, outputs);
  };
  out.measure = [own](const Decision& decision, int64_t rows, const float* y, double* scores, float* d_y) {
    own->measure(decision, rows, y, scores, d_y);
  };
  out.decide = [own](int64_t position, int64_t most, const ModelOutputs&) {
    const size_t w = own->window_of(position);
    const int64_t begin = own->starts[w], end = own->starts[w + 1];
    return Decision{end - 1, begin, end, std::max(begin, end - most), end, 0};
  };
  return out;
}

}  // namespace longhand::lab
