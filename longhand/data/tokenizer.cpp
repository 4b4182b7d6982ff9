#include "longhand/data/tokenizer.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/base/word_breaks.h"
#include "longhand/data/token_parts.h"

namespace longhand::data {
namespace {

constexpr size_t kMostJoined = 12;  // spans in a token that is known whole

// Calls visit(begin, end) for each piece between white space.
template <class Visit>
void for_each_piece(std::string_view text, const Visit& visit) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    const size_t length = next_character(text, at, c);
    if (is_white_space(c)) {
      if (at > begin) visit(begin, at);
      begin = at + length;
    }
    at += length;
  }
  if (text.size() > begin) visit(begin, text.size());
}

// Words by Annex 29, without white space at their ends.
std::vector<Span> standard_words(std::string_view text) {
  std::vector<Span> out;
  const std::vector<size_t> bounds = word_boundaries(text);
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    Span span{bounds[i], bounds[i + 1]}, word{};
    for_each_piece(text.substr(span.begin, span.end - span.begin), [&](size_t begin, size_t end) {
      if (word.end == 0) word.begin = span.begin + begin;
      word.end = span.begin + end;
    });
    if (word.end > word.begin) out.push_back(word);
  }
  return out;
}

// Every mark, or every character, by itself.
std::vector<Span> single_characters(std::string_view text, bool all) {
  std::vector<Span> out;
  bool begun = false;  // the last word is not complete
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    const size_t end = at + next_character(text, at, c);
    const CharacterKind kind = kind_of(c);
    const bool alone = all || kind == CharacterKind::kOther;
    if (kind == CharacterKind::kSpace) {
      begun = false;
    } else if (alone || !begun) {
      out.push_back({at, end});
      begun = !alone;
    } else {
      out.back().end = end;
    }
    at = end;
  }
  return out;
}

std::string_view part_of(std::string_view text, const Span& span) {
  return text.substr(span.begin, span.end - span.begin);
}

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// The bytes of the first `count` characters.
size_t prefix_bytes(std::string_view text, size_t count) {
  size_t at = 0;
  char32_t c = 0;
  for (; count > 0 && at < text.size(); --count) at += next_character(text, at, c);
  return at;
}

Token whole_token(std::string_view token, const Span& span) {
  Token out;
  out.word = token;
  out.begin = span.begin;
  out.end = span.end;
  return out;
}

// A word that is not written in a token, with a capital where the token has one.
std::string capitalised_like(std::string_view token, const std::string& word) {
  char32_t c = 0;
  next_character(token, 0, c);
  if (kind_of(c) != CharacterKind::kCapital) return word;
  const size_t length = next_character(word, 0, c);
  std::string out;
  append_utf8(upper_case(c), out);
  return out + word.substr(length);
}

// Counts the characters before the tokens and in them.
void place_in_characters(std::string_view text, std::vector<Token>& tokens) {
  size_t at = 0;
  int64_t characters = 0;
  const auto go_to = [&](size_t place) {
    characters += static_cast<int64_t>(count_characters(text.substr(at, place - at)));
    at = place;
  };
  for (size_t i = 0; i < tokens.size(); ++i) {
    Token& token = tokens[i];
    if (token.begin < at) {  // of a multiword token whose words are not written
      token.begin_character = tokens[i - 1].begin_character;
      token.end_character = tokens[i - 1].end_character;
      continue;
    }
    go_to(token.begin);
    token.begin_character = characters;
    go_to(token.end);
    token.end_character = characters;
  }
}

// Adds the words of a token: as they are written, where their characters are those of the token.
void add_words(std::string_view token, size_t offset, const TokenSplit& split, std::vector<Token>& out) {
  std::string together;
  for (const std::string& word : split.words) together += word;
  const bool literal = together == lowercased(token);
  const auto parts = static_cast<int>(split.words.size());
  size_t at = 0;
  for (int part = 0; part < parts; ++part) {
    const std::string& word = split.words[static_cast<size_t>(part)];
    Token one = whole_token(token, {offset, offset + token.size()});
    one.word = word;
    if (literal) {
      const size_t length = prefix_bytes(token.substr(at), count_characters(word));
      one.word = token.substr(at, length);
      one.begin = offset + at;
      one.end = one.begin + length;
      at += length;
    } else if (part == 0) {
      one.word = capitalised_like(token, word);
    }
    if (split.multiword && parts > 1) {
      one.part = part;
      one.parts = parts;
    }
    out.push_back(std::move(one));
  }
}

}  // namespace

std::vector<std::string> tokenizer_names() { return {"space", "punctuation", "words", "marks", "characters"}; }

void TokenizerOptions::add_to(OptionTable& table, bool automatic) {
  std::vector<std::string> names = tokenizer_names();
  if (automatic) names.insert(names.begin(), "auto");
  std::string help =
      "tokenizer of texts: space splits at white space; punctuation also splits off punctuation marks, but keeps "
      "abbreviations, contractions, numbers and addresses; words splits by Unicode Annex 29; marks makes every "
      "punctuation mark a word; characters makes every character a word";
  if (automatic) help += "; auto chooses the one that fits the training data best";
  table.add("tokenizer", tokenizer, std::move(help), one_of(std::move(names)));
  table.add_former("split", "tokenizer", {{"blank", "space"}, {"punctuation", "marks"}, {"char", "characters"}});
}

