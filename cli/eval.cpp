// longhand eval: the metrics of a model's task, or of predictions that some program made.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/tagger_run.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/language_model_task.h"
#include "longhand/tasks/regressor_task.h"
#include "longhand/tasks/tagger_task.h"

namespace longhand::cli {
namespace {

class Eval {
 public:
  Eval() {
    table_.add("data", data_, "evaluation data: file, - for standard input, or name from `longhand data list`");
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
    table_.add("engine", engine_, "implementation: fused kernels, plain reference loops, or autograd on a tape",
               one_of({"fused", "reference", "autograd"}));
    table_.add("json", json_, "print the result as a JSON object");
    table_.begin_group("Language models");
    table_.add("unknown", unknown_, "treatment of symbols that the model does not know",
               one_of({"error", "skip", "unk"}));
    table_.add(
        "batch", batch_,
        "number of rows that a text is divided into; 1 is exact; more is faster, but each row starts without context",
        between(1, 1 << 20));
    table_.add("context", context_symbols_,
               "number of preceding symbols that each prediction uses, with a cost in proportion; 0: all",
               between(0, 1 << 20));
    table_.begin_group("Tags");
    table_.add("predictions", predictions_,
               "file of gold and predicted tags, in its last two columns, to score as conlleval does; needs no model");
    table_.add("strict", strict_,
               "refuse tags that violate their scheme, instead of repairing them as conlleval reads them");
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", false);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (!predictions_.empty()) {
      if (strict_) {
        throw usage_error("longhand eval: --predictions cannot be combined with --strict",
                          "predictions are scored as conlleval reads them");
      }
      if (!model_path_.empty() || !data_.empty()) {
        throw usage_error("longhand eval: --predictions cannot be combined with a model or --data",
                          "its file has both the gold and the predicted tags");
      }
      print(data::score_predictions(load_file(predictions_), shown_name(predictions_)));
      return 0;
    }
    if (model_path_.empty())
      throw usage_error("longhand eval: expected a model, found none", "give a model file or the folder of a run");
    if (data_.empty()) throw usage_error("longhand eval: expected --data, found none", "give --data FILE");
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    if (file.task() != tasks::LanguageModel::kTask) refuse_of_language_models(file.task());
    if (file.task() == tasks::Tagger::kTask) {
      tagger(file);
    } else if (file.task() == tasks::Classifier::kTask) {
      classifier(file);
    } else if (file.task() == tasks::Regressor::kTask) {
      regressor(file);
    } else {
      language_model(file);
    }
    return 0;
  }

 private:
  // With the engine asked for, or the fastest that the model's cell has.
  template <class Model>
  typename Model::Workspace workspace(const Model& model, kernels::Context& context) const {
    const nn::LstmOptions& lstm = model.options().lstm;
    return {model, given_.has("engine") ? lstm.engine(engine_) : lstm.fastest_engine(), context};
  }

  void refuse_of_language_models(const std::string& task) const {
    for (const char* name : {"unknown", "batch", "context"}) {
      if (!given_.has(name)) continue;
      throw usage_error(fmt::format("longhand eval: --{} is for language models, and this is a {}", name, task),
                        "leave it out");
    }
  }

  void print(const data::ChunkScore& score) const {
    if (!json_) {
      put("{}", score.conlleval());
      return;
    }
    nlohmann::ordered_json out = {{"accuracy", score.accuracy()}};
    add(out, score);
    write_json(out.dump());
  }

  static void add(nlohmann::ordered_json& out, const data::ChunkScore& score) {
    out["words"] = score.tokens;
    if (!score.has_chunks()) return;
    const auto figures = [](const data::ChunkCounts& counts) {
      return nlohmann::ordered_json{
          {"precision", counts.precision()}, {"recall", counts.recall()}, {"f1", counts.f1()}, {"gold", counts.gold},
          {"found", counts.found},           {"correct", counts.correct}};
    };
    out.update(figures(score.all));
    for (const auto& [type, counts] : score.types) out["types"][type] = figures(counts);
  }

  static std::string nats(double loss) { return std::isfinite(loss) ? fmt::format("{:.6f}", loss) : "none"; }

