#include "longhand/data/chunks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr std::array kAllSchemes = {Scheme::kNone, Scheme::kIob2,  Scheme::kIob1,  Scheme::kIoe2,
                                    Scheme::kIoe1, Scheme::kBioes, Scheme::kBilou, Scheme::kBmes};

// The letters that tags begin with, in all schemes; each means what the one below it does in BIOES.
constexpr std::string_view kLetters = "BIESLUM";
constexpr std::string_view kMeanings = "BIESESI";

// A tag taken apart: its letter, as BIOES has it, or 'O', and its type. As the conlleval script does, at the first
// hyphen.
struct Tag {
  char letter = 'O';
  std::string_view type;
  bool outside() const { return letter == 'O'; }
};

Tag parse(std::string_view tag) {
  const size_t letter = tag.empty() ? std::string_view::npos : kLetters.find(tag[0]);
  if (letter == std::string_view::npos || (tag.size() > 1 && tag[1] != '-')) return {};
  return {kMeanings[letter], tag.substr(std::min<size_t>(tag.size(), 2))};
}

bool is_chunk_tag(std::string_view tag) { return tag.size() > 2 && !parse(tag).outside(); }
bool is_bare_letter(std::string_view tag) { return tag.size() == 1 && !parse(tag).outside(); }

// Whether a chunk that `before` is in is over at the next tag.
bool ends(const Tag& before, const Tag& tag) {
  if (before.outside()) return false;
  return tag.outside() || before.type != tag.type || tag.letter == 'B' || tag.letter == 'S' || before.letter == 'E' ||
         before.letter == 'S';
}

// The letters that a scheme's tags have, in its own spelling.
std::string_view letters_of(Scheme scheme) {
  switch (scheme) {
    case Scheme::kIob1:
    case Scheme::kIob2: return "BI";
    case Scheme::kIoe1:
    case Scheme::kIoe2: return "IE";
    case Scheme::kBioes: return "BIES";
    case Scheme::kBilou: return "BILU";
    case Scheme::kBmes: return "BMES";
    case Scheme::kNone: break;
  }
  return "";
}

bool marks_both_ends(Scheme scheme) {
  return scheme == Scheme::kBioes || scheme == Scheme::kBilou || scheme == Scheme::kBmes;
}

// Why the step from `before` to `tag`, two tags as they are written, is none of the scheme; empty: it is one. An empty
// text is start of sentence or end.
std::string fault(std::string_view before_text, std::string_view tag_text, Scheme scheme) {
  const Tag before = parse(before_text), tag = parse(tag_text);
  if (!tag.outside() && letters_of(scheme).find(tag_text[0]) == std::string_view::npos) return std::string(tag_text);
  const bool same = !before.outside() && !tag.outside() && before.type == tag.type;
  bool good = true;
  if (marks_both_ends(scheme)) {
    const bool open = before.letter == 'B' || before.letter == 'I';
    const bool goes_on = tag.letter == 'I' || tag.letter == 'E';
    good = open ? goes_on && same : !goes_on;
  } else if (scheme == Scheme::kIob2) {
    good = tag.letter != 'I' || same;
  } else if (scheme == Scheme::kIob1) {
    good = tag.letter != 'B' || same;
  } else if (scheme == Scheme::kIoe2) {
    good = before.letter != 'I' || same;
  } else if (scheme == Scheme::kIoe1) {
    good = before.letter != 'E' || same;
  }
  if (good) return "";
  const auto named = [](std::string_view text, const char* at_edge) {
    return text.empty() ? std::string(at_edge) : std::string(text);
  };
  return named(tag_text, "end of sentence") + " after " + named(before_text, "start of sentence");
}

struct Fault {
  int64_t line = 0;
  std::string what;
};

// Calls visit(index of the tag, what) for each step that is none of the scheme; that to the sentence's end belongs to
// the last tag.
template <class Visit>
void for_each_fault(const TaggedSentence& sentence, Scheme scheme, const Visit& visit) {
  std::string_view before;
  for (size_t i = 0; i <= sentence.tags.size(); ++i) {
    const std::string_view tag = i < sentence.tags.size() ? std::string_view(sentence.tags[i]) : std::string_view();
    std::string what = fault(before, tag, scheme);
    if (!what.empty() && !sentence.tags.empty()) visit(std::min(i, sentence.tags.size() - 1), std::move(what));
    before = tag;
  }
}

struct Faults {
  int64_t count = 0;
  Fault first;
};

Faults faults(const std::vector<TaggedSentence>& sentences, Scheme scheme) {
  Faults out;
  for (const TaggedSentence& sentence : sentences) {
    for_each_fault(sentence, scheme, [&](size_t at, std::string what) {
      if (out.count++ == 0) out.first = {at < sentence.lines.size() ? sentence.lines[at] : 0, std::move(what)};
    });
  }
  return out;
}

constexpr const char* kAdvice = "fix the line; a tagger can be trained on such tags as plain labels with `scheme` none";

