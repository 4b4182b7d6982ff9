// longhand data prepare: a text as a file of symbols, for training on texts that are larger than memory.
#include <fmt/core.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/file.h"
#include "longhand/runs/language_text.h"
#include "longhand/tasks/language_model.h"

namespace longhand::cli {
namespace {

void copy_input(io::ScratchFile& out) {
  io::InputStream in("-");
  std::string block(size_t{1} << 20, '\0');
  while (const size_t got = in.read(block)) out.write(std::string_view(block).substr(0, got));
}

class DataPrepare {
 public:
  DataPrepare() {
    table_.add("out", out_, "file to write");
    options_.text.add_to(table_);
    table_.add("max-tokens", options_.max_tokens, "number of symbols to use, from the beginning of the text; 0: all",
               at_least(0));
    table_.add("add-unknown", options_.add_unknown,
               "add <unk> to the vocabulary, for validation or test texts with symbols that this text lacks");
    table_.add("vocabulary", vocabulary_,
               "prepared text, model file or run folder whose vocabulary and text options to use: for validation, test "
               "and evaluation");
    table_.add("unknown", options_.unknown,
               "with --vocabulary: what to do with symbols that it lacks: stop, leave them out, or read them as <unk>",
               one_of({"error", "skip", "unk"}));
    table_.begin_group("Running");
    table_.add("quiet", quiet_, "print no progress");
    table_.add("json", json_, "print the result as a JSON object");
  }

  void declare(const Verb& verb) {
    verb.add_argument("TEXT", text_, "file, - for standard input, or name from `longhand data list`", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    check();
    std::optional<data::Vocabulary> vocabulary;
    if (!vocabulary_.empty()) vocabulary = read_vocabulary();
    runs::Sources from = sources(quiet_ || json_);
    std::optional<io::ScratchFile> spooled;  // holds text that is not in a file
    const std::optional<std::string> path = from.text_path(text_);
    if (text_ == "-") {
      copy_input(spooled.emplace(out_));
    } else if (!path) {
      spooled.emplace(out_).write(from.text(text_));
    } else if (runs::PreparedText::is_one(*path)) {
      throw input_error(shown_name(text_) + ": is a prepared text already",
                        "give the text that it was prepared from, or use it as it is");
    }
    const auto start = std::chrono::steady_clock::now();
    const runs::TextFile text(
        spooled ? spooled->path() : *path, shown_name(text_), options_,
        [&](int64_t done, int64_t total) { return from.on_read(shown_name(text_), done, total); });
    if (!vocabulary) vocabulary = text.vocabulary(options_.add_unknown);
    runs::check_vocabulary(*vocabulary, options_.text, text.name());
    text.prepare(*vocabulary, options_.add_unknown, out_);
    from.end_reading();
    report(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), text.source().bytes);
    return 0;
  }

 private:
  void check() const {
    if (out_.empty()) throw usage_error("longhand data prepare: expected --out, found none", "give --out FILE");
    std::error_code ignored;
    if (std::filesystem::equivalent(text_, out_, ignored)) {
      throw usage_error("--out " + out_ + ": is the text itself", "name another file");
    }
    if (vocabulary_.empty() && given_.has("unknown")) {
      throw usage_error("--unknown: expected --vocabulary, found none",
                        "leave it out: every symbol of the text is in its own vocabulary, or read as <unk>");
    }
    for (const char* option : {"add-unknown", "min-count"}) {
      if (vocabulary_.empty() || !given_.has(option)) continue;
      throw usage_error(fmt::format("--{}: cannot be combined with --vocabulary", option),
                        "leave one of them out: the vocabulary is that of the other file");
    }
  }

  // Its text options, too.
  data::Vocabulary read_vocabulary() {
    if (runs::PreparedText::is_one(vocabulary_)) {
      const runs::PreparedText other = runs::PreparedText::open(vocabulary_);
      follow(other.options().text);
      return other.vocabulary();
    }
    const tasks::ModelFile file = tasks::ModelFile::read(vocabulary_);
    file.expect_task(tasks::LanguageModel::kTask);
    const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(file);
    follow(model->options().text);
    return model->vocabulary();
  }

  void follow(data::TextOptions other) {
    OptionTable table;
    other.add_to(table);
    for (const Option& option : table.options()) {
      const Option* own = table_.find(option.name);
      if (own->given && own->text() != option.text()) {
        throw usage_error(
            fmt::format("--{}: expected {}, as in {}, found {}", option.name, option.text(), vocabulary_, own->text()),
            fmt::format("leave --{} out: it follows from --vocabulary", option.name));
      }
    }
    options_.text = other;
  }

  void report(double seconds, int64_t text_bytes) const {
    const runs::PreparedText text = runs::PreparedText::open(out_);
    const auto symbols = static_cast<int64_t>(text.corpus().symbols.size());
    if (json_) {
      const nlohmann::ordered_json out = {{"file", out_},
                                          {"bytes", text.bytes()},
                                          {"symbols", symbols},
                                          {"vocabulary", text.vocabulary().size()},
                                          {"bytes_per_symbol", text.symbol_bytes()},
                                          {"sequences", text.corpus().sequences()},
                                          {"unknown_symbols", text.corpus().unknown_lengths.size()},
                                          {"skipped_symbols", text.corpus().skipped},
                                          {"seconds", seconds}};
      write_json(out.dump());
      return;
    }
    constexpr double kMega = 1e6;
    put("{}: {}, vocabulary of {}, {} a symbol, {:.1f} MB in {} ({:.0f} MB of text/s)\n", visible(out_),
        format_count(symbols, "symbol"), format_count(static_cast<double>(text.vocabulary().size())),
        format_count(int64_t{text.symbol_bytes()}, "byte"), static_cast<double>(text.bytes()) / kMega,
        format_duration(seconds), static_cast<double>(text_bytes) / kMega / std::max(seconds, 1e-3));
  }

  std::string text_, out_, vocabulary_;
  runs::PrepareOptions options_;
  bool quiet_ = false, json_ = false;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_data_prepare(const Verb& data) {
  data.add_command<DataPrepare>("prepare",
                                "Write a text as a file of symbols that `train lm` reads without memory for it");
}

}  // namespace longhand::cli
