// longhand tag: sentences in, tags out, as they come.
#include <fmt/core.h>

#include <cstdio>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/line_stream.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/data/source.h"
#include "longhand/model_parts.h"
#include "longhand/predict.h"

namespace longhand::cli {
namespace {

class Tag {
 public:
  Tag() {
    table_.add("data", data_, "sentences: file, or - for standard input");
    table_.add("input", input_,
               "input format; sentences: one sentence per line, words separated by spaces; columns: one word per line",
               one_of({"sentences", "columns"}));
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
    const std::shared_ptr<const Model> model = Model::load(model_path_, Task::kTagger);
    tagger_.emplace(model, static_cast<int>(threads_));
    LineStream lines(data_);
    const bool columns = input_ == "columns";
    const data::ColumnOptions& trained = model->parts().tagger->options().columns;
    reader_.emplace(data::ColumnOptions{.column = trained.column, .word_column = trained.word_column},
                    data::ColumnReader::Tags::kIgnored, shown_name(data_));
    int64_t number = 0;
    while (std::optional<std::string> line = lines.next()) {
      ++number;
      try {
        take(std::move(*line), number);
      } catch (const Error&) {
        tag();  // what came before is not lost
        throw;
      }
      if (waiting_.size() >= kMaxWaiting || (!waiting_.empty() && lines.would_wait())) tag();
    }
    if (!raw_.empty() && raw_.back().find_first_not_of(kBlanks) != std::string::npos) {
      raw_.emplace_back();  // the blank line that the last sentence lacks
      ++number;
    }
    if (columns) take_columns(reader_->end().value_or(data::TaggedSentence()), number);
    tag();
    return 0;
  }

 private:
  static constexpr size_t kMaxWaiting = 512;
  static constexpr size_t kUpos = 3;  // of CoNLL-U's columns, from 0
  static constexpr const char* kBlanks = " \t\r";

  // A sentence and, of columns, the lines that it came in, the first of which has this number.
  struct Waiting {
    data::TaggedSentence sentence;
    std::vector<std::string> raw;
    int64_t first_line;
  };

  void take(std::string line, int64_t number) {
    if (input_ == "sentences") {
      data::TaggedSentence sentence;
      sentence.words = data::split_words(data::clean_line(line, shown_name(data_), number), {});
      tagger_->check_length(static_cast<int64_t>(sentence.words.size()), nbest_);
      waiting_.push_back({std::move(sentence), {}, 0});
      return;
    }
    std::optional<data::TaggedSentence> sentence = reader_->line(line);
    raw_.push_back(std::move(line));
    if (sentence) take_columns(std::move(*sentence), number);
  }

  void take_columns(data::TaggedSentence sentence, int64_t last_line) {
    tagger_->check_length(static_cast<int64_t>(sentence.words.size()), nbest_);
    const int64_t first = last_line - static_cast<int64_t>(raw_.size()) + 1;
    waiting_.push_back({std::move(sentence), std::move(raw_), first});
    raw_.clear();
  }

  void tag() {
    std::vector<Sentence> sentences;
    for (const Waiting& waiting : waiting_) sentences.push_back(waiting.sentence.words);
    const std::vector<std::vector<Tags>> best = tagger_->tag(sentences, nbest_);
    std::string out;
    for (size_t i = 0; i < waiting_.size(); ++i) write(waiting_[i], best[i], out);
    waiting_.clear();
    write_text(out);
    flush_output();
  }

  void write(const Waiting& waiting, const std::vector<Tags>& taggings, std::string& out) const {
    const std::vector<std::string>& words = waiting.sentence.words;
    for (const Tags& tagging : taggings) {
      if (probabilities_ && !words.empty()) out += fmt::format("# probability = {:.6f}\n", tagging.probability);
      if (input_ == "columns") {
        write_columns(waiting, tagging.tags, out);
        continue;
      }
      for (size_t t = 0; t < words.size(); ++t) out += words[t] + "\t" + visible(tagging.tags[t]) + "\n";
      out += "\n";
    }
  }

  // The lines as they came, with the tags: of CoNLL-U in the column that the model learned, else in one more.
  void write_columns(const Waiting& waiting, const std::vector<std::string>& tags, std::string& out) const {
    size_t word = 0;
    for (size_t i = 0; i < waiting.raw.size(); ++i) {
      std::string line = waiting.raw[i];
      if (line.ends_with('\r')) line.pop_back();
      const int64_t number = waiting.first_line + static_cast<int64_t>(i);
      const bool is_word = word < tags.size() && waiting.sentence.lines[word] == number;
      if (is_word && reader_->is_conllu()) {
        // A model of other columns has nothing to say of these; the first two are the ID and the word.
        const size_t column = reader_->tag_column();
        const size_t last = kUpos + 6;
        const size_t place = (column < 2 || column > last) && !reader_->is_plus() ? kUpos : column;
        size_t begin = 0;
        for (size_t c = 0; c < place; ++c) begin = line.find('\t', begin) + 1;
        line.replace(begin, line.find('\t', begin) - begin, visible(tags[word]));
      } else if (is_word || (!reader_->is_conllu() && line.starts_with(data::kDocumentStart))) {
        line.append(line.find('\t') != std::string::npos ? "\t" : " ").append(is_word ? visible(tags[word]) : "O");
      }
      word += is_word ? 1 : 0;
      out += line + "\n";
    }
  }

  std::string model_path_;
  std::string data_ = "-";
  std::string input_ = "sentences";
  int64_t nbest_ = 1;
  bool probabilities_ = false;
  int64_t threads_ = 0;
  OptionTable table_;
  GivenOptions given_;
  std::optional<Tagger> tagger_;
  std::optional<data::ColumnReader> reader_;
  std::vector<std::string> raw_;
  std::vector<Waiting> waiting_;
};

}  // namespace

void declare_tag(const Verb& longhand) { longhand.add_command<Tag>("tag", "Tag sentences with a tagger"); }

}  // namespace longhand::cli
