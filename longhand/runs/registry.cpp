#include "longhand/runs/registry.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/tagger.h"

namespace longhand::runs {

const std::vector<TaskRow>& task_rows() {
  static const std::vector<TaskRow> kRows = {language_model_row(), tagger_row(), classifier_row(), regressor_row(),
                                             network_row()};
  return kRows;
}

const TaskRow& task_of(const tasks::ModelFile& file) {
  for (const TaskRow& row : task_rows()) {
    if (file.task() == row.task) return row;
  }
  throw input_error(file.path() + ": expected a model of a known task, found a " + visible(file.task()),
                    "it was written by another program, or by a newer longhand; update");
}

void check_options(const TaskRow& task, const OptionTable& table) {
  const std::map<std::string, const char*> users = {{tasks::kNetworkTask, "networks of layers"},
                                                    {tasks::LanguageModel::kTask, "language models"},
                                                    {tasks::Regressor::kTask, "regressors"},
                                                    {tasks::Tagger::kTask, "taggers"}};
  const std::pair<const char*, const char*> uses[] = {
      {"input", tasks::kNetworkTask},          {"group", tasks::kNetworkTask},
      {"target", tasks::kNetworkTask},         {"unknown", tasks::LanguageModel::kTask},
      {"batch", tasks::LanguageModel::kTask},  {"context", tasks::LanguageModel::kTask},
      {"strict", tasks::Tagger::kTask},        {"backtest", tasks::Regressor::kTask},
      {"stride", tasks::Regressor::kTask},     {"interval", tasks::Regressor::kTask},
      {"recalibrate", tasks::Regressor::kTask}};
  for (const auto& [name, user] : uses) {
    const Option* option = table.find(name);
    if (task.task == std::string(user) || option == nullptr || option->text() == option->default_text) continue;
    const char* who = users.at(user);
    throw usage_error(fmt::format("`{}` is for {}, and this is a {}", name, who, task.name), "leave it out");
  }
}

void read_settings(const TaskRow& task, const std::string& folder, Settings& settings, OptionTable& table) {
  const train::RunFiles files(folder);
  if (!io::exists(files.config) || !io::exists(files.checkpoint)) {
    throw input_error(folder + ": expected the folder of a run, with config.toml and checkpoint.safetensors",
                      "give the folder that the run was started with (`out`)");
  }
  settings.set_earlier_defaults();
  try {
    io::read_toml(files.config, table);
  } catch (const Error& e) {
    throw input_error(fmt::format("{}: cannot be resumed: {}", folder, e.what()),
                      fmt::format("restore that line; if another command than `longhand train {}` started the run, use "
                                  "that one",
                                  task.verb));
  }
  if (settings.data.empty()) {
    throw input_error(files.config + ": expected the run's options, found no data",
                      "restore the file, or start another run");
  }
}

Summary summary_of(const OptionTable& options, int64_t parameters) {
  Summary out{.options = {}, .options_json = io::to_json(options).dump(), .parameters = parameters};
  for (const Option& option : options.options()) out.options.emplace_back(option.name, option.text());
  return out;
}

Summary together(const std::vector<Summary>& members) {
  Summary out = members.front();
  if (members.size() == 1) return out;
  out.parameters = 0;
  for (const Summary& member : members) {
    out.parameters += member.parameters;
    out.members_json.push_back(member.options_json);
  }
  for (size_t i = 0; i < out.options.size(); ++i) {
    const auto differs = [&](const Summary& member) { return member.options[i].second != out.options[i].second; };
    if (std::none_of(members.begin(), members.end(), differs)) continue;
    out.options[i].second.clear();
    for (const Summary& member : members) {
      out.options[i].second += (&member == members.data() ? "" : " | ") + member.options[i].second;
    }
  }
  return out;
}

}  // namespace longhand::runs
