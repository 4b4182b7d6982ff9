#include "cli/text_source.h"

#include <fmt/core.h>

#include "cli/data_cache.h"
#include "longhand/base/error.h"
#include "longhand/data/builtin.h"
#include "longhand/data/generators.h"
#include "longhand/io/file.h"

namespace longhand::cli {
namespace {

// A folder may have the name of a data set.
bool is_file(const std::string& source) { return source == "-" || (io::exists(source) && !io::is_folder(source)); }

}  // namespace

std::string load_file(const std::string& source) {
  const std::optional<std::string> cached = is_file(source) ? std::nullopt : find_in_cache(source);
  std::string text = io::read_file(cached.value_or(source));
  if (text.empty()) {
    throw input_error(shown_name(source) + ": expected some data, found nothing", "give a file with something in it");
  }
  return text;
}

std::string load_numbers(const std::string& source) {
  if (const data::GeneratedTable* table = data::find_generated(source)) return table->csv();
  return load_file(source);
}

std::string load_text(const std::string& source, const data::TextOptions& options) {
  if (const data::BuiltinText* builtin = data::find_builtin(source)) return std::string(builtin->text);
  std::optional<std::string> cached;
  if (!is_file(source) && !(cached = find_in_cache(source)) && !io::exists(source)) {
    std::vector<std::string> names;
    for (const data::BuiltinText& text : data::builtin_texts()) names.emplace_back(text.name);
    throw input_error(source + ": expected a file or a built-in text, found neither",
                      "check the name; `longhand data list` shows the built-in texts" + did_you_mean(source, names));
  }
  std::string text = io::read_file(cached.value_or(source));
  const std::string shown = shown_name(source);
  if (text.empty())
    throw input_error(shown + ": expected a text, found nothing", "give a text with some symbols in it");
  const size_t nul = text.find('\0');
  if (options.level != "byte" && nul != std::string::npos) {
    throw input_error(fmt::format("{}: expected a text, found a binary file (a zero byte at offset {})", shown, nul),
                      "give a text in UTF-8, or train on bytes with --level byte");
  }
  return text;
}

}  // namespace longhand::cli
