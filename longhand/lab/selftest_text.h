// What the gradient checks found, in words and in JSON.
#pragma once

#include <string>
#include <vector>

#include "longhand/lab/derivatives.h"
#include "longhand/lab/selftest.h"

namespace longhand::lab {

/// A table with a row for each option, the tolerances, and the first failures. `full`: of the full lattice, whose rows
/// have all points with their option.
std::string to_text(const std::vector<PointResult>& results, double seconds, bool full);
/// The same as one JSON object, with all failures.
std::string to_json(const std::vector<PointResult>& results, double seconds, bool full);

std::string to_text(const std::vector<EquationResult>& results);
std::string to_json(const std::vector<EquationResult>& results);

}  // namespace longhand::lab
