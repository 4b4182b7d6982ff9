#include "longhand/runs/registry.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/config.h"

namespace longhand::runs {

const std::vector<TaskRow>& task_rows() {
  static const std::vector<TaskRow> kRows = {language_model_row(), tagger_row(), classifier_row(), regressor_row()};
  return kRows;
}

const TaskRow& task_of(const tasks::ModelFile& file) {
  for (const TaskRow& row : task_rows()) {
    if (file.task() == row.task) return row;
  }
  throw input_error(file.path() + ": expected a model of a known task, found a " + visible(file.task()),
                    "it was written by another program, or by a newer longhand; update");
}

Summary summary_of(const OptionTable& options, int64_t parameters) {
  Summary out{.options = {}, .options_json = io::to_json(options).dump(), .parameters = parameters};
  for (const Option& option : options.options()) out.options.emplace_back(option.name, option.text());
  return out;
}

}  // namespace longhand::runs
