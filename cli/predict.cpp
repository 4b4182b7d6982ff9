// longhand predict: what a regressor makes of a table.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/io/csv.h"
#include "longhand/model_parts.h"
#include "longhand/predict.h"

namespace longhand::cli {
namespace {

class Predict {
 public:
  Predict() {
    table_.add("data", data_, "table: file, - for standard input, or name from `longhand data list`");
    table_.add("all", all_, "predict from every window, not only the last one of each sequence");
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    const std::shared_ptr<const Model> loaded = Model::load(model_path_, Task::kRegressor);
    const Forecaster forecaster(loaded, static_cast<int>(threads_));
    const tasks::Regressor* model = loaded->parts().regressor.get();
    const data::SeriesOptions& series = model->options().series;
    data::SeriesOptions columns = series;
    columns.inputs = fmt::format("{}", fmt::join(model->columns().inputs, ","));
    // The targets' past is read where they are among the inputs, or where their last value is the base. What is to be
    // predicted need not be in the table.
    const bool wants_targets = model->reads_targets();
    columns.target = wants_targets ? fmt::format("{}", fmt::join(model->columns().targets, ",")) : columns.inputs;
    columns.horizon = std::max<int64_t>(columns.horizon, 1);
    const data::Table table = data::read_table(sources().table(data_), columns, shown_name(data_));
    say("{}: {}\n", shown_name(data_), table.describe(model->columns().targets));
    std::vector<data::Window> windows = of(table, series.window);
    if (windows.empty()) {
      throw input_error(fmt::format("{}: too short: expected at least {} rows, found {}", shown_name(data_),
                                    series.window, table.rows),
                        "give as many rows as the model reads");
    }
    if (const int64_t left_out = too_short(table, series.window); left_out > 0) {
      say("note: {} shorter than the window of {} rows, and left out of the result\n",
          left_out == 1 ? "a sequence is" : fmt::format("{} sequences are", left_out), series.window);
    }
    const auto O = static_cast<size_t>(forecaster.targets());
    std::string header = "row,step";
    for (const std::string& name : model->columns().targets) header.append(",").append(io::csv_field(visible(name)));
    put("{}\n", header);
    // The numbers themselves show on a terminal how far it is.
    WorkProgress progress("windows", ::isatty(STDOUT_FILENO) == 1);
    for (size_t first = 0; first < windows.size(); first += kBatch) {
      const auto some = std::span<const data::Window>(windows).subspan(first, std::min(kBatch, windows.size() - first));
      const std::vector<std::vector<double>> predicted = forecaster.forecast(rows_of(table, *loaded, some));
      for (size_t b = 0; b < some.size(); ++b) {
        for (size_t j = 0; j < predicted[b].size(); ++j) {
          const size_t o = j % O;
          // The last row that was read, from 1, as the first below the header; and how far ahead of it.
          const int64_t step = series.horizon > 0 ? static_cast<int64_t>(j / O) + 1 : 0;
          if (o == 0) put("{},{}", some[b].begin + some[b].length, step);
          put(",{}{}", shown(predicted[b][j], model->columns().target_scales[o]), o + 1 == O ? "\n" : "");
        }
      }
      progress.on_done(static_cast<double>(first + some.size()), static_cast<double>(windows.size()));
    }
    return 0;
  }

 private:
  static constexpr size_t kBatch = 256;

  // The windows' rows as the model reads them.
  static std::vector<std::vector<double>> rows_of(const data::Table& table, const Model& model,
                                                  std::span<const data::Window> windows) {
    std::vector<const std::vector<double>*> columns;
    for (const std::string& name : model.input_names()) {
      const auto input = std::find(table.inputs.begin(), table.inputs.end(), name);
      const auto target = std::find(table.targets.begin(), table.targets.end(), name);
      columns.push_back(input != table.inputs.end()
                            ? &table.input[static_cast<size_t>(input - table.inputs.begin())]
                            : &table.target[static_cast<size_t>(target - table.targets.begin())]);
    }
    std::vector<std::vector<double>> out;
    for (const data::Window& window : windows) {
      std::vector<double>& rows = out.emplace_back();
      for (int64_t t = window.begin; t < window.begin + window.length; ++t) {
        for (const std::vector<double>* column : columns) rows.push_back((*column)[static_cast<size_t>(t)]);
      }
    }
    return out;
  }

  // A prediction has seven digits of its own, counted from the first of the deviation.
  static std::string shown(double value, const data::Scale& scale) {
    const int decimals = 6 - static_cast<int>(std::floor(std::log10(scale.deviation)));
    return decimals <= 15 ? fmt::format("{:.{}f}", value, std::max(decimals, 0)) : fmt::format("{:.7g}", value);
  }

  static int64_t too_short(const data::Table& table, int64_t window) {
    int64_t count = 0;
    for (size_t s = 0; s + 1 < table.starts.size(); ++s)
      count += table.starts[s + 1] - table.starts[s] < window ? 1 : 0;
    return count;
  }

  // Every stretch of `window` rows (of whole sequences where that is 0), or the last of each sequence.
  std::vector<data::Window> of(const data::Table& table, int64_t window) const {
    std::vector<data::Window> out;
    for (size_t s = 0; s + 1 < table.starts.size(); ++s) {
      const int64_t begin = table.starts[s], end = table.starts[s + 1];
      const int64_t length = window > 0 ? window : end - begin;
      for (int64_t at = all_ ? begin : std::max(begin, end - length); at + length <= end; ++at) {
        out.push_back({at, length, at + length});
      }
    }
    return out;
  }

  std::string model_path_;
  std::string data_ = "-";
  bool all_ = false;
  int64_t threads_ = 0;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_predict(const Verb& longhand) {
  longhand.add_command<Predict>("predict", "Predict numbers with a regressor");
}

}  // namespace longhand::cli
