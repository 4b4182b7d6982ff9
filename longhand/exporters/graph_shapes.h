// The shapes of a graph's values, and the integer values that are the same in all runs. Found by planning the graph
// twice, with different batch sizes and numbers of time steps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::exporters {

class GraphShapes {
 public:
  /// Throws an input error if the graph cannot be planned.
  explicit GraphShapes(const graph::Graph& graph);

  /// Returns the shape in the first plan; empty for a value in the branch of an If that is not taken.
  const graph::Dims& dims(const std::string& value) const;
  graph::ElementType type(const std::string& value) const;
  /// Returns the shape, with -1 for extents that depend on the batch size or the number of time steps.
  graph::Dims fixed_dims(const std::string& value) const;
  /// Whether the value depends only on shapes and arrays, not on the contents of inputs.
  bool is_static(const std::string& value) const { return static_.contains(value); }
  /// Returns the elements of a value that depends only on arrays.
  graph::Array constant(const std::string& value) const;
  /// Returns the elements of an integer value that is the same in all runs; nothing for other values.
  std::optional<std::vector<int64_t>> known_ints(const std::string& value) const;
  /// Returns the index of the branch that an If node takes: 0 (then) or 1 (else).
  size_t branch(const graph::Node& node) const;

 private:
  void mark_static(const std::vector<graph::Node>& nodes);

  const graph::Graph& graph_;
  std::unique_ptr<graph::Plan> first_, second_;
  std::set<std::string> static_;
};

}  // namespace longhand::exporters
