#include "longhand/runs/language_text.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/file.h"
#include "longhand/runs/prepared_format.h"
#include "longhand/tasks/fingerprint.h"

namespace longhand::runs {
namespace {

// Options as they are called, and their values. `training`: those that make a vocabulary, too.
std::vector<std::pair<std::string, std::string>> named_options(PrepareOptions options, bool training) {
  OptionTable table;
  options.text.add_to(table);
  table.add("max-tokens", options.max_tokens, "");
  std::vector<std::pair<std::string, std::string>> out;
  for (const Option& option : table.options()) {
    const bool of_vocabulary = option.name == "min-count" || option.name == "max-tokens";
    if (training || !of_vocabulary) out.emplace_back(option.name, option.text());
  }
  return out;
}

Error other_option(const std::string& name, const std::string& prepared, const std::string& path,
                   const std::string& wanted) {
  return usage_error(fmt::format("`{}`: expected {}, as {} was prepared, found {}", name, prepared, path, wanted),
                     fmt::format("leave `{}` out, or prepare the text with it (`longhand data prepare`)", name));
}

void check_options(const PreparedText& text, const PrepareOptions& wanted, bool training) {
  const auto now = named_options(wanted, training), then = named_options(text.options(), training);
  for (size_t i = 0; i < now.size(); ++i) {
    if (now[i].second != then[i].second) throw other_option(now[i].first, then[i].second, text.path(), now[i].second);
  }
}

// Processes that need the same text prepared at once: the first one does it, and the others wait. The lock is on the
// text, and where that cannot be locked nothing but work is lost.
class TextLock {
 public:
  explicit TextLock(const std::string& path) : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_ >= 0) ::flock(file_, LOCK_EX);
  }
  ~TextLock() {
    if (file_ >= 0) ::close(file_);
  }
  TextLock(const TextLock&) = delete;
  TextLock& operator=(const TextLock&) = delete;

 private:
  int file_;
};

// The vocabulary with <unk> before it, or without the one that was added there.
data::Vocabulary with_unknown(const data::Vocabulary& vocabulary, bool unknown) {
  std::vector<std::string> symbols;
  if (unknown) symbols.emplace_back(data::kUnknown);
  for (int32_t i = unknown ? 0 : 1; i < vocabulary.size(); ++i) symbols.push_back(vocabulary.symbol(i));
  return data::Vocabulary(std::move(symbols));
}

