#include "longhand/data/treebank_text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <tuple>

#include "longhand/base/unicode.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr size_t kTreebankColumns = 10;
constexpr int64_t kMostParts = 1000;  // words of a multiword token

std::vector<std::string_view> tab_fields(std::string_view line) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t end = line.find('\t');
    out.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return out;
    line.remove_prefix(end + 1);
  }
}

// The value of NAME=VALUE in MISC.
std::optional<std::string_view> misc_value(std::string_view misc, std::string_view name) {
  while (!misc.empty()) {
    const size_t end = std::min(misc.find('|'), misc.size());
    const std::string_view item = misc.substr(0, end);
    if (item.starts_with(name) && item.size() > name.size() && item[name.size()] == '=') {
      return item.substr(name.size() + 1);
    }
    misc.remove_prefix(std::min(end + 1, misc.size()));
  }
  return std::nullopt;
}

// Words of the range "3-4"; 0 for other IDs.
int64_t range_length(std::string_view id) {
  const size_t dash = id.find('-');
  if (dash == std::string_view::npos) return 0;
  int64_t first = 0, last = 0;
  std::from_chars(id.data(), id.data() + dash, first);
  std::from_chars(id.data() + dash + 1, id.data() + id.size(), last);
  return last >= first && first > 0 && last - first < kMostParts ? last - first + 1 : 0;
}

class TreebankReader {
 public:
  explicit TreebankReader(const std::string& source) : source_(source) {}

  TreebankText read(std::string_view raw) {
    const std::string clean = clean_text(raw, source_);
    for (std::string_view rest = clean; !rest.empty();) {
      const std::string_view line = take_line(rest);
      if (trimmed(line).empty()) {
        end_sentence();
      } else if (line[0] == '#') {
        comment(line);
      } else if (!token(tab_fields(line))) {
        return {};
      }
    }
    end_sentence();
    end_paragraph();
    if (!knows_text_) out_.paragraphs.clear();
    return std::move(out_);
  }

 private:
  void comment(std::string_view line) {
    const std::string_view rest = trimmed(line.substr(1));
    if (rest.starts_with("newdoc") || rest.starts_with("newpar")) end_paragraph();
    if (rest.starts_with("text =") || rest.starts_with("text=")) knows_text_ = true;
  }

  bool token(const std::vector<std::string_view>& fields) {
    if (fields.size() != kTreebankColumns) return false;
    const std::string_view id = fields[0], form = fields[1], misc = fields[9];
    if (id.find('.') != std::string_view::npos) return true;
    if (const int64_t length = range_length(id); length > 0) {
      close_range();
      add_form(form, misc);
      left_ = parts_ = length;
      first_ = paragraph_.tokens.size();
      return true;
    }
    if (left_ > 0) {
      const int part = static_cast<int>(parts_ - left_--);
      add_token(form, part, static_cast<int>(parts_));
      if (left_ == 0) place_parts();
      return true;
    }
    add_form(form, misc);
    add_token(form, 0, 1);
    return true;
  }

  void add_token(std::string_view form, int part, int parts) {
    Token& token = paragraph_.tokens.emplace_back();
    token.word = form;
    token.begin = form_begin_;
    token.end = form_end_;
    token.part = part;
    token.parts = parts;
  }

  // Writes a form into the paragraph's text.
  void add_form(std::string_view form, std::string_view misc) {
    if (const auto before = misc_value(misc, "SpacesBefore"); before && paragraph_.text.empty()) {
      paragraph_.text += unescaped_spaces(*before);
    }
    paragraph_.text += pending_;
    form_begin_ = paragraph_.text.size();
    paragraph_.text += form;
    form_end_ = paragraph_.text.size();
    pending_ = " ";
    if (misc_value(misc, "SpaceAfter") == "No") {
      pending_.clear();
      knows_text_ = true;
    } else if (const auto after = misc_value(misc, "SpacesAfter")) {
      pending_ = unescaped_spaces(*after);
    }
  }

  // Words that together are the token have places of their own in it.
  void place_parts() {
    std::string together;
    for (size_t i = first_; i < paragraph_.tokens.size(); ++i) together += paragraph_.tokens[i].word;
    if (together != std::string_view(paragraph_.text).substr(form_begin_, form_end_ - form_begin_)) return;
    size_t at = form_begin_;
    for (size_t i = first_; i < paragraph_.tokens.size(); ++i) {
      Token& token = paragraph_.tokens[i];
      token.begin = at;
      token.end = at += token.word.size();
    }
  }

