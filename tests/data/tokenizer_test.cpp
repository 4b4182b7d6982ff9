// Tokenizers, their rules, and the sentences of their tokens.
#include "longhand/data/tokenizer.h"

#include "longhand/base/utf8.h"
#include "longhand/data/raw_text.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

using Words = std::vector<std::string>;

std::string tokens_of(const std::string& tokenizer, const std::string& text, const TokenRules& rules = {}) {
  std::string out;
  for (const std::string& word : Tokenizer({.tokenizer = tokenizer}, rules).words(text)) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

std::string sentences_of(const std::string& text, const TokenRules& rules = {}) {
  const Tokenizer tokenizer({.tokenizer = "punctuation"}, rules);
  const std::vector<Token> tokens = tokenizer.tokens(text);
  std::string out;
  size_t begin = 0;
  for (const size_t end : tokenizer.sentence_ends(text, tokens)) {
    if (!out.empty()) out += '|';
    out += text.substr(tokens[begin].begin, tokens[end - 1].end - tokens[begin].begin);
    begin = end;
  }
  return out;
}

TEST(Tokenizer, MarksAndCharactersAreWhatTheFirstVersionSplit) {
  const std::string text = " Don't  go,\tnow! 12.5%\n";
  EXPECT_EQ(tokens_of("space", text), "Don't go, now! 12.5%");
  EXPECT_EQ(tokens_of("marks", text), "Don ' t go , now ! 12 . 5 %");
  EXPECT_EQ(tokens_of("characters", "春 風。"), "春 風 。");
  EXPECT_EQ(tokens_of("space", "\u3000 "), "");  // an ideographic blank
  EXPECT_EQ(tokens_of("marks", "यह अच्छा है।"), "यह अच्छा है ।");
}

TEST(Tokenizer, PunctuationKeepsWhatBelongsTogether) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"She said: \"I can't go, Mr. Smith.\"", "She said : \" I can't go , Mr. Smith . \""},
      {"In the U.S., e.g. J. Doe (Ph.D.) left at 10 a.m.", "In the U.S. , e.g. J. Doe ( Ph.D. ) left at 10 a.m."},
      {"It cost $2,500.50, or 12.5%; see 10:30-11:00.", "It cost $ 2,500.50 , or 12.5 % ; see 10:30-11:00 ."},
      {"-5 and +3.5, .25!", "-5 and +3.5 , .25 !"},
      {"Visit http://a.org/b?c=d,e. Or www.x.com/y(z)!", "Visit http://a.org/b?c=d,e . Or www.x.com/y(z) !"},
      {"Mail <jo.do+x@mail.example.org>, @ann #topic_1.", "Mail < jo.do+x@mail.example.org > , @ann #topic_1 ."},
      {"well-known AT&T and/or snake_case rock'n'roll", "well-known AT&T and / or snake_case rock'n'roll"},
      {"Wait... what?! No!!! -- yes", "Wait ... what ? ! No !!! -- yes"},
      {"l\u2019eau, aujourd'hui; dogs' 'quoted'", "l\u2019eau , aujourd'hui ; dogs ' ' quoted '"},
      {"the end.Next one", "the end . Next one"},
      {"do n't it 's", "do n't it 's"},
      {"\U0001F469\u200D\U0001F467\U0001F44D\U0001F3FD!", "\U0001F469\u200D\U0001F467 \U0001F44D\U0001F3FD !"},
      {"صباح الخير، كيف حالك؟", "صباح الخير ، كيف حالك ؟"},
      {"צה\"ל וג'ירף.", "צה\"ל וג'ירף ."},
  };
  for (const auto& [text, tokens] : cases) EXPECT_EQ(tokens_of("punctuation", text), tokens);
  // What is divided already stays so.
  EXPECT_EQ(tokens_of("punctuation", cases[0].second), cases[0].second);
}

TEST(Tokenizer, WordsAreThoseOfAnnex29WithoutBlanks) {
  EXPECT_EQ(tokens_of("words", " I can't,  3.5\u00A0km \u0308x春風\n"), "I can't , 3.5 km \u0308 x 春 風");
}

