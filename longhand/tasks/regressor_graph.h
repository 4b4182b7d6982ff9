// The inputs of a regressor's graph, and the part of the graph that prepares them for the network. Internal: used by
// the files regressor_graph*.cpp.
//
// T rows in the window, A steps ahead, B sequences, I input columns, O targets, K columns known ahead, S static inputs.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/regressor.h"

namespace longhand::tasks {

/// Names of the values that all members of an ensemble read; empty: the model has no such value.
struct RegressorValues {
  std::string inputs;              ///< [B, T, I], in the data's units
  std::string targets;             ///< [B, T, O], in the data's units
  std::string known, known_ahead;  ///< [B, T, K] and [B, A, K], in the data's units
  std::string statics;             ///< [B, S], as the network reads them
  std::string mean, scale;         ///< [B, O], of the targets of the series
};

/// A static column of texts is the input static_COLUMN [B] of integers: 0 for a text that is not in the training data,
/// otherwise 1 plus the index in StaticInput::values. Returns the name of that input.
std::string static_text_port(const Columns& columns, const StaticInput& column);

/// Adds to `graph` the inputs that the model and its members read, and the encoding of static columns.
RegressorValues add_regressor_inputs(const Regressor& model, graph::Graph& graph);

/// Returns the index in `list` of each name; list.size() for a missing name.
std::vector<int64_t> places_in(const std::vector<std::string>& list, const std::vector<std::string>& names);
/// Adds an array of integers. Returns its name.
std::string int_array(GraphMaker& maker, const std::string& name, const std::vector<int64_t>& values);
/// Adds a node that selects elements of an axis of x. Returns the name.
std::string selected(GraphMaker& maker, const std::string& name, const std::string& x, int64_t axis,
                     const std::vector<int64_t>& places);
/// Adds (x - mean) / deviation for each element of the last axis. Returns the name.
std::string standardised(GraphMaker& maker, const std::string& name, const std::string& x,
                         const std::vector<data::Scale>& scales);
/// Adds the standardised inputs [B, T, I]. Inputs that are targets have the scale of the series.
std::string standardised_inputs(GraphMaker& maker, const Columns& columns, const RegressorValues& values);
/// Adds the standardised past targets [B, T, O].
std::string standardised_targets(GraphMaker& maker, const Columns& columns, const RegressorValues& values);
/// Adds what the recurrent layers read [B, T or T + A, network inputs] after x, the inputs [B, T, I]: the columns known
/// ahead and their steps ahead, the indicator of these steps, and the static inputs.
std::string with_other_columns(GraphMaker& maker, const Columns& columns, const RegressorValues& values,
                               const std::string& x);

/// Returns the name of the output beside `forecast`; empty for points.
std::string other_output(const ForecastDistribution& distribution);
/// Describes a regressor's inputs and outputs, for model_texts: `ports`, `distribution`.
std::map<std::string, std::string> regressor_texts(const Regressor& model);

}  // namespace longhand::tasks
