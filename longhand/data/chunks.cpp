#include "longhand/data/chunks.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "longhand/base/error.h"

namespace longhand::data {
namespace {

// A tag as the conlleval script takes it apart: what is before the first hyphen, and what is after.
struct Tag {
  std::string_view prefix;
  std::string_view type;
  bool outside() const { return prefix.size() != 1 || std::string_view("BIES").find(prefix) == std::string_view::npos; }
};

Tag parse(std::string_view tag) {
  const size_t hyphen = tag.find('-');
  if (hyphen == std::string_view::npos) return {tag, {}};
  return {tag.substr(0, hyphen), tag.substr(hyphen + 1)};
}

bool is_chunk_tag(std::string_view tag) {
  const Tag t = parse(tag);
  return t.prefix.size() == 1 && std::string_view("BIES").find(t.prefix) != std::string_view::npos && !t.type.empty();
}

constexpr const char* kBlanks = " \t\r";
const Tag kOutside{"O", {}};

// Whether a chunk that `before` is in is over at the next tag.
bool ends(const Tag& before, const Tag& tag) {
  if (before.outside()) return false;
  return tag.outside() || before.type != tag.type || tag.prefix == "B" || tag.prefix == "S" || before.prefix == "E" ||
         before.prefix == "S";
}

// Why `tag`, after `before` and in the scheme, cannot stand; empty: it can.
std::string fault(const Tag& before, const Tag& tag, Scheme scheme) {
  const bool of_same = !before.outside() && before.type == tag.type;
  const auto named = [](const Tag& t) {
    return t.outside() ? std::string("O") : fmt::format("{}-{}", t.prefix, t.type);
  };
  const auto after = [&] { return fmt::format("{} after {}", named(tag), named(before)); };
  if (scheme != Scheme::kBioes) {
    if (tag.prefix == "E" || tag.prefix == "S") return named(tag);
    if (scheme == Scheme::kIob2 && tag.prefix == "I" && !of_same) return after();
    if (scheme == Scheme::kIob1 && tag.prefix == "B" && !of_same) return after();
    return "";
  }
  const bool open = before.prefix == "B" || before.prefix == "I";
  const bool goes_on = tag.prefix == "I" || tag.prefix == "E";
  return open ? (goes_on && of_same ? "" : after()) : (goes_on ? after() : "");
}

struct Fault {
  int64_t line = 0;
  std::string what;
};

std::optional<Fault> first_fault(const std::vector<TaggedSentence>& sentences, Scheme scheme) {
  for (const TaggedSentence& sentence : sentences) {
    Tag before = kOutside;
    for (size_t i = 0; i <= sentence.tags.size(); ++i) {
      const bool end = i == sentence.tags.size();
      if (end && scheme != Scheme::kBioes) break;
      const Tag tag = end ? kOutside : parse(sentence.tags[i]);
      std::string what = fault(before, tag, scheme);
      if (!what.empty()) {
        const size_t at = end ? i - 1 : i;
        if (end) what = fmt::format("a sentence's end after {}-{}", before.prefix, before.type);
        return Fault{at < sentence.lines.size() ? sentence.lines[at] : 0, what};
      }
      before = tag;
    }
  }
  return std::nullopt;
}

constexpr const char* kAdvice = "mend the line, or learn the tags as they stand with --scheme none";

// The line of the first tag that is neither O nor one of a chunk.
std::optional<Fault> first_other_tag(const std::vector<TaggedSentence>& sentences) {
  for (const TaggedSentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.tags.size(); ++i) {
      if (sentence.tags[i] == "O" || is_chunk_tag(sentence.tags[i])) continue;
      return Fault{i < sentence.lines.size() ? sentence.lines[i] : 0, sentence.tags[i]};
    }
  }
  return std::nullopt;
}

Error scheme_error(const std::string& source, const Fault& fault, const std::string& expected) {
  return input_error(fmt::format("{}:{}: expected {}, found {}", source, fault.line, expected, fault.what), kAdvice);
}

double per_cent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

const char* scheme_name(Scheme scheme) {
  switch (scheme) {
    case Scheme::kIob1: return "iob1";
    case Scheme::kIob2: return "iob2";
    case Scheme::kBioes: return "bioes";
    case Scheme::kNone: break;
  }
  return "none";
}

Scheme parse_scheme(const std::string& name) {
  for (const Scheme scheme : {Scheme::kIob1, Scheme::kIob2, Scheme::kBioes}) {
    if (name == scheme_name(scheme)) return scheme;
  }
  LONGHAND_CHECK(name == "none");
  return Scheme::kNone;
}

std::vector<Chunk> chunks(const std::vector<std::string>& tags) {
  std::vector<Chunk> out;
  Tag before = kOutside;
  const auto n = static_cast<int64_t>(tags.size());
  for (int64_t i = 0; i <= n; ++i) {
    const Tag tag = i < n ? parse(tags[static_cast<size_t>(i)]) : kOutside;
    const bool over = ends(before, tag);
    if (over) out.back().end = i;
    if (!tag.outside() && (before.outside() || over)) out.push_back({i, i, tag.type});
    before = tag;
  }
  return out;
}

std::vector<std::string> chunk_tags(const std::vector<Chunk>& chunks, int64_t length, Scheme scheme) {
  LONGHAND_CHECK(scheme != Scheme::kNone);
  std::vector<std::string> out(static_cast<size_t>(length), "O");
  const Chunk* before = nullptr;
  for (const Chunk& chunk : chunks) {
    for (int64_t i = chunk.begin; i < chunk.end; ++i) {
      const bool first = i == chunk.begin, last = i + 1 == chunk.end;
      char prefix = 'I';
      if (scheme == Scheme::kBioes) {
        prefix = first && last ? 'S' : first ? 'B' : last ? 'E' : 'I';
      } else if (first) {
        const bool touches = before != nullptr && before->end == i && before->type == chunk.type;
        prefix = scheme == Scheme::kIob2 || touches ? 'B' : 'I';
      }
      out[static_cast<size_t>(i)] = fmt::format("{}-{}", prefix, chunk.type);
    }
    before = &chunk;
  }
  return out;
}

bool may_follow(std::string_view before, std::string_view tag, Scheme scheme) {
  const auto tag_or_outside = [](std::string_view text) { return text.empty() ? kOutside : parse(text); };
  return scheme == Scheme::kNone || fault(tag_or_outside(before), tag_or_outside(tag), scheme).empty();
}

Scheme recognise_scheme(const std::vector<TaggedSentence>& sentences, const std::string& source) {
  int64_t of_chunks = 0, outside = 0, others = 0;
  bool ends_marked = false;
  for (const TaggedSentence& sentence : sentences) {
    for (const std::string& tag : sentence.tags) {
      const bool is_chunk = is_chunk_tag(tag);
      of_chunks += is_chunk ? 1 : 0;
      outside += tag == "O" ? 1 : 0;
      others += is_chunk || tag == "O" ? 0 : 1;
      ends_marked |= is_chunk && (tag[0] == 'E' || tag[0] == 'S');
    }
  }
  if (of_chunks == 0 || others > of_chunks + outside) return Scheme::kNone;
  if (others > 0) throw scheme_error(source, *first_other_tag(sentences), "O or a tag of a chunk, such as B-LOC");
  if (ends_marked) {
    check_scheme(sentences, Scheme::kBioes, source);
    return Scheme::kBioes;
  }
  const std::optional<Fault> in_iob2 = first_fault(sentences, Scheme::kIob2);
  if (!in_iob2) return Scheme::kIob2;
  const std::optional<Fault> in_iob1 = first_fault(sentences, Scheme::kIob1);
  if (!in_iob1) return Scheme::kIob1;
  throw input_error(fmt::format("{}:{}: expected tags in one scheme, found {} (not IOB2), and {} in line {} (not IOB1)",
                                source, in_iob2->line, in_iob2->what, in_iob1->what, in_iob1->line),
                    kAdvice);
}

void check_scheme(const std::vector<TaggedSentence>& sentences, Scheme scheme, const std::string& source) {
  if (scheme == Scheme::kNone) return;
  if (const std::optional<Fault> other = first_other_tag(sentences)) {
    throw scheme_error(source, *other, "O or a tag of a chunk, such as B-LOC");
  }
  if (const std::optional<Fault> fault = first_fault(sentences, scheme)) {
    throw scheme_error(source, *fault, fmt::format("tags in the scheme {}", scheme_name(scheme)));
  }
}

ChunkScore score_predictions(std::string_view text, const std::string& source) {
  ChunkScore score;
  std::vector<std::string> gold, found;
  const auto end_sentence = [&] {
    score.add(gold, found);
    gold.clear();
    found.clear();
  };
  int64_t number = 0;
  size_t columns = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    std::vector<std::string_view> fields;
    for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;
         at = line.find_first_not_of(kBlanks, at)) {
      const size_t stop = std::min(line.find_first_of(kBlanks, at), line.size());
      fields.push_back(line.substr(at, stop - at));
      at = stop;
    }
    if (fields.empty()) {
      end_sentence();
      continue;
    }
    if (columns == 0) columns = std::max<size_t>(fields.size(), 2);
    if (fields.size() != columns) {
      throw input_error(
          fmt::format("{}:{}: expected {} columns{}, found {}", source, number, columns,
                      fields.size() < 2 ? ", the last two of them tags" : " as in the first line", fields.size()),
          "give a file of words, the right tag and the predicted one in the last two columns");
    }
    gold.emplace_back(fields[columns - 2]);
    found.emplace_back(fields[columns - 1]);
  }
  end_sentence();
  if (score.tokens == 0) {
    throw input_error(source + ": expected words with their tags, one a line, found none", "give a file with some");
  }
  return score;
}

