#include "longhand/data/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

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

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

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
    } else if (is_blank(text[at])) {
      ++at;
    } else {
      size_t end = at;
      while (end < text.size() && text[end] != '\n' && !is_blank(text[end])) ++end;
      if (!visit(text.substr(at, end - at), end)) return;
      at = end;
    }
  }
}

// In `lines` the newline is no symbol of its own: it ends a sequence.
bool ends_sequence(std::string_view symbol, const TextOptions& options) { return options.lines && symbol == "\n"; }

std::string printable(std::string_view symbol) {
  if (symbol == "\n") return "'\\n' (a line's end)";
  if (symbol.size() == 1 && (static_cast<unsigned char>(symbol[0]) < 0x20 || symbol[0] == 0x7F ||
                             static_cast<unsigned char>(symbol[0]) >= 0x80)) {
    return fmt::format("byte 0x{:02X}", static_cast<unsigned char>(symbol[0]));
  }
  return fmt::format("'{}'", symbol);
}

}  // namespace

char32_t lower_case(char32_t c) {
  const auto in = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  const char32_t even_is_capital = c | 1;
  const char32_t odd_is_capital = c % 2 == 1 ? c + 1 : c;
  if (c < 0x80) return in(U'A', U'Z') ? c + 32 : c;
  if (c == 0x130) return U'i';
  if (c == 0x178) return 0xFF;
  if (c == 0x386) return 0x3AC;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x4C0) return 0x4CF;
  if (in(0xC0, 0xDE)) return c != 0xD7 ? c + 32 : c;
  if (in(0x100, 0x137) || in(0x14A, 0x177)) return even_is_capital;
  if (in(0x139, 0x148) || in(0x179, 0x17E) || in(0x4C1, 0x4CE)) return odd_is_capital;
  if (in(0x388, 0x38A)) return c + 37;
  if (in(0x38E, 0x38F)) return c + 63;
  if (in(0x391, 0x3AB)) return c + 32;
  if (in(0x400, 0x40F)) return c + 80;
  if (in(0x410, 0x42F)) return c + 32;
  if (in(0x460, 0x481) || in(0x48A, 0x4BF) || in(0x4D0, 0x52F)) return even_is_capital;
  if (in(0x531, 0x556)) return c + 48;
  if (in(0x1E00, 0x1E95) || in(0x1EA0, 0x1EFF)) return even_is_capital;
  return c;
}

std::string lowercased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    at += decode_utf8(text, at, c);
    append_utf8(lower_case(c), out);
  }
  return out;
}

void TextOptions::add_to(OptionTable& table) {
  table.add("level", level, "what a symbol is: a Unicode code point, a byte, or a word between white space",
            one_of({"char", "byte", "word"}));
  table.add("lowercase", lowercase, "lower-case the text");
  table.add("letters-only", letters_only, "make every run of anything but a-z one space");
  table.add("lines", lines,
            "each line is a sequence of its own, from <bos> to <eos>; otherwise the text is one stream");
  table.add("min-count", min_count, "symbols that occur less often become <unk>", at_least(1));
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
  if (options.level != "byte") {
    const size_t offset = find_invalid_utf8(text);
    if (offset != std::string_view::npos) {
      throw input_error(fmt::format("{}: expected UTF-8, found byte 0x{:02X} at offset {}, which is not", source,
                                    static_cast<unsigned char>(text[offset]), offset),
                        "convert the file to UTF-8, or train on its bytes with --level byte");
    }
  }
  std::string out = !options.lowercase        ? std::string(text)
                    : options.level == "byte" ? lowercased_bytes(text)
                                              : lowercased(text);
  if (options.letters_only) out = letters_only(out, options.lines);
  if (options.lines) std::erase(out, '\r');
  return out;
}

Vocabulary build_vocabulary(std::string_view text, const TextOptions& options) {
  std::unordered_map<std::string_view, int64_t> counts;
  scan(text, options, [&](std::string_view symbol, size_t) {
    if (!ends_sequence(symbol, options)) ++counts[symbol];
    return true;
  });
  std::vector<std::pair<std::string_view, int64_t>> kept;
  bool rare = counts.contains(kUnknown);
  for (const auto& [symbol, count] : counts) {
    if (options.lines && (symbol == kBegin || symbol == kEnd)) continue;
    if (symbol == kUnknown) continue;
    if (count < options.min_count) {
      rare = true;
    } else {
      kept.emplace_back(symbol, count);
    }
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<std::string> symbols;
  if (rare) symbols.emplace_back(kUnknown);
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
      throw input_error(fmt::format("{}: its vocabulary lacks {}, which models of lines have", path, name),
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
                        unk < 0 ? "remove it, or use --unknown skip; only models trained with --min-count 2 or more "
                                  "know <unk>"
                                : "remove it, or use --unknown skip or --unknown unk");
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

Corpus split_off(Corpus& corpus, double fraction, bool lines) {
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
