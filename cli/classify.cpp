// longhand classify: texts in, labels with their probabilities out, as they come.
#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

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

class Classify {
 public:
  Classify() {
    table_.add("data", data_, "texts: file, or - for standard input");
    table_.add(
        "format", format_,
        "input format; lines: one text per line; blank: a label, white space and a text; the others: as in training; "
        "auto recognises it by content, on standard input by the first line",
        one_of({"auto", "lines", "blank", "fasttext", "jsonl", "json", "csv", "tsv"}));
    table_.add("top", top_, "number of classes to write for each text, most probable first", between(1, 1 << 20));
    table_.add("json", json_, "write a JSON object per text: its classes with their probabilities");
    table_.add("offsets", offsets_,
               "with `json`, also write the words that the model's tokenizer finds, with start and end in the text; "
               "characters are code points",
               one_of({"none", "characters", "bytes"}));
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (offsets_ != "none" && !json_) throw usage_error("--offsets needs --json", "add --json, or leave it out");
    const std::shared_ptr<const Model> model = Model::load(model_path_, Task::kClassifier);
    classifier_.emplace(model, static_cast<int>(threads_));
    LineStream lines(data_);
    std::optional<std::string> line = lines.next();
    if (!line) return 0;
    const std::string source = shown_name(data_);
    const data::LabelledOptions& columns = model->parts().classifier->options().columns;
    const std::string format = format_ == "auto" ? data::recognise_texts(first_lines(data_).value_or(*line), columns,
                                                                         model->output_names(), source)
                                                 : format_;
    if (format == "csv" || format == "tsv" || format == "json") {
      classify_all(std::move(*line), lines, columns, format);
      return 0;
    }
    if (data_ != "-") say("{}: {}\n", source, format == "lines" ? "one text per line" : "format " + format);
    for (int64_t number = 1; line; line = lines.next(), ++number) {
      try {
        waiting_.push_back({data::read_text_line(*line, format, columns, source, number), "", number});
      } catch (const Error&) {
        classify();  // what came before is not lost
        throw;
      }
      if (waiting_.size() >= kMaxWaiting || lines.would_wait()) classify();
    }
    classify();
    return 0;
  }

 private:
  static constexpr size_t kMaxWaiting = 512;

  // A table or an array is read to its end first.
  void classify_all(std::string text, LineStream& lines, data::LabelledOptions columns, const std::string& format) {
    while (std::optional<std::string> line = lines.next()) text += "\n" + *line;
    columns.format = format;
    data::LabelledFile file = data::read_labelled(text, columns, data::Labels::kIgnored, shown_name(data_));
    say("{}: {}\n", shown_name(data_), file.description);
    for (data::LabelledText& example : file.examples) {
      waiting_.push_back(std::move(example));
      if (waiting_.size() >= kMaxWaiting) classify();
    }
    classify();
  }

  void classify() {
    if (waiting_.empty()) return;
    std::vector<std::string> texts;
    for (data::LabelledText& line : waiting_) texts.push_back(std::move(line.text));
    waiting_.clear();
    std::string out;
    const std::vector<std::vector<ClassProbability>> found = classifier_->classify(texts, top_);
    if (json_) {
      for (size_t text = 0; text < found.size(); ++text) write_json(json(texts[text], found[text]));
      flush_output();
      return;
    }
    for (const std::vector<ClassProbability>& classes : found) {
      for (size_t i = 0; i < classes.size(); ++i) {
        out += fmt::format("{}{}\t{:.6f}", i > 0 ? "\t" : "", visible(classes[i].name), classes[i].probability);
      }
      out += "\n";  // a line for every line
    }
    write_text(out);
    flush_output();
  }

  std::string json(const std::string& text, const std::vector<ClassProbability>& classes) const {
    nlohmann::ordered_json out = {{"classes", nlohmann::ordered_json::array()}};
    for (const ClassProbability& each : classes) {
      out["classes"].push_back({{"class", each.name}, {"probability", each.probability}});
    }
    if (offsets_ == "none") return out.dump();
    const bool bytes = offsets_ == "bytes";
    out["tokens"] = nlohmann::ordered_json::array();
    for (const TextToken& token : classifier_->tokens(text)) {
      out["tokens"].push_back({{"text", token.word},
                               {"start", bytes ? token.begin_byte : token.begin},
                               {"end", bytes ? token.end_byte : token.end}});
    }
    return out.dump();
  }

  std::string model_path_;
  std::string data_ = "-";
  std::string format_ = "auto";
  int64_t top_ = 1;
  bool json_ = false;
  std::string offsets_ = "none";
  int64_t threads_ = 0;
  OptionTable table_;
  GivenOptions given_;
  std::optional<Classifier> classifier_;
  std::vector<data::LabelledText> waiting_;
};

}  // namespace

void declare_classify(const Verb& longhand) {
  longhand.add_command<Classify>("classify", "Label texts with a classifier");
}

}  // namespace longhand::cli
