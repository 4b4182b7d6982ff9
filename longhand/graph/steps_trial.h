// Whether the steps of a network, one by one, give what a whole sequence gives: by running both.
#pragma once

#include <memory>
#include <string>

#include "longhand/graph/plan.h"

namespace longhand::graph {

/// Runs a short sequence of random inputs as a whole, and step by step, and returns how the two differ, as a sentence;
/// empty where they agree, or where no short sequence can be planned. What nodes say of themselves (Plan::why_whole)
/// cannot cover all ways in which an array of ONNX mixes the elements of its time axis.
std::string why_steps_differ(const std::shared_ptr<const Network>& network, int64_t symbols);

}  // namespace longhand::graph
