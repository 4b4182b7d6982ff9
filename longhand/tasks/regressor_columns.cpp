#include "longhand/tasks/regressor_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/tasks/target_scales.h"

namespace longhand::tasks {
namespace {

constexpr int64_t kMaxStaticWidth = 1024;

std::vector<double> values_of(const std::vector<double>& column, std::span<const RowRange> rows) {
  std::vector<double> out;
  for (const auto& [begin, end] : rows) out.insert(out.end(), column.begin() + begin, column.begin() + end);
  return out;
}

data::Scale standard_scale(const std::vector<double>& values) {
  return data::scale_of(values, static_cast<int64_t>(values.size()));
}

StaticInput static_input(const data::StaticColumn& column) {
  StaticInput out{.name = column.name, .is_text = column.numbers.empty(), .scale = {}, .values = {}};
  if (out.is_text) {
    const std::set<std::string> distinct(column.texts.begin(), column.texts.end());
    out.values.assign(distinct.begin(), distinct.end());
  } else {
    out.scale = standard_scale(column.numbers);
  }
  return out;
}

// Returns the smallest scale [O] of each target over the training series. A new series has it while its values are 0.
std::vector<double> smallest_scales(const Columns& columns) {
  std::vector<double> out;
  for (size_t o = 0; o < columns.targets.size(); ++o) {
    out.push_back(columns.series_scales.empty() ? columns.target_scales[o].deviation
                                                : columns.series_scales.front()[o].deviation);
    for (const auto& scales : columns.series_scales) out.back() = std::min(out.back(), scales[o].deviation);
  }
  return out;
}

void encode_statics(const Columns& columns, const data::Table& table, size_t s, const std::string& source,
                    std::vector<float>& out) {
  for (size_t c = 0; c < columns.statics.size(); ++c) {
    const StaticInput& input = columns.statics[c];
    const data::StaticColumn& column = table.statics[c];
    if (input.is_text) {
      const size_t begin = out.size();
      out.resize(begin + input.values.size(), 0.0F);
      const auto found = std::lower_bound(input.values.begin(), input.values.end(), column.texts[s]);
      if (found != input.values.end() && *found == column.texts[s]) {
        out[begin + static_cast<size_t>(found - input.values.begin())] = 1.0F;
      }
    } else if (column.numbers.empty()) {
      throw input_error(
          fmt::format("{}: static column '{}': expected numbers, as in training, found texts such as '{}'", source,
                      input.name, visible(column.texts[s])),
          "write the column as in the training data");
    } else {
      out.push_back(static_cast<float>(input.scale.apply(column.numbers[s])));
    }
  }
}

}  // namespace

int64_t Columns::static_width() const {
  int64_t out = 0;
  for (const StaticInput& input : statics) out += input.width();
  return out;
}

int64_t Columns::network_inputs() const {
  return static_cast<int64_t>(inputs.size()) + (known.empty() ? 0 : static_cast<int64_t>(known.size()) + 1) +
         static_width();
}

void expect_counts(const data::Table& table, const std::string& source) {
  for (size_t o = 0; o < table.target.size(); ++o) {
    for (int64_t s = 0; s < table.sequences(); ++s) {
      for (int64_t row = table.starts[static_cast<size_t>(s)]; row < table.end_of(s); ++row) {
        const double value = table.target[o][static_cast<size_t>(row)];
        if (value >= 0.0 && value == std::floor(value)) continue;
        throw input_error(
            fmt::format(
                "{}: column '{}': expected counts, found {} in row {}{}", source, table.targets[o], value,
                row - table.starts[static_cast<size_t>(s)] + 1,
                table.series.empty() ? "" : " of series '" + visible(table.series[static_cast<size_t>(s)]) + "'"),
            "`output` negative-binomial is for whole numbers from 0 on; choose another `output`");
      }
    }
  }
}

Columns columns_of(const data::Table& table, std::span<const RowRange> training_rows, const std::string& series_scale,
                   bool counts, int64_t min_rows) {
  Columns out{table.inputs, table.targets, {}, {}};
  const bool mean_absolute = counts || series_scale == "mean-absolute";
  const TargetScaling scaling = counts          ? TargetScaling::kCounts
                                : mean_absolute ? TargetScaling::kMeanAbsolute
                                                : TargetScaling::kStandard;
  for (const auto& column : table.target) {
    data::Scale& scale = out.target_scales.emplace_back(scale_of_target(values_of(column, training_rows), scaling));
    if (!(scale.deviation > 0.0)) scale.deviation = 1.0;
  }
  for (size_t i = 0; i < table.input.size(); ++i) {
    const auto target = std::find(out.targets.begin(), out.targets.end(), out.inputs[i]);
    out.input_scales.push_back(target != out.targets.end()
                                   ? out.target_scales[static_cast<size_t>(target - out.targets.begin())]
                                   : standard_scale(values_of(table.input[i], training_rows)));
  }
  out.known = table.known_names;
  for (const auto& column : table.known) out.known_scales.push_back(standard_scale(values_of(column, training_rows)));
  for (const data::StaticColumn& column : table.statics) out.statics.push_back(static_input(column));
  if (const int64_t width = out.static_width(); width > kMaxStaticWidth) {
    throw input_error(
        fmt::format("`static`: expected at most {} different texts in all columns, found {}", kMaxStaticWidth, width),
        "leave out a column whose texts occur in few series each");
  }
  if (table.series.empty() || series_scale == "none") return out;
  out.series_scale = mean_absolute ? "mean-absolute" : "standard";
  for (size_t s = 0; s < table.series.size(); ++s) {
    if (training_rows[s].second - training_rows[s].first < min_rows) continue;
    out.series.push_back(table.series[s]);
    std::vector<data::Scale>& scales = out.series_scales.emplace_back();
    for (const auto& column : table.target) {
      scales.push_back(scale_of_target(values_of(column, training_rows.subspan(s, 1)), scaling));
    }
  }
  for (size_t o = 0; o < table.target.size(); ++o) {
    std::vector<data::Scale*> of_target;
    for (auto& scales : out.series_scales) of_target.push_back(&scales[o]);
    fill_unknown(of_target);
  }
  return out;
}

void prepare(const Columns& columns, const data::SeriesOptions& options, data::Table& table,
             const std::string& source) {
  if (options.series_column.empty() || table.rows == 0) return;
  std::unordered_map<std::string, size_t> numbers;
  for (size_t s = 0; s < columns.series.size(); ++s) numbers.emplace(columns.series[s], s);
  const std::vector<double> if_zero = smallest_scales(columns);
  table.prepared.clear();
  for (int64_t s = 0; s < table.sequences(); ++s) {
    const std::string& name = table.series[static_cast<size_t>(s)];
    data::PreparedSeries& series = table.prepared.emplace_back();
    encode_statics(columns, table, static_cast<size_t>(s), source, series.statics);
    if (!columns.has_series_scales()) {
      series.scales = columns.target_scales;
    } else if (const auto found = numbers.find(name); found != numbers.end()) {
      series.scales = columns.series_scales[found->second];
    } else if (options.horizon > 0) {
      series.running = running_scales(table, table.starts[static_cast<size_t>(s)], table.end_of(s),
                                      columns.series_scale == "mean-absolute", if_zero);
    } else {
      throw input_error(fmt::format("{}: expected a series of the training data, found '{}', whose scale is unknown",
                                    source, visible(name)),
                        "with `horizon` 0 the past of the targets is not read; train with `series-scale` none");
    }
  }
}

namespace {

nlohmann::json to_json(const std::vector<data::Scale>& scales) {
  nlohmann::json out = nlohmann::json::array();
  for (const data::Scale& scale : scales) out.push_back({scale.mean, scale.deviation});
  return out;
}

class ColumnReader {
 public:
  explicit ColumnReader(const ModelFile& file) : file_(file) {}

