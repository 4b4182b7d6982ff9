// A text prepared for language models: its symbols as numbers, in a file that is mapped, with its vocabulary and the
// options by which it was read. docs/large-texts.md describes the format.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "longhand/data/text.h"

namespace longhand::runs {

/// How a text becomes a prepared one.
struct PrepareOptions {
  data::TextOptions text;
  int64_t max_tokens = 0;       ///< symbols to use, from the beginning; 0: all
  bool add_unknown = false;     ///< the vocabulary has <unk> even if no symbol of the text is read as it
  std::string unknown = "unk";  ///< what happens to symbols that a given vocabulary lacks: error, skip, unk
};

/// What a text was prepared from: two of equal size and time are taken to be the same.
struct TextSource {
  std::string name;      ///< as a user called it
  int64_t bytes = 0;     ///< 0: unknown, as of standard input
  int64_t modified = 0;  ///< nanoseconds since 1970

  bool operator==(const TextSource& other) const { return bytes == other.bytes && modified == other.modified; }
};

class PreparedText {
 public:
  /// Whether a file begins as prepared texts do, whatever its name; bytes; false for what cannot be read.
  static bool is_one(const std::string& path);
  static bool begins_one(std::string_view bytes);

  /// Opens a file. Reads its header, its options and the checksums; the symbols are checked where they are read. Throws
  /// an input error for a file that is damaged, truncated or of another version.
  static PreparedText open(const std::string& path);

  const std::string& path() const { return path_; }
  const PrepareOptions& options() const { return options_; }
  const TextSource& source() const { return source_; }
  const data::Vocabulary& vocabulary() const { return *vocabulary_; }
  /// A view of the mapped file, which it keeps open.
  const data::Corpus& corpus() const { return corpus_; }
  int64_t bytes() const { return bytes_; }
  int symbol_bytes() const { return symbol_bytes_; }
  /// Reads all symbols once. Throws an input error where one is damaged.
  void verify() const;

 private:
  PreparedText() = default;
  void read_about(std::string_view json);

  std::string path_;
  PrepareOptions options_;
  TextSource source_;
  std::shared_ptr<const data::Vocabulary> vocabulary_;
  data::Corpus corpus_;
  int64_t bytes_ = 0;
  int symbol_bytes_ = 0;
};

}  // namespace longhand::runs
