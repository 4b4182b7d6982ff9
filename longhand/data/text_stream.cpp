#include "longhand/data/text_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::data {
namespace {

constexpr std::string_view kMarkOfBytes = "\xEF\xBB\xBF";

void lowercase_bytes(std::string& text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
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

Error for_bytes(const Error& error) {
  return input_error(error.what(), error.advice() + ", or train on its bytes with `level` byte");
}

}  // namespace

Normaliser::Normaliser(const TextOptions& options, const std::string& source) : options_(options), cleaner_(source) {}

void Normaliser::push(std::string_view piece, std::string& out) {
  if (options_.level == "byte") {
    push_bytes(piece, out);
    return;
  }
  std::string clean;
  try {
    cleaner_.push(piece, clean);
  } catch (const Error& e) {
    throw for_bytes(e);
  }
  append(std::move(clean), out);
}

void Normaliser::finish(std::string& out) {
  if (options_.level == "byte") {
    begun_ = true;
    push_bytes({}, out);
    return;
  }
  std::string clean;
  try {
    cleaner_.finish(clean);
  } catch (const Error& e) {
    throw for_bytes(e);
  }
  append(std::move(clean), out);
}

// A byte-order mark is no part of a text.
void Normaliser::push_bytes(std::string_view piece, std::string& out) {
  if (begun_ && beginning_.empty()) {
    append(std::string(piece), out);
    return;
  }
  beginning_ += piece;
  if (!begun_ && beginning_.size() < kMarkOfBytes.size() && kMarkOfBytes.starts_with(beginning_)) return;
  begun_ = true;
  if (beginning_.starts_with(kMarkOfBytes)) beginning_.erase(0, kMarkOfBytes.size());
  append(std::exchange(beginning_, {}), out);
}

void Normaliser::append(std::string text, std::string& out) {
  if (options_.level == "byte") {
    if (options_.lowercase) lowercase_bytes(text);
    if (options_.lines) std::erase(text, '\r');
  } else if (options_.lowercase) {
    text = lowercased(text);
  }
  if (options_.letters_only) {
    append_letters(text, out);
  } else if (out.empty()) {
    out = std::move(text);
  } else {
    out += text;
  }
}

void Normaliser::append_letters(std::string_view text, std::string& out) {
  for (const char c : text) {
    const bool kept = (c >= 'a' && c <= 'z') || (options_.lines && c == '\n');
    if (kept || !after_space_) out.push_back(kept ? c : ' ');
    after_space_ = !kept;
  }
}

size_t SymbolScanner::end_of_run(std::string_view text, size_t at, bool white_space) {
  while (at < text.size() && text[at] != '\n') {
    char32_t c = 0;
    const size_t length = next_character(text, at, c);
    if (is_white_space(c) != white_space) break;
    at += length;
  }
  return at;
}

void SymbolCounts::add(const ScannedSymbol& symbol) {
  if (options_.lines && symbol.text == "\n") return;  // it ends a sequence
  ++total_;
  if (symbol.text.size() == 1) {
    ++bytes_[static_cast<unsigned char>(symbol.text[0])];
    return;
  }
  const auto found = longer_.find(symbol.text);
  if (found != longer_.end()) {
    ++found->second;
  } else {
    longer_.emplace(symbol.text, 1);
  }
}

Vocabulary SymbolCounts::vocabulary(bool unknown) const {
  std::vector<std::pair<std::string, int64_t>> kept;
  for (size_t byte = 0; byte < bytes_.size(); ++byte) {
    if (bytes_[byte] >= options_.min_count) kept.emplace_back(std::string(1, static_cast<char>(byte)), bytes_[byte]);
  }
  for (const auto& [symbol, count] : longer_) {
    const bool special = symbol == kUnknown || (options_.lines && (symbol == kBegin || symbol == kEnd));
    if (!special && count >= options_.min_count) kept.emplace_back(symbol, count);
  }
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<std::string> symbols;
  if (unknown || options_.min_count > 1 || longer_.contains(kUnknown)) symbols.emplace_back(kUnknown);
  if (options_.lines) {
    symbols.emplace_back(kBegin);
    symbols.emplace_back(kEnd);
  }
  for (auto& [symbol, count] : kept) symbols.push_back(std::move(symbol));
  return Vocabulary(std::move(symbols));
}

Encoder::Encoder(const TextOptions& options, const Vocabulary& vocabulary, Unknown unknown, std::string source)
    : vocabulary_(vocabulary),
      unknown_(unknown),
      source_(std::move(source)),
      lines_(options.lines),
      reverse_lines_(options.lines && options.reverse),
      unk_(vocabulary.find(kUnknown)),
      begin_(options.lines ? vocabulary.find(kBegin) : -1),
      end_(options.lines ? vocabulary.find(kEnd) : -1) {}

void Encoder::close_line() {
  if (!open_) return;
  if (reverse_lines_) {
    std::reverse(symbols.begin() + static_cast<std::ptrdiff_t>(open_at_) + 1, symbols.end());
    std::reverse(unknown_lengths.begin() + static_cast<std::ptrdiff_t>(open_lengths_), unknown_lengths.end());
  }
  symbols.push_back(end_);
  open_ = false;
}

void Encoder::add(const ScannedSymbol& symbol) {
  if (lines_ && symbol.text == "\n") {
    close_line();
    ++line_;
    return;
  }
  int32_t index = vocabulary_.find(symbol.text);
  if (index < 0 && unknown_ == Unknown::kSkip) {
    ++skipped;
    return;
  }
  if (index < 0 && unknown_ == Unknown::kUnk) index = unk_;
  if (index < 0) {
    throw input_error(
        fmt::format("{}:{}: the model does not know the symbol {}", source_, line_, printable(symbol.text)),
        unk_ < 0 ? "remove it, or use `unknown` skip; the vocabulary has no <unk>, which `min-count` 2 in training or "
                   "`add-unknown` in `longhand data prepare` adds"
                 : "remove it, or use `unknown` skip or `unknown` unk");
  }
  if (lines_ && !open_) {
    starts.push_back(size());
    open_at_ = symbols.size();
    open_lengths_ = unknown_lengths.size();
    symbols.push_back(begin_);
    open_ = true;
  }
  if (index == unk_) unknown_lengths.push_back(symbol.text == kEnd ? 1 : characters(symbol.text));
  symbols.push_back(index);
  if (symbol.newline) ++line_;
}

void Encoder::finish() {
  close_line();
  if (!lines_) starts.push_back(0);
}

void Encoder::clear() {
  const size_t done = final_symbols(), lengths = final_lengths();
  before_ += static_cast<int64_t>(done);
  symbols.erase(symbols.begin(), symbols.begin() + static_cast<std::ptrdiff_t>(done));
  unknown_lengths.erase(unknown_lengths.begin(), unknown_lengths.begin() + static_cast<std::ptrdiff_t>(lengths));
  starts.clear();
  open_at_ = open_lengths_ = 0;
}

}  // namespace longhand::data
