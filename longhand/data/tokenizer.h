// From a text as people write it to tokens, with their places in it. A model stores its tokenizer, and whoever gives it
// a text (training, evaluation, the commands, the library) goes through this file.
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
  int64_t begin_character = 0;  ///< the same two places counted in characters (code points)
  int64_t end_character = 0;
  /// Of a multiword token: number of this word and how many there are. Words that are not written in the text, such as
  /// "de" and "le" of "du", have the place of the whole token.
  int part = 0;
  int parts = 1;
};

/// The names of the tokenizers:
///
///   space        words are between white space
///   punctuation  the same, and punctuation marks are apart, except in abbreviations (U.S., Dr.), contractions (don't),
///                numbers (2,500.5), compounds (twenty-one) and addresses of the web and of e-mail
///   words        words by Unicode Standard Annex 29
///   marks        words are between white space, and every punctuation mark is a word of its own
///   characters   every character but white space is a word
std::vector<std::string> tokenizer_names();

/// The option. Part of a model: what it is given later is treated the same.
struct TokenizerOptions {
  std::string tokenizer = "space";

  /// `automatic`: "auto" is a choice, too, which training replaces.
  void add_to(OptionTable& table, bool automatic);
};

class Tokenizer {
 public:
  Tokenizer() = default;
  explicit Tokenizer(const TokenizerOptions& options, TokenRules rules = {});

  const std::string& name() const { return name_; }
  const TokenRules& rules() const { return rules_; }
  /// Tokens in the order of the text, which do not overlap but for the words of a multiword token. No token is empty.
  /// Takes linear time; any bytes are read.
  std::vector<Token> tokens(std::string_view text) const;
  /// The words alone.
  std::vector<std::string> words(std::string_view text) const;
  /// The end of each sentence of a paragraph as a number of tokens, in order: the last is `tokens.size()`. `tokens` are
  /// those of `text`.
  std::vector<size_t> sentence_ends(std::string_view text, const std::vector<Token>& tokens) const;

 private:
  std::string name_ = "space";
  TokenRules rules_;
};

/// Most words of a sentence; longer ones are divided, so that memory is bounded.
inline constexpr size_t kLongestSentence = 1000;

}  // namespace longhand::data