  Columns read() const {
    Columns out;
    out.inputs = file_.texts("inputs");
    out.targets = file_.texts("targets");
    if (out.inputs.empty() || out.targets.empty()) {
      throw input_error(file_.path() + ": expected columns, found none", "the file is damaged; use an intact copy");
    }
    out.input_scales = scales(field("input_scales"), "input_scales", out.inputs.size());
    out.target_scales = scales(field("target_scales"), "target_scales", out.targets.size());
    if (has("known")) {
      out.known = file_.texts("known");
      out.known_scales = scales(field("known_scales"), "known_scales", out.known.size());
    }
    if (has("statics")) read_statics(out);
    if (!has("series_scale")) return out;
    const nlohmann::json& kind = field("series_scale");
    if (kind != "standard" && kind != "mean-absolute") fail("a kind of scale in 'series_scale'");
    out.series_scale = kind.get<std::string>();
    out.series = file_.texts("series");
    const nlohmann::json& all = field("series_scales");
    if (!all.is_array() || all.size() != out.series.size()) fail("scales for each series in 'series_scales'");
    for (const nlohmann::json& one : all) out.series_scales.push_back(scales(one, "series_scales", out.targets.size()));
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw input_error(fmt::format("{}: expected {}", file_.path(), expected),
                      "the file is damaged; use an intact copy");
  }
  bool has(const char* name) const { return file_.vocabulary().contains(name); }
  const nlohmann::json& field(const char* name) const {
    static const nlohmann::json nothing;
    return has(name) ? file_.vocabulary()[name] : nothing;
  }

