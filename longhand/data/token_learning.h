// Chooses a tokenizer for the training data of a tagger, and learns its rules from them.
#pragma once

#include <string>
#include <vector>

#include "longhand/data/columns.h"
#include "longhand/data/treebank_text.h"

namespace longhand::data {

/// Learns the rules with which the tokenizer of this name finds the tokens and sentences of the paragraphs best. The
/// tokenizer "characters" has no rules. Takes linear time.
TokenRules learn_token_rules(const std::string& tokenizer, const std::vector<TreebankParagraph>& paragraphs);

struct TokenizerChoice {
  Tokenizer tokenizer;
  /// A line for the user: "tokenizer words with 812 rules: 98.90 % F1 of words on every tenth part of the texts".
  std::string description;
};

/// Returns a tokenizer for raw texts like those of the training data.
///
/// `wanted` is the name of a tokenizer, or "auto". With "auto", each tokenizer learns rules from nine tenths of `text`,
/// and the one with the highest F1 of words on the other tenth is chosen. Its rules are then learned from all of
/// `text`.
///
/// If `text` is empty (its file does not say where spaces are), no rules are learned. "auto" then chooses the tokenizer
/// that divides the fewest words of `sentences`, or "space" if no punctuation mark is a separate word.
TokenizerChoice choose_tokenizer(const std::string& wanted, const TreebankText& text,
                                 const std::vector<TaggedSentence>& sentences);

}  // namespace longhand::data
