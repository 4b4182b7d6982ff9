// longhand tag: texts, sentences or columns in, tags out, as they come.
#include <fmt/core.h>
#include <unistd.h>

#include <deque>
#include <filesystem>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/line_stream.h"
#include "cli/sources.h"
#include "cli/tag_writer.h"
#include "longhand/base/error.h"
#include "longhand/data/raw_text.h"
#include "longhand/data/source.h"
#include "longhand/model_parts.h"

namespace longhand::cli {
namespace {

class Tag {
 public:
  Tag() {
    table_.add("data", data_, "texts or sentences: file, or - for standard input");
    table_.add("input", input_,
               "input format; text: as people write it, split by the model's tokenizer; sentences: one sentence per "
               "line, words separated by spaces; columns: one word per line; auto recognises it by content, on "
               "standard input by the first line, and says what it found",
               one_of({"auto", "text", "sentences", "columns"}));
    std::vector<std::string> breaks = data::sentence_breaks_names();
    breaks.insert(breaks.begin(), "auto");
    table_.add("sentences", breaks_,
               "ends of sentences in a text; split: at final marks and at the end of each line; lines: at the end of "
               "each line alone; paragraphs: at final marks and at blank lines; auto: split, or paragraphs in a file "
               "whose lines continue each other",
               one_of(std::move(breaks)));
    table_.add(
        "json", json_,
        "write a JSON object per sentence: text, tokens with tags, chunks as entities; start and end are offsets "
        "in characters (code points) of the input");
    table_.add("to", to_, "output format; columns: a word and its tag per line, or the lines of the input with tags",
               one_of({"columns", "conllu"}));
    table_.add("offsets", offsets_,
               "offsets of each token in the input, start and end: in two more columns, in MISC as TokenRange, or in "
               "JSON, which always has characters; characters are code points, and a line end is one",
               one_of({"none", "characters", "bytes"}));
    table_.add("nbest", nbest_, "number of tag sequences per sentence, best first", between(1, 1000));
    table_.add("probabilities", probabilities_, "write the probability of each tag sequence on the line before it");
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    check_options();
    model_ = Model::load(model_path_, Task::kTagger);
    tagger_.emplace(model_, static_cast<int>(threads_));
    LineStream lines(data_, kLongestLine);
    recognise(lines);
    check_options_of_texts();
    begin();
    while (std::optional<Line> line = next(lines)) {
      ++number_;
      try {
        take(std::move(*line));
      } catch (const Error&) {
        tag();  // what came before is not lost
        throw;
      }
      const bool waits = ahead_.empty() && lines.would_wait();
      if (waits && at_terminal_) release();
      if (waiting_.size() >= kMaxWaiting || (!waiting_.empty() && waits)) tag();
    }
    finish();
    return 0;
  }

 private:
  static constexpr size_t kMaxWaiting = 512;
  static constexpr size_t kLongestLine = size_t{64} << 20;  // bytes; a text's sentences are shorter
  static constexpr size_t kLongestSentence = size_t{4} << 20;
  static constexpr size_t kMostComments = 100;
  static constexpr const char* kBlanks = " \t\r\n";

  struct Line {
    std::string text, end;
  };

  void check_options() const {
    if (json_ && to_ != "columns")
      throw usage_error("--json cannot be combined with --to " + to_, "choose one of them");
    if (to_ == "conllu" && nbest_ > 1) {
      throw usage_error("--to conllu: expected --nbest 1, found more", "CoNLL-U has one tag for each word");
    }
  }

  // Once it is known what the input is.
  void check_options_of_texts() const {
    const auto refuse = [&](const std::string& option, const std::string& why) {
      throw usage_error(fmt::format("{} cannot be combined with --input {}: {}", option, input_, why),
                        "leave it out, or give --input text if the input is a text");
    };
    if (input_ != "text" && given_.has("sentences"))
      refuse("--sentences", "the input is divided into sentences already");
    if (input_ == "columns" && offsets_ != "none") refuse("--offsets", "words in columns have no places in a text");
  }

  std::optional<Line> next(LineStream& lines) {
    if (!ahead_.empty()) {
      Line line = std::move(ahead_.front());
      ahead_.pop_front();
      return line;
    }
    std::optional<std::string> text = lines.next();
    if (!text) return std::nullopt;
    return Line{std::move(*text), lines.line_end()};
  }

