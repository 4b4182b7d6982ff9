// Builds the graph of a regressor: standardisation, layers, base forecast, distribution. Inputs and forecasts are in
// the units of the data.
#include "longhand/tasks/regressor_graph.h"

#include <algorithm>
#include <cmath>

#include "longhand/tasks/model_graph_tasks.h"

namespace longhand::tasks {
namespace {

using Numbers = std::vector<double>;

// Names of a model's output values. `other` is empty for point forecasts.
struct RegressorOutputs {
  std::string forecast, other;
};

// One model. A steps ahead, O targets, n = A O values, P network outputs for each value (forecast_distribution.h).
class RegressorGraph {
 public:
  RegressorGraph(const Regressor& model, GraphMaker& maker, const RegressorValues& values)
      : model_(model),
        options_(model.options()),
        columns_(model.columns()),
        distribution_(model.distribution()),
        maker_(maker),
        values_(values),
        inputs_(standardised_inputs(maker, columns_, values)) {}

  RegressorOutputs outputs() {
    const std::string network = add_network();
    switch (distribution_.kind()) {
      case DistributionKind::kGaussian: {
        Numbers widened = factors();
        for (int64_t j = 0; j < values(); ++j) widened[static_cast<size_t>(j)] *= widening(j, 0);
        const std::string forecast = add_centre(parameter("mean", network, 0), gain());
        return {forecast, add_positive(other_output(distribution_), parameter("deviation", network, 1),
                                       ForecastDistribution::kLeastDeviation, widened)};
      }
      case DistributionKind::kNegativeBinomial: {
        const std::string forecast =
            add_positive("forecast", parameter("mean", network, 0), ForecastDistribution::kLeastMean, factors());
        const std::string dispersion = softplus1("dispersion", parameter("dispersion", network, 1));
        return {forecast, maker_.add("scale", other_output(distribution_), {dispersion},
                                     {{"shift", ForecastDistribution::kLeastDispersion}})};
      }
      case DistributionKind::kQuantiles: return add_quantiles(network);
      case DistributionKind::kPoint: break;
    }
    return {add_centre(network, gain()), ""};
  }

 private:
  int64_t targets() const { return model_.targets(); }
  int64_t values() const { return model_.ahead() * targets(); }
  double gain() const { return static_cast<double>(model_.gain()); }
  bool has_series_scale() const { return !values_.scale.empty(); }
  const data::Scale& target_scale(int64_t j) const {
    return columns_.target_scales[static_cast<size_t>(j % targets())];
  }
  // Constant factor from standardised units to data units for value j. `in_units` multiplies by the factors computed in
  // the graph.
  double factor(int64_t j) const {
    const std::vector<double>& residual = model_.residual_scales();
    return (has_series_scale() ? 1.0 : target_scale(j).deviation) *
           (residual.empty() || distribution_.is_counts() ? 1.0 : residual[static_cast<size_t>(j)]);
  }
  // Returns common * factor(j) for each value j: [n].
  Numbers factors(double common = 1.0) const {
    Numbers out;
    for (int64_t j = 0; j < values(); ++j) out.push_back(common * factor(j));
    return out;
  }
  double widening(int64_t j, size_t c) const {
    const std::vector<Parameter>& all = model_.parameters().parameters();
    const auto found =
        std::find_if(all.begin(), all.end(), [](const Parameter& each) { return each.name == "calibration.widening"; });
    if (found == all.end()) return 1.0;
    const float* first = model_.parameters().value(static_cast<size_t>(found - all.begin()));
    return static_cast<double>(first[j * distribution_.widenings() + static_cast<int64_t>(c)]);
  }
  // Whether the base is a past target value, which needs no mean added.
  bool is_value_of_past() const { return options_.is_naive() || options_.is_seasonal(); }

  const std::string& scaled_targets() {
    if (targets_.empty()) targets_ = standardised_targets(maker_, columns_, values_);
    return targets_;
  }

