// The parts of a module's file that are the same in all: reading and writing weights, and texts as symbols.
#pragma once

#include <string>

namespace longhand::convert {

/// Functions read_safetensors, write_safetensors, load and save, for a class of that name.
std::string torch_loader_text(const std::string& class_name);
/// Members `symbols` and `encode` of a class whose input is symbols that are texts.
std::string torch_encode_text();

}  // namespace longhand::convert