  std::vector<data::Scale> scales(const nlohmann::json& all, const char* name, size_t count) const {
    const auto damaged = [&] { fail(fmt::format("{} pairs of mean and deviation in '{}'", count, name)); };
    if (!all.is_array() || all.size() != count) damaged();
    std::vector<data::Scale> out;
    for (const nlohmann::json& pair : all) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_number()) damaged();
      out.push_back({pair[0], pair[1]});
      if (!std::isfinite(out.back().mean) || !(out.back().deviation > 0.0)) damaged();
    }
    return out;
  }

  void read_statics(Columns& out) const {
    const nlohmann::json& all = field("statics");
    if (!all.is_array()) fail("a list of columns in 'statics'");
    for (const nlohmann::json& one : all) {
      const bool named = one.is_object() && one.contains("name") && one["name"].is_string();
      if (!named || one.contains("scale") == one.contains("values")) fail("names with scales or values in 'statics'");
      StaticInput& input = out.statics.emplace_back();
      input.name = one["name"].get<std::string>();
      input.is_text = one.contains("values");
      if (!input.is_text) {
        input.scale = scales(nlohmann::json::array({one["scale"]}), "statics", 1).front();
        continue;
      }
      if (!one["values"].is_array()) fail("texts in 'statics'");
      for (const nlohmann::json& value : one["values"]) {
        const bool sorted =
            value.is_string() && (input.values.empty() || input.values.back() < value.get<std::string>());
        if (!sorted) fail("sorted texts in 'statics'");
        input.values.push_back(value.get<std::string>());
      }
    }
    if (out.static_width() > kMaxStaticWidth) fail(fmt::format("at most {} texts in 'statics'", kMaxStaticWidth));
  }

  const ModelFile& file_;
};

}  // namespace

void add_to(nlohmann::json& vocabulary, const Columns& columns) {
  vocabulary["inputs"] = columns.inputs;
  vocabulary["targets"] = columns.targets;
  vocabulary["input_scales"] = to_json(columns.input_scales);
  vocabulary["target_scales"] = to_json(columns.target_scales);
  if (!columns.known.empty()) {
    vocabulary["known"] = columns.known;
    vocabulary["known_scales"] = to_json(columns.known_scales);
  }
  for (const StaticInput& input : columns.statics) {
    nlohmann::json one = {{"name", input.name}};
    if (input.is_text) {
      one["values"] = input.values;
    } else {
      one["scale"] = {input.scale.mean, input.scale.deviation};
    }
    vocabulary["statics"].push_back(std::move(one));
  }
  if (!columns.has_series_scales()) return;
  vocabulary["series_scale"] = columns.series_scale;
  vocabulary["series"] = columns.series;
  vocabulary["series_scales"] = nlohmann::json::array();
  for (const auto& scales : columns.series_scales) vocabulary["series_scales"].push_back(to_json(scales));
}

Columns read_columns(const ModelFile& file) { return ColumnReader(file).read(); }

}  // namespace longhand::tasks