  // Mean and deviation [B, 1, C] of each column of a window, computed as in lay_inputs.
  std::string mean_over_window(const std::string& name, const std::string& x) {
    return maker_.add("ReduceMean", name, {x}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{1}}});
  }
  std::string deviation_over_window(const std::string& name, const std::string& centred) {
    const std::string squares = maker_.add("multiply", name + "_squares", {centred, centred});
    const std::string variance = mean_over_window(name + "_variance", squares);
    const std::string least = maker_.add("scale", name + "_least", {variance}, {{"shift", Regressor::kLeastVariance}});
    return maker_.add("sqrt", name + "_deviation", {least});
  }
  const std::string& target_mean() {
    if (target_mean_.empty()) target_mean_ = mean_over_window("targets_mean", scaled_targets());
    return target_mean_;
  }
  // Returns the deviation of each target over the window [B, O].
  const std::string& target_deviation() {
    if (target_deviation_.empty()) {
      const std::string mean = target_mean();
      const std::string centred = maker_.add("Sub", "targets_window", {targets_, mean});
      target_deviation_ = last_row("deviations", deviation_over_window("targets_window", centred));
    }
    return target_deviation_;
  }

  // Adds the network. Returns its outputs [B, n P].
  std::string add_network() {
    std::string x = inputs_;
    if (options_.of_each_window()) {
      x = maker_.add("Sub", "inputs_window", {x, mean_over_window("inputs_mean", x)});
      x = maker_.add("Div", "inputs_of_window", {x, deviation_over_window("inputs_window", x)});
    }
    const nn::LstmStack& stack = model_.network().stack();
    x = maker_.layers(stack, model_.parameters(), with_other_columns(maker_, columns_, values_, x), "");
    if (!model_.reads_ahead()) return maker_.output(model_.network(), maker_.last_of(stack, x), "network");
    x = last_rows("outputs_ahead", x, model_.ahead());
    const std::string output = maker_.output(model_.network(), x, "network_ahead");
    return maker_.add("Flatten", "network", {output}, {{"axis", int64_t{1}}});
  }

  // Selects parameter p of each value: [B, n P] -> [B, n].
  std::string parameter(const std::string& name, const std::string& network, int64_t p) {
    std::vector<int64_t> places;
    for (int64_t j = 0; j < values(); ++j) places.push_back(j * distribution_.size() + p);
    return selected(maker_, "network_" + name, network, 1, places);
  }
  std::string softplus1(const std::string& name, const std::string& x) {
    const std::string shifted =
        maker_.add("scale", name + "_shifted", {x}, {{"shift", ForecastDistribution::kLogEMinusOne}});
    return maker_.add("softplus", name + "_softplus", {shifted});
  }

  // [B, T, O] -> [B, O]
  std::string last_row(const std::string& name, const std::string& x) {
    return maker_.add("pool", name + "_last", {x}, {{"kind", std::string("last")}});
  }
  // Selects the last rows: [B, T, C] -> [B, rows, C]
  std::string last_rows(const std::string& name, const std::string& x, int64_t rows) {
    return maker_.add("Slice", name,
                      {x, int_array(maker_, name + "_begin", {-rows}),
                       int_array(maker_, name + "_end", {int64_t{1} << 31}), int_array(maker_, name + "_axis", {1})});
  }
  // Repeats x [B, O] for each step ahead, and each of its values `count` times: -> [B, n count].
  std::string repeated(const std::string& name, const std::string& x, int64_t count = 1) {
    if (model_.ahead() == 1 && count == 1) return x;
    std::vector<int64_t> places;
    for (int64_t k = 0; k < values() * count; ++k) places.push_back(k / count % targets());
    return selected(maker_, name, x, 1, places);
  }

  // Multiplies x [B, n count] by the deviation of the window and by the scale of the series, if the model has them.
  std::string in_units(const std::string& name, std::string x, int64_t count = 1) {
    if (options_.of_each_window()) {
      const std::string deviations = repeated(name + "_deviations", target_deviation(), count);
      x = maker_.add("multiply", name + "_of_window", {x, deviations});
    }
    if (!has_series_scale()) return x;
    return maker_.add("multiply", name + "_of_series", {x, repeated(name + "_scales", values_.scale, count)});
  }

  // Adds the forecast [B, n] in the data's units: base + gain scale y, for y [B, n].
  std::string add_centre(const std::string& y, double gain) {
    const std::string base = add_base(), network = in_units("network", y);
    const std::string mean =
        values_.mean.empty() || is_value_of_past() ? "" : repeated("series_means_ahead", values_.mean);
    Numbers shifts(static_cast<size_t>(values()), 0.0);
    for (int64_t j = 0; j < values() && !has_series_scale() && !is_value_of_past(); ++j) {
      shifts[static_cast<size_t>(j)] = target_scale(j).mean;
    }
    const bool alone = base.empty() && mean.empty();
    std::vector<std::string> parts = {maker_.add("scale", alone ? "forecast" : "network_part", {network},
                                                 {{"scale", factors(gain)}, {"shift", shifts}})};
    for (const std::string& part : {base, mean}) {
      if (!part.empty()) parts.insert(parts.begin(), part);
    }
    return alone ? parts.front() : maker_.add("add", "forecast", parts);
  }

