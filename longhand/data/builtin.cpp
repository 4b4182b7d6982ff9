#include "longhand/data/builtin.h"

#include "longhand/data/builtin_texts.h"  // made by CMake from the files in data/texts

namespace longhand::data {

const std::vector<BuiltinText>& builtin_texts() {
  static const std::vector<BuiltinText> kTexts = {
      {"tale", "Long Supper: a story in English prose, with a flood and a clerk", {kTale, sizeof(kTale)}},
      {"quatrains",
       "250 quatrains in classical Chinese form, one per line (use `lines`)",
       {kQuatrains, sizeof(kQuatrains)}},
  };
  return kTexts;
}

const BuiltinText* find_builtin(std::string_view name) {
  for (const BuiltinText& text : builtin_texts()) {
    if (text.name == name) return &text;
  }
  return nullptr;
}

}  // namespace longhand::data
