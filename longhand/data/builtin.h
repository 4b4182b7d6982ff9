// Texts that are compiled into the library, so that everything can be tried without a file.
#pragma once

#include <string_view>
#include <vector>

namespace longhand::data {

struct BuiltinText {
  std::string_view name;
  std::string_view description;
  std::string_view text;  ///< UTF-8
};

const std::vector<BuiltinText>& builtin_texts();

/// The text of that name, or null.
const BuiltinText* find_builtin(std::string_view name);

}  // namespace longhand::data