  // Adds (softplus1(y) + least) in the data's units, for y [B, n].
  std::string add_positive(const std::string& name, const std::string& y, double least, const Numbers& factors) {
    const std::string x = maker_.add("scale", name + "_least", {softplus1(name, y)}, {{"shift", least}});
    return maker_.add("scale", name, {in_units(name, x)}, {{"scale", factors}});
  }

  // Adds the quantiles [B, n, Q] from the network's outputs [B, n Q]. Each quantile is a positive step further from the
  // median than its inner neighbour. The columns of one value are adjacent.
  RegressorOutputs add_quantiles(const std::string& network) {
    const auto Q = static_cast<int64_t>(distribution_.levels().size());
    const auto m = static_cast<int64_t>(distribution_.median());
    Numbers normal, steps, widenings, signed_factors;
    for (const double level : distribution_.levels()) normal.push_back(normal_quantile(level));
    bool widens = false;
    std::vector<int64_t> value_of;
    for (int64_t k = 0; k < values() * Q; ++k) {
      const int64_t j = k / Q, q = k % Q;
      const auto at = static_cast<size_t>(q);
      steps.push_back(q == m ? 0.0 : std::abs(normal[at] - normal[q < m ? at + 1 : at - 1]));
      widenings.push_back(q == m ? 1.0 : widening(j, at));
      widens = widens || widenings.back() != 1.0;
      signed_factors.push_back(q < m ? -factor(j) : factor(j));
      value_of.push_back(j);
    }
    const std::string median = maker_.add("scale", "median", {parameter("median", network, m)},
                                          {{"scale", gain()}, {"shift", normal[distribution_.median()]}});
    const std::string forecast = add_centre(median, 1.0);
    std::string x = maker_.add("scale", "steps", {softplus1("steps", network)}, {{"scale", steps}});
    x = outwards("distance", "add", x);
    if (widens) {  // different factors could make quantiles cross
      x = maker_.add("scale", "widened", {x}, {{"scale", widenings}});
      x = outwards("monotone", "max", x);
    }
    x = maker_.add("scale", "signed_distance", {in_units("distance", x, Q)}, {{"scale", signed_factors}});
    x = maker_.add("add", "quantiles_in_rows", {selected(maker_, "medians", forecast, 1, value_of), x});
    const std::string shape = int_array(maker_, "quantiles_shape", {-1, values(), Q});
    return {forecast, maker_.add("Reshape", "quantiles", {x, shape})};
  }

  // Adds the cumulative sum ("add") or maximum ("max") of x [B, n Q] from the median of each value outwards. x is 0 at
  // medians. Each round combines every quantile with the one `by` columns further inwards; `by` doubles each round.
  std::string outwards(const std::string& name, const std::string& operation, std::string x) {
    const auto Q = static_cast<int64_t>(distribution_.levels().size());
    const auto m = static_cast<int64_t>(distribution_.median());
    for (int64_t by = 1; by <= std::max(m, Q - 1 - m); by *= 2) {
      std::vector<int64_t> places;
      for (int64_t k = 0; k < values() * Q; ++k) {
        const int64_t q = k % Q;
        places.push_back(k - q + (q < m ? std::min(q + by, m) : std::max(q - by, m)));
      }
      const std::string round = name + "_" + std::to_string(by);
      x = maker_.add(operation, round, {x, selected(maker_, round + "_inwards", x, 1, places)});
    }
    return x;
  }

  // Adds the base [B, n] in the data's units. Returns its name; empty: none. Contains the targets' means only if
  // is_value_of_past().
  std::string add_base() {
    if (options_.is_naive()) return repeated("naive", last_row("targets", values_.targets));
    if (options_.is_seasonal()) return add_seasonal();
    std::string base;
    if (model_.linear()) {
      base = add_linear();
    } else if (options_.of_each_window()) {
      base = repeated("means_ahead", last_row("means", target_mean()));
    } else {
      return "";
    }
    if (has_series_scale()) return maker_.add("multiply", "base", {base, repeated("base_scales", values_.scale)});
    Numbers deviations;
    for (int64_t j = 0; j < values(); ++j) deviations.push_back(target_scale(j).deviation);
    return maker_.add("scale", "base", {base}, {{"scale", deviations}});
  }

