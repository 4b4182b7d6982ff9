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
#include "longhand/runs/regressor_notes.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::cli {
namespace {

class Predict {
 public:
  Predict() {
    table_.add("data", data_, "table: file, - for standard input, or name from `longhand data list`");
    table_.add("all", all_, "predict from every window, not only the last one of each sequence");
    table_.add(
        "levels", levels_text_,
        "levels of the quantiles to write beside the forecast, separated by commas; by default those of the model, or "
        "0.1,0.5,0.9");
    table_.add("recalibrate", recalibrate_,
               "number of the latest known values of each series on which the quantiles are calibrated again; 0: the "
               "model's calibration",
               tasks::recalibration_check());
    table_.add("json", json_, "write each row as a JSON object");
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    const std::shared_ptr<const Model> loaded = Model::load(model_path_, Task::kRegressor);
    const tasks::Regressor& model = *loaded->parts().regressor;
    choose_levels(model);
    if (recalibrate_ > 0) {
      tasks::expect_recalibration(model);
      if (model.options().series.horizon == 0) {
        throw usage_error("`recalibrate`: expected a model with a `horizon` of at least 1, found 0",
                          "leave it out: the values to predict would have to be in the table");
      }
    }
    const data::SeriesOptions& series = model.options().series;
    const data::Table table = read(model);
    const std::vector<data::Window> windows = of(table, series);
    say("{}: {}\n", shown_name(data_), table.describe(model.columns().targets));
    if (windows.empty()) {
      throw input_error(fmt::format("{}: too short: expected at least {} rows, found {}", shown_name(data_),
                                    series.window, table.rows),
                        "give as many rows as the model reads");
    }
    if (!table.times.empty()) say("note: {}: {}\n", shown_name(data_), table.times);
    if (const std::string note = runs::note_left_out(shown_name(data_), table, windows, "for a window");
        !note.empty()) {
      say("{}\n", note);
    }
    if (const std::string note = runs::note_new(shown_name(data_), table, windows, model.columns()); !note.empty()) {
      say("{}\n", note);
    }
    if (!json_) put("{}\n", header(model, table));
    kernels::Context context(static_cast<int>(threads_));
    tasks::Regressor::Workspace workspace(model, nn::Engine::kFused, context);
    // The numbers themselves show on a terminal how far it is.
    WorkProgress progress("windows", ::isatty(STDOUT_FILENO) == 1);
    const int64_t left = tasks::forecast(
        model, table, windows, {recalibrate_, model.options().interval}, workspace,
        [&](const data::Window& window, std::span<const float> parameters) { show(model, table, window, parameters); },
        [&](int64_t done, int64_t total) { progress.on_done(static_cast<double>(done), static_cast<double>(total)); });
    progress.clear();
    if (const std::string note = runs::note_not_recalibrated(left); !note.empty()) say("note: {}\n", note);
    return 0;
  }

 private:
  void choose_levels(const tasks::Regressor& model) {
    const tasks::ForecastDistribution& of = model.distribution();
    if (of.is_point() && levels_text_.empty()) return;
    levels_ = !levels_text_.empty() ? tasks::parse_levels(levels_text_, "levels")
              : of.levels().empty() ? std::vector<double>{0.1, 0.5, 0.9}
                                    : of.levels();
    for (const double level : levels_) of.expect_level(level);
  }

  data::Table read(const tasks::Regressor& model) const {
    data::SeriesOptions columns = model.options().series;
    columns.inputs = fmt::format("{}", fmt::join(model.columns().inputs, ","));
    // Past targets are read only if the model needs them; the values to predict need not be in the table.
    const bool reads_targets = model.reads_targets() || recalibrate_ > 0;
    columns.target = reads_targets ? fmt::format("{}", fmt::join(model.columns().targets, ",")) : columns.inputs;
    columns.horizon = std::max<int64_t>(columns.horizon, 1);
    data::Table table = data::read_table(sources().table(data_), columns, shown_name(data_));
    tasks::prepare(model.columns(), model.options().series, table, shown_name(data_));
    return table;
  }

