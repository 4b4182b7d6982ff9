// The steps of a tokenizer, for its sources and for the learning of its rules.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/tokenizer.h"

namespace longhand::data {

/// Bytes `begin` .. `end` - 1 of a text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const Span&) const = default;
};

/// What the tokenizer of that name makes of a text without the rules for single tokens.
std::vector<Span> basic_tokens(const std::string& tokenizer, const TokenRules& rules, std::string_view text);
/// The tokenizer "punctuation" on characters without white space at `offset` of a text; adds to `out`.
void split_punctuation(std::string_view piece, size_t offset, const TokenRules& rules, std::vector<Span>& out);
/// Spans that touch each other and are known as one token become one.
std::vector<Span> join_whole(std::string_view text, const std::vector<Span>& spans, const TokenRules& rules);
/// The words of a token: those that the rules have, or itself. `token` is in lower case.
TokenSplit split_of(std::string_view token, const TokenRules& rules);

/// A mark inside a word: what `TokenRules::inside` calls it.
std::string inside_key(char32_t left, std::string_view mark, char32_t right);
/// What `beginnings` and `endings` call the parts of a token of `front` and `back`.
std::string beginning_key(std::string_view front, std::string_view back);
std::string ending_key(std::string_view front, std::string_view back);

/// Whether a sentence may end after token `i`.
struct SentenceEnd {
  std::string key;    ///< what `TokenRules::ends` calls it; empty: none may end
  size_t next = 0;    ///< token with which the next sentence would begin, after closing quotes and brackets
  bool ends = false;  ///< what is usual, without the rules
};
SentenceEnd sentence_end(std::string_view text, const std::vector<Token>& tokens, size_t i);

}  // namespace longhand::data
