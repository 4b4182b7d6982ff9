#include "longhand/data/columns.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

constexpr size_t kConllUColumns = 10;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The ID of a word: 7; of a multi-word token: 7-8; of an empty node: 7.1.
enum class Id { kNone, kWord, kRange, kEmptyNode };

Id id_kind(std::string_view field) {
  if (is_number(field)) return Id::kWord;
  const size_t mark = field.find_first_of("-.");
  if (mark == std::string_view::npos) return Id::kNone;
  if (!is_number(field.substr(0, mark)) || !is_number(field.substr(mark + 1))) return Id::kNone;
  return field[mark] == '-' ? Id::kRange : Id::kEmptyNode;
}

bool looks_like_conllu(const std::vector<std::string_view>& fields) {
  return fields.size() == kConllUColumns && id_kind(fields[0]) != Id::kNone;
}

// Of lines with # before the first token: what is a comment in CoNLL-U and hardly the first word of another format.
bool is_comment(std::string_view line) {
  return line.starts_with("# ") &&
         (line.find(" = ") != std::string_view::npos || line.starts_with("# newdoc") || line.starts_with("# newpar"));
}

// A number from 1 as an index from 0.
std::optional<size_t> column_number(const std::string& text) {
  size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size() || number < 1 || number > 1000) return std::nullopt;
  return number - 1;
}

}  // namespace

void ColumnOptions::add_to(OptionTable& table) {
  table.add("format", format, "of files with tags: auto looks at the first token",
            one_of({"auto", "conllu", "columns"}));
  table.add("column", column,
            "where the tags are: upos or xpos of CoNLL-U, last, or a number from 1; auto: upos, or the last");
}

ColumnReader::ColumnReader(const ColumnOptions& options, Tags tags, std::string source)
    : options_(options), tags_(tags), source_(std::move(source)) {
  options.check();
}

void ColumnOptions::check() const {
  const std::string& c = column;
  if (c != "auto" && c != "upos" && c != "xpos" && c != "last" && !column_number(c)) {
    throw usage_error("--column: expected upos, xpos, last or a number from 1, found '" + c + "'",
                      "say in which column the tags are");
  }
}

void ColumnReader::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(fmt::format("{}:{}: {}", source_, line_, problem), advice);
}

std::vector<std::string_view> ColumnReader::split(std::string_view text) const {
  const bool tabs = recognised_ ? tabs_ : text.find('\t') != std::string_view::npos;
  std::vector<std::string_view> fields;
  size_t begin = 0;
  while (tabs) {
    const size_t end = text.find('\t', begin);
    fields.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return fields;
    begin = end + 1;
  }
  while (true) {
    begin = text.find_first_not_of(" \t", begin);
    if (begin == std::string_view::npos) return fields;
    const size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = end;
  }
}

void ColumnReader::recognise(std::string_view first_token) {
  tabs_ = first_token.find('\t') != std::string_view::npos;
  const std::vector<std::string_view> fields = split(first_token);
  conllu_ = options_.format == "conllu" || (options_.format == "auto" && tabs_ && looks_like_conllu(fields));
  const bool of_conllu = options_.column == "upos" || options_.column == "xpos";
  if (of_conllu && !conllu_ && tags_ == Tags::kWanted) {
    fail(fmt::format("--column {} wants CoNLL-U, ten columns between tabs, the first an ID; found {} column{}",
                     options_.column, fields.size(), fields.size() == 1 ? "" : "s"),
         "give the number of the column, such as --column 2, or a CoNLL-U file");
  }
  columns_ = conllu_ ? kConllUColumns : fields.size();
  if (options_.column == "upos" || (options_.column == "auto" && conllu_)) {
    tag_ = 3;
  } else if (options_.column == "xpos") {
    tag_ = 4;
  } else if (const std::optional<size_t> number = column_number(options_.column)) {
    tag_ = *number;
  } else {
    tag_ = columns_ - 1;
  }
  if (conllu_ && tag_ >= kConllUColumns && tags_ == Tags::kWanted) {
    fail(fmt::format("--column {} is none of CoNLL-U's {} columns", options_.column, kConllUColumns),
         "choose upos, xpos or a number up to that");
  }
  recognised_ = true;
}

