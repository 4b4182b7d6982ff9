#include "longhand/data/token_learning.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "longhand/base/format.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/token_parts.h"

namespace longhand::data {
namespace {

constexpr int64_t kEnoughSeen = 3;  // occurrences from which a rule for more than one token is learned
constexpr size_t kSentencesInPart = 20;

// How often something is so, and how often not.
struct Vote {
  int64_t yes = 0, no = 0;
  bool carried() const { return yes > no; }
};

// A token of the treebank, as it is written.
struct WrittenToken {
  Span span;
  std::vector<std::string> words;  // in lower case
  bool multiword = false;
};

std::vector<WrittenToken> written_tokens(const TreebankParagraph& paragraph) {
  std::vector<WrittenToken> out;
  for (const Token& token : paragraph.tokens) {
    if (token.part == 0) out.push_back({{token.begin, token.end}, {}, token.parts > 1});
    out.back().words.push_back(lowercased(token.word));
    out.back().span.end = token.end;
  }
  return out;
}

std::string lower_part(std::string_view text, const Span& span) {
  return lowercased(text.substr(span.begin, span.end - span.begin));
}

// Calls visit(spans, first, end, tokens, first, end) for the smallest groups of each that cover the same bytes.
template <class Visit>
void for_each_group(const std::vector<Span>& spans, const std::vector<WrittenToken>& tokens, const Visit& visit) {
  size_t i = 0, j = 0;
  while (i < spans.size() && j < tokens.size()) {
    const size_t first_i = i++, first_j = j++;
    size_t end_i = spans[first_i].end, end_j = tokens[first_j].span.end;
    while (end_i != end_j) {
      if (end_i < end_j && i < spans.size()) {
        end_i = std::max(end_i, spans[i++].end);
      } else if (end_j < end_i && j < tokens.size()) {
        end_j = std::max(end_j, tokens[j++].span.end);
      } else {
        return;
      }
    }
    if (spans[first_i].begin == tokens[first_j].span.begin) visit(first_i, i, first_j, j);
  }
}

class RuleLearner {
 public:
  RuleLearner(const std::string& tokenizer, const std::vector<TreebankParagraph>& paragraphs)
      : tokenizer_(tokenizer), paragraphs_(paragraphs) {}

  TokenRules learn() {
    if (tokenizer_ == "characters") return {};
    for (const TreebankParagraph& paragraph : paragraphs_) written_.push_back(written_tokens(paragraph));
    if (tokenizer_ == "punctuation") learn_inside();
    learn_whole();
    count_splits();
    learn_affixes(false, rules_.endings);
    learn_affixes(true, rules_.beginnings);
    learn_splits();
    learn_ends();
    return std::move(rules_);
  }

 private:
  template <class Visit>
  void for_each_paragraph(const Visit& visit) const {
    for (size_t p = 0; p < paragraphs_.size(); ++p) visit(paragraphs_[p], written_[p]);
  }

  // Marks with a token's boundary on both sides, or on none.
  void learn_inside() {
    std::map<std::string, Vote> votes;
    for_each_paragraph([&](const TreebankParagraph& paragraph, const std::vector<WrittenToken>& tokens) {
      size_t next = 0;  // the first token that ends after the mark begins
      char32_t left = U' ', mark = U' ';
      size_t left_at = 0, mark_at = 0;
      for (size_t at = 0; at < paragraph.text.size();) {
        char32_t right = 0;
        const size_t length = next_character(paragraph.text, at, right);
        if (at > 0 && is_word_character(left) && kind_of(mark) == CharacterKind::kOther && is_word_character(right)) {
          while (next < tokens.size() && tokens[next].span.end <= mark_at) ++next;
          if (next < tokens.size() && !is_address(tokens[next])) {
            const Span& span = tokens[next].span;
            const std::string key =
                inside_key(left, std::string_view(paragraph.text).substr(mark_at, at - mark_at), right);
            if (span.begin == mark_at && span.end == at) ++votes[key].yes;
            if (span.begin <= left_at && span.end > at) ++votes[key].no;
          }
        }
        left = mark;
        left_at = mark_at;
        mark = right;
        mark_at = at;
        at += length;
      }
    });
    for (const auto& [key, vote] : votes) {
      if (vote.yes + vote.no >= kEnoughSeen) rules_.inside[key] = vote.carried();
    }
  }

