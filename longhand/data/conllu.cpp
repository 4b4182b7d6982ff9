#include "longhand/data/conllu.h"

#include <fmt/format.h>

#include <algorithm>

#include "longhand/data/treebank_text.h"

namespace longhand::data {
namespace {

// What a column can hold: "_" alone means none.
std::string conllu_field(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return out;
}

// White space as `# text` has it: one blank for a run of blanks, tabs and line ends; other spaces as they are.
std::string spaces_in_text(std::string_view spaces) {
  std::string out;
  for (const char c : spaces) {
    const bool plain = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!plain) out += c;
    if (plain && !out.ends_with(' ')) out += ' ';
  }
  return out;
}

class ConlluSentenceWriter {
 public:
  ConlluSentenceWriter(const PlacedSentence& sentence, const std::vector<std::string>& tags, int64_t id,
                       const ConlluOptions& options)
      : sentence_(sentence), tags_(tags), id_(id), options_(options) {}

  std::string write() {
    const std::vector<Token>& tokens = sentence_.tokens;
    std::string text, lines;
    for (size_t i = 0; i < tokens.size();) {
      const auto parts = static_cast<size_t>(tokens[i].parts);
      const size_t end = i + parts, last = end - 1;
      const std::string spaces = spaces_after(last);
      const std::string form =
          conllu_field(std::string_view(sentence_.text)
                           .substr(tokens[i].begin - sentence_.byte, tokens[last].end - tokens[i].begin));
      text += form;
      if (end < tokens.size()) text += spaces_in_text(spaces);
      const std::string about = misc(i, last, spaces);
      if (parts > 1) lines += fmt::format("{}-{}\t{}\t_\t_\t_\t_\t_\t_\t_\t{}\n", i + 1, end, form, about);
      for (; i < end; ++i) lines += word(i, parts > 1 ? "_" : about);
    }
    return fmt::format("{}# sent_id = {}\n# text = {}\n{}\n",
                       options_.paragraphs && sentence_.begins_part ? "# newpar\n" : "", id_, text, lines);
  }

 private:
  std::string spaces_after(size_t i) const {
    const std::vector<Token>& tokens = sentence_.tokens;
    if (i + 1 == tokens.size()) return sentence_.after;
    const size_t from = tokens[i].end - sentence_.byte;
    return sentence_.text.substr(from, tokens[i + 1].begin - tokens[i].end);
  }

  std::string misc(size_t first, size_t last, const std::string& spaces) const {
    std::string out;
    const auto add = [&](const std::string& item) { out += (out.empty() ? "" : "|") + item; };
    if (spaces.empty()) {
      add("SpaceAfter=No");
    } else if (spaces != " ") {
      add("SpacesAfter=" + escaped_spaces(spaces));
    }
    if (first == 0 && !sentence_.before.empty()) add("SpacesBefore=" + escaped_spaces(sentence_.before));
    const Token &a = sentence_.tokens[first], &b = sentence_.tokens[last];
    if (options_.ranges == "characters") add(fmt::format("TokenRange={}:{}", a.begin_character, b.end_character));
    if (options_.ranges == "bytes") add(fmt::format("TokenRange={}:{}", a.begin, b.end));
    return out.empty() ? "_" : out;
  }

  std::string word(size_t i, const std::string& about) const {
    const auto column = [&](size_t place) { return place == options_.tag_column ? conllu_field(tags_[i]) : "_"; };
    std::string last = about;
    if (options_.tag_column == kConlluMisc) last = misc_with_tag(about, conllu_field(tags_[i]));
    return fmt::format("{}\t{}\t_\t{}\t{}\t_\t_\t_\t_\t{}\n", i + 1, conllu_field(sentence_.tokens[i].word),
                       column(kConlluUpos), column(kConlluXpos), last);
  }

  const PlacedSentence& sentence_;
  const std::vector<std::string>& tags_;
  int64_t id_;
  const ConlluOptions& options_;
};

}  // namespace

std::string misc_with_tag(std::string_view misc, std::string_view tag) {
  constexpr std::string_view kKey = "NER=";
  std::string item(kKey), before, after;
  for (const char c : tag) item += c == '|' ? std::string("\\p") : std::string(1, c);
  bool found = false;
  while (misc != "_" && !misc.empty()) {
    const std::string_view part = misc.substr(0, misc.find('|'));
    misc.remove_prefix(std::min(part.size() + 1, misc.size()));
    if (part.starts_with(kKey)) {
      found = true;
      continue;
    }
    if (!found) before.append(part).append("|");
    if (found) after.append("|").append(part);
  }
  if (found) return before + item + after;
  if (!before.empty()) before.pop_back();
  return item + (before.empty() ? "" : "|" + before);
}

std::string conllu_sentence(const PlacedSentence& sentence, const std::vector<std::string>& tags, int64_t id,
                            const ConlluOptions& options) {
  return ConlluSentenceWriter(sentence, tags, id, options).write();
}

}  // namespace longhand::data
