// Texts as people write them, cut into sentences of tokens: whole, or line by line as they come.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/tokenizer.h"

namespace longhand::data {

/// Where sentences may end.
enum class SentenceBreaks {
  kSplit,       ///< at the final marks within a line, and at its end
  kLines,       ///< at the ends of lines, and after kLongestSentence words
  kParagraphs,  ///< at final marks and at blank lines: a line's end is a blank
  kGiven,       ///< at the ends of lines alone, however long they are
};
std::vector<std::string> sentence_breaks_names();
SentenceBreaks parse_sentence_breaks(const std::string& name);

/// A line or a paragraph with all that belongs to it, to its last line end.
struct TextPart {
  std::string text;
  int64_t line = 0;           ///< of its beginning in the text, from 1
  size_t byte = 0;            ///< where it begins in the text
  int64_t character = 0;      ///< the same in characters
  std::vector<Token> tokens;  ///< their places are in the part
  std::vector<size_t> sentence_ends;
};

/// Cuts a text that comes line by line. Memory is bounded by the longest line, or by a paragraph of 1 MiB.
class TextParts {
 public:
  /// The tokenizer must outlive this.
  TextParts(const Tokenizer& tokenizer, SentenceBreaks breaks) : tokenizer_(tokenizer), breaks_(breaks) {}

  /// Takes the next line, without its newline if it had one. Returns the part that it completes.
  std::optional<TextPart> line(std::string_view line, bool newline);
  /// The part that the end of the text completes.
  std::optional<TextPart> end();

 private:
  TextPart finish();

  const Tokenizer& tokenizer_;
  SentenceBreaks breaks_;
  std::string text_;  // of the part that is not complete
  int64_t lines_ = 0, part_line_ = 1;
  size_t byte_ = 0;
  int64_t character_ = 0;
  bool has_words_ = false;
};

/// The parts of a whole text.
std::vector<TextPart> text_parts(std::string_view text, const Tokenizer& tokenizer, SentenceBreaks breaks);

/// A sentence with its place in the text, and the white space around it, so that all sentences together are the text.
struct PlacedSentence {
  std::vector<Token> tokens;  ///< places in the whole text
  std::string text;           ///< from the first token to the last one
  size_t byte = 0;            ///< where that begins in the whole text
  std::string before;         ///< white space before it that belongs to no sentence before
  std::string after;          ///< and after it
  int64_t line = 0;           ///< of the part that it belongs to
  bool begins_part = false;
};
/// The sentences of a part. White space at its beginning, or a part of white space alone, goes after `last`, the
/// sentence before it, or where that is null into `pending` and from there before the next sentence.
std::vector<PlacedSentence> placed_sentences(TextPart part, PlacedSentence* last, std::string& pending);

/// What lines from the beginning of a text show it to be.
enum class TextKind {
  kText,       ///< as people write it
  kSentences,  ///< a sentence a line, its words and marks between blanks
  kColumns,    ///< a word a line
};
/// Columns are as `looks_like_columns` finds them; `is_tag` knows the model's tags. Otherwise a mark between blanks
/// shows sentences that are divided into words, unless more words have marks that the tokenizer takes off. Without
/// either it is a text, unless the tokenizer knows nothing but white space.
TextKind recognise_text(std::string_view head, const Tokenizer& tokenizer,
                        const std::function<bool(std::string_view tag)>& is_tag);
/// Whether the lines of a paragraph continue each other: many begin with a small letter.
bool looks_wrapped(std::string_view head);

}  // namespace longhand::data
