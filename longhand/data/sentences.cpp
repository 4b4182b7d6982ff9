// Where the sentences of a paragraph end, by their final marks.
#include <algorithm>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/token_parts.h"

namespace longhand::data {
namespace {

constexpr size_t kLongestFinal = 16;  // bytes of a token that ends a sentence by more than its period

// Full stops, question and exclamation marks of all scripts, and ellipses.
constexpr std::u32string_view kFinal =
    U".!?\u2026\u0589\u061D\u061E\u061F\u06D4\u0700\u0701\u0702\u07F9\u0837\u0839\u083D\u083E\u0964\u0965\u104A\u104B"
    U"\u1362\u1367\u1368\u166E\u1735\u1736\u1803\u1809\u1944\u1945\u1C3B\u1C3C\u1C7E\u1C7F\u203C\u203D\u2047\u2048"
    U"\u2049\u2E2E\u3002\uA4FF\uA60E\uA60F\uA6F3\uA6F7\uA876\uA877\uA8CE\uA8CF\uA92F\uABEB\uFE52\uFE56\uFE57\uFF01"
    U"\uFF0E\uFF1F\uFF61";
// After these the next sentence begins without a blank.
constexpr std::u32string_view kFinalWithoutBlank = U"\u3002\uFF01\uFF0E\uFF1F\uFF61";
constexpr std::u32string_view kClosing =
    U"\"')]}"
    U"\u2019\u201D\u00BB\u203A\u3009\u300B\u300D\u300F\u3011\u3015\u3017\u3019\u301B\u301E\u301F\uFF02\uFF07\uFF09"
    U"\uFF3D\uFF5D\uFF63\u2046\uFE44\uFE42\uFE5A\uFE5C\uFE5E\u275C\u275E";

char32_t first_character(std::string_view text) {
  char32_t c = 0;
  if (!text.empty()) next_character(text, 0, c);
  return c;
}

char32_t last_character(std::string_view text) {
  size_t at = text.size();
  while (at > 0 && (text[--at] & 0xC0) == 0x80) {
  }
  return first_character(text.substr(at));
}

bool consists_of(std::string_view text, std::u32string_view set) {
  char32_t c = 0;
  for (size_t at = 0; at < text.size(); at += next_character(text, at, c)) {
    if (set.find(first_character(text.substr(at))) == std::u32string_view::npos) return false;
  }
  return !text.empty();
}

// What follows a sentence's end: see TokenRules::ends.
char kind_of_next(std::string_view word) {
  const char32_t c = first_character(word);
  switch (kind_of(c)) {
    case CharacterKind::kCapital: return 'A';
    case CharacterKind::kDigit:
    case CharacterKind::kNumber: return 'd';
    // Letters of scripts without capitals may begin a sentence.
    case CharacterKind::kLetter: return is_lower_case(c) ? 'a' : 'A';
    default: return 'm';
  }
}

}  // namespace

SentenceEnd sentence_end(std::string_view text, const std::vector<Token>& tokens, size_t i) {
  SentenceEnd out;
  const Token& token = tokens[i];
  const bool last_part = token.part + 1 == token.parts;
  if (token.word.size() > kLongestFinal || !last_part) return out;
  const bool mark = consists_of(token.word, kFinal);
  const char32_t last = last_character(token.word);
  const bool other_mark = kind_of(last) == CharacterKind::kOther && !mark;
  if (!mark && !other_mark) return out;
  out.next = i + 1;
  if (mark) {
    while (out.next < tokens.size() && tokens[out.next].begin == tokens[out.next - 1].end &&
           consists_of(tokens[out.next].word, kClosing)) {
      ++out.next;
    }
  }
  if (out.next >= tokens.size()) return out;  // a paragraph ends by itself
  const bool blank = tokens[out.next].begin > tokens[out.next - 1].end;
  const char next = blank ? kind_of_next(text.substr(tokens[out.next].begin)) : '-';
  out.key = lowercased(token.word) + " " + next;
  out.ends = mark && (blank ? next != 'a' : kFinalWithoutBlank.find(last) != std::u32string_view::npos);
  return out;
}

std::vector<size_t> Tokenizer::sentence_ends(std::string_view text, const std::vector<Token>& tokens) const {
  std::vector<size_t> out;
  size_t begin = 0, end = 0;  // of the sentence; `end`: after a final mark that was found, or 0
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool is_long = i - begin >= kLongestSentence && tokens[i].part == 0;
    if (i == end || is_long) {
      if (i > begin) out.push_back(i);
      begin = i;
    }
    if (i < end) continue;  // closing marks
    const SentenceEnd found = sentence_end(text, tokens, i);
    if (found.key.empty()) continue;
    const auto known = rules_.ends.find(found.key);
    if (known != rules_.ends.end() ? known->second : found.ends) end = found.next;
  }
  if (!tokens.empty()) out.push_back(tokens.size());
  return out;
}

}  // namespace longhand::data
