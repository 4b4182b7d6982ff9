// Where a text comes from: a built-in one by name, a file, or standard input.
#pragma once

#include <string>

#include "longhand/data/text.h"

namespace longhand::cli {

/// The raw text that `source` names: a built-in text, "-" for standard input, or a file. Throws input errors for one
/// that is missing, a folder, empty, or (unless the level is byte) binary.
std::string load_text(const std::string& source, const data::TextOptions& options);

/// What to call it in a message.
inline std::string shown_name(const std::string& source) { return source == "-" ? "standard input" : source; }

/// The contents of a file, or of standard input where `source` is "-". Throws input errors for one that is missing, a
/// folder, or empty.
std::string load_file(const std::string& source);

/// The same, or a generated table by its name.
std::string load_numbers(const std::string& source);

}  // namespace longhand::cli