  void tagger(const tasks::ModelFile& file) const {
    const std::unique_ptr<tasks::Tagger> model = tasks::Tagger::load(file);
    data::ColumnFile sentences = data::read_columns(load_file(data_), model->options().columns,
                                                    data::ColumnReader::Tags::kWanted, shown_name(data_));
    const std::string repairs = keep_scheme(sentences.sentences, model->scheme(), strict_, shown_name(data_));
    say("{}: {}{}\n", shown_name(data_), sentences.description, repairs);
    kernels::Context context(static_cast<int>(threads_));
    tasks::Tagger::Workspace used = workspace(*model, context);
    const tasks::TagScore score = tasks::evaluate(*model, tasks::TaggedCorpus(*model, sentences.sentences), used);
    if (json_) {
      nlohmann::ordered_json out = {{"accuracy", score.tags.accuracy()}};
      if (model->scheme() != data::Scheme::kNone) add(out, score.tags);
      out["words"] = score.tags.tokens;
      out["sentences"] = score.sentences;
      out["unseen_tags"] = score.unseen;
      out["unknown_words"] = score.unknown;
      out["unknown_accuracy"] = score.unknown_accuracy();
      out["nats_per_word"] = score.loss();
      write_json(out.dump());
      return;
    }
    if (model->scheme() != data::Scheme::kNone) {
      put("{}", score.tags.conlleval());
    } else {
      put("accuracy        {:.2f} %\n", score.tags.accuracy());
    }
    put("unknown words   {:.2f} % accuracy, of {} not in the vocabulary\n", score.unknown_accuracy(),
        format_count(static_cast<double>(score.unknown)));
    if (score.unseen > 0) {
      put("unseen tags     {}: words with tags that are not in the training data, counted as errors\n", score.unseen);
    }
    put("nats per word   {}\nwords           {}\nsentences       {}\n", nats(score.loss()),
        format_count(static_cast<double>(score.tags.tokens)), format_count(static_cast<double>(score.sentences)));
  }

  static constexpr int64_t kMaxConfusion = 1000;  // classes whose matrix is printed as JSON

  static int64_t confused(const tasks::ClassScore& score, int64_t gold, int64_t found) {
    const auto at = score.confusion.find({gold, found});
    return at == score.confusion.end() ? 0 : at->second;
  }

  void classifier(const tasks::ModelFile& file) const {
    const std::unique_ptr<tasks::Classifier> model = tasks::Classifier::load(file);
    const data::LabelledFile texts =
        data::read_labelled(load_file(data_), model->options().columns, data::Labels::kWanted, shown_name(data_));
    say("{}: {}\n", shown_name(data_), texts.description);
    kernels::Context context(static_cast<int>(threads_));
    tasks::Classifier::Workspace used = workspace(*model, context);
    const tasks::ClassScore score = tasks::evaluate(*model, tasks::LabelledCorpus(*model, texts.examples), used);
    if (json_) {
      nlohmann::ordered_json out = {{"accuracy", score.accuracy()},  {"macro_f1", score.macro_f1()},
                                    {"nats_per_text", score.loss()}, {"texts", score.texts},
                                    {"unseen_labels", score.unseen}, {"classes", model->classes()}};
      for (int64_t k = 0; k < score.K; ++k) out["f1"].push_back(score.f1(k));
      for (int64_t k = 0; k < score.K && score.K <= kMaxConfusion; ++k) {
        std::vector<int64_t> row;
        for (int64_t j = 0; j < score.K; ++j) row.push_back(confused(score, k, j));
        out["confusion"].push_back(row);
      }
      write_json(out.dump());
      return;
    }
    put("accuracy        {:.2f} %\nmacro F1        {:.2f} %\nnats per text   {}\ntexts           {}\n",
        score.accuracy(), score.macro_f1(), nats(score.loss()), format_count(static_cast<double>(score.texts)));
    if (score.unseen > 0) {
      put("unseen labels   {}: texts of classes that are not in the training data, counted as errors\n", score.unseen);
    }
    std::vector<std::string> classes;
    for (const std::string& name : model->classes()) classes.push_back(visible(name));
    size_t width = 5;
    for (const std::string& name : classes) width = std::max(width, display_width(name));
    put("\n{:<{}}  precision  recall      F1   texts\n", "class", width);
    for (int64_t k = 0; k < score.K; ++k) {
      put("{}  {:9.2f} {:7.2f} {:7.2f} {:7}\n", left_aligned(classes[static_cast<size_t>(k)], width),
          score.precision(k), score.recall(k), score.f1(k), score.counts[static_cast<size_t>(k)].gold);
    }
    constexpr int64_t kMaxShown = 20;
    if (score.K > kMaxShown) return;
    put("\nconfusion matrix (rows: true class; columns: predicted class)\n{:<{}}", "", width);
    for (const std::string& name : classes) put(" {}", right_aligned(cut_to_width(name, 7), 7));
    for (int64_t i = 0; i < score.K; ++i) {
      put("\n{}", left_aligned(classes[static_cast<size_t>(i)], width));
      for (int64_t j = 0; j < score.K; ++j) put(" {:>7}", confused(score, i, j));
    }
    put("\n");
  }

