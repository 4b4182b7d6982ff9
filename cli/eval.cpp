// longhand eval: the metrics of a model's task, or of predictions that some program made.
#include <fmt/format.h>

#include "cli/command_line.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/runs/registry.h"

namespace longhand::cli {
namespace {

class Eval {
 public:
  Eval() {
    options_.add_to(table_);
    table_.add("predictions", predictions_,
               "file of gold and predicted tags, in its last two columns, to score as conlleval does; needs no model");
    table_.begin_group("");
    table_.add("engine", engine_, "implementation: fused kernels, plain reference loops, or autograd on a tape",
               one_of({"fused", "reference", "autograd"}));
    table_.add("json", json_, "print the result as a JSON object");
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
    runs::check_options(task, table_);
    if (given_.has("engine")) options_.engine = engine_;
    options_.on_found = [](const std::string& found) { say("{}\n", with_dashes(found)); };
    runs::Sources from = sources();
    print(task.evaluate(file, options_, from));
    return 0;
  }

 private:
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
