// longhand eval: the metrics of a model's task, or of predictions that some program made.
#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/runs/registry.h"
#include "longhand/tasks/language_model.h"

namespace longhand::cli {
namespace {

class Eval {
 public:
  Eval() {
    table_.add("data", options_.data, "evaluation data: file, - for standard input, or name from `longhand data list`");
    table_.add("threads", options_.threads, "number of threads; 0: one per processor", between(0, 1024));
    table_.add("engine", engine_, "implementation: fused kernels, plain reference loops, or autograd on a tape",
               one_of({"fused", "reference", "autograd"}));
    table_.add("json", json_, "print the result as a JSON object");
    table_.begin_group("Language models");
    table_.add("unknown", options_.unknown, "treatment of symbols that the model does not know",
               one_of({"error", "skip", "unk"}));
    table_.add(
        "batch", options_.batch,
        "number of rows that a text is divided into; 1 is exact; more is faster, but each row starts without context",
        between(1, 1 << 20));
    table_.add("context", options_.context,
               "number of preceding symbols that each prediction uses, with a cost in proportion; 0: all",
               between(0, 1 << 20));
    table_.begin_group("Tags");
    table_.add("predictions", predictions_,
               "file of gold and predicted tags, in its last two columns, to score as conlleval does; needs no model");
    table_.add("strict", options_.strict,
               "refuse tags that violate their scheme, instead of repairing them as conlleval reads them");
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", false);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (!predictions_.empty()) {
      if (options_.strict) {
        throw usage_error("longhand eval: --predictions cannot be combined with --strict",
                          "predictions are scored as conlleval reads them");
      }
      if (!model_path_.empty() || !options_.data.empty()) {
        throw usage_error("longhand eval: --predictions cannot be combined with a model or --data",
                          "its file has both the gold and the predicted tags");
      }
      print(runs::evaluation_of(data::score_predictions(sources().file(predictions_), shown_name(predictions_))));
      return 0;
    }
    if (model_path_.empty())
      throw usage_error("longhand eval: expected a model, found none", "give a model file or the folder of a run");
    if (options_.data.empty()) throw usage_error("longhand eval: expected --data, found none", "give --data FILE");
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    const runs::TaskRow& task = runs::task_of(file);
    if (file.task() != tasks::LanguageModel::kTask) refuse_of_language_models(task.name);
    if (given_.has("engine")) options_.engine = engine_;
    options_.on_found = [](const std::string& found) { say("{}\n", with_dashes(found)); };
    runs::Sources from = sources();
    print(task.evaluate(file, options_, from));
    return 0;
  }

 private:
  void refuse_of_language_models(const std::string& task) const {
    for (const char* name : {"unknown", "batch", "context"}) {
      if (!given_.has(name)) continue;
      throw usage_error(fmt::format("longhand eval: --{} is for language models, and this is a {}", name, task),
                        "leave it out");
    }
  }

  void print(const runs::Evaluation& evaluation) const {
    if (json_) {
      write_json(evaluation.json);
    } else {
      put("{}", evaluation.text);
      if (!evaluation.note.empty()) say("note: {}\n", with_dashes(evaluation.note));
    }
  }

  std::string model_path_;
  std::string predictions_;
  std::string engine_ = "fused";
  bool json_ = false;
  runs::EvaluateOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_eval(const Verb& longhand) { longhand.add_command<Eval>("eval", "Evaluate a model on data"); }

}  // namespace longhand::cli