  void regressor(const tasks::ModelFile& file) const {
    const std::unique_ptr<tasks::Regressor> model = tasks::Regressor::load(file);
    const data::SeriesOptions& series = model->options().series;
    data::SeriesOptions columns = series;
    columns.inputs = fmt::format("{}", fmt::join(model->columns().inputs, ","));
    columns.target = fmt::format("{}", fmt::join(model->columns().targets, ","));
    const data::Table table = data::read_table(load_numbers(data_), columns, shown_name(data_));
    say("{}: {}\n", shown_name(data_), table.describe());
    const std::vector<data::Window> windows = data::windows(table, series, 0, table.rows);
    if (windows.empty()) {
      throw input_error(fmt::format("{}: too short: expected {} rows and {} ahead, found {} rows", shown_name(data_),
                                    series.window, series.horizon, table.rows),
                        "give more rows");
    }
    kernels::Context context(static_cast<int>(threads_));
    tasks::Regressor::Workspace used = workspace(*model, context);
    const tasks::RegressionScore score = tasks::evaluate(*model, table, windows, used);
    if (json_) {
      nlohmann::ordered_json out = {{"mse", score.mse},
                                    {"mae", score.mae},
                                    {"r2", score.r2},
                                    {"naive_mse", score.naive_mse},
                                    {"seasonal_naive_mse", nullptr},
                                    {"windows", score.windows},
                                    {"values", score.values}};
      if (score.seasonal_naive_mse) out["seasonal_naive_mse"] = *score.seasonal_naive_mse;
      write_json(out.dump());
      return;
    }
    put("mean squared error   {:.6g}\nmean absolute error  {:.6g}\nR2                   {:.4f}\n", score.mse, score.mae,
        score.r2);
    put("naive                {:.6g} mean squared error{}\n", score.naive_mse,
        series.horizon > 0 ? ", of repeating the last value" : ", of predicting the training mean");
    if (score.seasonal_naive_mse) {
      put("seasonal naive       {:.6g} mean squared error, of repeating the value {} rows before\n",
          *score.seasonal_naive_mse, model->options().season);
    } else if (model->options().season > 0) {
      put("seasonal naive       not available: some windows have fewer than {} rows before their targets\n",
          model->options().season);
    }
    put("values               {} in {} windows\n", format_count(static_cast<double>(score.values)),
        format_count(static_cast<double>(score.windows)));
  }

  void language_model(const tasks::ModelFile& file) const {
    const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(file);
    const nn::LstmOptions& lstm = model->options().lstm;
    if (lstm.bidirectional && context_symbols_ == 0) {
      throw usage_error(model_path_ + ": a bidirectional model reads the symbol that it predicts",
                        "evaluate it on preceding symbols only, for instance with --context 64");
    }
    const data::TextOptions& text = model->options().text;
    const data::Corpus corpus = data::encode(data::normalise(load_text(data_), text, data_), text, model->vocabulary(),
                                             data::parse_unknown(unknown_), data_);
    if (corpus.targets() < 1) {
      throw input_error(data_ + ": too short to evaluate on: expected at least 2 symbols, found " +
                            std::to_string(corpus.symbols.size()),
                        "give a longer text");
    }
    kernels::Context context(static_cast<int>(threads_));
    // Lines are sequences of their own, so reading many side by side changes nothing but the time.
    const int64_t rows = text.lines ? std::max<int64_t>(batch_, 64) : batch_;
    tasks::LanguageModel::Workspace used = workspace(*model, context);
    const tasks::LanguageScore score = model->evaluate(corpus, {.rows = rows, .context = context_symbols_}, used);
    tasks::ColdScore cold;
    if (context_symbols_ == 0 && tasks::has_cold_start(*model)) {
      cold = model->evaluate_cold(corpus, tasks::cold_places(corpus), 0.0, used);
    }
    if (json_) {
      nlohmann::ordered_json out = {{"nats_per_symbol", score.nats_per_symbol()},
                                    {"perplexity", score.perplexity()},
                                    {"bits_per_character", score.bits_per_character()},
                                    {"symbols", score.symbols},
                                    {"unknown_symbols", score.unknown},
                                    {"sequences", score.sequences},
                                    {"total_nats", score.total_nats},
                                    {"context", context_symbols_}};
      for (const tasks::Metric& metric : cold.metrics()) out[metric.name] = metric.value;
      write_json(out.dump());
      return;
    }
    if (context_symbols_ > 0) put("context             {} symbols before each\n", context_symbols_);
    put("nats per symbol     {:.6f}\n", score.nats_per_symbol());
    put("perplexity          {:.4f}\n", score.perplexity());
    put("bits per character  {:.4f}\n", score.bits_per_character());
    put("symbols             {}\n", format_count(static_cast<double>(score.symbols)));
    if (score.unknown > 0) {
      put("unknown symbols     {}, {}\n", format_count(static_cast<double>(score.unknown)),
          corpus.skipped > 0 ? "left out" : "read as <unk>");
    }
    put("sequences           {}\n", format_count(static_cast<double>(score.sequences)));
    put("total nats          {:.2f}\n", score.total_nats);
    if (!cold.nats.empty()) put("cold start          {}\n", describe_cold(cold.metrics()));
    print_cold_warning(cold.metrics(), score.nats_per_symbol());
  }

  std::string model_path_;
  std::string data_;
  std::string predictions_;
  std::string unknown_ = "unk";
  int64_t batch_ = 1;
  int64_t context_symbols_ = 0;
  int64_t threads_ = 0;
  std::string engine_ = "fused";
  bool json_ = false;
  bool strict_ = false;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_eval(const Verb& longhand) { longhand.add_command<Eval>("eval", "Evaluate a model on data"); }

}  // namespace longhand::cli
