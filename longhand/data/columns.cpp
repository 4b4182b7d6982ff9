#include "longhand/data/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr size_t kConllUColumns = 10;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The ID of a word: 7; of a multi-word token: 7-8; of an empty node: 7.1.
enum class Id { kNone, kWord, kRange, kEmptyNode };

Id id_kind(std::string_view field) {
  if (is_digits(field)) return Id::kWord;
  const size_t mark = field.find_first_of("-.");
  if (mark == std::string_view::npos) return Id::kNone;
  if (!is_digits(field.substr(0, mark)) || !is_digits(field.substr(mark + 1))) return Id::kNone;
  return field[mark] == '-' ? Id::kRange : Id::kEmptyNode;
}

bool looks_like_conllu(const std::vector<std::string_view>& fields) {
  return fields.size() == kConllUColumns && id_kind(fields[0]) != Id::kNone;
}

// "# id = 7", "# id 0000-5 domain=en", "# newdoc"; hardly the first word of a sentence.
bool looks_like_comment(std::string_view line) {
  if (!line.starts_with("# ") && !line.starts_with("#\t")) return line.starts_with("##");
  const std::string_view rest = trimmed(line.substr(1));
  if (rest.starts_with("newdoc") || rest.starts_with("newpar") || rest.starts_with("id ")) return true;
  const size_t equals = rest.find('=');
  return equals != std::string_view::npos && equals > 0 && equals + 1 < rest.size();
}

// A number from 1 as an index from 0.
std::optional<size_t> column_number(const std::string& text) {
  size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size() || number < 1 || number > 1000) return std::nullopt;
  return number - 1;
}

}  // namespace

namespace {

// Refuses a column of words that holds none.
void check_words(const std::vector<TaggedSentence>& sentences, const ColumnReader& reader, const ColumnOptions& options,
                 const std::string& source) {
  bool numbers = true, blanks = true;
  size_t words = 0;
  for (const TaggedSentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.words.size(); ++i, ++words) {
      const std::string& word = sentence.words[i];
      numbers = numbers && (word == std::to_string(i + 1) || word == std::to_string(i));
      blanks = blanks && word == "_";
    }
  }
  constexpr size_t kEnough = 3;  // a text may begin with 1
  if (blanks) {
    throw input_error(
        fmt::format("{}: expected words in column {}, found '_' in every line", source, reader.word_column() + 1),
        "this treebank is distributed without word forms; add them first, as its README describes");
  }
  if (numbers && words >= kEnough && options.word_column == 0) {
    throw input_error(fmt::format("{}: expected words in column {}, found word numbers in every sentence", source,
                                  reader.word_column() + 1),
                      fmt::format("give the column of the words, probably `word-column` {}", reader.word_column() + 2));
  }
}

}  // namespace

void ColumnOptions::add_to(OptionTable& table) {
  table.add("format", format, "format of the tagged sentences; auto recognises it by content",
            one_of({"auto", "conllu", "columns"}));
  table.add("column", column,
            "column of the tags: upos or xpos in CoNLL-U, last, or a number from 1; auto: upos in CoNLL-U, else last");
  table.add("word-column", word_column, "column of the words, counted from 1; 0: the form in CoNLL-U, else the first",
            between(0, 1000));
}

ColumnReader::ColumnReader(const ColumnOptions& options, Tags tags, std::string source)
    : options_(options), tags_(tags), source_(std::move(source)) {
  options.check();
}

void ColumnOptions::check() const {
  const std::string& c = column;
  if (c != "auto" && c != "upos" && c != "xpos" && c != "last" && !column_number(c)) {
    throw usage_error("`column`: expected upos, xpos, last or a number from 1, found '" + c + "'",
                      "give the column of the tags");
  }
}

void ColumnReader::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(fmt::format("{}:{}: {}", source_, line_, problem), advice);
}