std::string ColumnReader::description() const {
  if (!recognised_) return "";
  std::string out = conllu_ ? "CoNLL-U" : tabs_ ? "columns between tabs" : "columns between blanks";
  if (tags_ == Tags::kWanted) {
    out += fmt::format(", tags in column {}", tag_ + 1);
    if (conllu_ && (tag_ == 3 || tag_ == 4)) out += tag_ == 3 ? " (UPOS)" : " (XPOS)";
  }
  return out;
}

void ColumnReader::token(const std::vector<std::string_view>& fields) {
  const bool wanted = tags_ == Tags::kWanted;
  const std::string separator = tabs_ ? "tabs" : "blanks";
  if (conllu_) {
    if (fields.size() != kConllUColumns) {
      fail(fmt::format("expected the {} columns of CoNLL-U between tabs, found {}", kConllUColumns, fields.size()),
           "mend the line, or give --format columns");
    }
    const Id id = id_kind(fields[0]);
    if (id == Id::kRange || id == Id::kEmptyNode) return;
    if (id == Id::kNone || fields[0] != std::to_string(sentence_.words.size() + 1)) {
      fail(fmt::format("expected the ID {}, found '{}'", sentence_.words.size() + 1, fields[0]),
           "words are numbered from 1, and a blank line ends a sentence");
    }
  } else {
    // Where the tags are in the last column, a line that lost one would pass unseen.
    const bool to_the_last = options_.column == "auto" || options_.column == "last";
    const size_t least = wanted ? tag_ + 1 : 1;
    if (fields.size() < least || (wanted && to_the_last && fields.size() != columns_)) {
      fail(fmt::format("expected {}{} columns between {}, found {}", to_the_last ? "" : "at least ",
                       to_the_last ? columns_ : least, separator, fields.size()),
           "mend the line; a blank line ends a sentence");
    }
    if (wanted && tag_ == 0) {
      fail("expected words in column 1 and tags in another, found one column",
           "give a file with a column of tags, or its number with --column");
    }
  }
  const std::string_view word = fields[conllu_ ? 1 : 0];
  if (word.empty()) fail("expected a word, found an empty column", "mend the line");
  if (wanted) {
    const std::string_view tag = fields[tag_];
    if (tag.empty() || (conllu_ && tag == "_")) {
      fail(fmt::format("expected a tag in column {}, found none", tag_ + 1),
           "annotate the word, or choose another column with --column");
    }
    sentence_.tags.emplace_back(tag);
  }
  sentence_.words.emplace_back(word);
  sentence_.lines.push_back(line_);
}

std::optional<TaggedSentence> ColumnReader::line(std::string_view text) {
  ++line_;
  if (line_ == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte-order mark
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (const size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    fail(fmt::format("expected UTF-8, found byte 0x{:02X} in column {} of the line",
                     static_cast<unsigned char>(text[at]), at + 1),
         "convert the file to UTF-8");
  }
  if (text.find('\0') != std::string_view::npos) fail("expected text, found a zero byte", "give a text file");
  if (text.find_first_not_of(" \t") == std::string_view::npos) {
    std::erase_if(held_, [](const auto& held) { return is_comment(held.second); });
    return end();
  }
  if (text[0] == '#' && options_.format != "columns") {
    if (recognised_ ? conllu_ : options_.format == "conllu") return std::nullopt;  // a comment
    if (!recognised_) {  // a comment or a word: the first line without # will tell
      held_.emplace_back(line_, text);
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

ColumnFile read_columns(std::string_view text, const ColumnOptions& options, ColumnReader::Tags tags,
                        const std::string& source) {
  ColumnReader reader(options, tags, source);
  ColumnFile file;
  const auto add = [&](std::optional<TaggedSentence> sentence) {
    if (sentence) file.sentences.push_back(std::move(*sentence));
  };
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    add(reader.line(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  add(reader.end());
  if (file.sentences.empty()) {
    throw input_error(source + ": expected sentences, one word a line, found none", "give a file with some");
  }
  file.description = reader.description();
  return file;
}

}  // namespace longhand::data