TEST(Tokenizer, TokensCarryTheirPlacesInBytesAndCharacters) {
  const std::string text = "  Ça va? «Ünïcode» 好。 don't zum\n";
  const TokenRules rules{.splits = {{"zum", {{"zu", "dem"}, true}}}, .endings = {{"an't", true}}};
  for (const std::string& name : tokenizer_names()) {
    const std::vector<Token> tokens = Tokenizer({.tokenizer = name}, rules).tokens(text);
    for (const Token& token : tokens) {
      const bool written = token.word != "zu" && token.word != "dem";
      EXPECT_EQ(text.substr(token.begin, token.end - token.begin), written ? token.word : "zum") << name;
      char32_t c = 0;
      int64_t characters = 0;
      size_t at = 0;
      for (; at < token.begin; at += next_character(text, at, c)) ++characters;
      EXPECT_EQ(token.begin_character, characters) << name << " " << token.word;
      for (; at < token.end; at += next_character(text, at, c)) ++characters;
      EXPECT_EQ(token.end_character, characters) << name << " " << token.word;
    }
  }
  const std::vector<Token> tokens = Tokenizer({.tokenizer = "punctuation"}, rules).tokens("Don't Zum");
  ASSERT_EQ(tokens.size(), 4U);
  EXPECT_EQ(tokens[0].word + "|" + tokens[1].word + "|" + tokens[2].word + "|" + tokens[3].word, "Do|n't|Zu|dem");
  EXPECT_EQ(tokens[1].begin, 2U);
  EXPECT_EQ(tokens[1].part, 1);
  EXPECT_EQ(tokens[3].parts, 2);
  EXPECT_EQ(tokens[3].begin_character, 6);
}

TEST(Tokenizer, RulesJoinAndDivide) {
  EXPECT_EQ(
      tokens_of("punctuation", "a well-known e-mail :-)", {.inside = {{"-aa", true}}, .whole = {"e-mail", ":-)"}}),
      "a well - known e-mail :-)");
  const TokenRules rules{.splits = {{"cannot", {{"can", "not"}, true}}, {"let's", {{"let's"}}}},
                         .beginnings = {{"l'a", false}},
                         .endings = {{"a's", true}, {"dkm", false}}};
  EXPECT_EQ(tokens_of("punctuation", "Cannot L'eau John's let's 5km km 's", rules),
            "Can not L' eau John 's let's 5 km km 's");
}

TEST(Tokenizer, SentencesEndAtFinalMarks) {
  EXPECT_EQ(sentences_of("Hi there! He said: \"Go.\" She left... Then (yes.) It ends"),
            "Hi there!|He said: \"Go.\"|She left...|Then (yes.)|It ends");
  EXPECT_EQ(sentences_of("Mr. Smith saw the U.S. Then 3.5 m. a b"), "Mr. Smith saw the U.S. Then 3.5 m. a b");
  EXPECT_EQ(sentences_of("好吗？真的！“是。”他说"), "好吗？|真的！|“是。”|他说");
  EXPECT_EQ(sentences_of("यह अच्छा है। हाँ? كيف؟ نعم۔ طيب"), "यह अच्छा है।|हाँ?|كيف؟|نعم۔|طيب");
  EXPECT_EQ(sentences_of("at 5 p.m. He left. then", {.ends = {{"p.m. A", true}, {". a", true}}}),
            "at 5 p.m.|He left.|then");
  std::string endless;
  for (int i = 0; i < 2500; ++i) endless += "word ";
  const Tokenizer tokenizer;
  EXPECT_EQ(tokenizer.sentence_ends(endless, tokenizer.tokens(endless)), (std::vector<size_t>{1000, 2000, 2500}));
}