bool can_write(const std::string& path) {
  try {
    const io::OutputStream trial(path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

LanguageText::LanguageText(const std::string& source, const PrepareOptions& options, bool training, Sources& sources,
                           int64_t large)
    : name_(shown_name(source)),
      path_(sources.text_path(source).value_or("")),
      options_(options),
      training_(training),
      sources_(sources) {
  if (!path_.empty() && PreparedText::is_one(path_)) {
    prepared_ = PreparedText::open(path_);
    check_options(*prepared_, options_, training_);
  } else if (!path_.empty() && source_of(path_, name_).bytes >= large) {
    file_.emplace(path_, name_, options_,
                  [this](int64_t done, int64_t total) { return sources_.on_read(name_, done, total); });
  } else {
    text_ = data::normalise(sources.text(source), options_.text, name_);
    text_.resize(data::truncate(text_, options_.text, options_.max_tokens).size());
  }
}

// The name has a hash of everything but the text itself, whose size and time are in the file. Of other texts than the
// training text the vocabulary is a part of it.
std::string LanguageText::beside(bool unknown, const data::Vocabulary* vocabulary) const {
  tasks::TextHash hash;
  for (const auto& [name, value] : named_options(options_, true)) hash.add(name + " " + value);
  hash.add(fmt::format("{} {} {}", kPreparedVersion, unknown, options_.unknown));
  for (int32_t i = 0; vocabulary != nullptr && i < vocabulary->size(); ++i) hash.add(vocabulary->symbol(i));
  return fmt::format("{}.{:08x}.symbols", path_, static_cast<uint32_t>(hash.value() ^ hash.value() >> 32));
}

std::optional<PreparedText> LanguageText::find(bool unknown, const data::Vocabulary* vocabulary) const {
  const std::string path = beside(unknown, vocabulary);
  if (!PreparedText::is_one(path)) return std::nullopt;
  try {
    PreparedText found = PreparedText::open(path);
    const bool same = found.source() == file_->source() &&
                      named_options(found.options(), true) == named_options(options_, true) &&
                      found.options().add_unknown == unknown && found.options().unknown == options_.unknown &&
                      (vocabulary == nullptr || *vocabulary == found.vocabulary());
    if (same) return found;
  } catch (const Error&) {  // it is made again
  }
  return std::nullopt;
}

data::Vocabulary LanguageText::vocabulary(bool unknown) {
  LONGHAND_CHECK(training_);
  add_unknown_ = unknown;
  if (prepared_) {
    if (unknown && prepared_->vocabulary().find(data::kUnknown) < 0) {
      throw input_error(name_ + ": was prepared without <unk>, and the validation or test text has other symbols",
                        "prepare it with --add-unknown, or give texts with the same symbols");
    }
    return prepared_->vocabulary();
  }
  if (!file_) return data::build_vocabulary(text_, options_.text, unknown);
  if (const std::optional<PreparedText> found = find(unknown, nullptr)) return found->vocabulary();
  // <unk> is only ever added where there was none.
  if (const std::optional<PreparedText> found = find(!unknown, nullptr))
    return with_unknown(found->vocabulary(), unknown);
  data::Vocabulary counted = file_->vocabulary(unknown);
  sources_.end_reading();
  return counted;
}

bool LanguageText::has_unknown(const data::Vocabulary& vocabulary) {
  if (prepared_) return false;  // `corpus` refuses another vocabulary
  if (!file_) return data::encode(text_, options_.text, vocabulary, data::Unknown::kSkip, "").skipped > 0;
  if (find(false, &vocabulary)) return false;
  const data::Vocabulary with = with_unknown(vocabulary, true);
  if (const std::optional<PreparedText> found = find(false, &with)) return !found->corpus().unknown_lengths.empty();
  const bool has = file_->has_unknown(vocabulary);
  sources_.end_reading();
  return has;
}

data::Corpus LanguageText::corpus(const data::Vocabulary& vocabulary) {
  if (prepared_) {
    if (prepared_->vocabulary() == vocabulary) return prepared_->corpus();
    throw input_error(fmt::format("{}: was prepared with another vocabulary ({} symbols) than that of the model ({})",
                                  name_, format_count(static_cast<double>(prepared_->vocabulary().size())),
                                  format_count(static_cast<double>(vocabulary.size()))),
                      "prepare the text again, with the vocabulary of the model or of the training text (`longhand "
                      "data prepare` --vocabulary)");
  }
  if (file_) {
    const data::Vocabulary* given = training_ ? nullptr : &vocabulary;
    if (const std::optional<PreparedText> found = find(add_unknown_, given);
        found && found->vocabulary() == vocabulary) {
      return found->corpus();
    }
    if (const std::string path = beside(add_unknown_, given); can_write(path)) return prepare(vocabulary, path);
    sources_.note(
        fmt::format("{}: its folder cannot be written, so that the text is read into memory; `longhand data "
                    "prepare` can prepare it elsewhere",
                    name_));
    std::string text = data::normalise(io::read_file(path_), options_.text, name_);
    text.resize(data::truncate(text, options_.text, options_.max_tokens).size());
    return data::encode(text, options_.text, vocabulary, data::parse_unknown(options_.unknown), name_);
  }
  return data::encode(text_, options_.text, vocabulary, data::parse_unknown(options_.unknown), name_);
}

data::Corpus LanguageText::prepare(const data::Vocabulary& vocabulary, const std::string& path) {
  const TextLock lock(path_);
  const auto found = [&] { return find(add_unknown_, training_ ? nullptr : &vocabulary); };
  if (const std::optional<PreparedText> other = found(); other && other->vocabulary() == vocabulary) {
    return other->corpus();
  }
  file_->prepare(vocabulary, add_unknown_, path);
  sources_.end_reading();
  sources_.note(
      fmt::format("{} is large: its symbols are read from {}, which stays there for later runs", name_, visible(path)));
  return PreparedText::open(path).corpus();
}

void follow_prepared(const std::string& data, OptionTable& table) {
  if (data.empty() || !PreparedText::is_one(data)) return;
  const PreparedText text = PreparedText::open(data);
  for (const auto& [name, value] : named_options(text.options(), true)) {
    const Option* option = table.find(name);
    LONGHAND_CHECK(option != nullptr);
    const bool set = option->given || option->text() != option->default_text;
    if (set && option->text() != value) throw other_option(name, value, data, option->text());
    if (!set) table.set(*option, value, "`" + name + "`");
  }
}

void check_vocabulary(const data::Vocabulary& vocabulary, const data::TextOptions& options, const std::string& name) {
  const int64_t special = (vocabulary.find(data::kUnknown) >= 0 ? 1 : 0) + (options.lines ? 2 : 0);
  if (vocabulary.size() > special || options.min_count == 1) return;
  throw input_error(fmt::format("{}: no symbol occurs {} times", name, options.min_count),
                    "give a smaller `min-count`, or a longer text");
}

}  // namespace longhand::runs