  // Of the web or of e-mail: the tokenizer finds these itself.
  static bool is_address(const WrittenToken& token) {
    const std::string& word = token.words.front();
    return word.find("://") != std::string::npos || word.find('@') != std::string::npos || word.starts_with("www.");
  }

  static bool is_word_character(char32_t c) {
    const CharacterKind kind = kind_of(c);
    return kind != CharacterKind::kOther && kind != CharacterKind::kSpace;
  }

  // Tokens of several spans; of those, the ones that more often are one than not.
  void learn_whole() {
    for_each_paragraph([&](const TreebankParagraph& paragraph, const std::vector<WrittenToken>& tokens) {
      const std::vector<Span> spans = basic_tokens(tokenizer_, rules_, paragraph.text);
      for_each_group(spans, tokens, [&](size_t i, size_t i_end, size_t j, size_t j_end) {
        const Span& span = tokens[j].span;
        if (i_end - i < 2 || j_end - j != 1 || span.end - span.begin > kLongestWhole) return;
        for (size_t k = i + 1; k < i_end; ++k) {
          if (spans[k].begin != spans[k - 1].end) return;  // a token with a blank in it
        }
        rules_.whole.insert(lower_part(paragraph.text, span));
      });
    });
    std::map<std::string, Vote> votes;
    for_each_paragraph([&](const TreebankParagraph& paragraph, const std::vector<WrittenToken>& tokens) {
      std::set<std::pair<size_t, size_t>> right;
      for (const WrittenToken& token : tokens) right.emplace(token.span.begin, token.span.end);
      const std::vector<Span> spans = basic_tokens(tokenizer_, rules_, paragraph.text);
      const std::vector<Span> joined = join_whole(paragraph.text, spans, rules_);
      size_t i = 0;
      for (const Span& span : joined) {
        while (i < spans.size() && spans[i].begin < span.begin) ++i;
        if (i < spans.size() && spans[i] == span) continue;  // was one without the rules
        Vote& vote = votes[lower_part(paragraph.text, span)];
        ++(right.contains({span.begin, span.end}) ? vote.yes : vote.no);
      }
    });
    for (const auto& [token, vote] : votes) {
      if (!vote.carried()) rules_.whole.erase(token);
    }
  }

  std::vector<Span> joined_spans(const TreebankParagraph& paragraph) const {
    return join_whole(paragraph.text, basic_tokens(tokenizer_, rules_, paragraph.text), rules_);
  }

  // How often each token has which words.
  void count_splits() {
    for_each_paragraph([&](const TreebankParagraph& paragraph, const std::vector<WrittenToken>& tokens) {
      for_each_group(joined_spans(paragraph), tokens, [&](size_t i, size_t i_end, size_t j, size_t j_end) {
        if (i_end - i != 1) return;
        TokenSplit split{.words = {}, .multiword = j_end - j == 1 && tokens[j].multiword};
        for (size_t k = j; k < j_end; ++k) {
          if (j_end - j > 1 && tokens[k].multiword) return;  // of one part, several words: too seldom for a rule
          split.words.insert(split.words.end(), tokens[k].words.begin(), tokens[k].words.end());
        }
        const std::string lower = lower_part(paragraph.text, {tokens[j].span.begin, tokens[j_end - 1].span.end});
        if (lower.size() > kLongestWhole) return;
        count_split(lower, std::move(split));
      });
    });
  }

  void count_split(const std::string& lower, TokenSplit split) {
    std::vector<std::pair<TokenSplit, int64_t>>& counts = tokens_[lower];
    const auto known =
        std::find_if(counts.begin(), counts.end(), [&](const auto& each) { return each.first == split; });
    if (known != counts.end()) {
      ++known->second;
    } else {
      counts.emplace_back(std::move(split), 1);
    }
  }

  // A beginning or an ending that is a word of its own.
  struct Affix {
    int64_t split = 0, multiword = 0;
    int64_t different = 0;  // tokens that are divided there
    int64_t tokens = 0;     // that begin or end so, divided there or not
  };

