// longhand classify: texts in, labels with their probabilities out, as they come.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "cli/command_line.h"
#include "cli/line_stream.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/tasks/classifier_task.h"

namespace longhand::cli {
namespace {

class Classify {
 public:
  Classify() {
    table_.add("data", data_, "texts, one a line: a file, or - for standard input");
    table_.add("top", top_, "write so many classes of each text, most probable first", between(1, 1 << 20));
    table_.add("threads", threads_, "processors to use; 0: all", between(0, 1024));
  }

  void declare(CLI::App& verb) {
    verb.add_option("MODEL", model_path_, "model file, or the folder of a run")->required();
    given_.declare(verb, table_);
  }

  int run() {
    given_.apply(table_);
    model_ = tasks::Classifier::load(tasks::ModelFile::read(model_path_));
    LineStream lines(data_);
    kernels::Context context(static_cast<int>(threads_));
    int64_t number = 0;
    while (std::optional<std::string> line = lines.next()) {
      ++number;
      try {
        waiting_.push_back(text_of(*line, number));
      } catch (const Error&) {
        classify(context);  // what came before is not lost
        throw;
      }
      if (waiting_.size() >= kMostWaiting || lines.would_wait()) classify(context);
    }
    classify(context);
    return 0;
  }

 private:
  static constexpr size_t kMostWaiting = 64;

  data::LabelledText text_of(std::string_view line, int64_t number) const {
    const std::string where = fmt::format("{}:{}", shown_name(data_), number);
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // a byte-order mark
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {"", "", number};
    if (find_invalid_utf8(line) != std::string_view::npos) {
      throw input_error(where + ": expected UTF-8, found other bytes", "convert the text to UTF-8");
    }
    if (line.find('\0') != std::string_view::npos) {
      throw input_error(where + ": expected text, found a zero byte", "give a text file");
    }
    return {std::string(line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin)), "", number};
  }

  void classify(kernels::Context& context) {
    if (waiting_.empty()) return;
    std::vector<bool> blank;
    std::vector<data::LabelledText> texts;
    for (data::LabelledText& line : waiting_) {
      blank.push_back(line.text.empty());
      if (!line.text.empty()) texts.push_back(std::move(line));
    }
    waiting_.clear();
    const tasks::LabelledCorpus corpus(*model_, std::move(texts));
    std::vector<int64_t> all(static_cast<size_t>(corpus.size()));
    std::iota(all.begin(), all.end(), 0);
    tasks::ClassBatch batch;
    std::span<const double> probabilities;
    if (!all.empty()) {
      corpus.get(all, {}, batch);
      probabilities = model_->read(batch.words, model_->options().lstm.fastest_engine(), context);
    }
    const size_t K = model_->classes().size();
    std::string out;
    size_t next = 0;
    for (const bool is_blank : blank) {
      if (!is_blank) write(probabilities.subspan(next++ * K, K), out);
      out += "\n";  // a line for every line
    }
    const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
    if (!written || std::fflush(stdout) != 0)
      throw input_error("standard output: cannot be written", "free some space");
  }

  // The most probable classes of one text.
  void write(std::span<const double> row, std::string& out) const {
    std::vector<size_t> order(row.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return row[i] > row[j]; });
    for (size_t i = 0; i < std::min(row.size(), static_cast<size_t>(top_)); ++i) {
      out += fmt::format("{}{}\t{:.6f}", i > 0 ? "\t" : "", model_->classes()[order[i]], row[order[i]]);
    }
  }

  std::string model_path_;
  std::string data_ = "-";
  int64_t top_ = 1;
  int64_t threads_ = 0;
  OptionTable table_;
  GivenOptions given_;
  std::unique_ptr<tasks::Classifier> model_;
  std::vector<data::LabelledText> waiting_;
};

}  // namespace

void declare_classify(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("classify", "Label texts with a classifier");
  auto command = std::make_shared<Classify>();
  command->declare(*verb);
  verb->callback([&action, command] { action = [command] { return command->run(); }; });
}

}  // namespace longhand::cli
