// Adds the inputs of a regressor's graph and prepares them for the network. Internal: used by the files
// regressor_graph*.cpp.
//
// T rows in the window, A steps ahead, B sequences, I input columns, O targets, K columns known ahead, S static inputs.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/regressor.h"

namespace longhand::tasks {

/// Names of the graph values that all members of an ensemble share; empty: not used by the model.
struct RegressorValues {
  std::string inputs;              ///< [B, T, I], in the data's units
  std::string targets;             ///< [B, T, O], in the data's units
  std::string known, known_ahead;  ///< [B, T, K] and [B, A, K], in the data's units
  std::string statics;             ///< [B, S], encoded for the network
  std::string mean, scale;         ///< [B, O], of the targets of the series
};

/// Returns the name of the graph input for a static column of texts: static_COLUMN, integers [B]. 0 is a text that is
/// not in the training data; other texts are 1 plus their index in StaticInput::values.
std::string static_text_port(const Columns& columns, const StaticInput& column);

/// Adds to `graph` the inputs of the model and its members, and the encoding of static columns. Returns their names.
RegressorValues add_regressor_inputs(const Regressor& model, graph::Graph& graph);

/// Returns the index of each name in `list`; list.size() for a missing name.
std::vector<int64_t> places_in(const std::vector<std::string>& list, const std::vector<std::string>& names);
/// Adds a constant array of integers. Returns its name.
std::string int_array(GraphMaker& maker, const std::string& name, const std::vector<int64_t>& values);
/// Adds a node that selects the elements `places` along an axis of x. Returns its name.
std::string selected(GraphMaker& maker, const std::string& name, const std::string& x, int64_t axis,
                     const std::vector<int64_t>& places);
/// Adds (x - mean) / deviation, with one scale for each element of the last axis. Returns the name of the result.
std::string standardised(GraphMaker& maker, const std::string& name, const std::string& x,
                         const std::vector<data::Scale>& scales);
/// Adds the standardised inputs [B, T, I]. Inputs that are targets use the scale of the series, if there is one.
std::string standardised_inputs(GraphMaker& maker, const Columns& columns, const RegressorValues& values);
/// Adds the standardised past targets [B, T, O].
std::string standardised_targets(GraphMaker& maker, const Columns& columns, const RegressorValues& values);
/// Appends the other network inputs to x, the standardised inputs [B, T, I]: columns known ahead with rows for the
/// steps ahead, an indicator of these rows, and the static inputs. Returns the name of the result: [B, T, C] or [B, T +
/// A, C], C network inputs.
std::string with_other_columns(GraphMaker& maker, const Columns& columns, const RegressorValues& values,
                               const std::string& x);

/// Returns the name of the second output of the graph, after `forecast`; empty for point forecasts.
std::string other_output(const ForecastDistribution& distribution);
/// Returns the entries `ports` and `distribution` of model_texts, which describe a regressor's inputs and outputs.
std::map<std::string, std::string> regressor_texts(const Regressor& model);

}  // namespace longhand::tasks
