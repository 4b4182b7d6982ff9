#include "longhand/data/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/data/text_stream.h"

namespace longhand::data {
namespace {

// Calls visit(symbol) until it returns false.
template <class Visit>
void scan(std::string_view text, const TextOptions& options, const Visit& visit) {
  SymbolScanner scanner(options);
  if (scanner.push(text, visit)) scanner.finish(visit);
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
  bytes_.fill(-1);
  for (size_t i = 0; i < symbols_.size(); ++i) index_.emplace(symbols_[i], static_cast<int32_t>(i));
  for (size_t byte = 0; byte < bytes_.size(); ++byte) {
    const auto found = index_.find(std::string_view(std::string(1, static_cast<char>(byte))));
    if (found != index_.end()) bytes_[byte] = found->second;
  }
}

int32_t Vocabulary::find(std::string_view symbol) const {
  if (symbol.size() == 1) return bytes_[static_cast<unsigned char>(symbol[0])];
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
  Normaliser normaliser(options, source);
  normaliser.push(text, out);
  normaliser.finish(out);
  return out;
}

Vocabulary build_vocabulary(std::string_view text, const TextOptions& options, bool unknown) {
  SymbolCounts counts(options);
  scan(text, options, [&](const ScannedSymbol& symbol) {
    counts.add(symbol);
    return true;
  });
  return counts.vocabulary(unknown);
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
  Encoder encoder(options, vocabulary, unknown, source);
  scan(text, options, [&](const ScannedSymbol& symbol) {
    encoder.add(symbol);
    return true;
  });
  encoder.finish();
  if (options.reverse && !options.lines) {
    std::reverse(encoder.symbols.begin(), encoder.symbols.end());
    std::reverse(encoder.unknown_lengths.begin(), encoder.unknown_lengths.end());
  }
  Corpus corpus;
  encoder.starts.push_back(encoder.size());
  corpus.symbols = std::move(encoder.symbols);
  corpus.starts = std::move(encoder.starts);
  corpus.unknown_lengths = std::move(encoder.unknown_lengths);
  corpus.skipped = encoder.skipped;
  return corpus;
}

int32_t characters(std::string_view symbol) {
  return static_cast<int32_t>(std::count_if(symbol.begin(), symbol.end(),
                                            [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string_view truncate(std::string_view text, const TextOptions& options, int64_t max_symbols) {
  if (max_symbols == 0) return text;
  SymbolLimit limit(options, max_symbols);
  scan(text, options, [&](const ScannedSymbol& symbol) { return limit.add(symbol); });
  return limit.reached() ? text.substr(0, static_cast<size_t>(limit.end())) : text;
}

Corpus split_off(Corpus& corpus, double fraction, bool lines, bool reverse) {
  Corpus rest;
  const auto kept_of = [&](size_t all) {
    return all - static_cast<size_t>(std::llround(fraction * static_cast<double>(all)));
  };
  const size_t size = corpus.symbols.size();
  if (lines) {
    const size_t kept = kept_of(corpus.starts.size() - 1);
    const int64_t cut = corpus.starts[kept];
    rest.starts = corpus.starts.part(kept, corpus.starts.size(), cut);
    rest.symbols = corpus.symbols.part(static_cast<size_t>(cut), size);
    corpus.starts = corpus.starts.part(0, kept + 1);
    corpus.symbols = corpus.symbols.part(0, static_cast<size_t>(cut));
    return rest;
  }
  const size_t cut = kept_of(size);
  rest.symbols = reverse ? corpus.symbols.part(0, size - cut) : corpus.symbols.part(cut, size);
  corpus.symbols = reverse ? corpus.symbols.part(size - cut, size) : corpus.symbols.part(0, cut);
  rest.starts = {0, static_cast<int64_t>(size - cut)};
  corpus.starts = {0, static_cast<int64_t>(cut)};
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
