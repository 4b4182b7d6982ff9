// The parts that all exported module files share: reading and writing weights, and encoding text as symbols.
#pragma once

#include <string>

namespace longhand::exporters {

/// Returns the Python functions read_safetensors, write_safetensors, load and save for the class `class_name`.
std::string torch_loader_text(const std::string& class_name);
/// Returns the class members `symbols` and `encode`, which turn text into the indices that the module reads.
std::string torch_encode_text();

}  // namespace longhand::exporters
