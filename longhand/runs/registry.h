// The tasks that Longhand knows, a row each: what `train`, `compare`, `eval` and `info` need to know of one. A new task
// is a file like tagger.cpp, and a row.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/runs/evaluation.h"
#include "longhand/runs/run.h"
#include "longhand/tasks/model_file.h"

namespace longhand::runs {

/// What a model file says of itself.
struct Summary {
  std::vector<std::pair<std::string, std::string>> options;
  std::string options_json;
  int64_t parameters = 0;
  std::vector<std::string> members_json{};  ///< the options of each member of an ensemble; else empty
};

struct TaskRow {
  const char* verb;     ///< "lm", as in `longhand train lm`
  const char* task;     ///< "language_model", as in model files
  const char* name;     ///< "language model"
  const char* help;     ///< "Train a language model on a text"
  const char* noun;     ///< what a loss is the mean over: "symbol"
  const char* example;  ///< what to give where no data was given
  std::unique_ptr<Settings> (*settings)();
  /// Reads the data that a name stands for.
  std::string (Sources::*read)(const std::string& source);
  /// Throws for whatever is wrong with settings or data; writes nothing.
  std::unique_ptr<Run> (*run)(const Settings& settings, Sources& sources);
  Evaluation (*evaluate)(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources);
  Summary (*summary)(const tasks::ModelFile& file);
  /// Writes an ensemble; see tasks::combine.
  void (*combine)(std::span<const tasks::ModelFile> files, const std::string& path);
};

const std::vector<TaskRow>& task_rows();
/// The row of a model file's task.
const TaskRow& task_of(const tasks::ModelFile& file);

/// Throws a usage error for evaluation options that were set and are none of this task's. `table` has them.
void check_options(const TaskRow& task, const OptionTable& table);
/// Sets the options of the run in a folder. Throws an input error where it holds none of this task that can be resumed.
void read_settings(const TaskRow& task, const std::string& folder, Settings& settings, OptionTable& table);

/// The rows, each made in the file of its task.
TaskRow language_model_row();
TaskRow tagger_row();
TaskRow classifier_row();
TaskRow regressor_row();
TaskRow network_row();

/// For the rows.
template <class TaskSettings>
std::unique_ptr<Settings> new_settings() {
  return std::make_unique<TaskSettings>();
}
template <class TaskRun, class TaskSettings>
std::unique_ptr<Run> new_run(const Settings& settings, Sources& sources) {
  return std::make_unique<TaskRun>(dynamic_cast<const TaskSettings&>(settings), sources);
}
Summary summary_of(const OptionTable& options, int64_t parameters);
/// That of an ensemble, from those of its members: an option that differs has the values of all.
Summary together(const std::vector<Summary>& members);
template <class Model>
Summary summary_of(const tasks::ModelFile& file) {
  const std::unique_ptr<Model> model = Model::load(file);
  const auto of_member = [](const Model& member) {
    auto options = member.options();
    OptionTable table;
    options.add_to(table);
    return summary_of(table, member.parameters().count());
  };
  std::vector<Summary> members = {of_member(*model)};
  for (const auto& other : model->others()) members.push_back(of_member(*other));
  return together(members);
}

}  // namespace longhand::runs