  // A range that names more words than there are has those that there are.
  void close_range() {
    if (left_ == 0) return;
    const auto found = static_cast<int>(parts_ - left_);
    for (size_t i = first_; i < paragraph_.tokens.size(); ++i) paragraph_.tokens[i].parts = found;
    left_ = 0;
  }

  void end_sentence() {
    close_range();
    const size_t end = paragraph_.tokens.size();
    if (end == 0 || (!paragraph_.sentence_ends.empty() && paragraph_.sentence_ends.back() == end)) return;
    paragraph_.sentence_ends.push_back(end);
    ++out_.sentences;
  }

  void end_paragraph() {
    end_sentence();
    if (!paragraph_.tokens.empty()) out_.paragraphs.push_back(std::move(paragraph_));
    paragraph_ = {};
    pending_.clear();
  }

  const std::string& source_;
  TreebankText out_;
  TreebankParagraph paragraph_;
  std::string pending_;  // spaces after the last form
  size_t form_begin_ = 0, form_end_ = 0;
  int64_t left_ = 0, parts_ = 0;  // of a multiword token
  size_t first_ = 0;              // its first word
  bool knows_text_ = false;
};

using Place = std::tuple<size_t, size_t, int, int>;  // of a word: with its part where it is not written in the text

struct Places {
  std::set<Place> words;
  std::set<std::pair<size_t, size_t>> tokens, sentences;
};

Places places_of(const std::vector<Token>& tokens, const std::vector<size_t>& ends) {
  Places out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    const bool unwritten = token.parts > 1 && token.end - token.begin != token.word.size();
    out.words.emplace(token.begin, token.end, unwritten ? token.part : 0, unwritten ? token.parts : 1);
    if (token.part == 0) {
      out.tokens.emplace(token.begin, tokens[i + static_cast<size_t>(token.parts) - 1].end);
    }
  }
  size_t begin = 0;
  for (const size_t end : ends) {
    out.sentences.emplace(tokens[begin].begin, tokens[end - 1].end);
    begin = end;
  }
  return out;
}

template <class Set>
void count(const Set& gold, const Set& found, TokenAgreement::Counts& counts) {
  counts.gold += static_cast<int64_t>(gold.size());
  counts.found += static_cast<int64_t>(found.size());
  counts.correct += std::count_if(found.begin(), found.end(), [&](const auto& each) { return gold.contains(each); });
}

}  // namespace

TreebankText read_treebank_text(std::string_view text, const std::string& source) {
  return TreebankReader(source).read(text);
}

double TokenAgreement::Counts::f1() const {
  return gold + found > 0 ? 200.0 * static_cast<double>(correct) / static_cast<double>(gold + found) : 0.0;
}

TokenAgreement compare_tokens(const std::vector<TreebankParagraph>& paragraphs, const Tokenizer& tokenizer) {
  TokenAgreement out;
  for (const TreebankParagraph& paragraph : paragraphs) {
    const std::vector<Token> tokens = tokenizer.tokens(paragraph.text);
    const Places gold = places_of(paragraph.tokens, paragraph.sentence_ends);
    const Places found = places_of(tokens, tokenizer.sentence_ends(paragraph.text, tokens));
    count(gold.tokens, found.tokens, out.tokens);
    count(gold.words, found.words, out.words);
    count(gold.sentences, found.sentences, out.sentences);
  }
  return out;
}

std::string escaped_spaces(std::string_view spaces) {
  std::string out;
  for (const char c : spaces) {
    switch (c) {
      case ' ': out += "\\s"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '|': out += "\\p"; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
  return out;
}

std::string unescaped_spaces(std::string_view escaped) {
  std::string out;
  for (size_t at = 0; at < escaped.size(); ++at) {
    if (escaped[at] != '\\' || at + 1 == escaped.size()) {
      out += escaped[at];
      continue;
    }
    switch (escaped[++at]) {
      case 's': out += ' '; break;
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 'p': out += '|'; break;
      default: out += escaped[at];
    }
  }
  return out;
}

}  // namespace longhand::data
