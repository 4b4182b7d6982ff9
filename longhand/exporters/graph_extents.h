// The shapes of all values of a network, and which of their axes are batch or time axes. Found by planning the network
// for several sizes of its inputs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::exporters {

class GraphExtents {
 public:
  /// Throws an input error if the network cannot be planned.
  explicit GraphExtents(const std::shared_ptr<const graph::Network>& network);

  /// Whether the extent of an axis is fixed, or equals the batch size, the number of time steps, or another size.
  enum class Axis { kFixed, kBatch, kTime, kOther };
  /// Returns the shape, with -1 for extents that are not fixed. Throws an input error if there is no such value.
  graph::Dims dims(const std::string& value) const;
  std::vector<Axis> axes(const std::string& value) const;
  int64_t rank(const std::string& value) const { return static_cast<int64_t>(view(value).dims.size()); }
  graph::ElementType type(const std::string& value) const { return view(value).type; }
  bool knows(const std::string& value) const { return base_.find(value) != nullptr; }

  /// Returns the elements of an integer value that is the same for all sizes of the inputs, and so is known before a
  /// run. Throws an input error that names `who` for other values.
  std::vector<int64_t> known_ints(const std::string& value, const std::string& who) const;
  /// Whether the network can run batches of more than one sequence.
  bool has_batch() const { return has_batch_; }

 private:
  const graph::Plan::View& view(const std::string& value) const;
  std::vector<const graph::Plan*> others() const;

  std::string where_;
  bool has_batch_ = true;
  int64_t steps_ = 1;
  graph::Plan base_;
  // Plans with a larger batch, with more time steps, and with larger other axes; null if the network has no such open
  // axis.
  std::unique_ptr<graph::Plan> batch_, time_, other_;
};

}  // namespace longhand::exporters
