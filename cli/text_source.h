// Where a text comes from: a built-in one by name, a file, or standard input.
#pragma once

#include <string>

#include "longhand/base/utf8.h"

namespace longhand::cli {

/// The raw text that `source` names: a file, "-" for standard input, or a built-in text. Throws input errors for one
/// that is missing, a folder, or empty.
std::string load_text(const std::string& source);

/// What to call it in a message.
inline std::string shown_name(const std::string& source) { return source == "-" ? "standard input" : visible(source); }

/// The contents of a file, or of standard input where `source` is "-". Throws input errors for one that is missing, a
/// folder, or empty.
std::string load_file(const std::string& source);

/// The same for tables: also a built-in table by its name, unless a file has that name.
std::string load_numbers(const std::string& source);

}  // namespace longhand::cli
