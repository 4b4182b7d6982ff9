// Reads recordings from tables with one row per time step.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/runs/sequence_reading.h"

namespace longhand::runs {
namespace {

void check_columns(const char* option, const std::vector<std::string>& names, int64_t expected, const char* what) {
  if (static_cast<int64_t>(names.size()) == expected) return;
  throw usage_error(fmt::format("`{}`: expected {}, as many as {}, found {}", option,
                                expected == 1 ? "one column" : std::to_string(expected) + " columns", what,
                                names.empty() ? "none" : std::to_string(names.size())),
                    "name the columns with commas between, or change the network");
}

void expect_once(const char* option, const std::vector<std::string>& names) {
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(names.begin(), name, *name) == name) continue;
    throw usage_error(fmt::format("`{}`: expected each column once, found '{}' twice", option, visible(*name)),
                      "leave one out");
  }
}

// Reads a table. Replaces advice that names a regressor's options by advice for networks.
data::Table read_series(const std::string& text, const data::SeriesOptions& series, const std::string& name) {
  try {
    return data::read_table(text, series, name);
  } catch (const Error& e) {
    const auto has = [&](const char* option) { return e.advice().find(option) != std::string::npos; };
    throw Error(e.code(), e.what(),
                has("`series-column`") ? "sort the table by that column"
                : has("`no-header`")   ? "add a header line with the column names"
                : has("`inputs`") ? "choose another column with `target` or `input`, or give `ahead` for later targets"
                                  : e.advice());
  }
}

}  // namespace

data::RecordingSet read_tables(const std::string& sources, const SequenceFileOptions& options,
                               const SequenceShape& shape, Sources& from) {
  data::RecordingSet out{.targets = shape.targets()};
  int64_t all = 0;
  for (size_t k = 0; k < shape.inputs(); ++k) all += out.widths.emplace_back(shape.width(k));
  expect_once("input", data::split_names(options.input));
  expect_once("target", data::split_names(options.target));
  check_columns("input", data::split_names(options.input), all, "the numbers of a step that the network reads");
  check_columns("target", data::split_names(options.target), shape.targets(),
                shape.classes ? "there are classes of a step" : "the numbers that the network makes");
  for (const std::string& source : data::split_names(sources)) {
    data::SeriesOptions series;
    series.inputs = options.input;
    series.target = options.target;
    series.group = options.group;
    series.decimal = options.decimal;
    series.horizon = options.ahead;
    const data::Table table = read_series(from.table(source), series, shown_name(source));
    out.input_names = table.inputs;
    out.target_names = table.targets;
    out.format = table.format;
    for (size_t s = 0; s + 1 < table.starts.size(); ++s) {
      const int64_t begin = table.starts[s], end = table.starts[s + 1];
      data::Recording recording{.name = shown_name(source), .steps = end - begin};
      size_t column = 0;
      for (size_t k = 0; k < shape.inputs(); ++k) {
        std::vector<double>& to = recording.inputs.emplace_back().doubles;
        to.reserve(static_cast<size_t>(recording.steps * shape.width(k)));
        for (int64_t row = begin; row < end; ++row) {
          for (int64_t c = 0; c < shape.width(k); ++c) {
            to.push_back(table.input[column + static_cast<size_t>(c)][static_cast<size_t>(row)]);
          }
        }
        column += static_cast<size_t>(shape.width(k));
      }
      for (int64_t row = shape.one_target() ? end - 1 : begin; row < end; ++row) {
        for (const std::vector<double>& target : table.target) {
          recording.targets.doubles.push_back(target[static_cast<size_t>(row)]);
        }
      }
      out.list.push_back(std::move(recording));
    }
  }
  return out;
}

}  // namespace longhand::runs
