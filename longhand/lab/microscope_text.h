// What the microscope found, as a table for a terminal, as JSON and as CSV.
#pragma once

#include <string>

#include "longhand/lab/microscope.h"

namespace longhand::lab {

/// The units that follow properties, and what mattered to the decisions that were asked for.
std::string microscope_table(const Microscope& found);
/// `indent` as of nlohmann::json::dump; -1: one line.
std::string microscope_json(const Microscope& found, const std::string& model, const std::string& text, int indent);
/// A line for each unit that was found: property, rank, layer, direction, unit, quantity, r, n, chance_r.
std::string microscope_csv(const Microscope& found);

}  // namespace longhand::lab
