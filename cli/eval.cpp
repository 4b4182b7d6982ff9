// longhand eval: the metrics of a model's task, or of predictions that some program made.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/io/picture.h"
#include "longhand/runs/pages.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/report.h"

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
    table_.add(
        "report", report_,
        "page to write (HTML), with what the task's figures are made of: forecasts, the confusion matrix and the "
        "most confident errors, the tags confused, or the most surprising lines and samples");
    table_.add("pictures", pictures_, "write the report's forecast charts as SVG files, too (regressors)");
    table_.add("json", json_, "print the result as a JSON object");
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", false);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (pictures_ && report_.empty()) {
      throw usage_error("longhand eval: expected --report with --pictures, found none", "give --report FILE.html");
    }
    if (!predictions_.empty()) return score_predictions();
    if (model_path_.empty())
      throw usage_error("longhand eval: expected a model, found none", "give a model file or the folder of a run");
    if (options_.data.empty()) throw usage_error("longhand eval: expected --data, found none", "give --data FILE");
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    check_report({file.path(), options_.data});
    const runs::TaskRow& task = runs::task_of(file);
    runs::check_options(task, table_);
    options_.engine = nn::parse_engine(engine_);
    options_.examine = !report_.empty();
    std::string found_in_data;
    options_.on_found = [&](const std::string& found) {
      found_in_data = found;
      say("{}\n", with_dashes(found));
    };
    WorkProgress progress(std::string(task.noun) + "s", json_);
    options_.on_done = [&](int64_t done, int64_t total) {
      progress.on_done(static_cast<double>(done), static_cast<double>(total));
    };
    runs::Sources from = sources();
    const runs::Evaluation evaluation = task.evaluate(file, options_, from);
    progress.clear();
    if (!report_.empty()) {
      runs::write_evaluation_report(report_,
                                    {.title = shown_name(model_path_) + " on " + shown_name(options_.data),
                                     .data = std::move(found_in_data),
                                     .options = task.summary(file).options,
                                     .command = "longhand eval " + shell_word(model_path_) + given_.as_typed()},
                                    evaluation.findings, evaluation.text);
      if (pictures_ && !evaluation.findings.forecasts) {
        say("note: --pictures does nothing: a {} has no forecast charts\n", task.name);
      } else if (pictures_) {
        io::write_pictures(std::filesystem::path(report_).replace_extension().string(),
                           runs::charts_of(*evaluation.findings.forecasts));
      }
    }
    print(evaluation);
    return 0;
  }

 private:
  int score_predictions() const {
    if (options_.strict) {
      throw usage_error("longhand eval: --predictions cannot be combined with --strict",
                        "predictions are scored as conlleval reads them");
    }
    if (!model_path_.empty() || !options_.data.empty()) {
      throw usage_error("longhand eval: --predictions cannot be combined with a model or --data",
                        "its file has both the gold and the predicted tags");
    }
    check_report({predictions_});
    const runs::Evaluation evaluation =
        runs::evaluate_predictions(sources().file(predictions_), shown_name(predictions_));
    if (!report_.empty()) {
      runs::write_evaluation_report(report_,
                                    {.title = shown_name(predictions_),
                                     .data = {},
                                     .options = {},
                                     .command = "longhand eval" + given_.as_typed()},
                                    evaluation.findings, evaluation.text);
    }
    print(evaluation);
    return 0;
  }

  static bool is_page(const std::string& path) {
    constexpr std::string_view kBegins = "<!doctype html>";
    std::string begins(kBegins.size(), '\0');
    return std::filesystem::is_regular_file(path) &&
           std::ifstream(path, std::ios::binary).read(begins.data(), static_cast<std::streamsize>(begins.size())) &&
           begins == kBegins;
  }

  // Before anything is evaluated. Nothing but an earlier page is written over, and never what is read.
  void check_report(const std::vector<std::string>& read) const {
    if (report_.empty()) return;
    const std::filesystem::path parent = std::filesystem::path(report_).parent_path();
    if (io::is_folder(report_) || (!parent.empty() && !io::is_folder(parent.string()))) {
      throw usage_error("--report " + report_ + ": expected a file in a folder that exists",
                        "make the folder, or name another file");
    }
    if (!io::exists(report_)) return;
    std::error_code error;
    const bool is_read = std::any_of(read.begin(), read.end(), [&](const std::string& path) {
      return std::filesystem::equivalent(path, report_, error);
    });
    if (is_read || !is_page(report_)) {
      throw usage_error("--report " + report_ + ": exists, and is not a page", "name another file");
    }
  }

  void print(const runs::Evaluation& evaluation) const {
    if (json_) {
      write_json(evaluation.json);
    } else {
      put("{}", evaluation.text);
    }
    if (!evaluation.note.empty()) say("note: {}\n", with_dashes(evaluation.note));
  }

  std::string model_path_;
  std::string predictions_;
  std::string report_;
  bool pictures_ = false;
  std::string engine_ = "fused";
  bool json_ = false;
  runs::EvaluateOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_eval(const Verb& longhand) { longhand.add_command<Eval>("eval", "Evaluate a model on data"); }

}  // namespace longhand::cli
