// Chunks written as a tag for each token, such as B-LOC I-LOC O: the schemes, their rules, the way from one to another,
// and how chunks that were found are counted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/columns.h"

namespace longhand::data {

/// How the tags of a chunk begin (after Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999). A tag may also be
/// the letter alone, where chunks have no types.
enum class Scheme {
  kNone,   ///< tags are not of chunks
  kIob1,   ///< I-; B- only where another chunk of the type ends just before
  kIob2,   ///< B- for the first token, I- for the others (also called BIO)
  kIoe1,   ///< I-; E- only where another chunk of the type begins just after
  kIoe2,   ///< E- for the last token, I- for the others
  kBioes,  ///< S- for the only token; else B-, I-, E-
  kBilou,  ///< the same with U- for S- and L- for E-
  kBmes,   ///< the same with M- for I-
};

/// The names of all schemes, as options have them.
std::vector<std::string> scheme_names();
const char* scheme_name(Scheme scheme);
/// The scheme of that name: options are checked before.
Scheme parse_scheme(const std::string& name);

/// Tokens begin .. end-1 of a sentence.
struct Chunk {
  int64_t begin = 0;
  int64_t end = 0;
  std::string_view type;  ///< a view of a tag
  bool operator==(const Chunk&) const = default;
};

/// The chunks of a sentence's tags in any scheme, as the conlleval script reads them: what breaks a scheme is read as
/// well as it can be. (It differs around E- and S- where two chunks of one type adjoin, some of which that script takes
/// for one, and where a tag is neither O nor begins with a letter of a scheme, which is none here.)
std::vector<Chunk> chunks(const std::vector<std::string>& tags);

/// The tags of a sentence of `length` tokens with these chunks, in their order. `scheme` is not kNone.
std::vector<std::string> chunk_tags(const std::vector<Chunk>& chunks, int64_t length, Scheme scheme);

/// Whether the scheme lets `tag` follow `before`; an empty text is a sentence's beginning, or its end.
bool may_follow(std::string_view before, std::string_view tag, Scheme scheme);

/// The scheme that the sentences show: the one whose letters they have and which the fewest of their tags break; kNone
/// where tags do not look like those of chunks (O, or a letter of a scheme and a type). Throws an input error that
/// names `source` and the line where some tags are none of chunks, or where more than a tenth breaks every scheme.
Scheme recognise_scheme(const std::vector<TaggedSentence>& sentences, const std::string& source);
/// Throws an input error naming the first line that breaks the scheme.
void check_scheme(const std::vector<TaggedSentence>& sentences, Scheme scheme, const std::string& source);

/// What `repair_scheme` changed.
struct Repairs {
  int64_t tags = 0;        ///< that were changed
  int64_t first_line = 0;  ///< of the first that broke the scheme
  std::string first;       ///< what was found there: "I-LOC after O"
};
/// Writes the tags of sentences that break the scheme as the conlleval script reads them. Throws an input error naming
/// the line of a tag that is none of chunks.
Repairs repair_scheme(std::vector<TaggedSentence>& sentences, Scheme scheme, const std::string& source);

/// What the conlleval script counts.
struct ChunkCounts {
  int64_t gold = 0;
  int64_t found = 0;
  int64_t correct = 0;

  /// In per cent; 0 for 0 / 0.
  double precision() const;
  double recall() const;
  double f1() const;
};

struct ChunkScore {
  int64_t tokens = 0;
  int64_t correct_tags = 0;
  ChunkCounts all;
  std::map<std::string, ChunkCounts> types;

  /// Tags that are right, in per cent.
  double accuracy() const;
  void add(const std::vector<std::string>& gold, const std::vector<std::string>& found);
  /// Whether any tag was one of a chunk.
  bool has_chunks() const { return !types.empty(); }
  /// As the conlleval script prints it, with a newline at the end of each line. Of tags that are not of chunks, the
  /// accuracy alone.
  std::string conlleval() const;
};

/// Scores a file as the conlleval script reads it: columns between blanks, as many in each line, the right tag in the
/// last but one and the predicted one in the last; a blank line ends a sentence. Throws an input error naming the line
/// where there are fewer than two, or not as many as in the first, and of a tag that is none of chunks among others
/// that are. `on_sentence` receives each sentence with its gold tags (its words are those of the first column, or, of
/// two columns, none) and the predicted ones.
ChunkScore score_predictions(
    std::string_view text, const std::string& source,
    const std::function<void(const TaggedSentence& gold, const std::vector<std::string>& found)>& on_sentence = {});

}  // namespace longhand::data
