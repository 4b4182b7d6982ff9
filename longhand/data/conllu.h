// Tagged sentences of raw texts as CoNLL-U, from which the text can be restored.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/raw_text.h"

namespace longhand::data {

inline constexpr size_t kConlluUpos = 3, kConlluXpos = 4, kConlluMisc = 9;  ///< columns, from 0

/// MISC with NER=TAG, in the place of an earlier one or else first. A `|` in the tag is written as \p, as in
/// `escaped_spaces`.
std::string misc_with_tag(std::string_view misc, std::string_view tag);

struct ConlluOptions {
  size_t tag_column = kConlluUpos;  ///< kConlluMisc: as `misc_with_tag` writes it, for tags of chunks
  bool paragraphs = false;          ///< write `# newpar` before the first sentence of a part
  /// Places of tokens in MISC as TokenRange=BEGIN:END (as UDPipe writes them): none, characters or bytes.
  std::string ranges = "none";
};

/// A sentence with `# sent_id`, `# text`, its multiword tokens, and SpaceAfter=No, SpacesAfter and SpacesBefore (with
/// the escapes of UDPipe) where the text has something else than one blank. Tabs and line ends in words are written as
/// blanks, and so are those between words in `# text`; spaces such as U+00A0 and U+2028 stay as they are in `# text`
/// and MISC. `tags`: one a token. Ends with a blank line.
std::string conllu_sentence(const PlacedSentence& sentence, const std::vector<std::string>& tags, int64_t id,
                            const ConlluOptions& options);

}  // namespace longhand::data
