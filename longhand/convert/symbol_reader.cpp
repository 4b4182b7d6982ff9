#include "longhand/convert/symbol_reader.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {
namespace {

constexpr std::string_view kOthers = "\xEF\xBF\xBD";  // U+FFFD
constexpr size_t kLongestCharacter = 4;
constexpr size_t kLongestSymbol = 64;  // bytes; longer ones would make reading slow, and are never found

}  // namespace

SymbolReader::SymbolReader(const std::vector<std::string>& symbols, const std::string& where) {
  if (symbols.empty()) {
    throw input_error(where + ": expected a network that knows its symbols as texts, found none",
                      "name the symbols with `longhand import --symbols`, or give their numbers");
  }
  for (size_t i = 0; i < symbols.size(); ++i) {
    const std::string& symbol = symbols[i];
    if (symbol.empty() || symbol.size() > kLongestSymbol) continue;
    numbers_.emplace(symbol, static_cast<int64_t>(i));
    longest_ = std::max(longest_, symbol.size());
    char32_t ignored = 0;
    only_characters_ = only_characters_ && decode_utf8(symbol, 0, ignored) == symbol.size();
  }
  if (symbols.back() == kOthers) other_ = static_cast<int64_t>(symbols.size()) - 1;
}

size_t SymbolReader::read(std::string_view text, bool is_end, const std::string& place,
                          std::vector<int64_t>& out) const {
  size_t at = 0;
  while (at < text.size()) {
    char32_t ignored = 0;
    const size_t character = decode_utf8(text, at, ignored);
    const size_t needed = only_characters_ ? std::max<size_t>(character, 1) : longest_;
    const bool cut_off = character == 0 && text.size() - at < kLongestCharacter;
    if (!is_end && (cut_off || text.size() - at < needed)) break;
    if (character == 0) {
      throw input_error(fmt::format("{}: expected UTF-8, found other bytes", place), "convert the text to UTF-8");
    }
    size_t size = std::min(only_characters_ ? character : longest_, text.size() - at);
    auto found = numbers_.end();
    for (; size > 0 && found == numbers_.end(); --size) found = numbers_.find(std::string(text.substr(at, size)));
    if (found == numbers_.end() && other_ < 0) {
      throw input_error(
          fmt::format("{}: expected symbols of the network, found '{}'", place, visible(text.substr(at, character))),
          "remove it, or name the symbols with `longhand import --symbols`");
    }
    out.push_back(found == numbers_.end() ? other_ : found->second);
    at += found == numbers_.end() ? character : found->first.size();
  }
  return at;
}

std::vector<int64_t> SymbolReader::read(std::string_view text, const std::string& place) const {
  std::vector<int64_t> out;
  read(text, true, place, out);
  return out;
}

}  // namespace longhand::convert
