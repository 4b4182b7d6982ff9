#include "longhand/data/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

std::string lowercased_bytes(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string letters_only(std::string_view text, bool keep_lines) {
  std::string out;
  for (const char c : text) {
    const bool kept = (c >= 'a' && c <= 'z') || (keep_lines && c == '\n');
    if (kept) {
      out.push_back(c);
    } else if (out.empty() || out.back() != ' ') {
      out.push_back(' ');
    }
  }
  return out;
}

size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// Where the characters from `at` on are no longer white space, or are; a line's end counts as neither.
size_t end_of_run(std::string_view text, size_t at, bool white_space) {
  while (at < text.size() && text[at] != '\n') {
    char32_t c = 0;
    const size_t length = next_character(text, at, c);
    if (is_white_space(c) != white_space) break;
    at += length;
  }
  return at;
}
size_t end_of_word(std::string_view text, size_t at) { return end_of_run(text, at, false); }
size_t end_of_white_space(std::string_view text, size_t at) { return end_of_run(text, at, true); }

// Calls visit(symbol, byte offset of its end) until it returns false.
template <class Visit>
void scan(std::string_view text, const TextOptions& options, const Visit& visit) {
  const bool words = options.level == "word";
  for (size_t at = 0; at < text.size();) {
    if (!words) {
      const size_t length = options.level == "byte" ? 1 : utf8_length(text[at]);
      if (!visit(text.substr(at, length), at + length)) return;
      at += length;
    } else if (text[at] == '\n') {
      if (!visit(options.lines ? std::string_view("\n") : kEnd, ++at)) return;
    } else {
      const size_t end = end_of_word(text, at);
      if (end > at && !visit(text.substr(at, end - at), end)) return;
      at = end > at ? end : end_of_white_space(text, at);
    }
  }
}

// With `lines` the newline is not a symbol: it ends a sequence.
bool ends_sequence(std::string_view symbol, const TextOptions& options) { return options.lines && symbol == "\n"; }

// Turns each sequence around, but for the special symbols at its ends; and the lengths of what <unk> replaces with it.
void reverse_sequences(Corpus& corpus, bool lines, int32_t unk) {
  const std::ptrdiff_t special = lines ? 1 : 0;
  auto lengths = corpus.unknown_lengths.begin();
  for (size_t s = 0; s + 1 < corpus.starts.size(); ++s) {
    const auto begin = corpus.symbols.begin() + corpus.starts[s], end = corpus.symbols.begin() + corpus.starts[s + 1];
    if (begin == end) continue;
    const auto unknown = unk < 0 ? 0 : std::count(begin, end, unk);
    std::reverse(begin + special, end - special);
    std::reverse(lengths, lengths + unknown);
    lengths += unknown;
  }
}

std::string printable(std::string_view symbol) {
  if (symbol == "\n") return "'\\n' (a line's end)";
  if (symbol.size() == 1 && (static_cast<unsigned char>(symbol[0]) < 0x20 || symbol[0] == 0x7F ||
                             static_cast<unsigned char>(symbol[0]) >= 0x80)) {
    return fmt::format("byte 0x{:02X}", static_cast<unsigned char>(symbol[0]));
  }
  return fmt::format("'{}'", symbol);
}

}  // namespace

void TextOptions::add_to(OptionTable& table) {
  table.add("level", level, "unit of the text: Unicode code points, bytes, or words between white space",
            one_of({"char", "byte", "word"}));
  table.add("lowercase", lowercase, "convert the text to lower case");
  table.add("letters-only", letters_only, "replace every run of characters other than a-z with one space");
  table.add("lines", lines, "read each line as a sequence of its own, between <bos> and <eos>");
  table.add("reverse", reverse,
            "read the text from its end, or with `lines` each line: the model predicts what comes before");
  table.add("min-count", min_count, "smallest number of occurrences of a symbol; rarer symbols are read as <unk>",
            at_least(1));
}

Vocabulary::Vocabulary(std::vector<std::string> symbols) : symbols_(std::move(symbols)) {
  for (size_t i = 0; i < symbols_.size(); ++i) index_.emplace(symbols_[i], static_cast<int32_t>(i));
}

int32_t Vocabulary::find(std::string_view symbol) const {
  const auto found = index_.find(symbol);
  return found == index_.end() ? -1 : found->second;
}

