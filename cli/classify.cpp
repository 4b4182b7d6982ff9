// longhand classify: texts in, labels with their probabilities out, as they come.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "cli/command_line.h"
#include "cli/line_stream.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
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
    const data::LabelledOptions a_text_a_line{.format = "blank"};
    int64_t number = 0;
    while (std::optional<std::string> line = lines.next()) {
      ++number;
      if (line->find_first_not_of(" \t\r") == std::string::npos) {
        throw input_error(fmt::format("{}:{}: expected a text, found an empty line", shown_name(data_), number),
                          "leave it out");
      }
      try {
        waiting_.push_back(data::read_labelled(*line, a_text_a_line, data::Labels::kIgnored, "").examples.front());
      } catch (const Error& e) {
        const std::string what = e.what();  // ":1: ..."
        throw input_error(fmt::format("{}:{}{}", shown_name(data_), number, what.substr(what.find(':', 1))),
                          e.advice());
      }
      if (waiting_.size() >= kMostWaiting || lines.would_wait()) classify(context);
    }
    classify(context);
    return 0;
  }

 private:
  static constexpr size_t kMostWaiting = 64;

  void classify(kernels::Context& context) {
    if (waiting_.empty()) return;
    const tasks::LabelledCorpus corpus(*model_, std::move(waiting_));
    waiting_.clear();
    std::vector<int64_t> all(static_cast<size_t>(corpus.size()));
    std::iota(all.begin(), all.end(), 0);
    tasks::ClassBatch batch;
    corpus.get(all, {}, batch);
    const std::span<const double> probabilities =
        model_->read(batch.words, model_->options().lstm.fastest_engine(), context);
    const size_t K = model_->classes().size();
    std::string out;
    for (size_t b = 0; b < all.size(); ++b) {
      const std::span<const double> row = probabilities.subspan(b * K, K);
      std::vector<size_t> order(K);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return row[i] > row[j]; });
      for (size_t i = 0; i < std::min(K, static_cast<size_t>(top_)); ++i) {
        out += fmt::format("{}{}\t{:.6f}", i > 0 ? "\t" : "", model_->classes()[order[i]], row[order[i]]);
      }
      out += "\n";
    }
    const bool written = std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
    if (!written || std::fflush(stdout) != 0)
      throw input_error("standard output: cannot be written", "free some space");
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
