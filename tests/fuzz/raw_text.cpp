// Raw texts: tokens, sentences, and CoNLL-U that restores the text; treebanks and what is learned from them.
#include "longhand/base/error.h"
#include "longhand/base/word_breaks.h"
#include "longhand/data/conllu.h"
#include "longhand/data/token_learning.h"
#include "tests/data/conllu_text.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {
namespace {

void expect(bool right) {
  if (!right) std::abort();
}

// Everything that is made of a text, with a tokenizer that has learned from it.
void read_text(const std::string& text, const data::Tokenizer& tokenizer, data::SentenceBreaks breaks) {
  std::string file, pending, whole;
  std::vector<data::PlacedSentence> sentences;
  for (data::TextPart& part : data::text_parts(text, tokenizer, breaks)) {
    whole += part.text;
    std::vector<data::PlacedSentence> found =
        data::placed_sentences(std::move(part), sentences.empty() ? nullptr : &sentences.back(), pending);
    std::move(found.begin(), found.end(), std::back_inserter(sentences));
  }
  expect(whole == text);
  std::string rebuilt;
  for (const data::PlacedSentence& sentence : sentences) {
    rebuilt += sentence.before + sentence.text + sentence.after;
    const std::vector<std::string> tags(sentence.tokens.size(), "X");
    file += data::conllu_sentence(sentence, tags, 1, {.ranges = "characters"});
  }
  expect(sentences.empty() || rebuilt == text);
  // Blanks within words are one where a column cannot hold them.
  if (!sentences.empty() && tokenizer.name() == "space") expect(testing::text_of_conllu(file) == text);
  data::recognise_text(text, tokenizer, [](std::string_view tag) { return tag == "O"; });
  data::looks_wrapped(text);
  data::read_treebank_text(file, "output");
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      "She said: \"I can't go, Mr. Smith.\"\n\nSee http://a.org/b, jo@x.org, 3.5 km. \xE5\xA5\xBD\xE3\x80\x82\n",
      "# newpar\n# text = I don't.\n1\tI\t_\tX\t_\t_\t_\t_\t_\t_\n2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No\n"
      "2\tdo\t_\tX\t_\t_\t_\t_\t_\t_\n3\tn't\t_\tX\t_\t_\t_\t_\t_\t_\n4\t.\t_\tX\t_\t_\t_\t_\t_\tSpacesAfter=\\n\n\n"};
}

void read(std::string_view bytes) {
  const std::vector<size_t> bounds = word_boundaries(bytes);  // any bytes
  expect(bytes.empty() ? bounds.empty() : bounds.front() == 0 && bounds.back() == bytes.size());
  for (const std::string& name : data::tokenizer_names()) {
    const data::Tokenizer any({.tokenizer = name});
    any.sentence_ends(bytes, any.tokens(bytes));
  }
  const std::string text = data::clean_text(bytes, "input");
  const data::TreebankText treebank = data::read_treebank_text(text, "input");
  for (const std::string& name : data::tokenizer_names()) {
    const data::Tokenizer tokenizer({.tokenizer = name}, data::learn_token_rules(name, treebank.paragraphs));
    data::compare_tokens(treebank.paragraphs, tokenizer);
    for (const data::SentenceBreaks breaks : {data::SentenceBreaks::kSplit, data::SentenceBreaks::kParagraphs}) {
      read_text(text, tokenizer, breaks);
    }
  }
  data::choose_tokenizer("auto", treebank, {});
}

}  // namespace longhand::fuzz
