// What a tokenizer learns from a treebank that keeps its texts: which marks divide words, what stays whole, which words
// a contraction is made of, and after what a sentence ends. Part of a model.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::data {

/// The words of a token.
struct TokenSplit {
  std::vector<std::string> words;  ///< in lower case
  bool multiword = false;          ///< a multiword token of CoNLL-U, not tokens that only touch each other
  bool operator==(const TokenSplit&) const = default;
};

struct TokenRules {
  /// Whether a word is divided at a mark between two of its characters: the mark, then what stands on its left and its
  /// right, `a` for a letter and `d` for a digit, as in "-ad".
  std::map<std::string, bool> inside;
  /// Tokens, in lower case, that the tokenizer alone would divide.
  std::set<std::string> whole;
  /// Tokens, in lower case, with their words; those of one word stay as they are.
  std::map<std::string, TokenSplit> splits;
  /// The same of beginnings ("l'a": before a letter) and endings ("an't": after a letter) of tokens; the value says
  /// whether the two are one multiword token.
  std::map<std::string, bool> beginnings, endings;
  /// Whether a sentence ends after a token, in lower case, with what follows: "etc. A". After white space: `a` small
  /// letter, `A` other letter, `d` digit, `m` mark; without it: `-`.
  std::map<std::string, bool> ends;

  bool empty() const {
    return inside.empty() && whole.empty() && splits.empty() && beginnings.empty() && endings.empty() && ends.empty();
  }
  size_t size() const {
    return inside.size() + whole.size() + splits.size() + beginnings.size() + endings.size() + ends.size();
  }
  bool operator==(const TokenRules&) const = default;
};

/// Most characters that a beginning or an ending has.
inline constexpr size_t kLongestAffix = 8;
/// Most bytes of a token, in lower case, that rules know whole.
inline constexpr size_t kLongestWhole = 64;

}  // namespace longhand::data
