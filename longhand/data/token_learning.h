// Choosing a tokenizer, and learning its rules, from the data that a tagger is trained on.
#pragma once

#include <string>
#include <vector>

#include "longhand/data/columns.h"
#include "longhand/data/treebank_text.h"

namespace longhand::data {

/// The rules by which the tokenizer of that name comes closest to the paragraphs' tokens and sentences. None for the
/// tokenizer "characters". Takes linear time.
TokenRules learn_token_rules(const std::string& tokenizer, const std::vector<TreebankParagraph>& paragraphs);

struct TokenizerChoice {
  Tokenizer tokenizer;
  /// "tokenizer words with 812 rules: 98.90 % F1 of words on every tenth part of the texts": a line for the user.
  std::string description;
};

/// The tokenizer for texts such as these sentences were taken from. `wanted`: its name, or "auto": the best of all on
/// every tenth part of the texts, with what was learned from the others. Its rules are then learned from all of them.
/// Where `text` does not say how tokens are glued, nothing is learned, and "auto" is what divides the fewest of the
/// sentences' words: "space" unless marks are words of their own.
TokenizerChoice choose_tokenizer(const std::string& wanted, const TreebankText& text,
                                 const std::vector<TaggedSentence>& sentences);

}  // namespace longhand::data
