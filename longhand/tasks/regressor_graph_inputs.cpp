// Inputs of a regressor's graph: scaling, columns known ahead and static columns.
#include <algorithm>
#include <numeric>

#include "longhand/tasks/model_graph_tasks.h"
#include "longhand/tasks/regressor_graph.h"

namespace longhand::tasks {
namespace {

constexpr const char* kStaticNumbers = "static_numbers";

bool all_in(const std::vector<std::string>& list, const std::vector<std::string>& names) {
  const std::vector<int64_t> places = places_in(list, names);
  return std::find(places.begin(), places.end(), static_cast<int64_t>(list.size())) == places.end();
}

// Whether the graph of one model reads past targets. A Forecaster also reads them to compute the scale of a series, but
// the graph receives that scale as an input.
bool reads_past_targets(const Regressor& model) {
  const RegressorOptions& options = model.options();
  return options.is_naive() || options.is_seasonal() || options.of_each_window() ||
         (model.linear() && !all_in(model.columns().inputs, model.linear()->columns));
}

graph::Port row_port(const std::string& name, int64_t size) {
  return {.name = name, .dims = {-1, size}, .batch_axis = 0};
}

// Adds the past targets: a separate graph input, unless the inputs contain all target columns. Returns the name; empty:
// not read.
std::string add_targets(const Regressor& model, graph::Graph& graph) {
  const Columns& columns = model.columns();
  const auto models = members_of(model);
  if (!std::any_of(models.begin(), models.end(), [](const Regressor* each) { return reads_past_targets(*each); })) {
    return "";
  }
  if (columns.inputs == columns.targets) return "inputs";
  GraphMaker maker(graph, "");
  if (all_in(columns.inputs, columns.targets)) {
    return selected(maker, "past_targets", "inputs", 2, places_in(columns.inputs, columns.targets));
  }
  graph.inputs.push_back(numbers_port("targets", model.targets()));
  return "targets";
}

// Adds the static columns [B, S] in the model's order: numbers are standardised, texts are one-hot.
std::string add_statics(const Columns& columns, graph::Graph& graph) {
  if (columns.statics.empty()) return "";
  GraphMaker maker(graph, "");
  std::vector<data::Scale> scales;
  for (const StaticInput& column : columns.statics) {
    if (!column.is_text) scales.push_back(column.scale);
  }
  std::vector<std::string> parts;
  if (!scales.empty()) {
    graph.inputs.push_back(row_port(kStaticNumbers, static_cast<int64_t>(scales.size())));
    parts.push_back(standardised(maker, kStaticNumbers, kStaticNumbers, scales));
  }
  // Indices into the concatenated parts, in the model's order. Class 0 of a text column, for unknown texts, is dropped.
  std::vector<int64_t> places;
  int64_t numbers = 0, end = static_cast<int64_t>(scales.size());
  for (const StaticInput& column : columns.statics) {
    if (!column.is_text) {
      places.push_back(numbers++);
      continue;
    }
    const std::string name = static_text_port(columns, column);
    graph.inputs.push_back({.name = name, .type = graph::ElementType::kInt, .dims = {-1}, .batch_axis = 0});
    const auto count = static_cast<int64_t>(column.values.size());
    parts.push_back(maker.add("one-hot", name + "_encoded", {name}, {{"classes", count + 1}}));
    for (int64_t i = 1; i <= count; ++i) places.push_back(end + i);
    end += count + 1;
  }
  const std::string all = parts.size() == 1 ? parts.front() : maker.add("concat", "static_columns", parts);
  if (end == static_cast<int64_t>(scales.size())) return all;
  return selected(maker, "statics", all, 1, places);
}

// Adds the means or deviations [B, I] of the inputs: for targets, those of the series, `of_series` [B, O]; for other
// inputs, `constants`.
std::string of_inputs(GraphMaker& maker, const std::string& name, const std::string& of_series, const Columns& columns,
                      const std::vector<double>& constants) {
  std::vector<int64_t> places = places_in(columns.targets, columns.inputs);
  std::vector<double> factors(places.size(), 1.0), shifts(places.size(), 0.0);
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < static_cast<int64_t>(columns.targets.size())) continue;
    places[i] = 0;
    factors[i] = 0.0;
    shifts[i] = constants[i];
  }
  const std::string all = selected(maker, name + "_of_targets", of_series, 1, places);
  return maker.add("scale", name, {all}, {{"scale", factors}, {"shift", shifts}});
}

// Adds (x - mean) / scale for x [B, T, C] and mean, scale [B, C]; an empty mean is zero.
std::string scaled_by(GraphMaker& maker, const std::string& name, const std::string& x, const std::string& mean,
                      const std::string& scale) {
  const auto over_time = [&](const std::string& values, const char* what) {
    return maker.add("Unsqueeze", name + what, {values}, {{"axes", std::vector<int64_t>{1}}});
  };
  const std::string centred = mean.empty() ? x : maker.add("Sub", name + "_centred", {x, over_time(mean, "_mean_row")});
  return maker.add("Div", name + "_standardised", {centred, over_time(scale, "_scale_row")});
}

}  // namespace

std::string static_text_port(const Columns& columns, const StaticInput& column) {
  const bool numbers = std::any_of(columns.statics.begin(), columns.statics.end(),
                                   [](const StaticInput& each) { return !each.is_text; });
  const std::string name = "static_" + column.name;
  return numbers && name == kStaticNumbers ? name + "_text" : name;
}