std::vector<Span> basic_tokens(const std::string& tokenizer, const TokenRules& rules, std::string_view text) {
  if (tokenizer == "words") return standard_words(text);
  if (tokenizer == "marks" || tokenizer == "characters") return single_characters(text, tokenizer == "characters");
  std::vector<Span> out;
  for_each_piece(text, [&](size_t begin, size_t end) {
    if (tokenizer == "punctuation") {
      split_punctuation(text.substr(begin, end - begin), begin, rules, out);
    } else {
      out.push_back({begin, end});
    }
  });
  return out;
}

std::vector<Span> join_whole(std::string_view text, const std::vector<Span>& spans, const TokenRules& rules) {
  if (rules.whole.empty()) return spans;
  std::vector<Span> out;
  for (size_t i = 0; i < spans.size();) {
    size_t taken = 1;
    size_t last = i + 1;  // after the spans that touch each other and are few enough
    while (last < spans.size() && last < i + kMostJoined && spans[last].begin == spans[last - 1].end &&
           spans[last].end - spans[i].begin <= kLongestWhole) {
      ++last;
    }
    for (; last > i + 1; --last) {
      if (!rules.whole.contains(lowercased(text.substr(spans[i].begin, spans[last - 1].end - spans[i].begin))))
        continue;
      taken = last - i;
      break;
    }
    out.push_back({spans[i].begin, spans[i + taken - 1].end});
    i += taken;
  }
  return out;
}

std::string beginning_key(std::string_view front, std::string_view back) {
  char32_t c = 0;
  next_character(back, 0, c);
  const CharacterKind kind = kind_of(c);
  return std::string(front) + (kind == CharacterKind::kDigit ? 'd' : kind == CharacterKind::kOther ? 'm' : 'a');
}

std::string ending_key(std::string_view front, std::string_view back) {
  char32_t c = 0;
  size_t at = front.size() - 1;
  while (at > 0 && (front[at] & 0xC0) == 0x80) --at;
  next_character(front, at, c);
  const CharacterKind kind = kind_of(c);
  return (kind == CharacterKind::kDigit ? "d" : kind == CharacterKind::kOther ? "m" : "a") + std::string(back);
}

TokenSplit split_of(std::string_view token, const TokenRules& rules) {
  const TokenSplit itself{.words = {std::string(token)}};
  if (token.size() <= kLongestWhole) {
    const auto known = rules.splits.find(std::string(token));
    if (known != rules.splits.end()) return known->second;
  }
  const auto two = [&](size_t at, bool multiword) {
    return TokenSplit{.words = {std::string(token.substr(0, at)), std::string(token.substr(at))},
                      .multiword = multiword};
  };
  if (!rules.beginnings.empty()) {
    for (size_t count = 1; count <= kLongestAffix; ++count) {
      const size_t at = prefix_bytes(token, count);
      if (at >= token.size()) break;
      const auto known = rules.beginnings.find(beginning_key(token.substr(0, at), token.substr(at)));
      if (known != rules.beginnings.end()) return two(at, known->second);
    }
  }
  if (rules.endings.empty()) return itself;
  const size_t characters = count_characters(token);
  for (size_t count = std::min(kLongestAffix, characters - 1); count > 0; --count) {  // the longest one
    size_t at = token.size();
    for (size_t c = 0; c < count; ++c) {
      do {
        --at;
      } while (at > 0 && (token[at] & 0xC0) == 0x80);
    }
    if (at == 0) continue;
    const auto known = rules.endings.find(ending_key(token.substr(0, at), token.substr(at)));
    if (known != rules.endings.end()) return two(at, known->second);
  }
  return itself;
}

Tokenizer::Tokenizer(const TokenizerOptions& options, TokenRules rules)
    : name_(options.tokenizer == "auto" ? "space" : options.tokenizer), rules_(std::move(rules)) {
  const std::vector<std::string> names = tokenizer_names();
  LONGHAND_CHECK(std::find(names.begin(), names.end(), name_) != names.end());
}

std::vector<Token> Tokenizer::tokens(std::string_view text) const {
  std::vector<Token> out;
  for (const Span& span : join_whole(text, basic_tokens(name_, rules_, text), rules_)) {
    const std::string_view token = part_of(text, span);
    const bool divisible = !rules_.splits.empty() || !rules_.beginnings.empty() || !rules_.endings.empty();
    if (!divisible) {
      out.push_back(whole_token(token, span));
      continue;
    }
    const TokenSplit split = split_of(lowercased(token), rules_);
    if (split.words.size() == 1) {
      out.push_back(whole_token(token, span));
    } else {
      add_words(token, span.begin, split, out);
    }
  }
  place_in_characters(text, out);
  return out;
}

std::vector<std::string> Tokenizer::words(std::string_view text) const {
  std::vector<std::string> out;
  for (Token& token : tokens(text)) out.push_back(std::move(token.word));
  return out;
}

}  // namespace longhand::data