  // Sets `input_` and `breaks_`, and says what they are.
  void recognise(LineStream& lines) {
    const std::string asked = input_;
    const data::Tokenizer& tokenizer = model_->parts().tagger->tokenizer();
    if (input_ == "auto" || (input_ == "text" && breaks_ == "auto" && data_ != "-")) {
      const std::string head = head_of(lines);
      if (input_ == "auto") {
        const tasks::Tagger& model = *model_->parts().tagger;
        const data::TextKind kind =
            data::recognise_text(head, tokenizer, [&](std::string_view tag) { return model.is_tag(std::string(tag)); });
        input_ = kind == data::TextKind::kColumns ? "columns" : kind == data::TextKind::kText ? "text" : "sentences";
      }
      if (breaks_ == "auto" && std::filesystem::is_regular_file(data_) && data::looks_wrapped(head))
        breaks_ = "paragraphs";
    }
    if (breaks_ == "auto") breaks_ = "split";
    if (asked != "auto") return;
    std::string what = input_ == "columns" ? "one word per line" : "one sentence per line, words separated by spaces";
    if (input_ == "text") what = fmt::format("text, tokenizer {}, --sentences {}", tokenizer.name(), breaks_);
    recognised_ = fmt::format("{}: {} (--input {})\n", shown_name(data_), what, input_);
  }

  // Lines from the beginning: of a stream up to the first that is no comment, so that nobody waits for an answer.
  std::string head_of(LineStream& lines) {
    if (std::optional<std::string> head = first_lines(data_)) return std::move(*head);
    std::string out;
    while (ahead_.size() < kMostComments) {
      std::optional<std::string> line = lines.next();
      if (!line) break;
      out += *line + "\n";
      const bool goes_on = line->starts_with("#") || line->find_first_not_of(kBlanks) == std::string::npos;
      ahead_.push_back({std::move(*line), lines.line_end()});
      if (!goes_on) break;
    }
    return out;
  }

  void begin() {
    const tasks::Tagger& model = *model_->parts().tagger;
    const data::ColumnOptions& trained = model.options().columns;
    const bool chunks = model.scheme() != data::Scheme::kNone;
    reader_.emplace(data::ColumnOptions{.column = trained.column, .word_column = trained.word_column},
                    data::ColumnReader::Tags::kIgnored, shown_name(data_));
    tokenizer_ = input_ == "text" ? model.tokenizer() : data::Tokenizer();
    parts_.emplace(tokenizer_, input_ == "text" ? data::parse_sentence_breaks(breaks_) : data::SentenceBreaks::kGiven);
    TagWriter::Options options{.json = json_,
                               .conllu = to_ == "conllu",
                               .offsets = offsets_,
                               .probabilities = probabilities_,
                               .chunks = chunks,
                               .columns = input_ == "columns"};
    options.layout = {.tag_column = chunks                                              ? data::kConlluMisc
                                    : trained.column == "xpos" || trained.column == "5" ? data::kConlluXpos
                                                                                        : data::kConlluUpos,
                      .paragraphs = input_ == "text" && breaks_ != "lines",
                      .ranges = input_ == "columns" ? "none" : offsets_};
    writer_.emplace(options, *reader_);
    holds_last_ = options.conllu && input_ != "columns";
    at_terminal_ = data_ == "-" && ::isatty(STDIN_FILENO) != 0;
  }

  void take(Line line) {
    if (input_ != "columns") {
      std::string text = data::clean_line(line.text, shown_name(data_), number_);
      if (input_ == "sentences" && text.size() > kLongestSentence) {
        throw input_error(fmt::format("{}:{}: expected sentences of at most {} MiB, found a longer one",
                                      shown_name(data_), number_, kLongestSentence >> 20),
                          "give a sentence per line, or a text with --input text");
      }
      if (std::optional<data::TextPart> part = parts_->line(text, !line.end.empty())) take_part(std::move(*part));
      return;
    }
    std::optional<data::TaggedSentence> sentence = reader_->line(line.text);
    lines_.push_back(line.text + line.end);
    if (sentence) take_columns(std::move(*sentence));
  }