  std::string header(const tasks::Regressor& model, const data::Table& table) const {
    std::string out = table.series.empty() ? "row,step" : "series,row,step";
    for (const std::string& name : model.columns().targets) {
      out.append(",").append(io::csv_field(visible(name)));
      for (const double level : levels_)
        out.append(",").append(io::csv_field(visible(name) + fmt::format(" {:g}", level)));
    }
    return out;
  }

  void show(const tasks::Regressor& model, const data::Table& table, const data::Window& window,
            std::span<const float> parameters) const {
    const auto O = static_cast<size_t>(model.targets()), P = static_cast<size_t>(model.distribution().size());
    const auto s = static_cast<size_t>(table.sequence_of(window.begin));
    const data::Scale* scales = model.scales_of(table, window);
    // Number of the last row that was read; 1 is the first row below the header, or of the series.
    const int64_t row = window.begin + window.length - (table.series.empty() ? 0 : table.starts[s]);
    for (size_t a = 0; a < static_cast<size_t>(model.ahead()); ++a) {
      const int64_t step = model.options().series.horizon > 0 ? static_cast<int64_t>(a) + 1 : 0;
      nlohmann::ordered_json json;
      std::string line;
      if (!table.series.empty()) line = io::csv_field(table.series[s]) + ",";
      if (!table.series.empty()) json["series"] = table.series[s];
      line += fmt::format("{},{}", row, step);
      json["row"] = row;
      json["step"] = step;
      for (size_t o = 0; o < O; ++o) {
        const float* p = parameters.data() + (a * O + o) * P;
        nlohmann::ordered_json& target = json["targets"][model.columns().targets[o]];
        const double centre = scales[o].undo(model.distribution().centre(p));
        line += "," + shown(centre, scales[o]);
        target["forecast"] = centre;
        for (const double level : levels_) {
          const double value = scales[o].undo(model.distribution().quantile(p, level, scales[o].deviation));
          line += "," + shown(value, scales[o]);
          target["quantiles"][fmt::format("{:g}", level)] = value;
        }
      }
      if (json_) {
        write_json(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      } else {
        put("{}\n", line);
      }
    }
  }

  // A prediction has seven digits of its own, counted from the first of the deviation.
  static std::string shown(double value, const data::Scale& scale) {
    const int decimals = 6 - static_cast<int>(std::floor(std::log10(scale.deviation)));
    return decimals <= 15 ? fmt::format("{:.{}f}", value, std::max(decimals, 0)) : fmt::format("{:.7g}", value);
  }

  // Every stretch of `window` rows (of whole sequences where that is 0), or the last of each sequence.
  std::vector<data::Window> of(const data::Table& table, const data::SeriesOptions& series) const {
    std::vector<data::Window> out;
    const int64_t needed = series.known.empty() ? 0 : series.horizon;  // rows with known columns after a window
    for (int64_t s = 0; s < table.sequences(); ++s) {
      const int64_t begin = table.starts[static_cast<size_t>(s)], end = table.end_of(s);
      const int64_t length = series.window > 0 ? series.window : end - begin;
      const int64_t last = table.starts[static_cast<size_t>(s) + 1] - needed;  // end of the last window before these
      if (!all_ && end - begin >= length && last < end) {
        throw input_error(
            fmt::format(
                "{}: expected {} rows after the last one{}, with values of `known` alone, found {}", shown_name(data_),
                needed,
                table.series.empty() ? "" : " of series '" + visible(table.series[static_cast<size_t>(s)]) + "'",
                table.starts[static_cast<size_t>(s) + 1] - end),
            "add them with the known values, and with empty cells for inputs and targets");
      }
      for (int64_t at = all_ ? begin : std::max(begin, end - length); at + length <= std::min(end, last); ++at) {
        out.push_back({at, length, at + length});
      }
    }
    return out;
  }

  std::string model_path_;
  std::string data_ = "-";
  std::string levels_text_;
  std::vector<double> levels_;
  bool all_ = false, json_ = false;
  int64_t threads_ = 0, recalibrate_ = 0;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_predict(const Verb& longhand) {
  longhand.add_command<Predict>("predict", "Predict numbers with a regressor");
}

}  // namespace longhand::cli
