// Tagged sentences as lines of output: words with their tags, columns, CoNLL-U or JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/columns.h"
#include "longhand/data/conllu.h"
#include "longhand/predict.h"

namespace longhand::cli {

/// A sentence that was read.
struct SentenceToTag {
  data::PlacedSentence sentence;
  /// Of columns: the lines as they came, with their ends, the number of the first, and that of each word's line.
  std::vector<std::string> lines{};
  int64_t first_line = 0;
  std::vector<int64_t> word_lines{};

  Sentence words() const;
};

class TagWriter {
 public:
  struct Options {
    bool json = false;
    bool conllu = false;
    std::string offsets = "none";  ///< characters, bytes
    bool probabilities = false;
    bool chunks = false;  ///< tags mark chunks
    data::ConlluOptions layout{};
    bool columns = false;  ///< the input is columns: its words have no places in a text
  };
  /// `reader` read the columns; it must outlive this.
  TagWriter(Options options, const data::ColumnReader& reader) : options_(std::move(options)), reader_(reader) {}

  /// Appends a sentence with its taggings, best first; as JSON without a newline, and nothing of one without words.
  void write(const SentenceToTag& item, const std::vector<Tags>& taggings, std::string& out);

 private:
  void write_words(const SentenceToTag& item, const Tags& tagging, std::string& out) const;
  void write_lines(const SentenceToTag& item, const std::vector<std::string>& tags, std::string& out) const;
  std::string tagged_line(const std::string& line, const std::string& tag) const;
  std::string json(const SentenceToTag& item, const std::vector<Tags>& taggings) const;

  Options options_;
  const data::ColumnReader& reader_;
  int64_t sentences_ = 0;
};

}  // namespace longhand::cli
