#include "longhand/lab/microscope_properties.h"

#include <algorithm>
#include <string_view>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

constexpr char32_t kOpeningQuote = 0x201C, kClosingQuote = 0x201D;

// The columns of a table that is filled row by row.
class PropertyTable {
 public:
  PropertyTable(std::initializer_list<const char*> names, size_t rows) {
    for (const char* name : names) columns_.push_back({name, {}});
    for (TextProperty& column : columns_) column.values.reserve(rows);
  }
  template <class... Values>
  void add(Values... values) {
    size_t i = 0;
    (columns_[i++].values.push_back(static_cast<float>(values)), ...);
  }
  std::vector<TextProperty> take() { return std::move(columns_); }

 private:
  std::vector<TextProperty> columns_;
};

bool ends_sentence(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x3002; }

// Where a reader is, character by character.
struct CharacterReader {
  bool quotes = false, after_word = false, line_begins = true;
  int64_t depth = 0, column = 0, words = 0, letters = 0;

  void read(char32_t c) {
    if (c == '\n' && line_begins) quotes = false, depth = 0, words = 0;  // nothing spans a blank line
    line_begins = c == '\n';
    if (c == '"') quotes = !quotes;
    if (c == kOpeningQuote || c == kClosingQuote) quotes = c == kOpeningQuote;
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') depth = std::max<int64_t>(depth - 1, 0);
    const CharacterKind kind = kind_of(c);
    const bool joins = letters > 0 && (c == '\'' || c == 0x2019 || c == '-');  // don't, well-known
    const bool in_word =
        kind == CharacterKind::kCapital || kind == CharacterKind::kLetter || kind == CharacterKind::kDigit || joins;
    if (after_word && in_word && letters == 0) words = 0, after_word = false;
    letters = in_word ? letters + 1 : 0;
    if (letters == 1) ++words;
    if (ends_sentence(c)) after_word = true;  // the next word is the first of a sentence
  }
};

char32_t first_character(std::string_view symbol) {
  char32_t c = 0;
  if (!symbol.empty()) next_character(symbol, 0, c);
  return c;
}

struct WordKind {
  bool quote = false, opens_quote = false, closes_quote = false, opens = false, closes = false, ends = false;
  bool capital = false, digit = false;
  int64_t characters = 0;

  explicit WordKind(std::string_view word) {
    quote = word == "\"";
    opens_quote = word == "``" || word == "\xE2\x80\x9C";
    closes_quote = word == "''" || word == "\xE2\x80\x9D";
    opens = word == "(" || word == "[" || word == "{" || word == "-LRB-";
    closes = word == ")" || word == "]" || word == "}" || word == "-RRB-";
    ends = word == "." || word == "!" || word == "?";
    capital = kind_of(first_character(word)) == CharacterKind::kCapital;
    for (size_t at = 0; at < word.size(); ++characters) {
      char32_t c = 0;
      at += next_character(word, at, c);
      digit = digit || kind_of(c) == CharacterKind::kDigit;
    }
  }
};

}  // namespace

std::vector<TextProperty> character_properties(const std::vector<std::string>& names,
                                               const std::vector<int32_t>& symbols) {
  PropertyTable table({"inside quotes", "position in the line", "word in the sentence", "inside a word",
                       "letter in the word", "inside brackets", "capital letter", "digit"},
                      symbols.size());
  std::vector<char32_t> characters;
  for (const std::string& name : names) characters.push_back(first_character(name));
  CharacterReader reader;
  for (const int32_t symbol : symbols) {
    const char32_t c = characters[static_cast<size_t>(symbol)];
    reader.read(c);
    const CharacterKind kind = kind_of(c);
    table.add(reader.quotes, reader.column, reader.words, reader.letters > 0, reader.letters, reader.depth > 0,
              kind == CharacterKind::kCapital, kind == CharacterKind::kDigit);
    reader.column = c == '\n' ? 0 : reader.column + 1;
  }
  return table.take();
}

std::vector<TextProperty> word_properties(const std::vector<std::string>& names, const std::vector<int32_t>& symbols,
                                          const std::vector<int64_t>& starts) {
  PropertyTable table({"inside quotes", "word in the sentence", "inside brackets", "capital letter", "has a digit",
                       "characters in the word"},
                      symbols.size());
  std::vector<WordKind> kinds;
  for (const std::string& name : names) kinds.emplace_back(name);
  for (size_t s = 0; s + 1 < starts.size(); ++s) {
    bool quotes = false;
    int64_t depth = 0, word = 0;
    for (int64_t i = starts[s]; i < starts[s + 1]; ++i) {
      const WordKind& kind = kinds[static_cast<size_t>(symbols[static_cast<size_t>(i)])];
      quotes = kind.opens_quote || (kind.quote ? !quotes : quotes && !kind.closes_quote);
      depth = std::max<int64_t>(depth + (kind.opens ? 1 : 0) - (kind.closes ? 1 : 0), 0);
      table.add(quotes, word, depth > 0, kind.capital, kind.digit, kind.characters);
      word = kind.ends ? 0 : word + 1;
    }
  }
  return table.take();
}

std::vector<TextProperty> label_properties(const std::string& noun, const std::vector<std::string>& labels,
                                           const std::vector<int32_t>& label_of) {
  constexpr size_t kMost = 60;  // each costs a pass over all units
  std::vector<int64_t> counts(labels.size());
  for (const int32_t label : label_of) {
    if (label >= 0) ++counts[static_cast<size_t>(label)];
  }
  std::vector<size_t> order;
  for (size_t k = 0; k < labels.size(); ++k) {
    if (counts[k] > 0 && counts[k] < static_cast<int64_t>(label_of.size())) order.push_back(k);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return counts[a] > counts[b]; });
  order.resize(std::min(order.size(), kMost));
  std::vector<TextProperty> out;
  for (const size_t k : order) {
    TextProperty& property = out.emplace_back(TextProperty{noun + " " + labels[k], {}});
    for (const int32_t label : label_of) property.values.push_back(label == static_cast<int32_t>(k) ? 1.0F : 0.0F);
  }
  return out;
}

}  // namespace longhand::lab
