// The graph of a regressor: standardisation, layers, and the base forecast that their output is added to. Inputs and
// forecast are in the units of the data.
#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/model_graph_tasks.h"

namespace longhand::tasks {
namespace {

using Numbers = std::vector<double>;

// Returns the index in `list` of each name; list.size() for a missing name.
std::vector<int64_t> places_in(const std::vector<std::string>& list, const std::vector<std::string>& names) {
  std::vector<int64_t> out;
  for (const std::string& name : names) out.push_back(std::find(list.begin(), list.end(), name) - list.begin());
  return out;
}

bool all_in(const std::vector<std::string>& list, const std::vector<std::string>& names) {
  const std::vector<int64_t> places = places_in(list, names);
  return std::find(places.begin(), places.end(), static_cast<int64_t>(list.size())) == places.end();
}

std::string int_array(GraphMaker& maker, const std::string& name, const std::vector<int64_t>& values) {
  return maker.array(name, graph::array_of_ints({static_cast<int64_t>(values.size())}, values));
}

// Selects columns of x [B, T, C].
std::string columns_of(GraphMaker& maker, const std::string& name, const std::string& x,
                       const std::vector<int64_t>& columns) {
  return maker.add("Gather", name, {x, int_array(maker, name + "_places", columns)}, {{"axis", int64_t{2}}});
}

// One model. Inputs and past targets are [B, T, C], forecasts [B, A O]: A steps ahead, O targets.
class RegressorGraph {
 public:
  // `inputs` and `targets` are names of values; `targets` is empty if the model does not read past targets.
  RegressorGraph(const Regressor& model, GraphMaker& maker, std::string inputs, std::string targets)
      : model_(model),
        options_(model.options()),
        columns_(model.columns()),
        maker_(maker),
        raw_targets_(std::move(targets)),
        inputs_(standardised("inputs", inputs, columns_.input_scales)) {}

  std::string forecast() {
    std::string network = add_network();
    Numbers factors = gains();
    if (options_.of_each_window()) {
      const std::string deviations = repeated("deviations_ahead", last_row("deviations", target_deviation()));
      network = maker_.add("multiply", "network_scaled", {network, deviations});
    }
    const std::string base = add_base();
    Numbers shifts(factors.size(), 0.0);
    for (size_t k = 0; k < factors.size(); ++k) {
      factors[k] *= scale_of_output(k).deviation;
      if (!is_value_of_past()) shifts[k] = scale_of_output(k).mean;
    }
    const std::string name = base.empty() ? "forecast" : "network_part";
    network = maker_.add("scale", name, {network}, {{"scale", factors}, {"shift", shifts}});
    return base.empty() ? network : maker_.add("add", "forecast", {base, network});
  }

 private:
  int64_t targets() const { return model_.targets(); }
  size_t outputs() const { return static_cast<size_t>(model_.ahead() * targets()); }
  const data::Scale& scale_of_output(size_t k) const {
    return columns_.target_scales[k % columns_.target_scales.size()];
  }
  // Whether the base is a past target value, which contains the mean.
  bool is_value_of_past() const { return options_.is_naive() || options_.is_seasonal(); }

  Numbers gains() const {
    Numbers out = model_.residual_scales();
    out.resize(outputs(), 1.0);
    for (double& each : out) each *= static_cast<double>(model_.gain());
    return out;
  }

  // (x - mean) / deviation, in two nodes: the subtraction is almost exact for x near the mean.
  std::string standardised(const std::string& name, const std::string& x, const std::vector<data::Scale>& scales) {
    Numbers means, factors;
    for (const data::Scale& scale : scales) {
      means.push_back(-scale.mean);
      factors.push_back(1.0 / scale.deviation);
    }
    const std::string centred = maker_.add("scale", name + "_centred", {x}, {{"shift", means}});
    return maker_.add("scale", name + "_standardised", {centred}, {{"scale", factors}});
  }
  const std::string& standardised_targets() {
    if (targets_.empty()) targets_ = standardised("targets", raw_targets_, columns_.target_scales);
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
    if (target_mean_.empty()) target_mean_ = mean_over_window("targets_mean", standardised_targets());
    return target_mean_;
  }
  std::string target_deviation() {
    const std::string mean = target_mean();
    return deviation_over_window("targets_window", maker_.add("Sub", "targets_window", {targets_, mean}));
  }

  std::string add_network() {
    std::string x = inputs_;
    if (options_.of_each_window()) {
      x = maker_.add("Sub", "inputs_window", {x, mean_over_window("inputs_mean", x)});
      x = maker_.add("Div", "inputs_of_window", {x, deviation_over_window("inputs_window", x)});
    }
    const nn::LstmStack& stack = model_.network().stack();
    const std::string last = maker_.last_of(stack, maker_.layers(stack, model_.parameters(), x, ""));
    return maker_.output(model_.network(), last, "network");
  }

