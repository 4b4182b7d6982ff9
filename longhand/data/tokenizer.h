// Tokenizers: from a raw text to words with their places in the text. A model stores its tokenizer. Training,
// evaluation, the commands and the library all use this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/data/token_rules.h"

namespace longhand::data {

/// A word as a model reads it, and the bytes `begin` .. `end` - 1 of the text that it stands for.
struct Token {
  std::string word;
  size_t begin = 0;
  size_t end = 0;
  int64_t begin_character = 0;  ///< the same two places, in characters (code points)
  int64_t end_character = 0;
  /// For a word of a multiword token: its index among the token's words, and their number. Words that do not occur in
  /// the text, such as "de" and "le" of "du", have the place of the whole token.
  int part = 0;
  int parts = 1;
};

/// The names of the tokenizers:
///
///   space        words are separated by white space
///   punctuation  words are separated by white space, and punctuation marks are separate words, except in abbreviations
///                (U.S., Dr.), contractions (don't), numbers (2,500.5), compounds (twenty-one), web and e-mail
///                addresses
///   words        words by Unicode Standard Annex 29
///   marks        words are separated by white space, and every punctuation mark is a separate word
///   characters   every character except white space is a word
std::vector<std::string> tokenizer_names();

/// The option, which is stored in the model.
struct TokenizerOptions {
  std::string tokenizer = "space";

  /// `automatic`: allows "auto", which training replaces with the name of a tokenizer.
  void add_to(OptionTable& table, bool automatic);
};

class Tokenizer {
 public:
  Tokenizer() = default;
  explicit Tokenizer(const TokenizerOptions& options, TokenRules rules = {});

  const std::string& name() const { return name_; }
  const TokenRules& rules() const { return rules_; }
  /// The tokens in the order of the text. They do not overlap, except for words of a multiword token. No token is
  /// empty. `text` may hold any bytes. Takes linear time.
  std::vector<Token> tokens(std::string_view text) const;
  /// The words of these tokens.
  std::vector<std::string> words(std::string_view text) const;
  /// The ends of the sentences of a paragraph: sentence i ends before token `ends[i]`, and the last end is
  /// `tokens.size()`. `tokens` must be those of `text`.
  std::vector<size_t> sentence_ends(std::string_view text, const std::vector<Token>& tokens) const;

 private:
  std::string name_ = "space";
  TokenRules rules_;
};

/// Maximum number of words of a sentence. Longer sentences are divided, so that memory is bounded.
inline constexpr size_t kLongestSentence = 1000;

}  // namespace longhand::data
