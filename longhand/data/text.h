// Raw text to symbols: normalisation, the levels (characters, bytes, words), the vocabulary, and the symbol streams
// that language models are trained on.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/data/integers.h"

namespace longhand::data {

/// How a text becomes symbols. Part of a model: what it is given later is treated the same.
struct TextOptions {
  std::string level = "char";
  bool lowercase = false;
  bool letters_only = false;
  bool lines = false;
  bool reverse = false;  ///< read from the end: what is predicted is what comes before
  int64_t min_count = 1;

  void add_to(OptionTable& table);
};

inline constexpr std::string_view kUnknown = "<unk>";
inline constexpr std::string_view kBegin = "<bos>";
inline constexpr std::string_view kEnd = "<eos>";

/// The symbols of a model, numbered from 0: first the special ones it uses, then the others, most frequent first (ties
/// in the order of their bytes).
class Vocabulary {
 public:
  Vocabulary() { bytes_.fill(-1); }
  explicit Vocabulary(std::vector<std::string> symbols);

  int64_t size() const { return static_cast<int64_t>(symbols_.size()); }
  /// A symbol's bytes, or a special symbol's name.
  const std::string& symbol(int32_t index) const { return symbols_[static_cast<size_t>(index)]; }
  /// The index of a symbol, or -1.
  int32_t find(std::string_view symbol) const;

  bool operator==(const Vocabulary& other) const { return symbols_ == other.symbols_; }

  nlohmann::json to_json() const;
  /// Throws an input error naming `path` where the object is not a vocabulary.
  static Vocabulary from_json(const nlohmann::json& object, const std::string& path);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::vector<std::string> symbols_;
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> index_;
  std::array<int32_t, 256> bytes_;  // the same of symbols of one byte, which most of a text are
};

/// The text as clean_text (source.h) gives it, in lower case and reduced to letters as the options ask. At level byte
/// nothing is checked, and only a byte-order mark at the beginning is dropped (and, with `lines`, carriage returns).
/// Throws what clean_text throws.
std::string normalise(std::string_view text, const TextOptions& options, const std::string& source);

/// The vocabulary of a normalised text: every symbol (at level word, what white space separates, and <eos> for each
/// line's end) that occurs `min_count` times or more; <unk> if that is above 1, if the text has it, or if `unknown`;
/// <bos> and <eos> with `lines`.
Vocabulary build_vocabulary(std::string_view text, const TextOptions& options, bool unknown = false);

/// A text as symbol numbers, in memory or in a mapped file. With `lines` it is a row of sequences, each from <bos> to
/// <eos>; otherwise one sequence.
struct Corpus {
  Symbols symbols;
  Integers<int64_t> starts{0};  ///< where each sequence begins, and the end of the last
  /// Number of characters of the symbol that each <unk> replaces, in order.
  Integers<int32_t> unknown_lengths;
  int64_t skipped = 0;  ///< symbols that the vocabulary lacks and that were left out

  int64_t sequences() const { return static_cast<int64_t>(starts.size()) - 1; }
  /// Symbols that a model is asked to predict: all but the first of each sequence.
  int64_t targets() const { return static_cast<int64_t>(symbols.size()) - sequences(); }
};

/// Throws an input error naming `path` where a vocabulary lacks what models with these options need.
void check_special_symbols(const Vocabulary& vocabulary, const TextOptions& options, const std::string& path);

/// What to do with a symbol that the vocabulary lacks: refuse it, leave it out, or read it as <unk> (an error, too,
/// where the vocabulary has no <unk>).
enum class Unknown { kError, kSkip, kUnk };
Unknown parse_unknown(const std::string& name);

/// Numbers the symbols of a normalised text. With `reverse` the last symbol comes first; with `lines` too, in each
/// sequence between its <bos> and its <eos>. Throws an input error naming `source`, the line and the symbol.
Corpus encode(std::string_view text, const TextOptions& options, const Vocabulary& vocabulary, Unknown unknown,
              const std::string& source);

/// Number of characters in a symbol; of a byte: 1, or 0 if it continues a character.
int32_t characters(std::string_view symbol);

/// The first `max_symbols` symbols of a normalised text, as text (with `lines`, whole lines); 0: all.
std::string_view truncate(std::string_view text, const TextOptions& options, int64_t max_symbols);

/// Cuts the last `fraction` of the text's symbols (with `lines`, of the sequences) off a corpus, which with `reverse`
/// begins with them. The first part keeps the counts of unknown symbols.
Corpus split_off(Corpus& corpus, double fraction, bool lines, bool reverse = false);

/// How symbols are written out: at level word with a blank between them and <eos> as a line's end.
class Writer {
 public:
  explicit Writer(const TextOptions& options) : words_(options.level == "word") {}
  /// The text that the next symbol adds.
  std::string next(std::string_view symbol);

 private:
  bool words_;
  bool line_begins_ = true;
};

}  // namespace longhand::data