RegressorValues add_regressor_inputs(const Regressor& model, graph::Graph& graph) {
  const Columns& columns = model.columns();
  RegressorValues out;
  out.inputs = "inputs";
  graph.inputs = {numbers_port("inputs", static_cast<int64_t>(columns.inputs.size()))};
  out.targets = add_targets(model, graph);
  if (model.reads_ahead()) {
    const auto known = static_cast<int64_t>(columns.known.size());
    out.known = "known";
    out.known_ahead = "known_ahead";
    graph.inputs.push_back(numbers_port(out.known, known));
    graph.inputs.push_back({.name = out.known_ahead, .dims = {-1, model.ahead(), known}, .batch_axis = 0});
  }
  out.statics = add_statics(columns, graph);
  if (!columns.has_series_scales()) return out;
  if (columns.series_scale == "standard") {
    out.mean = "series_mean";
    graph.inputs.push_back(row_port(out.mean, model.targets()));
  }
  out.scale = "series_scale";
  graph.inputs.push_back(row_port(out.scale, model.targets()));
  return out;
}

std::vector<int64_t> places_in(const std::vector<std::string>& list, const std::vector<std::string>& names) {
  std::vector<int64_t> out;
  for (const std::string& name : names) out.push_back(std::find(list.begin(), list.end(), name) - list.begin());
  return out;
}

std::string int_array(GraphMaker& maker, const std::string& name, const std::vector<int64_t>& values) {
  return maker.array(name, graph::array_of_ints({static_cast<int64_t>(values.size())}, values));
}

std::string selected(GraphMaker& maker, const std::string& name, const std::string& x, int64_t axis,
                     const std::vector<int64_t>& places) {
  return maker.add("Gather", name, {x, int_array(maker, name + "_places", places)}, {{"axis", axis}});
}

// Subtracts the mean in a node of its own, because the difference is almost exact for x near the mean.
std::string standardised(GraphMaker& maker, const std::string& name, const std::string& x,
                         const std::vector<data::Scale>& scales) {
  std::vector<double> means, factors;
  for (const data::Scale& scale : scales) {
    means.push_back(-scale.mean);
    factors.push_back(1.0 / scale.deviation);
  }
  const std::string centred = maker.add("scale", name + "_centred", {x}, {{"shift", means}});
  return maker.add("scale", name + "_standardised", {centred}, {{"scale", factors}});
}

std::string standardised_inputs(GraphMaker& maker, const Columns& columns, const RegressorValues& values) {
  const std::vector<int64_t> places = places_in(columns.targets, columns.inputs);
  const bool has_target = std::any_of(places.begin(), places.end(), [&](int64_t place) {
    return place < static_cast<int64_t>(columns.targets.size());
  });
  if (values.scale.empty() || !has_target) return standardised(maker, "inputs", values.inputs, columns.input_scales);
  std::vector<double> means, deviations;
  for (const data::Scale& scale : columns.input_scales) {
    means.push_back(scale.mean);
    deviations.push_back(scale.deviation);
  }
  // With scales by the mean absolute value, targets are not centred. Other inputs are, by their constant means.
  const bool centred = !values.mean.empty();
  std::string x = values.inputs, mean;
  if (centred) {
    mean = of_inputs(maker, "inputs_mean_of_series", values.mean, columns, means);
  } else {
    std::vector<double> shifts;
    for (size_t i = 0; i < means.size(); ++i) {
      shifts.push_back(places[i] < static_cast<int64_t>(columns.targets.size()) ? 0.0 : -means[i]);
    }
    x = maker.add("scale", "inputs_shifted", {x}, {{"shift", shifts}});
  }
  const std::string scale = of_inputs(maker, "inputs_scale_of_series", values.scale, columns, deviations);
  return scaled_by(maker, "inputs", x, mean, scale);
}

std::string standardised_targets(GraphMaker& maker, const Columns& columns, const RegressorValues& values) {
  if (values.scale.empty()) return standardised(maker, "targets", values.targets, columns.target_scales);
  return scaled_by(maker, "targets", values.targets, values.mean, values.scale);
}

std::string with_other_columns(GraphMaker& maker, const Columns& columns, const RegressorValues& values,
                               const std::string& x) {
  using Pads = std::vector<int64_t>;
  std::string all = x;
  if (!values.known.empty()) {
    const auto inputs = static_cast<int64_t>(columns.inputs.size());
    const std::string known = standardised(maker, "known", values.known, columns.known_scales);
    const std::string ahead = standardised(maker, "known_ahead", values.known_ahead, columns.known_scales);
    // The indicator is the last column: 0 in the window, 1 in the steps ahead.
    const std::string window = maker.add("Pad", "window_rows", {maker.add("concat", "window_columns", {x, known})},
                                         {{"pads", Pads{0, 0, 0, 0, 0, 1}}});
    const std::string unmarked =
        maker.add("Pad", "rows_ahead_unmarked", {ahead}, {{"pads", Pads{0, 0, inputs, 0, 0, 0}}});
    const std::string marked =
        maker.add("Pad", "rows_ahead", {unmarked}, {{"pads", Pads{0, 0, 0, 0, 0, 1}}, {"value", 1.0}});
    all = maker.add("Concat", "all_rows", {window, marked}, {{"axis", int64_t{1}}});
  }
  if (values.statics.empty()) return all;
  // The product with a column of ones repeats the static inputs in every row.
  const std::string column = selected(maker, "first_column", all, 2, {0});
  const std::string ones = maker.add("scale", "ones", {column}, {{"scale", 0.0}, {"shift", 1.0}});
  const std::string row = maker.add("Unsqueeze", "static_row", {values.statics}, {{"axes", std::vector<int64_t>{1}}});
  return maker.add("concat", "network_inputs", {all, maker.add("Mul", "static_rows", {ones, row})});
}

}  // namespace longhand::tasks