std::vector<std::string_view> ColumnReader::split(std::string_view text) const {
  const bool tabs = recognised_ ? tabs_ : text.find('\t') != std::string_view::npos;
  std::vector<std::string_view> fields;
  size_t begin = 0;
  while (tabs && begin != std::string_view::npos) {
    const size_t end = text.find('\t', begin);
    fields.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end == std::string_view::npos ? end : end + 1;
  }
  // Tabs at a line's end are blanks.
  while (tabs && !conllu_ && fields.back().empty() && fields.size() > (recognised_ ? columns_ : 2)) fields.pop_back();
  if (tabs) return fields;
  while (true) {
    begin = text.find_first_not_of(" \t", begin);
    if (begin == std::string_view::npos) return fields;
    const size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = end;
  }
}

// "# global.columns = ID FORM UPOS": CoNLL-U Plus.
void ColumnReader::name_columns(std::string_view line) {
  names_.clear();
  std::string_view rest = line.substr(line.find('=') + 1);
  while (!(rest = trimmed(rest)).empty()) {
    const size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    names_.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
}

void ColumnReader::recognise(std::string_view first_token) {
  tabs_ = first_token.find('\t') != std::string_view::npos;
  const std::vector<std::string_view> fields = split(first_token);
  const auto named = [&](const char* name) -> std::optional<size_t> {
    const auto found =
        std::find_if(names_.begin(), names_.end(), [&](const std::string& each) { return lowercased(each) == name; });
    return found == names_.end() ? std::nullopt : std::optional<size_t>(found - names_.begin());
  };
  const bool plus = !names_.empty() && tabs_ && options_.format != "columns";
  conllu_ = plus || options_.format == "conllu" || (options_.format == "auto" && tabs_ && looks_like_conllu(fields));
  const bool of_conllu = options_.column == "upos" || options_.column == "xpos";
  if (of_conllu && !conllu_ && tags_ == Tags::kWanted) {
    fail(fmt::format("`column` {} needs CoNLL-U, ten tab-separated columns, the first an ID; found {} column{}",
                     options_.column, fields.size(), fields.size() == 1 ? "" : "s"),
         "give the number of the column, such as `column` 2, or a CoNLL-U file");
  }
  columns_ = plus ? names_.size() : conllu_ ? kConllUColumns : fields.size();
  has_id_ = conllu_ && (!plus || named("id").has_value());
  id_ = plus ? named("id").value_or(0) : 0;
  word_ = plus ? named("form").value_or(0) : conllu_ ? 1 : 0;
  if (options_.word_column > 0) word_ = static_cast<size_t>(options_.word_column) - 1;
  const bool wants_upos = options_.column == "upos" || (options_.column == "auto" && conllu_);
  if (plus && (wants_upos || options_.column == "xpos") && !named(options_.column == "xpos" ? "xpos" : "upos")) {
    if (options_.column != "auto" && tags_ == Tags::kWanted) {
      fail(fmt::format("`column` {}: expected it among global.columns, found {}", options_.column, listed(names_)),
           "give the number of the column with the tags");
    }
    tag_ = columns_ - 1;
  } else if (wants_upos) {
    tag_ = plus ? *named("upos") : 3;
  } else if (options_.column == "xpos") {
    tag_ = plus ? *named("xpos") : 4;
  } else if (const std::optional<size_t> number = column_number(options_.column)) {
    tag_ = *number;
  } else {
    tag_ = columns_ - 1;
  }
  if (conllu_ && tag_ >= columns_ && tags_ == Tags::kWanted) {
    fail(fmt::format("`column` {}: expected one of the {} columns of {}", options_.column, columns_,
                     plus ? "this file" : "CoNLL-U"),
         "choose upos, xpos or a number up to that");
  }
  recognised_ = true;
}

std::optional<size_t> ColumnReader::misc_column() const {
  if (!is_plus()) return conllu_ ? std::optional<size_t>(kConllUColumns - 1) : std::nullopt;
  const auto found = std::find(names_.begin(), names_.end(), "MISC");
  return found == names_.end() ? std::nullopt : std::optional<size_t>(found - names_.begin());
}

std::string ColumnReader::description() const {
  if (!recognised_) return "";
  std::string out = !names_.empty() && conllu_ ? "CoNLL-U Plus"
                    : conllu_                  ? "CoNLL-U"
                    : tabs_                    ? "tab-separated columns"
                                               : "space-separated columns";
  if (options_.word_column > 0) out += fmt::format(", words in column {}", word_ + 1);
  if (tags_ == Tags::kWanted) {
    out += fmt::format(", tags in column {}", tag_ + 1);
    if (conllu_ && !names_.empty()) {
      out += fmt::format(" ({})", visible(names_[tag_]));
    } else if (conllu_ && (tag_ == 3 || tag_ == 4)) {
      out += tag_ == 3 ? " (UPOS)" : " (XPOS)";
    }
  }
  if (comments_ > 0) out += fmt::format(", {} comment{}", comments_, comments_ == 1 ? "" : "s");
  return out;
}

void ColumnReader::token(const std::vector<std::string_view>& fields) {
  const bool wanted = tags_ == Tags::kWanted;
  const std::string separator = tabs_ ? "tab" : "space";
  if (conllu_) {
    if (fields.size() != columns_) {
      fail(fmt::format("expected the {} tab-separated columns of {}, found {}", columns_,
                       names_.empty() ? "CoNLL-U" : "global.columns", fields.size()),
           "fix the line, or give `format` columns");
    }
    if (has_id_) {
      const Id id = id_kind(fields[id_]);
      if (id == Id::kRange || id == Id::kEmptyNode) return;
      if (id == Id::kNone || fields[id_] != std::to_string(sentence_.words.size() + 1)) {
        fail(fmt::format("expected the ID {}, found '{}'", sentence_.words.size() + 1, fields[id_]),
             "words are numbered from 1, and a blank line ends a sentence");
      }
    }
  } else {
    // Where the tags are in the last column, a line that lost one would pass unseen.
    const bool to_the_last = options_.column == "auto" || options_.column == "last";
    const size_t min = std::max(word_ + 1, wanted ? tag_ + 1 : 1);
    if (fields.size() < min || (wanted && to_the_last && fields.size() != columns_)) {
      fail(fmt::format("expected {}{} {}-separated columns, found {}", to_the_last ? "" : "at least ",
                       to_the_last ? columns_ : min, separator, fields.size()),
           "fix the line; a blank line ends a sentence");
    }
    if (wanted && tag_ == word_) {
      fail(columns_ == 1
               ? "expected words in column 1 and tags in another, found one column"
               : fmt::format("expected words and tags in different columns, found both in column {}", tag_ + 1),
           "give a file with a column of tags, or name the columns with `column` and `word-column`");
    }
  }
  const std::string_view word = word_ < fields.size() ? fields[word_] : std::string_view();
  if (word.empty()) fail("expected a word, found an empty column", "fix the line");
  if (wanted) {
    const std::string_view tag = fields[tag_];
    if (tag.empty() || (conllu_ && tag == "_")) {
      fail(fmt::format("expected a tag in column {}, found none", tag_ + 1),
           "annotate the word, or choose another column with `column`");
    }
    sentence_.tags.emplace_back(tag);
  }
  sentence_.words.emplace_back(word);
  sentence_.lines.push_back(line_);
}

// Before a sentence, outside of CoNLL-U, where a # may be a word: then it has the columns of one.
bool ColumnReader::is_comment(std::string_view line) const {
  if (!sentence_.words.empty() || options_.format == "columns") return false;
  const std::vector<std::string_view> fields = split(line);
  return looks_like_comment(line) || fields.size() != columns_ || (word_ > 0 && fields[0] == "#");
}

std::optional<TaggedSentence> ColumnReader::line(std::string_view raw) {
  ++line_;
  const std::string clean = clean_line(raw, source_, line_);
  const std::string_view text = clean;
  if (trimmed(text).empty()) {
    std::erase_if(held_, [](const auto& held) { return looks_like_comment(held.second); });
    return end();
  }
  if (text[0] == '#' && options_.format != "columns") {
    if (recognised_ ? conllu_ : options_.format == "conllu") return std::nullopt;  // a comment
    if (!recognised_) {  // a comment or a word: the first line without # will tell
      if (names_.empty() && text.starts_with("# global.columns") && text.find('=') != std::string_view::npos) {
        name_columns(text);
        return std::nullopt;
      }
      held_.emplace_back(line_, text);
      return std::nullopt;
    }
    if (is_comment(text)) {
      ++comments_;
      return std::nullopt;
    }
  }
  const std::vector<std::string_view> fields = split(text);
  if (!conllu_ && fields[0] == kDocumentStart) return end();
  if (!recognised_) {
    recognise(text);
    read_held();
  }
  token(fields);
  return std::nullopt;
}

void ColumnReader::read_held() {
  if (!conllu_) {
    const int64_t line = line_;
    for (const auto& [number, text] : held_) {
      line_ = number;
      if (is_comment(text)) {
        ++comments_;
        continue;
      }
      token(split(text));
    }
    line_ = line;
  }
  held_.clear();
}

std::optional<TaggedSentence> ColumnReader::end() {
  if (!held_.empty()) {
    recognise(held_.front().second);
    read_held();
  }
  if (sentence_.words.empty()) return std::nullopt;
  TaggedSentence out;
  std::swap(out, sentence_);
  return out;
}

namespace {

// The fields of a line: between tabs if it has one, else between blanks.
std::vector<std::string_view> fields_of(std::string_view line) {
  const std::string_view separators = line.find('\t') != std::string_view::npos ? "\t" : " ";
  std::vector<std::string_view> out;
  while (true) {
    const size_t end = std::min(line.find_first_of(separators), line.size());
    out.push_back(trimmed(line.substr(0, end)));
    if (end == line.size()) return out;
    line.remove_prefix(end + 1);
  }
}

// Whether some column after the first holds tags: the model's, or values that repeat as words hardly do.
bool has_tags(const std::vector<std::vector<std::string_view>>& lines, bool blank_line,
              const std::function<bool(std::string_view)>& is_tag) {
  constexpr size_t kEnough = 8;         // lines that show whether values repeat
  constexpr size_t kLinesPerValue = 3;  // on average; words of a text have little more than one
  for (size_t column = 1; column < lines.front().size(); ++column) {
    bool known = true;
    std::set<std::string_view> values;
    for (const auto& fields : lines) {
      known = known && is_tag(fields[column]);
      values.insert(fields[column]);
    }
    if (known || (blank_line && lines.size() >= kEnough && kLinesPerValue * values.size() <= lines.size())) return true;
  }
  return false;
}

}  // namespace

bool looks_like_columns(std::string_view head, const std::function<bool(std::string_view tag)>& is_tag) {
  constexpr int kLines = 200;
  constexpr size_t kLongest = 200;  // bytes of a line without tabs
  std::vector<std::vector<std::string_view>> lines;
  bool alike = true, blank_line = false;
  for (int i = 0; i < kLines && !head.empty(); ++i) {
    const std::string_view line = take_line(head);
    if (trimmed(line).empty()) {
      blank_line = blank_line || !lines.empty();
      continue;
    }
    if (line.starts_with("#") || line.starts_with(kDocumentStart)) continue;
    lines.push_back(fields_of(line));
    if (lines.size() == 1 && looks_like_conllu(lines[0])) return true;
    const bool is_short = line.size() < kLongest || line.find('\t') != std::string_view::npos;
    alike = alike && is_short && lines.back().size() == lines[0].size();
  }
  return alike && lines.size() >= 2 && has_tags(lines, blank_line, is_tag);
}

ColumnFile read_columns(std::string_view text, const ColumnOptions& options, ColumnReader::Tags tags,
                        const std::string& source) {
  ColumnReader reader(options, tags, source);
  ColumnFile file;
  const auto add = [&](std::optional<TaggedSentence> sentence) {
    if (sentence) file.sentences.push_back(std::move(*sentence));
  };
  const std::string clean = clean_text(text, source);
  for (std::string_view rest = clean; !rest.empty();) add(reader.line(take_line(rest)));
  add(reader.end());
  if (file.sentences.empty()) {
    throw input_error(source + ": expected sentences, one word per line, found none", "give a file that is not empty");
  }
  check_words(file.sentences, reader, options, source);
  file.description = reader.description();
  return file;
}

}  // namespace longhand::data
