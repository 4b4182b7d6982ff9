// A text that comes in pieces on its way to symbol numbers: normalised, cut into symbols, counted, encoded. text.h has
// the same for a text in memory, which is one piece: wherever it is cut, the symbols are the same.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"
#include "longhand/data/text.h"

namespace longhand::data {

/// What `normalise` does. Its output has whole characters (at level byte, bytes).
class Normaliser {
 public:
  /// Errors name `source`.
  Normaliser(const TextOptions& options, const std::string& source);
  /// Appends to `out` what the pieces so far give; the rest is kept for the next piece. Throws what normalise throws.
  void push(std::string_view piece, std::string& out);
  void finish(std::string& out);

 private:
  void push_bytes(std::string_view piece, std::string& out);
  void append(std::string text, std::string& out);
  void append_letters(std::string_view text, std::string& out);

  TextOptions options_;
  TextCleaner cleaner_;
  std::string beginning_;     // at level byte, as long as it may be part of a byte-order mark
  bool begun_ = false;        // it is not
  bool after_space_ = false;  // of letters only: the last one written is a space
};

/// A symbol in a text.
struct ScannedSymbol {
  std::string_view text;  ///< good until the next piece
  int64_t end;            ///< byte offset of its end in the normalised text
  bool newline;           ///< it is a line's end
};

/// Cuts a normalised text into symbols: at level word what white space separates, and <eos> (with `lines`, "\n") for
/// each line's end; else characters or bytes.
class SymbolScanner {
 public:
  explicit SymbolScanner(const TextOptions& options)
      : words_(options.level == "word"), bytes_(options.level == "byte"), lines_(options.lines) {}

  /// Calls visit(ScannedSymbol) until it returns false, which this then returns. A word at the end of the piece waits
  /// for the next one.
  template <class Visit>
  bool push(std::string_view text, const Visit& visit) {
    const bool goes_on = words_ ? push_words(text, visit) : push_characters(text, visit);
    before_ += static_cast<int64_t>(text.size());
    return goes_on;
  }
  /// The last word.
  template <class Visit>
  bool finish(const Visit& visit) {
    if (word_.empty()) return true;
    const std::string word = std::exchange(word_, {});
    return visit(ScannedSymbol{word, before_, false});
  }

 private:
  template <class Visit>
  bool push_characters(std::string_view text, const Visit& visit);
  template <class Visit>
  bool push_words(std::string_view text, const Visit& visit);
  static size_t utf8_length(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  }
  // Where the characters from `at` on are no longer white space, or are; a line's end counts as neither.
  static size_t end_of_run(std::string_view text, size_t at, bool white_space);

  bool words_, bytes_, lines_;
  int64_t before_ = 0;  // bytes of earlier pieces
  std::string word_;    // the beginning of one that the last piece ended in
};

template <class Visit>
bool SymbolScanner::push_characters(std::string_view text, const Visit& visit) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = bytes_ ? 1 : std::min(utf8_length(text[at]), text.size() - at);
    const std::string_view symbol = text.substr(at, length);
    at += length;
    if (!visit(ScannedSymbol{symbol, before_ + static_cast<int64_t>(at), symbol[0] == '\n'})) return false;
  }
  return true;
}

template <class Visit>
bool SymbolScanner::push_words(std::string_view text, const Visit& visit) {
  size_t at = 0;
  const auto symbol = [&](std::string_view s, size_t end, bool newline) {
    return visit(ScannedSymbol{s, before_ + static_cast<int64_t>(end), newline});
  };
  if (!word_.empty()) {
    at = end_of_run(text, 0, false);
    word_.append(text, 0, at);
    if (at == text.size()) return true;
    const std::string word = std::exchange(word_, {});
    if (!symbol(word, at, false)) return false;
  }
  while (at < text.size()) {
    if (text[at] == '\n') {
      if (!symbol(lines_ ? std::string_view("\n") : kEnd, ++at, true)) return false;
      continue;
    }
    const size_t end = end_of_run(text, at, false);
    if (end == text.size()) {
      word_ = text.substr(at);
      return true;
    }
    if (end > at && !symbol(text.substr(at, end - at), end, false)) return false;
    at = end > at ? end : end_of_run(text, at, true);
  }
  return true;
}

/// Finds where a text ends of which the first `max` symbols are used; with `lines`, its whole lines.
class SymbolLimit {
 public:
  SymbolLimit(const TextOptions& options, int64_t max) : lines_(options.lines), max_(max) {}
  /// False once the limit is exceeded.
  bool add(const ScannedSymbol& symbol) {
    const bool ends_line = lines_ && symbol.text == "\n";
    if (!ends_line && ++count_ > max_) return false;
    if (!lines_ || ends_line) end_ = symbol.end;
    return true;
  }
  bool reached() const { return count_ > max_; }
  /// Byte offset in the normalised text, where the limit was reached.
  int64_t end() const { return end_; }

 private:
  bool lines_;
  int64_t max_;
  int64_t count_ = 0;
  int64_t end_ = 0;
};

/// How often each symbol occurs.
class SymbolCounts {
 public:
  explicit SymbolCounts(const TextOptions& options) : options_(options) {}
  void add(const ScannedSymbol& symbol);
  /// What build_vocabulary makes of them.
  Vocabulary vocabulary(bool unknown) const;
  /// Symbols of the corpus that is encoded with that vocabulary, without <bos> and <eos> of `lines`.
  int64_t total() const { return total_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  TextOptions options_;
  int64_t total_ = 0;
  std::array<int64_t, 256> bytes_{};  // of symbols of one byte, which most are
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> longer_;
};

/// Numbers symbols, one after the other. With `reverse` it turns lines around, but not a text without `lines`: its end
/// comes last.
class Encoder {
 public:
  /// The vocabulary must outlive this. Errors name `source`.
  Encoder(const TextOptions& options, const Vocabulary& vocabulary, Unknown unknown, std::string source);
  /// Throws an input error for a symbol that is refused.
  void add(const ScannedSymbol& symbol);
  void finish();
  /// Symbols in all.
  int64_t size() const { return before_ + static_cast<int64_t>(symbols.size()); }

  /// What was encoded since `clear`. `starts` has the places in the whole corpus, and no end.
  std::vector<int32_t> symbols, unknown_lengths;
  std::vector<int64_t> starts;
  int64_t skipped = 0;  ///< in all
  /// How many of these are final: the others belong to a line that will be turned around.
  size_t final_symbols() const { return waits() ? open_at_ : symbols.size(); }
  size_t final_lengths() const { return waits() ? open_lengths_ : unknown_lengths.size(); }
  /// Removes what is final.
  void clear();

 private:
  void close_line();
  bool waits() const { return reverse_lines_ && open_; }

  const Vocabulary& vocabulary_;
  Unknown unknown_;
  std::string source_;
  bool lines_, reverse_lines_;
  int32_t unk_, begin_, end_;
  int64_t line_ = 1;
  bool open_ = false;                      // a line has begun
  size_t open_at_ = 0, open_lengths_ = 0;  // where, in `symbols` and in `unknown_lengths`
  int64_t before_ = 0;                     // symbols that were removed
};

}  // namespace longhand::data