double ChunkCounts::precision() const { return per_cent(correct, found); }
double ChunkCounts::recall() const { return per_cent(correct, gold); }
double ChunkCounts::f1() const {
  const double p = precision(), r = recall();
  return p + r > 0.0 ? 2.0 * p * r / (p + r) : 0.0;
}

double ChunkScore::accuracy() const { return per_cent(correct_tags, tokens); }

void ChunkScore::add(const std::vector<std::string>& gold, const std::vector<std::string>& found) {
  LONGHAND_CHECK(gold.size() == found.size());
  for (size_t i = 0; i < gold.size(); ++i) {
    ++tokens;
    correct_tags += gold[i] == found[i] ? 1 : 0;
  }
  const std::vector<Chunk> right = chunks(gold), mine = chunks(found);
  const auto count = [&](int64_t ChunkCounts::*which, const Chunk& chunk) {
    ++(all.*which);
    ++(types[std::string(chunk.type)].*which);
  };
  for (const Chunk& chunk : right) count(&ChunkCounts::gold, chunk);
  for (const Chunk& chunk : mine) {
    count(&ChunkCounts::found, chunk);
    const auto place = std::lower_bound(right.begin(), right.end(), chunk.begin,
                                        [](const Chunk& c, int64_t begin) { return c.begin < begin; });
    if (place != right.end() && *place == chunk) count(&ChunkCounts::correct, chunk);
  }
}

std::string ChunkScore::conlleval() const {
  if (!has_chunks()) return fmt::format("processed {} tokens\naccuracy: {:6.2f}%\n", tokens, accuracy());
  std::string out = fmt::format("processed {} tokens with {} phrases; found: {} phrases; correct: {}.\n", tokens,
                                all.gold, all.found, all.correct);
  if (tokens > 0) {
    out += fmt::format("accuracy: {:6.2f}%; precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}\n", accuracy(),
                       all.precision(), all.recall(), all.f1());
  }
  for (const auto& [type, counts] : types) {
    out += fmt::format("{:>17}: precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}  {}\n", type, counts.precision(),
                       counts.recall(), counts.f1(), counts.found);
  }
  return out;
}

}  // namespace longhand::data
