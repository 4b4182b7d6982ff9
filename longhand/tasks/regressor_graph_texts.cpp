// Describes the inputs and outputs of a regressor's graph.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/tasks/model_graph_tasks.h"
#include "longhand/tasks/regressor_graph.h"

namespace longhand::tasks {
namespace {

using PortJson = nlohmann::ordered_json;

class PortTexts {
 public:
  explicit PortTexts(const Regressor& model) : model_(model), columns_(model.columns()) {
    for (int64_t a = 0; a < model.ahead(); ++a) {
      for (const std::string& target : columns_.targets) {
        values_.push_back(model.options().series.horizon == 0 ? target : fmt::format("{}+{}", target, a + 1));
      }
    }
  }

  const std::vector<std::string>& values() const { return values_; }

  PortJson ports() const {
    graph::Graph graph;
    add_regressor_inputs(model_, graph);
    PortJson out = PortJson::array();
    for (const graph::Port& port : graph.inputs) out.push_back(input(port.name));
    for (PortJson& output : outputs()) out.push_back(std::move(output));
    return out;
  }

 private:
  static PortJson port(const std::string& name, const std::string& what, const std::vector<std::string>& columns) {
    return {{"name", name}, {"what", what}, {"columns", columns}};
  }

  PortJson input(const std::string& name) const {
    if (name == "inputs") return port(name, "rows of the window, the latest row last", columns_.inputs);
    if (name == "targets") return port(name, "targets in the rows of the window", columns_.targets);
    if (name == "known") return port(name, "columns known ahead, in the rows of the window", columns_.known);
    if (name == "known_ahead") return port(name, "columns known ahead, in the steps to forecast", columns_.known);
    if (name == "series_mean") {
      return port(name, "means of the targets in the series' training rows", columns_.targets);
    }
    if (name == "series_scale") {
      const bool standard = columns_.series_scale == "standard";
      return port(name,
                  fmt::format("{} of the targets in the series' training rows",
                              standard ? "standard deviations" : "mean absolute values"),
                  columns_.targets);
    }
    for (const StaticInput& column : columns_.statics) {
      if (!column.is_text || static_text_port(columns_, column) != name) continue;
      PortJson out = port(name, "static column: the index of its text in `values`, 0 for another text", {column.name});
      out["values"] = PortJson::array({"<unk>"});
      for (const std::string& value : column.values) out["values"].push_back(value);
      return out;
    }
    std::vector<std::string> numbers;
    for (const StaticInput& column : columns_.statics) {
      if (!column.is_text) numbers.push_back(column.name);
    }
    return port(name, "static columns that are numbers", numbers);
  }

  std::vector<PortJson> outputs() const {
    const ForecastDistribution& distribution = model_.distribution();
    const std::string other = other_output(distribution);
    std::vector<std::string> names;
    switch (distribution.kind()) {
      case DistributionKind::kPoint: return {port("forecast", "the forecast", values_)};
      case DistributionKind::kGaussian:
        for (const std::string& value : values_) names.push_back(value + " standard deviation");
        return {port("forecast", "means of Gaussians", values_),
                port(other, "standard deviations, after calibration", names)};
      case DistributionKind::kNegativeBinomial:
        for (const std::string& value : values_) names.push_back(value + " dispersion");
        return {port("forecast", "means of negative binomial distributions of counts", values_),
                port(other, "dispersions: the variance is mean + dispersion mean^2", names)};
      case DistributionKind::kQuantiles: break;
    }
    for (const std::string& value : values_) {
      for (const double level : distribution.levels()) names.push_back(fmt::format("{} at {}", value, level));
    }
    return {port("forecast", fmt::format("quantiles at {}", distribution.levels()[distribution.median()]), values_),
            port(other, "quantiles, after calibration", names)};
  }

  const Regressor& model_;
  const Columns& columns_;
  std::vector<std::string> values_;
};

std::string json_line(const PortJson& value) { return value.dump(-1, ' ', false, PortJson::error_handler_t::replace); }

}  // namespace

std::map<std::string, std::string> regressor_texts(const Regressor& model) {
  const PortTexts texts(model);
  PortJson distribution = {{"kind", model.options().output}};
  if (!model.distribution().levels().empty()) distribution["levels"] = model.distribution().levels();
  return {{"outputs", json_line(texts.values())},
          {"min_rows", std::to_string(model.min_rows())},
          {"ports", json_line(texts.ports())},
          {"distribution", json_line(distribution)}};
}

}  // namespace longhand::tasks
