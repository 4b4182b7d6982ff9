// From a text in a file to a prepared one: read in blocks, so that it takes no memory of the text's size. Symbols, and
// errors, are those of the text in memory (data/text.h).
#pragma once

#include <functional>
#include <string>

#include "longhand/data/text_stream.h"
#include "longhand/io/byte_stream.h"
#include "longhand/runs/prepared_text.h"

namespace longhand::runs {

/// Progress of reading a text, in bytes; false stops it.
using OnRead = std::function<bool(int64_t done, int64_t total)>;

/// A text that is read several times, in blocks.
class TextFile {
 public:
  static constexpr size_t kBlock = 1 << 20;

  /// A file that can be read again. Errors name it `name`. Throws an input error where it cannot be read.
  TextFile(std::string path, std::string name, PrepareOptions options, OnRead on_read, size_t block = kBlock);

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  const PrepareOptions& options() const { return options_; }
  const TextSource& source() const { return source_; }

  /// Calls visit(data::ScannedSymbol), and end_of_block() after each block, until visit returns false.
  template <class Visit, class EndOfBlock>
  void scan(const Visit& visit, const EndOfBlock& end_of_block) const;

  /// The vocabulary of the text, as build_vocabulary makes it.
  data::Vocabulary vocabulary(bool add_unknown) const;
  /// Whether it has a symbol that the vocabulary lacks.
  bool has_unknown(const data::Vocabulary& vocabulary) const;
  /// Writes the prepared text; `add_unknown` is noted in it. Throws an input error for a symbol that is refused, or
  /// where it cannot be written, or the text changes meanwhile; then the old file, if there was one, is as it was.
  void prepare(const data::Vocabulary& vocabulary, bool add_unknown, const std::string& out) const;

 private:
  int64_t find_end() const;
  void read_block(int64_t done) const;

  std::string path_, name_;
  PrepareOptions options_;
  OnRead on_read_;
  size_t block_;
  TextSource source_;
  mutable int64_t end_ = -1;  // of the normalised text that is used; -1: not known, or all
};

/// The size of a file, and when it was changed.
TextSource source_of(const std::string& path, const std::string& name);

template <class Visit, class EndOfBlock>
void TextFile::scan(const Visit& visit, const EndOfBlock& end_of_block) const {
  io::InputStream file(path_);
  data::Normaliser normaliser(options_.text, name_);
  data::SymbolScanner scanner(options_.text);
  std::string block(block_, '\0'), normal;
  int64_t passed = 0;  // of the normalised text
  for (bool more = true, goes_on = true; more && goes_on;) {
    const size_t got = file.read(block);
    more = got > 0;
    normal.clear();
    if (more) {
      normaliser.push(std::string_view(block).substr(0, got), normal);
    } else {
      normaliser.finish(normal);
    }
    if (end_ >= 0 && passed + static_cast<int64_t>(normal.size()) >= end_) {
      normal.resize(static_cast<size_t>(end_ - passed));
      more = false;
    }
    passed += static_cast<int64_t>(normal.size());
    goes_on = scanner.push(normal, visit);
    if (!more && goes_on) scanner.finish(visit);
    end_of_block();
    read_block(static_cast<int64_t>(file.position()));
  }
}

}  // namespace longhand::runs