  // Adds the target values one season earlier, [B, n].
  std::string add_seasonal() {
    std::vector<int64_t> rows;
    for (int64_t a = 0; a < model_.ahead(); ++a) rows.push_back(a % options_.season - options_.season);
    const std::string past = maker_.add(
        "Gather", "season_before", {values_.targets, int_array(maker_, "season_rows", rows)}, {{"axis", int64_t{1}}});
    return maker_.add("Flatten", "seasonal", {past}, {{"axis", int64_t{1}}});
  }

  // The linear forecast of standardised targets from the last `window` rows.
  std::string add_linear() {
    const baselines::Ridge& ridge = *model_.linear();
    std::vector<std::string> all = columns_.inputs;
    std::string x = inputs_;
    const std::vector<int64_t> among_inputs = places_in(all, ridge.columns);
    if (*std::max_element(among_inputs.begin(), among_inputs.end()) == static_cast<int64_t>(all.size())) {
      all.insert(all.end(), columns_.targets.begin(), columns_.targets.end());
      x = maker_.add("concat", "linear_inputs", {x, scaled_targets()});
    }
    x = selected(maker_, "linear_columns", x, 2, places_in(all, ridge.columns));
    x = last_rows("linear_rows", x, ridge.window);
    x = maker_.add("Transpose", "linear_turned", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
    x = maker_.add("Flatten", "linear_flat", {x}, {{"axis", int64_t{1}}});
    const int64_t read = static_cast<int64_t>(ridge.columns.size()) * ridge.window;
    const std::string weight = maker_.array("linear.weight", graph::array({ridge.outputs, read}, ridge.coefficients));
    const std::string bias = maker_.array("linear.bias", graph::array({ridge.outputs}, ridge.intercept));
    return maker_.add("linear", "linear", {x}, {}, {{"weight", weight}, {"bias", bias}});
  }

  const Regressor& model_;
  const RegressorOptions& options_;
  const Columns& columns_;
  const ForecastDistribution& distribution_;
  GraphMaker& maker_;
  const RegressorValues& values_;
  std::string inputs_, targets_, target_mean_, target_deviation_;
};

// Adds the graph's output `name`: the mean over the members' values, or the only value, which already has this name.
void add_mean_output(graph::Graph& graph, const std::string& name, const std::vector<std::string>& values) {
  GraphMaker maker(graph, "");
  if (values.size() > 1) {
    maker.add("scale", name, {maker.add("add", "sum_of_" + name, values)},
              {{"scale", 1.0 / static_cast<double>(values.size())}});
  }
  graph.outputs.push_back({.name = name, .dims = {}});
}

// Makes each recurrent layer start from its initial state in every run if the forecast depends on the whole window.
void keep_windows_whole(const Regressor& model, graph::Graph& graph) {
  const auto models = members_of(model);
  const bool whole = std::any_of(models.begin(), models.end(), [](const Regressor* member) {
    return member->reads_whole_windows() || member->reads_ahead();
  });
  for (graph::Node& node : graph.nodes) {
    const bool recurrent = node.type == "lstm" || node.type == "gru" || node.type == "rnn";
    if (whole && recurrent) node.attributes["carry"] = int64_t{0};
  }
}

}  // namespace

std::string other_output(const ForecastDistribution& distribution) {
  switch (distribution.kind()) {
    case DistributionKind::kGaussian: return "standard_deviation";
    case DistributionKind::kNegativeBinomial: return "dispersion";
    case DistributionKind::kQuantiles: return "quantiles";
    case DistributionKind::kPoint: break;
  }
  return "";
}

graph::Graph graph_of(const Regressor& model, const std::string& /*path*/, const ModelGraphOptions& /*options*/) {
  graph::Graph out;
  const RegressorValues values = add_regressor_inputs(model, out);
  std::vector<std::string> forecasts, others;
  for (const Regressor* member : members_of(model)) {
    GraphMaker maker(out, graph_prefix(forecasts.size(), model.is_ensemble()));
    const RegressorOutputs outputs = RegressorGraph(*member, maker, values).outputs();
    forecasts.push_back(outputs.forecast);
    others.push_back(outputs.other);
  }
  add_mean_output(out, "forecast", forecasts);
  if (!model.distribution().is_point()) add_mean_output(out, other_output(model.distribution()), others);
  keep_windows_whole(model, out);
  return out;
}

}  // namespace longhand::tasks