TEST(Tokenizer, TenMegabytesInALineTakeLinearTime) {
  const TokenRules rules{.inside = {{"-aa", true}},
                         .whole = {"e-mail"},
                         .beginnings = {{"l'a", false}},
                         .endings = {{"an't", true}},
                         .ends = {{". a", true}}};
  for (const char* piece : {"a.", ".", "a@", "a@b.c", "://", "ab://", "www.", "'n't", "\u0308", ".)", "\xFF", "e-mail",
                            "\U0001F469\u200D", "The end. It's "}) {
    std::string text;
    while (text.size() < 200'000) text += piece;
    for (const std::string& name : tokenizer_names()) {
      const Tokenizer tokenizer({.tokenizer = name}, rules);
      const std::vector<Token> tokens = tokenizer.tokens(text);
      EXPECT_EQ(tokenizer.sentence_ends(text, tokens).back(), tokens.size());
      size_t end = 0;
      for (const Token& token : tokens) {
        ASSERT_LE(end, token.begin);
        ASSERT_FALSE(token.word.empty());
        end = token.end;
      }
    }
  }
  std::string prose;
  while (prose.size() < 10'000'000) prose += "The end. It's ";
  const Tokenizer tokenizer({.tokenizer = "punctuation"});
  const std::vector<Token> tokens = tokenizer.tokens(prose);
  EXPECT_EQ(tokens.size(), (prose.size() / 14) * 4);
  EXPECT_EQ(tokenizer.sentence_ends(prose, tokens).size(), prose.size() / 14 + 1);
}

TEST(RawText, PartsCoverTheTextAndCountItsLines) {
  const std::string text = "One two. Three\n\n  Four\nfive. Six";
  const Tokenizer tokenizer({.tokenizer = "punctuation"});
  for (const SentenceBreaks breaks : {SentenceBreaks::kSplit, SentenceBreaks::kLines, SentenceBreaks::kParagraphs}) {
    std::string all, sentences, pending, rebuilt;
    for (const TextPart& part : text_parts(text, tokenizer, breaks)) {
      EXPECT_EQ(part.byte, all.size());
      all += part.text;
      for (const PlacedSentence& sentence : placed_sentences(part, nullptr, pending)) {
        EXPECT_EQ(text.substr(sentence.byte, sentence.text.size()), sentence.text);
        EXPECT_EQ(text.substr(sentence.tokens[0].begin, sentence.tokens[0].end - sentence.tokens[0].begin),
                  sentence.tokens[0].word);
        sentences += "[" + sentence.text + "]" + std::to_string(sentence.line);
        rebuilt += sentence.before + sentence.text + sentence.after;
      }
    }
    EXPECT_EQ(all, text);
    EXPECT_EQ(rebuilt, text);
    EXPECT_EQ(sentences, breaks == SentenceBreaks::kSplit   ? "[One two.]1[Three]1[Four]3[five.]4[Six]4"
                         : breaks == SentenceBreaks::kLines ? "[One two. Three]1[Four]3[five. Six]4"
                                                            : "[One two.]1[Three]1[Four\nfive.]3[Six]3");
  }
}

TEST(RawText, IsRecognisedByItsMarks) {
  const Tokenizer marks({.tokenizer = "punctuation"});
  const auto recognise_text = [](std::string_view head, const Tokenizer& tokenizer) {
    return data::recognise_text(head, tokenizer, [](std::string_view tag) { return tag == "O" || tag == "B-X"; });
  };
  EXPECT_EQ(recognise_text("She said: \"Go, now.\"\n", marks), TextKind::kText);
  EXPECT_EQ(recognise_text("Hello world\n", marks), TextKind::kText);
  EXPECT_EQ(recognise_text("Mr. Lee saw the U.S. - Anna , too .\n", marks), TextKind::kSentences);
  EXPECT_EQ(recognise_text("She said: \"Go.\"\n", Tokenizer()), TextKind::kSentences);
  EXPECT_EQ(recognise_text("# sent_id = 1\n1\tA\ta\tDET\t_\t_\t_\t_\t_\t_\n", marks), TextKind::kColumns);
  EXPECT_EQ(recognise_text("a O\nb B-X\n\nc O\n", marks), TextKind::kColumns);
  EXPECT_EQ(recognise_text("a\tO\nb\tB-X\n", marks), TextKind::kColumns);
  // Lines of equally many words are no columns.
  EXPECT_EQ(recognise_text("Hello world\n\nGood morning\n\nTwo words\n", marks), TextKind::kText);
  EXPECT_EQ(recognise_text("one\tHello there\ntwo\tGood morning\n", marks), TextKind::kText);
  std::string poem, columns;
  for (int i = 0; i < 12; ++i) {
    const std::string number = std::to_string(i), end = i % 4 == 3 ? "\n\n" : "\n";
    poem += "line" + number + " word" + number + end;
    columns += "word" + number + (i % 2 == 0 ? " NN" : " VB") + end;  // tags of some other kind repeat
  }
  EXPECT_EQ(recognise_text(poem, marks), TextKind::kText);
  EXPECT_EQ(recognise_text(columns, marks), TextKind::kColumns);
  EXPECT_TRUE(looks_wrapped("The cat sat on\nthe mat and was\nvery\nhappy with\nIt all.\n"));
  EXPECT_FALSE(looks_wrapped("The cat sat.\nThe dog ran.\nThe sun.\nThe moon.\nit all.\n"));
}

}  // namespace
}  // namespace longhand::data