// The line of the first tag that is neither O nor one of a chunk; letters alone are, if `bare`.
std::optional<Fault> first_other_tag(const std::vector<TaggedSentence>& sentences, bool bare) {
  for (const TaggedSentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.tags.size(); ++i) {
      const std::string& tag = sentence.tags[i];
      if (tag == "O" || is_chunk_tag(tag) || (bare && is_bare_letter(tag))) continue;
      return Fault{i < sentence.lines.size() ? sentence.lines[i] : 0, tag};
    }
  }
  return std::nullopt;
}

// Whether chunks are without types: then no tag has one.
bool has_bare_letters(const std::vector<TaggedSentence>& sentences) {
  for (const TaggedSentence& sentence : sentences) {
    for (const std::string& tag : sentence.tags) {
      if (is_chunk_tag(tag)) return false;
    }
  }
  return true;
}

Error scheme_error(const std::string& source, const Fault& fault, const std::string& expected) {
  return input_error(fmt::format("{}:{}: expected {}, found {}", source, fault.line, expected, fault.what), kAdvice);
}

double per_cent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

std::vector<std::string> scheme_names() {
  std::vector<std::string> out;
  for (const Scheme scheme : kAllSchemes) out.emplace_back(scheme_name(scheme));
  return out;
}

const char* scheme_name(Scheme scheme) {
  switch (scheme) {
    case Scheme::kIob1: return "iob1";
    case Scheme::kIob2: return "iob2";
    case Scheme::kIoe1: return "ioe1";
    case Scheme::kIoe2: return "ioe2";
    case Scheme::kBioes: return "bioes";
    case Scheme::kBilou: return "bilou";
    case Scheme::kBmes: return "bmes";
    case Scheme::kNone: break;
  }
  return "none";
}

Scheme parse_scheme(const std::string& name) {
  for (const Scheme scheme : kAllSchemes) {
    if (name == scheme_name(scheme)) return scheme;
  }
  LONGHAND_CHECK(false);
  return Scheme::kNone;
}

