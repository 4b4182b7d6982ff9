// Tagged sentences of raw texts as CoNLL-U, from which the text can be restored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/raw_text.h"

namespace longhand::data {

inline constexpr size_t kConlluUpos = 3, kConlluXpos = 4, kConlluMisc = 9;  ///< columns, from 0

struct ConlluOptions {
  size_t tag_column = kConlluUpos;  ///< kConlluMisc: as NER=TAG, for tags of chunks
  bool paragraphs = false;          ///< write `# newpar` before the first sentence of a part
  /// Places of tokens in MISC as TokenRange=BEGIN:END (as UDPipe writes them): none, characters or bytes.
  std::string ranges = "none";
};

/// A sentence with `# sent_id`, `# text`, its multiword tokens, and SpaceAfter=No, SpacesAfter and SpacesBefore (with
/// the escapes of UDPipe) where the text has no blank or more than one. Tabs and line ends in words are written as
/// blanks. `tags`: one a token. Ends with a blank line.
std::string conllu_sentence(const PlacedSentence& sentence, const std::vector<std::string>& tags, int64_t id,
                            const ConlluOptions& options);

}  // namespace longhand::data
