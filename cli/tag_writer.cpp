#include "cli/tag_writer.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"

namespace longhand::cli {
namespace {

std::vector<std::string> made_visible(const std::vector<std::string>& tags) {
  std::vector<std::string> out;
  for (const std::string& tag : tags) out.push_back(visible(tag));
  return out;
}

// The places of the tokens begin .. end-1 in the text.
void add_places(const std::vector<data::Token>& tokens, size_t begin, size_t end, bool bytes,
                nlohmann::ordered_json& out) {
  out["start"] = tokens[begin].begin_character;
  out["end"] = tokens[end - 1].end_character;
  if (!bytes) return;
  out["start_byte"] = tokens[begin].begin;
  out["end_byte"] = tokens[end - 1].end;
}

// What is written in the text, or, of columns, the words with blanks between them.
std::string text_between(const data::PlacedSentence& sentence, size_t begin, size_t end) {
  const size_t from = sentence.tokens[begin].begin - sentence.byte, to = sentence.tokens[end - 1].end - sentence.byte;
  return sentence.text.substr(from, to - from);
}

}  // namespace

Sentence SentenceToTag::words() const {
  Sentence out;
  for (const data::Token& token : sentence.tokens) out.push_back(token.word);
  return out;
}

void TagWriter::write(const SentenceToTag& item, const std::vector<Tags>& taggings, std::string& out) {
  if (!item.sentence.tokens.empty()) ++sentences_;
  if (options_.json) {
    if (!item.sentence.tokens.empty()) out += json(item, taggings);
    return;
  }
  const bool lines = options_.columns && (!options_.conllu || reader_.is_conllu());
  for (const Tags& tagging : taggings) {
    if (options_.probabilities && !tagging.tags.empty()) {
      out += fmt::format("# probability = {:.6f}\n", tagging.probability);
    }
    if (lines) {
      write_lines(item, tagging.tags, out);
    } else if (!options_.conllu) {
      write_words(item, tagging, out);
    } else if (!tagging.tags.empty()) {
      out += data::conllu_sentence(item.sentence, made_visible(tagging.tags), sentences_, options_.layout);
    }
  }
}

void TagWriter::write_words(const SentenceToTag& item, const Tags& tagging, std::string& out) const {
  for (size_t t = 0; t < tagging.tags.size(); ++t) {
    const data::Token& token = item.sentence.tokens[t];
    out += token.word + "\t" + visible(tagging.tags[t]);
    if (options_.offsets == "characters") out += fmt::format("\t{}\t{}", token.begin_character, token.end_character);
    if (options_.offsets == "bytes") out += fmt::format("\t{}\t{}", token.begin, token.end);
    out += "\n";
  }
  out += "\n";
}

// A word's line of CoNLL-U with its tag: of chunks in MISC, else in the column that the model learned.
std::string TagWriter::tagged_line(const std::string& line, const std::string& tag) const {
  const std::optional<size_t> misc = options_.chunks ? reader_.misc_column() : std::nullopt;
  const size_t column = reader_.tag_column();
  if (options_.chunks && !misc && (reader_.names()[column] == "UPOS" || reader_.names()[column] == "XPOS")) {
    throw input_error("CoNLL-U Plus without a column for the tags of chunks: expected MISC among its global.columns",
                      "add the column MISC with _ in each line");
  }
  // A model of other columns has nothing to say of these; the first two are the ID and the word.
  const bool foreign = (column < 2 || column >= data::kConlluMisc + 1) && !reader_.is_plus();
  const size_t place = misc ? *misc : foreign ? data::kConlluUpos : column;
  size_t begin = 0;
  for (size_t c = 0; c < place; ++c) begin = line.find('\t', begin) + 1;
  const size_t size = std::min(line.find('\t', begin), line.size()) - begin;
  const std::string field = line.substr(begin, size);
  return line.substr(0, begin) + (misc ? data::misc_with_tag(data::trimmed(field), tag) : tag) +
         line.substr(begin + size);
}

// The lines as they came, with the tags: of columns that are not CoNLL-U, in one more.
void TagWriter::write_lines(const SentenceToTag& item, const std::vector<std::string>& tags, std::string& out) const {
  size_t word = 0;
  for (size_t i = 0; i < item.lines.size(); ++i) {
    std::string line = item.lines[i];
    std::string end;
    while (line.ends_with('\n') || line.ends_with('\r')) {
      end.insert(end.begin(), line.back());
      line.pop_back();
    }
    const int64_t number = item.first_line + static_cast<int64_t>(i);
    const bool is_word = word < tags.size() && item.word_lines[word] == number;
    if (is_word && reader_.is_conllu()) {
      line = tagged_line(line, visible(tags[word]));
    } else if (is_word || (!reader_.is_conllu() && line.starts_with(data::kDocumentStart))) {
      line.append(line.find('\t') != std::string::npos ? "\t" : " ").append(is_word ? visible(tags[word]) : "O");
    }
    word += is_word ? 1 : 0;
    out += line + end;
  }
}

std::string TagWriter::json(const SentenceToTag& item, const std::vector<Tags>& taggings) const {
  const data::PlacedSentence& sentence = item.sentence;
  const bool bytes = options_.offsets == "bytes", placed = !options_.columns;
  const auto entities = [&](const std::vector<std::string>& tags) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const TaggedSpan& span : Tagger::spans(tags)) {
      const auto begin = static_cast<size_t>(span.begin), end = static_cast<size_t>(span.end);
      nlohmann::ordered_json& entity = out.emplace_back();
      entity = {{"text", text_between(sentence, begin, end)}, {"type", span.type}};
      entity["first_token"] = span.begin;
      entity["tokens"] = span.end - span.begin;
      if (placed) add_places(sentence.tokens, begin, end, bytes, entity);
    }
    return out;
  };
  nlohmann::ordered_json out = {{"text", sentence.text}};
  if (placed) add_places(sentence.tokens, 0, sentence.tokens.size(), bytes, out);
  out["line"] = sentence.line;
  const std::vector<std::string>& best = taggings.front().tags;
  for (size_t t = 0; t < sentence.tokens.size(); ++t) {
    nlohmann::ordered_json& token = out["tokens"].emplace_back();
    token = {{"text", sentence.tokens[t].word}, {"tag", best[t]}};
    if (placed) add_places(sentence.tokens, t, t + 1, bytes, token);
  }
  if (options_.chunks) out["entities"] = entities(best);
  if (options_.probabilities) out["probability"] = taggings.front().probability;
  for (size_t n = 0; taggings.size() > 1 && n < taggings.size(); ++n) {
    nlohmann::ordered_json& each = out["nbest"].emplace_back();
    each = {{"probability", taggings[n].probability}, {"tags", taggings[n].tags}};
    if (options_.chunks) each["entities"] = entities(taggings[n].tags);
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace longhand::cli
