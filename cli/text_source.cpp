#include "cli/text_source.h"

#include <fmt/core.h>

#include "cli/console.h"
#include "cli/data_cache.h"
#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/data/builtin.h"
#include "longhand/data/generators.h"
#include "longhand/io/file.h"

namespace longhand::cli {
namespace {

// A folder may have the name of a data set.
bool is_file(const std::string& source) { return source == "-" || (io::exists(source) && !io::is_folder(source)); }

// Whether to use the built-in data of this name: a file of the same name takes precedence.
bool use_builtin(const std::string& source, bool is_builtin) {
  if (!is_builtin) return false;
  if (!is_file(source)) return true;
  say("note: '{}' is a file here and a built-in name; the file is read\n", source);
  return false;
}

}  // namespace

std::string load_file(const std::string& source) {
  const std::optional<std::string> cached = is_file(source) ? std::nullopt : find_in_cache(source);
  std::string text = io::read_file(cached.value_or(source));
  if (text.empty()) {
    throw input_error(shown_name(source) + ": expected data, found an empty file", "give a file that is not empty");
  }
  return text;
}

std::string load_numbers(const std::string& source) {
  const data::GeneratedTable* table = data::find_generated(source);
  return use_builtin(source, table != nullptr) ? table->csv() : load_file(source);
}

std::string load_text(const std::string& source) {
  const data::BuiltinText* builtin = data::find_builtin(source);
  if (use_builtin(source, builtin != nullptr)) return std::string(builtin->text);
  std::optional<std::string> cached;
  if (!is_file(source) && !(cached = find_in_cache(source)) && !io::exists(source)) {
    std::vector<std::string> names;
    for (const data::BuiltinText& text : data::builtin_texts()) names.emplace_back(text.name);
    throw input_error(source + ": expected a file or the name of a data set, found neither",
                      "check the name; `longhand data list` lists the names" + did_you_mean(source, names));
  }
  std::string text = io::read_file(cached.value_or(source));
  if (text.empty()) {
    throw input_error(shown_name(source) + ": expected a text, found nothing", "give a text with some symbols in it");
  }
  return text;
}

}  // namespace longhand::cli