  // What the rules so far explain is left out.
  void learn_affixes(bool beginnings, std::map<std::string, bool>& rules) {
    std::map<std::string, Affix> affixes;
    const auto key = [&](std::string_view front, std::string_view back) {
      return beginnings ? beginning_key(front, back) : ending_key(front, back);
    };
    for (const auto& [token, counts] : tokens_) {
      for (const auto& [split, count] : counts) {
        const bool is_pair = split.words.size() == 2 && split.words[0] + split.words[1] == token;
        if (!is_pair || split.words[beginnings ? 0 : 1].size() > kLongestAffix) continue;
        if (split_of(token, rules_) == split) continue;
        Affix& affix = affixes[key(split.words[0], split.words[1])];
        affix.split += count;
        affix.multiword += split.multiword ? count : 0;
        ++affix.different;
      }
    }
    for (const auto& [token, counts] : tokens_) {
      int64_t occurrences = 0;
      for (const auto& each : counts) occurrences += each.second;
      for_each_cut(token, [&](std::string_view front, std::string_view back) {
        const auto known = affixes.find(key(front, back));
        if (known != affixes.end()) known->second.tokens += occurrences;
      });
    }
    for (const auto& [name, affix] : affixes) {
      const bool often = affix.split >= kEnoughSeen && affix.different > 1 && 2 * affix.split > affix.tokens;
      if (often) rules[name] = 2 * affix.multiword > affix.split;
    }
  }

  template <class Visit>
  static void for_each_cut(std::string_view token, const Visit& visit) {
    char32_t c = 0;
    for (size_t at = next_character(token, 0, c); at < token.size(); at += next_character(token, at, c)) {
      visit(token.substr(0, at), token.substr(at));
    }
  }