std::vector<Chunk> chunks(const std::vector<std::string>& tags) {
  std::vector<Chunk> out;
  Tag before;
  const auto n = static_cast<int64_t>(tags.size());
  for (int64_t i = 0; i <= n; ++i) {
    const Tag tag = i < n ? parse(tags[static_cast<size_t>(i)]) : Tag{};
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
  for (size_t c = 0; c < chunks.size(); ++c) {
    const Chunk& chunk = chunks[c];
    const auto touches = [&](const Chunk& first, const Chunk& second) {
      return first.end == second.begin && first.type == second.type;
    };
    const bool touches_before = c > 0 && touches(chunks[c - 1], chunk);
    const bool touches_after = c + 1 < chunks.size() && touches(chunk, chunks[c + 1]);
    for (int64_t i = chunk.begin; i < chunk.end; ++i) {
      const bool first = i == chunk.begin, last = i + 1 == chunk.end;
      char letter = 'I';
      if (scheme == Scheme::kIob2 || (scheme == Scheme::kIob1 && touches_before)) letter = first ? 'B' : 'I';
      if (scheme == Scheme::kIoe2 || (scheme == Scheme::kIoe1 && touches_after)) letter = last ? 'E' : 'I';
      if (marks_both_ends(scheme)) {
        const char inside = scheme == Scheme::kBmes ? 'M' : 'I';
        const bool bilou = scheme == Scheme::kBilou;
        letter = first && last ? (bilou ? 'U' : 'S') : first ? 'B' : last ? (bilou ? 'L' : 'E') : inside;
      }
      out[static_cast<size_t>(i)] =
          chunk.type.empty() ? std::string(1, letter) : fmt::format("{}-{}", letter, chunk.type);
    }
  }
  return out;
}

bool may_follow(std::string_view before, std::string_view tag, Scheme scheme) {
  return scheme == Scheme::kNone || fault(before, tag, scheme).empty();
}

Scheme recognise_scheme(const std::vector<TaggedSentence>& sentences, const std::string& source) {
  int64_t of_chunks = 0, outside = 0, others = 0;
  std::set<char> letters;
  const bool bare = has_bare_letters(sentences);
  for (const TaggedSentence& sentence : sentences) {
    for (const std::string& tag : sentence.tags) {
      const bool is_chunk = is_chunk_tag(tag) || (bare && is_bare_letter(tag));
      of_chunks += is_chunk ? 1 : 0;
      outside += tag == "O" ? 1 : 0;
      others += is_chunk || tag == "O" ? 0 : 1;
      if (is_chunk) letters.insert(tag[0]);
    }
  }
  if (of_chunks == 0 || others > of_chunks + outside || (bare && others > 0)) return Scheme::kNone;
  if (others > 0) {
    throw scheme_error(source, *first_other_tag(sentences, bare), "O or a chunk tag such as B-LOC");
  }
  std::optional<std::pair<Scheme, Faults>> best;
  for (const Scheme scheme : kAllSchemes) {
    const std::string_view its = letters_of(scheme);
    const bool fits = scheme != Scheme::kNone && std::all_of(letters.begin(), letters.end(), [&](char letter) {
                        return its.find(letter) != std::string_view::npos;
                      });
    if (!fits) continue;
    Faults found = faults(sentences, scheme);
    if (!best || found.count < best->second.count) best.emplace(scheme, std::move(found));
  }
  if (!best) {
    throw input_error(
        fmt::format("{}: expected tags of one scheme, found tags that begin with {}", source, fmt::join(letters, ", ")),
        "no scheme has all these prefixes; fix the tags, or treat them as plain labels with `scheme` none");
  }
  constexpr int64_t kMaxFaults = 10;  // one in so many tags of chunks
  if (kMaxFaults * best->second.count > of_chunks) {
    throw scheme_error(source, best->second.first, fmt::format("tags in the scheme {}", scheme_name(best->first)));
  }
  return best->first;
}

void check_scheme(const std::vector<TaggedSentence>& sentences, Scheme scheme, const std::string& source) {
  if (scheme == Scheme::kNone) return;
  if (const std::optional<Fault> other = first_other_tag(sentences, has_bare_letters(sentences))) {
    throw scheme_error(source, *other, "O or a chunk tag such as B-LOC");
  }
  if (const Faults found = faults(sentences, scheme); found.count > 0) {
    throw scheme_error(source, found.first, fmt::format("tags in the scheme {}", scheme_name(scheme)));
  }
}

Repairs repair_scheme(std::vector<TaggedSentence>& sentences, Scheme scheme, const std::string& source) {
  Repairs out;
  if (scheme == Scheme::kNone) return out;
  if (const std::optional<Fault> other = first_other_tag(sentences, has_bare_letters(sentences))) {
    throw scheme_error(source, *other, "O or a chunk tag such as B-LOC");
  }
  for (TaggedSentence& sentence : sentences) {
    bool broken = false;
    for_each_fault(sentence, scheme, [&](size_t at, std::string what) {
      broken = true;
      if (!out.first.empty()) return;
      out.first = std::move(what);
      out.first_line = at < sentence.lines.size() ? sentence.lines[at] : 0;
    });
    if (!broken) continue;
    const std::vector<std::string> repaired =
        chunk_tags(chunks(sentence.tags), static_cast<int64_t>(sentence.tags.size()), scheme);
    for (size_t i = 0; i < repaired.size(); ++i) out.tags += repaired[i] == sentence.tags[i] ? 0 : 1;
    sentence.tags = repaired;
  }
  return out;
}

ChunkScore score_predictions(
    std::string_view raw, const std::string& source,
    const std::function<void(const TaggedSentence& gold, const std::vector<std::string>& found)>& on_sentence) {
  const std::string text = clean_text(raw, source);
  std::vector<TaggedSentence> gold(1), found(1);
  int64_t number = 0;
  size_t columns = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    ++number;
    std::vector<std::string_view> fields;
    for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;
         at = line.find_first_not_of(kBlanks, at)) {
      const size_t stop = std::min(line.find_first_of(kBlanks, at), line.size());
      fields.push_back(line.substr(at, stop - at));
      at = stop;
    }
    if (fields.empty()) {
      gold.emplace_back();
      found.emplace_back();
      continue;
    }
    if (columns == 0) columns = std::max<size_t>(fields.size(), 2);
    if (fields.size() != columns) {
      throw input_error(
          fmt::format("{}:{}: expected {} columns{}, found {}", source, number, columns,
                      fields.size() < 2 ? ", the last two of them tags" : " as in the first line", fields.size()),
          "give one word per line, with the gold tag and the predicted tag in the last two columns");
    }
    if (columns > 2 && on_sentence) gold.back().words.emplace_back(fields[0]);
    gold.back().tags.emplace_back(fields[columns - 2]);
    found.back().tags.emplace_back(fields[columns - 1]);
    for (TaggedSentence* sentence : {&gold.back(), &found.back()}) sentence->lines.push_back(number);
  }
  // Among chunk tags, any other tag must not be read as O.
  const bool bare = has_bare_letters(gold) && has_bare_letters(found);
  if (!bare) {
    for (const auto* sentences : {&gold, &found}) {
      if (const std::optional<Fault> other = first_other_tag(*sentences, true)) {
        throw input_error(
            fmt::format("{}:{}: expected O or a chunk tag such as B-LOC, found {}", source, other->line, other->what),
            "write the tags in IOB1, IOB2, IOE1, IOE2, BIOES, BILOU or BMES");
      }
    }
  }
  ChunkScore score;
  for (size_t i = 0; i < gold.size(); ++i) {
    score.add(gold[i].tags, found[i].tags);
    if (on_sentence && !gold[i].tags.empty()) on_sentence(gold[i], found[i].tags);
  }
  if (score.tokens == 0) {
    throw input_error(source + ": expected words with their tags, one per line, found none",
                      "give a file that is not empty");
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
    out += fmt::format("{:>17}: precision: {:6.2f}%; recall: {:6.2f}%; FB1: {:6.2f}  {}\n", visible(type),
                       counts.precision(), counts.recall(), counts.f1(), counts.found);
  }
  return out;
}

}  // namespace longhand::data
