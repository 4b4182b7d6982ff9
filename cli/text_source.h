// Where a text comes from: a built-in one by name, a file, or standard input.
#pragma once

#include <string>

#include "longhand/data/text.h"

namespace longhand::cli {

/// The raw text that `source` names: a built-in text, "-" for standard input, or a file. Throws input errors for one
/// that is missing, a folder, empty, or (unless the level is byte) binary.
std::string load_text(const std::string& source, const data::TextOptions& options);

}  // namespace longhand::cli
