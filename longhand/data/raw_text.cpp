#include "longhand/data/raw_text.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/columns.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr size_t kLongestParagraph = size_t{1} << 20;  // bytes
constexpr int kLinesLookedAt = 200;

bool is_blank_line(std::string_view line) {
  char32_t c = 0;
  for (size_t at = 0; at < line.size();) {
    at += next_character(line, at, c);
    if (!is_white_space(c)) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> sentence_breaks_names() { return {"split", "lines", "paragraphs"}; }

SentenceBreaks parse_sentence_breaks(const std::string& name) {
  if (name == "split") return SentenceBreaks::kSplit;
  if (name == "lines") return SentenceBreaks::kLines;
  LONGHAND_CHECK(name == "paragraphs");
  return SentenceBreaks::kParagraphs;
}

std::optional<TextPart> TextParts::line(std::string_view line, bool newline) {
  ++lines_;
  text_ += line;
  if (newline) text_ += '\n';
  const bool blank = is_blank_line(line);
  has_words_ = has_words_ || !blank;
  if (breaks_ == SentenceBreaks::kParagraphs && !(blank && has_words_) && text_.size() < kLongestParagraph) {
    return std::nullopt;
  }
  return finish();
}

std::optional<TextPart> TextParts::end() {
  if (text_.empty()) return std::nullopt;
  return finish();
}

TextPart TextParts::finish() {
  TextPart out;
  out.text = std::move(text_);
  out.line = part_line_;
  out.byte = byte_;
  out.character = character_;
  out.tokens = tokenizer_.tokens(out.text);
  const size_t count = out.tokens.size();
  if (breaks_ == SentenceBreaks::kSplit || breaks_ == SentenceBreaks::kParagraphs) {
    out.sentence_ends = tokenizer_.sentence_ends(out.text, out.tokens);
  } else if (count > 0) {
    for (size_t end = kLongestSentence; breaks_ == SentenceBreaks::kLines && end < count; end += kLongestSentence) {
      while (end < count && out.tokens[end].part > 0) ++end;  // a multiword token stays whole
      if (end < count) out.sentence_ends.push_back(end);
    }
    out.sentence_ends.push_back(count);
  }
  byte_ += out.text.size();
  character_ += std::count_if(out.text.begin(), out.text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  part_line_ = lines_ + 1;
  has_words_ = false;
  text_.clear();
  return out;
}

std::vector<TextPart> text_parts(std::string_view text, const Tokenizer& tokenizer, SentenceBreaks breaks) {
  TextParts parts(tokenizer, breaks);
  std::vector<TextPart> out;
  while (!text.empty()) {
    const bool newline = text.find('\n') != std::string_view::npos;
    if (std::optional<TextPart> part = parts.line(take_line(text), newline)) out.push_back(std::move(*part));
  }
  if (std::optional<TextPart> part = parts.end()) out.push_back(std::move(*part));
  return out;
}

std::vector<PlacedSentence> placed_sentences(TextPart part, PlacedSentence* last, std::string& pending) {
  std::vector<PlacedSentence> out;
  const size_t leading = part.tokens.empty() ? part.text.size() : part.tokens.front().begin;
  (last != nullptr ? last->after : pending) += part.text.substr(0, leading);
  size_t i = 0;
  for (const size_t end : part.sentence_ends) {
    PlacedSentence& sentence = out.emplace_back();
    const size_t from = part.tokens[i].begin, to = part.tokens[end - 1].end;
    const size_t next = end < part.tokens.size() ? part.tokens[end].begin : part.text.size();
    sentence.text = part.text.substr(from, to - from);
    sentence.byte = part.byte + from;
    sentence.after = part.text.substr(to, next - to);
    sentence.line = part.line;
    sentence.begins_part = i == 0;
    if (i == 0) sentence.before.swap(pending);
    for (; i < end; ++i) {
      Token& token = sentence.tokens.emplace_back(std::move(part.tokens[i]));
      token.begin += part.byte;
      token.end += part.byte;
      token.begin_character += part.character;
      token.end_character += part.character;
    }
  }
  return out;
}

TextKind recognise_text(std::string_view head, const Tokenizer& tokenizer,
                        const std::function<bool(std::string_view tag)>& is_tag) {
  if (looks_like_columns(head, is_tag)) return TextKind::kColumns;
  const Tokenizer blanks;
  int64_t glued = 0, apart = 0;
  for (int i = 0; i < kLinesLookedAt && !head.empty(); ++i) {
    for (const Token& piece : blanks.tokens(take_line(head))) {
      const bool all_marks = std::none_of(piece.word.begin(), piece.word.end(), [](char c) {
        return static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
      });
      const bool divided = tokenizer.tokens(piece.word).size() > 1;
      apart += all_marks && !divided ? 1 : 0;
      glued += !all_marks && divided ? 1 : 0;
    }
  }
  if (tokenizer.name() == "space" && tokenizer.rules().empty()) return TextKind::kSentences;
  return apart > glued ? TextKind::kSentences : TextKind::kText;
}

bool looks_wrapped(std::string_view head) {
  int64_t pairs = 0, continued = 0;
  bool after_words = false;
  for (int i = 0; i < kLinesLookedAt && !head.empty(); ++i) {
    const std::string_view line = trimmed(take_line(head));
    if (line.empty()) {
      after_words = false;
      continue;
    }
    if (after_words) {
      char32_t c = 0;
      next_character(line, 0, c);
      ++pairs;
      continued += is_lower_case(c) ? 1 : 0;
    }
    after_words = true;
  }
  return pairs >= 4 && 4 * continued > pairs;
}

}  // namespace longhand::data