  // [B, T, O] -> [B, O]
  std::string last_row(const std::string& name, const std::string& x) {
    return maker_.add("pool", name + "_last", {x}, {{"kind", std::string("last")}});
  }
  // [B, O] -> [B, A O], a copy for each step ahead
  std::string repeated(const std::string& name, const std::string& x) {
    if (model_.ahead() == 1) return x;
    return maker_.add("concat", name, std::vector<std::string>(static_cast<size_t>(model_.ahead()), x));
  }

  // Returns the base [B, A O] that the network's output is added to; empty: none. Without the targets' means unless
  // is_value_of_past().
  std::string add_base() {
    if (options_.is_naive()) return repeated("naive", last_row("targets", raw_targets_));
    if (options_.is_seasonal()) return add_seasonal();
    std::string base;
    if (model_.linear()) {
      base = add_linear();
    } else if (options_.of_each_window()) {
      base = repeated("means_ahead", last_row("means", target_mean()));
    } else {
      return "";
    }
    Numbers deviations;
    for (size_t k = 0; k < outputs(); ++k) deviations.push_back(scale_of_output(k).deviation);
    return maker_.add("scale", "base", {base}, {{"scale", deviations}});
  }

  // The target values one season earlier, [B, A O].
  std::string add_seasonal() {
    std::vector<int64_t> rows;
    for (int64_t a = 0; a < model_.ahead(); ++a) rows.push_back(a % options_.season - options_.season);
    const std::string past = maker_.add("Gather", "season_before",
                                        {raw_targets_, int_array(maker_, "season_rows", rows)}, {{"axis", int64_t{1}}});
    return maker_.add("Flatten", "seasonal", {past}, {{"axis", int64_t{1}}});
  }

  // The linear forecast of standardised targets from the last `window` rows.
  std::string add_linear() {
    const baselines::Ridge& ridge = *model_.linear();
    std::vector<std::string> all = columns_.inputs;
    std::string x = inputs_;
    if (!all_in(all, ridge.columns)) {
      all.insert(all.end(), columns_.targets.begin(), columns_.targets.end());
      x = maker_.add("concat", "linear_inputs", {x, standardised_targets()});
    }
    x = columns_of(maker_, "linear_columns", x, places_in(all, ridge.columns));
    x = maker_.add("Slice", "linear_rows",
                   {x, int_array(maker_, "linear_begin", {-ridge.window}),
                    int_array(maker_, "linear_end", {int64_t{1} << 31}), int_array(maker_, "linear_axis", {1})});
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
  GraphMaker& maker_;
  std::string raw_targets_, inputs_, targets_, target_mean_;
};

// Returns the name of the past targets: a separate graph input, unless the inputs contain all target columns. Empty if
// the model does not read them.
std::string add_targets(const Regressor& model, graph::Graph& graph) {
  const Columns& columns = model.columns();
  if (!model.reads_targets()) return "";
  if (columns.inputs == columns.targets) return "inputs";
  GraphMaker maker(graph, "");
  if (all_in(columns.inputs, columns.targets)) {
    return columns_of(maker, "past_targets", "inputs", places_in(columns.inputs, columns.targets));
  }
  graph.inputs.push_back(numbers_port("targets", model.targets()));
  return "targets";
}

}  // namespace

graph::Graph graph_of(const Regressor& model, const std::string& path, const ModelGraphOptions& /*options*/) {
  for (const Regressor* member : members_of(model)) member->expect_plain(path);
  graph::Graph out;
  out.inputs = {numbers_port("inputs", static_cast<int64_t>(model.columns().inputs.size()))};
  const std::string targets = add_targets(model, out);
  std::vector<std::string> forecasts;
  for (const Regressor* member : members_of(model)) {
    GraphMaker maker(out, graph_prefix(forecasts.size(), model.is_ensemble()));
    forecasts.push_back(RegressorGraph(*member, maker, "inputs", targets).forecast());
  }
  if (forecasts.size() > 1) {
    GraphMaker maker(out, "");
    maker.add("scale", "forecast", {maker.add("add", "sum_of_forecasts", forecasts)},
              {{"scale", 1.0 / static_cast<double>(forecasts.size())}});
  }
  out.outputs = {{.name = "forecast", .dims = {}}};
  // A forecast that depends on a whole window cannot carry its state from one run to the next.
  const auto models = members_of(model);
  const bool whole =
      std::any_of(models.begin(), models.end(), [](const Regressor* member) { return member->reads_whole_windows(); });
  for (graph::Node& node : out.nodes) {
    const bool recurrent = node.type == "lstm" || node.type == "gru" || node.type == "rnn";
    if (whole && recurrent) node.attributes["carry"] = int64_t{0};
  }
  return out;
}

}  // namespace longhand::tasks
