#include "longhand/runs/sources.h"

#include <fmt/core.h>

#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/data/builtin.h"
#include "longhand/data/generators.h"
#include "longhand/data/series.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/file.h"
#include "longhand/runs/prepare.h"
#include "longhand/runs/prepared_format.h"

namespace longhand::runs {
namespace {

// A folder may have the name of a data set.
bool is_file(const std::string& source) { return source == "-" || (io::exists(source) && !io::is_folder(source)); }

std::string read(const std::string& path, const std::string& source, const char* expected, const char* advice) {
  std::string bytes = io::read_file(path);
  if (PreparedText::begins_one(bytes)) {
    throw input_error(shown_name(source) + ": is a text prepared for `longhand train lm`, not a text",
                      "give the text that it was prepared from");
  }
  if (bytes.empty()) throw input_error(shown_name(source) + ": expected " + expected, advice);
  return bytes;
}

}  // namespace

std::optional<std::string> Sources::found(const std::string& source) const {
  return is_file(source) || !find_ ? std::nullopt : find_(source);
}

// A file of the same name takes precedence.
bool Sources::use_builtin(const std::string& source, bool is_builtin) {
  if (!is_builtin || !is_file(source)) return is_builtin;
  if (on_note_ && noted_.insert(source).second) {
    on_note_(fmt::format("'{}' is a file here and a built-in name; the file is read", source));
  }
  return false;
}

std::string Sources::file(const std::string& source) {
  if (const auto added = added_.find(source); added != added_.end()) return added->second;
  return read(found(source).value_or(source), source, "data, found an empty file", "give a file that is not empty");
}

std::optional<std::string> Sources::text_path(const std::string& source) {
  if (added_.contains(source) || source == "-") return std::nullopt;
  if (use_builtin(source, data::find_builtin(source) != nullptr)) return std::nullopt;
  if (const std::optional<std::string> path = found(source)) return path;
  return is_file(source) ? std::optional(source) : std::nullopt;
}

std::string Sources::text_mark(const std::string& source) {
  const std::optional<std::string> path = text_path(source);
  const bool prepared = path && PreparedText::is_one(*path);
  if (!prepared && (!path || source_of(*path, source).bytes < kLarge)) return text(source);
  io::InputStream file(*path);
  std::string block(size_t{1} << 20, '\0');
  if (prepared) {  // its header has the checksums of all
    return block.substr(0, file.read(std::span(block).first(static_cast<size_t>(kPage))));
  }
  uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  while (const size_t got = file.read(block)) {
    for (size_t i = 0; i < got; ++i) hash = (hash ^ static_cast<unsigned char>(block[i])) * 0x100000001b3U;
  }
  return fmt::format("{} bytes, {:016x}", file.position(), hash);
}

std::vector<std::pair<std::string, io::Array>> Sources::arrays(const std::string& source) {
  if (!read_arrays_) {
    throw usage_error(shown_name(source) + ": this program cannot read .npz files",
                      "give CSV or WAV files, or use `longhand`");
  }
  return read_arrays_(shown_name(source), file(source));
}

std::string Sources::table(const std::string& source) {
  if (added_.contains(source)) return file(source);
  const data::GeneratedTable* table = data::find_generated(source);
  return use_builtin(source, table != nullptr) ? table->csv() : file(source);
}

std::string Sources::sequences(const std::string& sources) {
  std::string out;
  for (const std::string& source : data::split_names(sources)) out += table(source);
  return out;
}

std::string Sources::text(const std::string& source) {
  if (added_.contains(source)) return file(source);
  const data::BuiltinText* builtin = data::find_builtin(source);
  if (use_builtin(source, builtin != nullptr)) return std::string(builtin->text);
  const std::optional<std::string> path = found(source);
  if (!path && !is_file(source) && !io::exists(source)) {
    std::vector<std::string> names;
    for (const data::BuiltinText& text : data::builtin_texts()) names.emplace_back(text.name);
    throw input_error(source + ": expected a file or the name of a data set, found neither",
                      "check the name; `longhand data list` lists the names" + did_you_mean(source, names));
  }
  return read(path.value_or(source), source, "a text, found nothing", "give a text with some symbols in it");
}

}  // namespace longhand::runs
