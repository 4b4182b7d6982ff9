// The texts that a treebank's sentences were written in, rebuilt from CoNLL-U: how tokens are glued (SpaceAfter=No,
// SpacesAfter), multiword tokens, paragraphs (# newdoc, # newpar). From them a tokenizer is chosen and learns, and by
// them it is measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/tokenizer.h"

namespace longhand::data {

/// A paragraph, and what is right for it.
struct TreebankParagraph {
  std::string text;
  std::vector<Token> tokens;
  std::vector<size_t> sentence_ends;  ///< as Tokenizer::sentence_ends has them
};

struct TreebankText {
  /// Empty where the file does not say how its tokens are glued: it is not CoNLL-U, or has neither `# text` nor
  /// SpaceAfter=No.
  std::vector<TreebankParagraph> paragraphs;
  int64_t sentences = 0;
};

/// Reads a file that `read_columns` has accepted. Lines that are not of CoNLL-U make the result empty.
TreebankText read_treebank_text(std::string_view text, const std::string& source);

/// Of a tokenizer on texts: what it found, compared by places.
struct TokenAgreement {
  struct Counts {
    int64_t gold = 0, found = 0, correct = 0;
    /// In per cent.
    double f1() const;
  };
  Counts tokens;     ///< multiword tokens count as one
  Counts words;      ///< what a model reads
  Counts sentences;  ///< by their first and last byte
};
TokenAgreement compare_tokens(const std::vector<TreebankParagraph>& paragraphs, const Tokenizer& tokenizer);

/// Spaces as MISC has them: \s \t \n \r \p \\ (as UDPipe writes them), and back.
std::string escaped_spaces(std::string_view spaces);
std::string unescaped_spaces(std::string_view escaped);

}  // namespace longhand::data
