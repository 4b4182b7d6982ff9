// Column files: one token a line, its columns side by side, and a blank line after each sentence. CoNLL-U, and the
// looser files of the CoNLL shared tasks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::data {

/// What a line begins with that is no word but a document's beginning, in files other than CoNLL-U.
inline constexpr std::string_view kDocumentStart = "-DOCSTART-";

/// Where words and tags stand.
struct ColumnOptions {
  std::string format = "auto";  ///< "conllu": ten columns between tabs; "columns": any, between tabs or blanks
  std::string column = "auto";  ///< "upos" or "xpos" (CoNLL-U), "last", or a number from 1; auto: upos, or the last
  int64_t word_column = 0;      ///< of the words, from 1; 0: the form of CoNLL-U, else the first

  void add_to(OptionTable& table);
  /// Throws a usage error for a column that is none.
  void check() const;
};

/// A sentence and, of a file with tags, a tag for each word.
struct TaggedSentence {
  std::vector<std::string> words;
  std::vector<std::string> tags;
  std::vector<int64_t> lines;  ///< line of each word in the file, from 1; empty: not from a file
};

/// Reads sentences one after the other from lines that are fed to it, so that a stream need not end.
///
/// The first token's line shows the format: CoNLL-U has ten columns between tabs, the first an ID. CoNLL-U Plus has a
/// first line `# global.columns = ...` with their names. In both, comments, the lines of multi-word tokens (1-2) and
/// empty nodes (1.1) are no words. Elsewhere, columns are between tabs if that line has one, else between blanks; a
/// line that begins with -DOCSTART- ends a sentence and is no word, and before a sentence a line such as `# id = 7` is
/// a comment. Blanks around a column are no part of it.
class ColumnReader {
 public:
  enum class Tags { kWanted, kIgnored };

  /// `source` is the file's name in errors.
  ColumnReader(const ColumnOptions& options, Tags tags, std::string source);

  /// Takes the next line, without its newline. Returns a sentence that it ends, if it does. Throws an input error that
  /// names the line: not a text, too few columns, an empty word or tag, IDs of CoNLL-U that do not count from 1.
  std::optional<TaggedSentence> line(std::string_view text);
  /// The sentence that the end of the file ends, if there is one.
  std::optional<TaggedSentence> end();

  int64_t lines() const { return line_; }
  /// What the file was found to be: "CoNLL-U, tags in column 4 (UPOS)". Empty before the first word.
  std::string description() const;
  bool is_conllu() const { return conllu_; }  ///< or CoNLL-U Plus
  bool is_plus() const { return conllu_ && !names_.empty(); }
  /// Where the options have the tags in this file, from 0; known from the first word on.
  size_t tag_column() const { return tag_; }
  /// The column of CoNLL-U for everything else, MISC, from 0; CoNLL-U Plus may have none.
  std::optional<size_t> misc_column() const;
  const std::vector<std::string>& names() const { return names_; }  ///< of the columns of CoNLL-U Plus
  size_t word_column() const { return word_; }

 private:
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const;
  bool is_comment(std::string_view line) const;
  void name_columns(std::string_view line);
  void recognise(std::string_view first_token);
  void read_held();
  std::vector<std::string_view> split(std::string_view text) const;
  void token(const std::vector<std::string_view>& fields);

  ColumnOptions options_;
  Tags tags_;
  std::string source_;
  int64_t line_ = 0;
  bool recognised_ = false;
  bool conllu_ = false;
  bool tabs_ = false;
  std::vector<std::string> names_;  // of CoNLL-U Plus
  size_t id_ = 0, word_ = 0;        // columns from 0; the ID's only of CoNLL-U
  bool has_id_ = false;
  int64_t comments_ = 0;                               // outside of CoNLL-U
  size_t columns_ = 0;                                 // in the first token's line
  size_t tag_ = 0;                                     // column of the tags, from 0
  std::vector<std::pair<int64_t, std::string>> held_;  // lines with # before the first token
  TaggedSentence sentence_;
};

/// Whether lines from the beginning of a text are words with their columns: CoNLL-U; or at least two short lines of
/// equally many fields, of which one after the first holds nothing but tags that `is_tag` knows, or so few different
/// values that they are tags rather than words (then blank lines have to separate sentences, too).
bool looks_like_columns(std::string_view head, const std::function<bool(std::string_view tag)>& is_tag);

/// All sentences of a file's text, at least one. Throws what ColumnReader throws, and an input error where the words
/// are none: numbers that count them, or the `_` of a treebank without forms.
struct ColumnFile {
  std::vector<TaggedSentence> sentences;
  std::string description;
};
ColumnFile read_columns(std::string_view text, const ColumnOptions& options, ColumnReader::Tags tags,
                        const std::string& source);

}  // namespace longhand::data
