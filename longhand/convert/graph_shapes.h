// Shapes of a graph's values, and those numbers in it that are the same in all runs: found by planning it twice, with
// other numbers of sequences and steps.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::convert {

class GraphShapes {
 public:
  /// Throws an input error where the graph cannot be planned.
  explicit GraphShapes(const graph::Graph& graph);

  /// Extents in the first plan; of a value that is not in it (of a branch that is not taken): empty.
  const graph::Dims& dims(const std::string& value) const;
  graph::ElementType type(const std::string& value) const;
  /// The extents, with -1 where they depend on the numbers of sequences and steps.
  graph::Dims fixed_dims(const std::string& value) const;
  /// Whether the value depends on shapes and arrays alone, never on what is read.
  bool is_static(const std::string& value) const { return static_.contains(value); }
  /// What the plan has of a value that is made of arrays alone.
  graph::Array constant(const std::string& value) const;
  /// Integers that are the same in all runs.
  std::optional<std::vector<int64_t>> known_ints(const std::string& value) const;
  /// Which branch of an If is taken: 0 or 1.
  size_t branch(const graph::Node& node) const;

 private:
  void mark_static(const std::vector<graph::Node>& nodes);

  const graph::Graph& graph_;
  std::unique_ptr<graph::Plan> first_, second_;
  std::set<std::string> static_;
};

}  // namespace longhand::convert
