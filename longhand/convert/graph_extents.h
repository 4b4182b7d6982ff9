// The shapes of all values of a network, and which of their extents are those of a batch or of time: found by planning
// it for several sizes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::convert {

class GraphExtents {
 public:
  /// Throws an input error where the network cannot be planned.
  explicit GraphExtents(const std::shared_ptr<const graph::Network>& network);

  /// What an axis of a value is as long as.
  enum class Axis { kFixed, kBatch, kTime, kOther };
  /// -1 where the extent is not fixed. Throws an input error where there is no such value.
  graph::Dims dims(const std::string& value) const;
  std::vector<Axis> axes(const std::string& value) const;
  int64_t rank(const std::string& value) const { return static_cast<int64_t>(view(value).dims.size()); }
  graph::ElementType type(const std::string& value) const { return view(value).type; }
  bool knows(const std::string& value) const { return base_.find(value) != nullptr; }

  /// A value of integers that is the same in all plans, and so is known before a run; throws an input error, which
  /// begins with `who`, where it is not.
  std::vector<int64_t> known_ints(const std::string& value, const std::string& who) const;
  /// Whether sequences may be side by side.
  bool has_batch() const { return has_batch_; }

 private:
  const graph::Plan::View& view(const std::string& value) const;
  std::vector<const graph::Plan*> others() const;

  std::string where_;
  bool has_batch_ = true;
  int64_t steps_ = 1;
  graph::Plan base_;
  // With more sequences, with more steps, and with longer axes of other kinds.
  std::unique_ptr<graph::Plan> batch_, time_, other_;
};

}  // namespace longhand::convert