  // Tokens of which the rules so far do not give what they most often are.
  void learn_splits() {
    for (const auto& [token, counts] : tokens_) {
      const auto& most = *std::max_element(counts.begin(), counts.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
      if (!(split_of(token, rules_) == as_found(token, most.first))) exceptions_[token] = most.first;
    }
    rules_.splits = std::move(exceptions_);
  }

  // One word is the token itself, whatever its case or form.
  static TokenSplit as_found(const std::string& token, const TokenSplit& split) {
    return split.words.size() == 1 ? TokenSplit{.words = {token}} : split;
  }

  void learn_ends() {
    std::map<std::string, Vote> votes;
    std::map<std::string, bool> usual;
    const Tokenizer tokenizer({.tokenizer = tokenizer_}, rules_);
    for (const TreebankParagraph& paragraph : paragraphs_) {
      std::set<size_t> begins;  // bytes
      for (const size_t end : paragraph.sentence_ends) {
        if (end < paragraph.tokens.size()) begins.insert(paragraph.tokens[end].begin);
      }
      const std::vector<Token> tokens = tokenizer.tokens(paragraph.text);
      for (size_t i = 0; i < tokens.size(); ++i) {
        const SentenceEnd found = sentence_end(paragraph.text, tokens, i);
        if (found.key.empty()) continue;
        Vote& vote = votes[found.key];
        ++(begins.contains(tokens[found.next].begin) ? vote.yes : vote.no);
        usual[found.key] = found.ends;
      }
    }
    for (const auto& [key, vote] : votes) {
      if (vote.yes + vote.no >= kEnoughSeen && vote.carried() != usual[key]) rules_.ends[key] = vote.carried();
    }
  }

  const std::string& tokenizer_;
  const std::vector<TreebankParagraph>& paragraphs_;
  std::vector<std::vector<WrittenToken>> written_;
  TokenRules rules_;
  std::map<std::string, std::vector<std::pair<TokenSplit, int64_t>>> tokens_;
  std::map<std::string, TokenSplit> exceptions_;
};

// Parts of paragraphs of few sentences, so that each tenth can be held out.
std::vector<TreebankParagraph> small_parts(const std::vector<TreebankParagraph>& paragraphs) {
  std::vector<TreebankParagraph> out;
  for (const TreebankParagraph& paragraph : paragraphs) {
    const std::vector<size_t>& ends = paragraph.sentence_ends;
    size_t begin = 0;
    for (size_t s = 0; s < ends.size(); s += kSentencesInPart) {
      const size_t last = std::min(s + kSentencesInPart, ends.size());
      TreebankParagraph& part = out.emplace_back();
      const size_t from = paragraph.tokens[begin].begin, to = paragraph.tokens[ends[last - 1] - 1].end;
      part.text = paragraph.text.substr(from, to - from);
      for (size_t i = begin; i < ends[last - 1]; ++i) {
        Token& token = part.tokens.emplace_back(paragraph.tokens[i]);
        token.begin -= from;
        token.end -= from;
      }
      for (size_t e = s; e < last; ++e) part.sentence_ends.push_back(ends[e] - begin);
      begin = ends[last - 1];
    }
  }
  return out;
}

// The share of the sentences' words that stay whole; whether marks are words, and whether words are characters.
struct WholeWords {
  double share = 0.0;
  bool marks = false;
  bool characters = false;
};

// Names to try; of equals, the first is taken.
std::vector<std::string> candidates(const std::string& wanted) {
  if (wanted != "auto") return {wanted};
  return {"punctuation", "words", "marks", "characters", "space"};
}

WholeWords whole_words(const std::string& tokenizer, const std::vector<TaggedSentence>& sentences) {
  int64_t words = 0, whole = 0, marks = 0, single = 0;
  for (const TaggedSentence& sentence : sentences) {
    for (const std::string& word : sentence.words) {
      char32_t c = 0;
      const bool one = next_character(word, 0, c) == word.size();
      ++words;
      single += one ? 1 : 0;
      marks += one && std::u32string_view(U".,!?;:\u3002\u060C\u0964").find(c) != std::u32string_view::npos ? 1 : 0;
      whole += basic_tokens(tokenizer, {}, word).size() == 1 ? 1 : 0;
    }
  }
  return {words > 0 ? static_cast<double>(whole) / static_cast<double>(words) : 0.0, 100 * marks > words,
          words > 0 && single == words};
}

}  // namespace

TokenRules learn_token_rules(const std::string& tokenizer, const std::vector<TreebankParagraph>& paragraphs) {
  return RuleLearner(tokenizer, paragraphs).learn();
}

TokenizerChoice choose_tokenizer(const std::string& wanted, const TreebankText& text,
                                 const std::vector<TaggedSentence>& sentences) {
  const std::vector<std::string> names = candidates(wanted);
  TokenizerChoice out;
  if (text.paragraphs.empty()) {
    std::string best = wanted == "auto" ? "space" : wanted;
    double most = -1.0;
    for (const std::string& name : names) {
      const WholeWords found = whole_words(name, sentences);
      const bool fits = (name == "space" ? !found.marks : found.marks) && (name == "characters") == found.characters;
      if (wanted == "auto" && (!fits || found.share <= most)) continue;
      most = found.share;
      best = name;
    }
    out.tokenizer = Tokenizer({.tokenizer = best});
    out.description = fmt::format("tokenizer of raw texts: {}", best);
    return out;
  }
  std::vector<TreebankParagraph> learned, held_out;
  std::vector<TreebankParagraph> parts = small_parts(text.paragraphs);
  for (size_t i = 0; i < parts.size(); ++i) (i % 10 == 9 ? held_out : learned).push_back(std::move(parts[i]));
  std::string best = names.front();
  double most = -1.0;
  for (const std::string& name : names) {
    if (learned.empty() || held_out.empty()) break;
    const Tokenizer tried({.tokenizer = name}, learn_token_rules(name, learned));
    const double f1 = compare_tokens(held_out, tried).words.f1();
    if (f1 <= most) continue;
    most = f1;
    best = name;
  }
  if (most < 0.0 && wanted == "auto") best = "punctuation";  // a text of a few sentences
  out.tokenizer = Tokenizer({.tokenizer = best}, learn_token_rules(best, text.paragraphs));
  out.description = fmt::format("tokenizer of raw texts: {}, with {} from the treebank", best,
                                format_count(static_cast<int64_t>(out.tokenizer.rules().size()), "rule"));
  if (most >= 0.0) out.description += fmt::format("; on held-out tenths {:.2f} % F1 of words", most);
  return out;
}

}  // namespace longhand::data