  void take_part(data::TextPart part) {
    const int64_t line = part.line;
    std::vector<data::PlacedSentence> found =
        data::placed_sentences(std::move(part), held_ ? &held_->sentence : nullptr, pending_);
    for (data::PlacedSentence& sentence : found) {
      tagger_->check_length(static_cast<int64_t>(sentence.tokens.size()), nbest_);
      release();
      held_.emplace(SentenceToTag{.sentence = std::move(sentence)});
      if (!holds_last_) release();
    }
    if (found.empty() && input_ == "sentences") {  // a line for every line
      waiting_.push_back({});
      waiting_.back().sentence.line = line;
    }
  }

  // The last sentence waits for the white space after it, where the output has that.
  void release() {
    if (held_) waiting_.push_back(std::move(*held_));
    held_.reset();
  }

  void take_columns(data::TaggedSentence sentence) {
    tagger_->check_length(static_cast<int64_t>(sentence.words.size()), nbest_);
    SentenceToTag item;
    item.first_line = number_ - static_cast<int64_t>(lines_.size()) + 1;
    item.sentence.line = sentence.lines.empty() ? item.first_line : sentence.lines.front();
    item.word_lines = std::move(sentence.lines);
    item.lines = std::move(lines_);
    lines_.clear();
    for (std::string& word : sentence.words) {  // a text of them
      std::string& text = item.sentence.text;
      if (!text.empty()) text += ' ';
      data::Token& token = item.sentence.tokens.emplace_back();
      token.begin = text.size();
      text += word;
      token.end = text.size();
      token.word = std::move(word);
    }
    item.sentence.after = " ";
    waiting_.push_back(std::move(item));
  }

  void finish() {
    if (input_ == "columns") {
      if (!lines_.empty() && lines_.back().find_first_not_of(kBlanks) != std::string::npos) {
        if (!lines_.back().ends_with('\n') && !lines_.back().ends_with('\r')) lines_.back() += '\n';
        lines_.emplace_back("\n");  // the blank line that the last sentence lacks
        ++number_;
      }
      take_columns(reader_->end().value_or(data::TaggedSentence()));
    } else if (std::optional<data::TextPart> part = parts_->end()) {
      take_part(std::move(*part));
    }
    release();
    tag();
  }

  void tag() {
    if (waiting_.empty()) return;
    if (!recognised_.empty()) say("{}", recognised_);
    recognised_.clear();
    std::vector<Sentence> sentences;
    for (const SentenceToTag& item : waiting_) sentences.push_back(item.words());
    const std::vector<std::vector<Tags>> best = tagger_->tag(sentences, nbest_);
    std::string out;
    for (size_t i = 0; i < waiting_.size(); ++i) {
      writer_->write(waiting_[i], best[i], out);
      if (json_ && !out.empty()) write_json(out);
      if (json_) out.clear();
    }
    waiting_.clear();
    write_text(out);
    flush_output();
  }

  std::string model_path_;
  std::string data_ = "-";
  std::string input_ = "auto";
  std::string breaks_ = "auto";
  bool json_ = false;
  std::string to_ = "columns";
  std::string offsets_ = "none";
  int64_t nbest_ = 1;
  bool probabilities_ = false;
  int64_t threads_ = 0;
  OptionTable table_;
  GivenOptions given_;
  std::shared_ptr<const Model> model_;
  std::optional<Tagger> tagger_;
  std::optional<data::ColumnReader> reader_;
  std::optional<TagWriter> writer_;
  data::Tokenizer tokenizer_;
  std::optional<data::TextParts> parts_;
  std::string recognised_;  // what to say of the input once some of it was read
  std::deque<Line> ahead_;  // read to recognise the input
  int64_t number_ = 0;      // of the last line
  bool at_terminal_ = false;
  std::string pending_;  // white space before the first sentence
  std::optional<SentenceToTag> held_;
  bool holds_last_ = false;
  std::vector<std::string> lines_;  // of columns, since the last sentence
  std::vector<SentenceToTag> waiting_;
};

}  // namespace

void declare_tag(const Verb& longhand) { longhand.add_command<Tag>("tag", "Tag texts or sentences with a tagger"); }

}  // namespace longhand::cli
