// Where a text comes from: a built-in one by name, a file, or standard input.
#pragma once

#include <memory>
#include <string>

#include "longhand/base/utf8.h"
#include "longhand/model.h"

namespace longhand::cli {

/// The raw text that `source` names: a file, "-" for standard input, or a built-in text. Throws input errors for one
/// that is missing, a folder, or empty.
std::string load_text(const std::string& source);

/// What to call it in a message.
inline std::string shown_name(const std::string& source) { return source == "-" ? "standard input" : visible(source); }

/// The contents of a file, or of standard input where `source` is "-". Throws input errors for one that is missing, a
/// folder, or empty.
std::string load_file(const std::string& source);

/// The model in a file or a run's folder. Throws an input error unless it is for this task.
std::shared_ptr<const Model> load_model(const std::string& path, Task task);

/// The same for tables: also a built-in table by its name, unless a file has that name.
std::string load_numbers(const std::string& source);

}  // namespace longhand::cli
