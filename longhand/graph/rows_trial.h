// Whether the rows of an axis, one by one, give what they give together: by running both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::graph {

/// The axis whose rows are tried: that of time, whose states are carried on from row to row, or that of a batch.
enum class RowsOf { kTime, kBatch };

struct RowsTrial {
  bool ran = false;         ///< as many rows, and one, could be planned and run; otherwise nothing else is known
  std::vector<int> axes{};  ///< of each output, where its rows are; -1: it has none
  bool shows = false;       ///< the numbers of an output differ among themselves, so that a difference would show
  std::string different{};  ///< the first output that is another row by row than together; empty: none
  bool other_rows = false;  ///< it is so in its shape
};

/// Runs random inputs of two sizes. An output without rows must be the same after the last row of time. (What nodes say
/// of themselves, Plan::why_whole, cannot cover all ways in which an array of ONNX mixes the elements of an axis.)
RowsTrial try_rows(const std::shared_ptr<const Network>& network, RowsOf of, int64_t rows);

}  // namespace longhand::graph