// Bytes from 0x80 on are no JSON text by themselves; they are written as numbers.
nlohmann::json Vocabulary::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& symbol : symbols_) {
    const bool lone_byte = symbol.size() == 1 && static_cast<unsigned char>(symbol[0]) >= 0x80;
    if (lone_byte) {
      list.push_back(static_cast<unsigned char>(symbol[0]));
    } else {
      list.push_back(symbol);
    }
  }
  return {{"symbols", std::move(list)}};
}

Vocabulary Vocabulary::from_json(const nlohmann::json& object, const std::string& path) {
  const auto damaged = [&](const std::string& problem) {
    return input_error(path + ": its vocabulary " + problem, "use an intact file that longhand wrote");
  };
  if (!object.is_object() || !object.contains("symbols") || !object["symbols"].is_array()) {
    throw damaged("is not a list of symbols");
  }
  std::vector<std::string> symbols;
  for (const nlohmann::json& entry : object["symbols"]) {
    if (entry.is_string()) {
      symbols.push_back(entry.get<std::string>());
    } else if (entry.is_number_unsigned() && entry.get<uint64_t>() < 256) {
      symbols.emplace_back(1, static_cast<char>(entry.get<uint64_t>()));
    } else {
      throw damaged("holds something that is not a symbol");
    }
  }
  if (symbols.empty()) throw damaged("is empty");
  const size_t count = symbols.size();
  Vocabulary vocabulary(std::move(symbols));
  if (vocabulary.index_.size() != count) throw damaged("holds a symbol twice");
  return vocabulary;
}

std::string normalise(std::string_view text, const TextOptions& options, const std::string& source) {
  std::string out;
  if (options.level == "byte") {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte-order mark is no part of a text
    out = options.lowercase ? lowercased_bytes(text) : std::string(text);
    if (options.lines) std::erase(out, '\r');
  } else {
    try {
      out = clean_text(text, source);
    } catch (const Error& e) {
      throw input_error(e.what(), e.advice() + ", or train on its bytes with `level` byte");
    }
    if (options.lowercase) out = lowercased(out);
  }
  if (options.letters_only) out = letters_only(out, options.lines);
  return out;
}

