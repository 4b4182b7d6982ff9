// longhand data: what there is to train on without a file of one's own.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "longhand/base/error.h"
#include "longhand/data/builtin.h"
#include "longhand/data/generators.h"
#include "longhand/fetch/cache.h"
#include "longhand/fetch/download.h"
#include "longhand/fetch/sha256.h"
#include "longhand/io/file.h"
#include "longhand/io/folder_lock.h"

namespace longhand::cli {
namespace {

std::string size_text(int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  return bytes < 1000000 ? fmt::format("{:.0f} kB", b / 1e3) : fmt::format("{:.1f} MB", b / 1e6);
}

int list() {
  put("built-in texts (longhand train lm --data NAME)\n");
  for (const data::BuiltinText& text : data::builtin_texts()) {
    put("  {:<24} {:>8}  {}\n", text.name, size_text(static_cast<int64_t>(text.text.size())), text.description);
  }
  put("\nbuilt-in tables (longhand train regressor --data NAME)\n");
  for (const data::GeneratedTable& table : data::generated_tables()) {
    put("  {:<24} {:>8}  {}\n", table.name, "", table.description);
  }
  put("\npublic data sets (download with `longhand data get NAME`; then --data NAME, or NAME:PART for another part)\n");
  for (const data::DataSet& set : data::data_sets()) {
    std::string parts;
    for (const data::DataFile& file : set.files) parts += (parts.empty() ? "" : ", ") + file.part;
    put("  {:<24} {:>8}  {}; {} ({}); licence: {}{}\n", set.name, size_text(set.bytes()), set.description, set.task,
        parts, set.license, fetch::is_cached(set) ? " [downloaded]" : "");
  }
  return 0;
}

int show(const std::string& name) {
  std::string text;
  if (const data::BuiltinText* builtin = data::find_builtin(name)) {
    text = builtin->text;
  } else if (const data::GeneratedTable* table = data::find_generated(name)) {
    text = table->csv();
  } else if (const std::optional<std::string> cached = fetch::find_in_cache(name)) {
    text = io::read_file(*cached);
  } else {
    throw input_error("longhand data show: expected a text, a table or a data set, found '" + name + "'",
                      "see `longhand data list`");
  }
  write_output(text);
  return 0;
}

// Where repositories are served raw, unless a mirror of the same layout is closer.
std::string base_address() {
  const char* mirror = std::getenv("LONGHAND_DATA_MIRROR");
  return mirror != nullptr && *mirror != '\0' ? mirror : std::string(data::kRawFiles);
}

void fetch(const data::DataSet& set, const data::DataFile& file) {
  const std::string path = fetch::cached_path(set, file);
  if (io::exists(path) && fetch::sha256_of_file(path) == file.sha256) {
    put("{} is already downloaded\n", path);
    return;
  }
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  fetch::download({.url = set.url(file, base_address()),
                   .path = path,
                   .sha256 = file.sha256,
                   .bytes = file.bytes,
                   .on_progress = [&](int64_t bytes) {
                     if (terminal)
                       write_message(fmt::format("\r\x1b[K{}: {} of {}", file.file_name(), size_text(bytes),
                                                 size_text(file.bytes)));
                     return !interrupted();
                   }});
  if (terminal) write_message("\r\x1b[K");
  put("{}\n", path);
}

int get(const std::string& name) {
  const data::DataSet* set = data::find_data_set(name);
  if (set == nullptr) {
    std::vector<std::string> names;
    for (const data::DataSet& each : data::data_sets()) names.push_back(each.name);
    throw input_error("longhand data get: expected a data set, found '" + name + "'",
                      "see `longhand data list`" + did_you_mean(name, names));
  }
  say("{}: {}\n  from {} at {}\n  licence of the data: {}\n", set->name, set->description, set->repository,
      set->commit.substr(0, 12), set->license);
  io::make_folder(fetch::cache_folder(*set));
  const io::FolderLock lock(fetch::cache_folder(*set));
  stop_on_interrupt();
  for (const data::DataFile& file : set->files) fetch(*set, file);
  return 0;
}

}  // namespace

void declare_data(const Verb& longhand) {
  const Verb data = longhand.add("data", "List, download, print and prepare data");
  data.add("list", "List built-in and public data sets").set_action(list);
  const auto name = std::make_shared<std::string>();
  const auto declare = [&](const char* verb, const char* help, int (*run)(const std::string&)) {
    const Verb named = data.add(verb, help);
    named.add_argument("NAME", *name, "name of the data set", true);
    named.set_action([name, run] { return run(*name); });
  };
  declare_data_words(data);
  declare_data_make(data);
  declare_data_prepare(data);
  declare("get", "Download a public data set into the cache", get);
  declare("show", "Print a built-in text or table, or a downloaded file", show);
}

}  // namespace longhand::cli