Vocabulary build_vocabulary(std::string_view text, const TextOptions& options, bool unknown) {
  std::unordered_map<std::string_view, int64_t> counts;
  scan(text, options, [&](std::string_view symbol, size_t) {
    if (!ends_sequence(symbol, options)) ++counts[symbol];
    return true;
  });
  std::vector<std::pair<std::string_view, int64_t>> kept;
  const bool has_unknown = unknown || options.min_count > 1 || counts.contains(kUnknown);
  for (const auto& [symbol, count] : counts) {
    if (options.lines && (symbol == kBegin || symbol == kEnd)) continue;
    if (symbol == kUnknown) continue;
    if (count >= options.min_count) kept.emplace_back(symbol, count);
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<std::string> symbols;
  if (has_unknown) symbols.emplace_back(kUnknown);
  if (options.lines) {
    symbols.emplace_back(kBegin);
    symbols.emplace_back(kEnd);
  }
  for (const auto& [symbol, count] : kept) symbols.emplace_back(symbol);
  return Vocabulary(std::move(symbols));
}

void check_special_symbols(const Vocabulary& vocabulary, const TextOptions& options, const std::string& path) {
  int64_t special = vocabulary.find(kUnknown) >= 0 ? 1 : 0;
  for (const std::string_view name : {kBegin, kEnd}) {
    if (!options.lines) continue;
    if (vocabulary.find(name) < 0) {
      throw input_error(
          fmt::format("{}: expected {} in the vocabulary, since the model was trained with `lines`; found none", path,
                      name),
          "use an intact file that longhand wrote");
    }
    ++special;
  }
  if (vocabulary.size() <= special - (options.lines ? 1 : 0)) {
    throw input_error(path + ": its vocabulary has nothing to predict", "use an intact file that longhand wrote");
  }
}

Unknown parse_unknown(const std::string& name) {
  return name == "skip" ? Unknown::kSkip : name == "unk" ? Unknown::kUnk : Unknown::kError;
}

Corpus encode(std::string_view text, const TextOptions& options, const Vocabulary& vocabulary, Unknown unknown,
              const std::string& source) {
  Corpus corpus;
  corpus.starts.clear();
  const int32_t unk = vocabulary.find(kUnknown);
  const int32_t begin = options.lines ? vocabulary.find(kBegin) : -1;
  const int32_t end = options.lines ? vocabulary.find(kEnd) : -1;
  int64_t line = 1;
  bool open = false;
  const auto close_line = [&] {
    if (open) corpus.symbols.push_back(end);
    open = false;
  };
  scan(text, options, [&](std::string_view symbol, size_t end_offset) {
    if (ends_sequence(symbol, options)) {
      close_line();
      ++line;
      return true;
    }
    int32_t index = vocabulary.find(symbol);
    if (index < 0 && unknown == Unknown::kSkip) {
      ++corpus.skipped;
      return true;
    }
    if (index < 0 && unknown == Unknown::kUnk) index = unk;
    if (index < 0) {
      throw input_error(fmt::format("{}:{}: the model does not know the symbol {}", source, line, printable(symbol)),
                        unk < 0 ? "remove it, or use `unknown` skip; this model has no <unk>, which training with "
                                  "`min-count` 2 adds"
                                : "remove it, or use `unknown` skip or `unknown` unk");
    }
    if (options.lines && !open) {
      corpus.starts.push_back(static_cast<int64_t>(corpus.symbols.size()));
      corpus.symbols.push_back(begin);
      open = true;
    }
    if (index == unk) corpus.unknown_lengths.push_back(symbol == kEnd ? 1 : characters(symbol));
    corpus.symbols.push_back(index);
    if (text[end_offset - 1] == '\n') ++line;
    return true;
  });
  close_line();
  if (!options.lines) corpus.starts.push_back(0);
  corpus.starts.push_back(static_cast<int64_t>(corpus.symbols.size()));
  if (options.reverse) reverse_sequences(corpus, options.lines, unk);
  return corpus;
}

int32_t characters(std::string_view symbol) {
  return static_cast<int32_t>(std::count_if(symbol.begin(), symbol.end(),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string_view truncate(std::string_view text, const TextOptions& options, int64_t max_symbols) {
  if (max_symbols == 0) return text;
  int64_t count = 0;
  size_t keep = 0;
  bool whole = true;
  scan(text, options, [&](std::string_view symbol, size_t end) {
    if (!ends_sequence(symbol, options)) ++count;
    whole = count <= max_symbols;
    if (whole && (!options.lines || symbol == "\n")) keep = end;
    return whole;
  });
  return whole ? text : text.substr(0, keep);
}

Corpus split_off(Corpus& corpus, double fraction, bool lines, bool reverse) {
  Corpus rest;
  rest.starts.clear();
  if (lines) {
    const auto kept =
        corpus.sequences() - static_cast<int64_t>(std::llround(fraction * static_cast<double>(corpus.sequences())));
    const int64_t cut = corpus.starts[static_cast<size_t>(kept)];
    for (auto i = static_cast<size_t>(kept); i < corpus.starts.size(); ++i)
      rest.starts.push_back(corpus.starts[i] - cut);
    corpus.starts.resize(static_cast<size_t>(kept) + 1);
    rest.symbols.assign(corpus.symbols.begin() + cut, corpus.symbols.end());
    corpus.symbols.resize(static_cast<size_t>(cut));
    return rest;
  }
  const auto size = static_cast<int64_t>(corpus.symbols.size());
  const int64_t cut = size - static_cast<int64_t>(std::llround(fraction * static_cast<double>(size)));
  if (reverse) std::rotate(corpus.symbols.begin(), corpus.symbols.begin() + (size - cut), corpus.symbols.end());
  rest.symbols.assign(corpus.symbols.begin() + cut, corpus.symbols.end());
  corpus.symbols.resize(static_cast<size_t>(cut));
  rest.starts = {0, size - cut};
  corpus.starts = {0, cut};
  return rest;
}

std::string Writer::next(std::string_view symbol) {
  if (symbol == kEnd) {
    line_begins_ = true;
    return "\n";
  }
  if (symbol == kBegin) return "";
  const std::string blank = words_ && !line_begins_ ? " " : "";
  line_begins_ = false;
  return blank + std::string(symbol);
}

}  // namespace longhand::data
