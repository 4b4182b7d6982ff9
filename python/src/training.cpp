// Training and evaluation with the options of `longhand train` and `longhand eval`.
#include <fmt/format.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "data_sources.h"
#include "loaded_model.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/folder_lock.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/report.h"
#include "module.h"
#include "watch.h"

namespace longhand::python {
namespace {

const runs::TaskRow& row_of(const std::string& verb) {
  std::vector<std::string> verbs;
  for (const runs::TaskRow& row : runs::task_rows()) {
    if (row.verb == verb) return row;
    verbs.emplace_back(row.verb);
  }
  throw usage_error(fmt::format("task: expected one of {}, found '{}'", listed(verbs), verb),
                    "name one of these" + did_you_mean(verb, verbs));
}

const char* kind_of(const Option& option) {
  if (std::holds_alternative<bool*>(option.value)) return "bool";
  if (std::holds_alternative<int64_t*>(option.value)) return "int";
  return std::holds_alternative<double*>(option.value) ? "float" : "str";
}

// Returns the options of a table as a JSON list.
std::string described(const OptionTable& table) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Option& option : table.options()) {
    out.push_back({{"name", option.name},
                   {"kind", kind_of(option)},
                   {"default", option.default_text},
                   {"help", option.help},
                   {"group", option.group},
                   {"range", option.range()},
                   {"may_change", runs::is_free(option.name)}});
  }
  return out.dump();
}

std::string training_options(const std::string& verb) {
  OptionTable table;
  const std::unique_ptr<runs::Settings> settings = row_of(verb).settings();
  settings->add_to(table);
  return described(table);
}

std::string evaluation_options() {
  OptionTable table;
  runs::EvaluateOptions options;
  options.add_to(table);
  return described(table);
}

void set_all(OptionTable& table, const std::map<std::string, std::string>& options) {
  std::vector<std::string> names;
  for (const Option& each : table.options()) names.push_back(each.name);
  for (const auto& [name, value] : options) {
    const Option* option = table.find(name);
    if (option == nullptr) {
      throw usage_error(fmt::format("`{}`: expected the name of an option", name),
                        "docs/options.md lists them" + did_you_mean(name, names));
    }
    table.set(*option, value, "`" + name + "`");
  }
}

// Returns the line of metrics.jsonl for an evaluation.
std::string to_json(const train::Evaluation& evaluation) {
  const train::Progress& p = evaluation.progress;
  nlohmann::ordered_json out = {{"epoch", p.epoch},
                                {"epochs", p.epochs},
                                {"step", p.step},
                                {"seconds", p.seconds},
                                {"train_loss", p.loss()},
                                {"learning_rate", p.learning_rate},
                                {"gradient_norm", p.mean_norm()},
                                {"batch", p.batch},
                                {"tokens_per_second", p.tokens_per_second},
                                {"best", evaluation.best}};
  if (p.has_perplexity) out["train_perplexity"] = std::exp(p.loss());
  for (const tasks::Metric& metric : evaluation.train) out["train_" + metric.name] = metric.value;
  for (const tasks::Metric& metric : evaluation.valid) out["valid_" + metric.name] = metric.value;
  return out.dump();
}

const char* outcome_of(train::Outcome outcome) {
  switch (outcome) {
    case train::Outcome::kFinished: return "finished";
    case train::Outcome::kOutOfPatience: return "out of patience";
    case train::Outcome::kInterrupted: return "interrupted";
    case train::Outcome::kPaused: return "paused";
  }
  return "";
}

// `last`: the progress at the last evaluation. A training that stops there has begun the next epoch without a step.
std::string to_json(const runs::RunResult& run, const std::optional<train::Progress>& last) {
  const train::TrainResult& result = run.training;
  const bool is_empty = result.outcome == train::Outcome::kInterrupted && result.progress.index == 0 && last;
  const train::Progress& p = is_empty ? *last : result.progress;
  nlohmann::ordered_json metrics = {{"train_loss", p.loss()}};
  if (p.has_perplexity) metrics["train_perplexity"] = std::exp(p.loss());
  for (const tasks::Metric& metric : result.valid) metrics["valid_" + metric.name] = metric.value;
  if (run.findings.cold) {
    for (const tasks::Metric& metric : run.findings.cold->bands) metrics[metric.name] = metric.value;
  }
  for (const tasks::Metric& metric : run.findings.test) metrics["test_" + metric.name] = metric.value;
  if (run.findings.baseline) {
    for (const tasks::Metric& metric : run.findings.baseline->metrics)
      metrics["baseline_" + metric.name] = metric.value;
  }
  const nlohmann::ordered_json out = {{"outcome", outcome_of(result.outcome)},
                                      {"was_complete", run.was_complete},
                                      {"diverged", p.has_grown()},
                                      {"epochs", p.epoch},
                                      {"steps", p.step},
                                      {"seconds", p.seconds},
                                      {"best_epoch", result.best_epoch},
                                      {"metrics", metrics}};
  return out.dump();
}

struct RunPlace {
  std::string folder;
  bool resume = false;
  bool overwrite = false;
};

void check_folder(const RunPlace& place) {
  const train::RunFiles files(place.folder);
  if (place.resume || place.overwrite) return;
  if (io::exists(files.checkpoint)) {
    throw usage_error(place.folder + ": holds a run already",
                      "continue it with longhand.resume, replace it with overwrite=True, or choose another `out`");
  }
  if (io::exists(place.folder + "/compare.json")) {
    throw usage_error(place.folder + ": holds a comparison", "choose another `out`");
  }
}

// Sets the options of a run. A new run: defaults, overridden by the configuration file and the given options. A resumed
// run: the stored options, overridden by given options that may change.
void read_settings(const runs::TaskRow& row, const RunPlace& place, const std::string& config,
                   const std::map<std::string, std::string>& options, runs::Settings& settings, OptionTable& table) {
  if (place.resume) {
    for (const auto& [name, value] : options) {
      if (runs::is_free(name)) continue;
      throw usage_error("`" + name + "` cannot change in a resumed run", "leave it out, or start another run");
    }
    runs::read_settings(row, place.folder, settings, table);
  } else {
    settings.baseline = false;
  }
  if (!config.empty()) settings.read_config(config, table);
  set_all(table, options);
  if (settings.data.empty()) throw usage_error("`data`: expected a file, a name or data, found none", "give `data`");
  settings.resumed = place.resume ? place.folder : "";
  settings.resolve(table);
  settings.check();
  if (place.resume) train::check_fixed_options(place.folder, runs::fixed_options(table));
}

runs::RunResult run_training(const runs::TaskRow& row, const RunPlace& place, const std::string& config,
                             const std::map<std::string, std::string>& options, runs::Sources& sources,
                             const nb::callable& notify, Watch& watch, std::optional<train::Progress>& last) {
  check_folder(place);
  OptionTable table;
  const std::unique_ptr<runs::Settings> settings = row.settings();
  settings->add_to(table);
  read_settings(row, place, config, options, *settings, table);
  for (const std::string& note : settings->notes(table)) watch.call(notify, "note", note);
  const std::unique_ptr<runs::Run> run = row.run(*settings, sources);
  if (!run->description().empty()) watch.call(notify, "data", run->description());
  watch.rethrow();
  io::make_folder(place.folder);
  const io::FolderLock lock(place.folder);
  check_folder(place);  // again, now that the folder is locked
  if (!place.resume) train::remove_run(place.folder);
  return run->train({.folder = place.folder,
                     .resume = place.resume,
                     .command = "longhand.train(\"" + std::string(row.verb) + "\")",
                     .observer = {.on_step =
                                      [&](const train::Progress& p) {
                                        if (watch.is_step_due()) {
                                          watch.call(notify, "step",
                                                     std::vector<double>{static_cast<double>(p.epoch),
                                                                         static_cast<double>(p.epochs),
                                                                         static_cast<double>(p.index),
                                                                         static_cast<double>(p.steps_in_epoch),
                                                                         p.loss(), p.tokens_per_second});
                                        }
                                      },
                                  .on_evaluation =
                                      [&](const train::Evaluation& evaluation) {
                                        last = evaluation.progress;
                                        watch.call(notify, "evaluation", to_json(evaluation));
                                      },
                                  .should_stop = [&] { return watch.should_stop(); }},
                     .on_examined =
                         [&](int64_t, int64_t) {
                           if (watch.should_stop()) watch.rethrow();
                         },
                     .on_baseline = [&] { watch.call(notify, "baseline", ""); }});
}

std::string train_model(const std::string& verb, const std::string& folder, bool resume, bool overwrite,
                        const std::string& config, const std::map<std::string, std::string>& options,
                        const DataInMemory& data, const nb::callable& notify) {
  const runs::TaskRow& row = row_of(verb);
  Watch watch;
  runs::Sources sources = make_sources(data, watch, notify);
  std::string out;
  {
    const nb::gil_scoped_release release;
    try {
      std::optional<train::Progress> last;
      const runs::RunResult run =
          run_training(row, {folder, resume, overwrite}, config, options, sources, notify, watch, last);
      out = to_json(run, last);
    } catch (...) {
      watch.rethrow();  // an exception from Python takes precedence
      throw;
    }
  }
  watch.rethrow();
  return out;
}

// Returns the metrics as JSON. Writes an HTML report if `report` is not empty.
std::string evaluate(const LoadedModel& model, const std::map<std::string, std::string>& options,
                     const DataInMemory& data, const std::string& report, const nb::callable& notify) {
  Watch watch;
  runs::Sources sources = make_sources(data, watch, notify);
  runs::Evaluation found;
  {
    const nb::gil_scoped_release release;
    const tasks::ModelFile file = model.file();
    const runs::TaskRow& row = runs::task_of(file);
    OptionTable table;
    runs::EvaluateOptions evaluation;
    evaluation.add_to(table);
    set_all(table, options);
    runs::check_options(row, table);
    evaluation.examine = !report.empty();
    std::string found_in_data;
    evaluation.on_found = [&](const std::string& text) {
      found_in_data = text;
      watch.call(notify, "data", text);
    };
    evaluation.on_done = [&](int64_t, int64_t) {
      if (watch.should_stop()) watch.rethrow();
    };
    found = row.evaluate(file, evaluation, sources);
    if (!found.note.empty()) watch.call(notify, "note", found.note);
    if (!report.empty()) {
      runs::write_evaluation_report(report,
                                    {.title = runs::shown_name(evaluation.data),
                                     .data = std::move(found_in_data),
                                     .options = row.summary(file).options,
                                     .command = "model.evaluate()"},
                                    found.findings, found.text);
    }
  }
  watch.rethrow();
  return found.json;
}

}  // namespace

void register_training(nb::module_& module) {
  module.def("training_options", &training_options, nb::arg("task"));
  module.def("evaluation_options", &evaluation_options);
  module.def("train", &train_model, nb::arg("task"), nb::arg("folder"), nb::arg("resume"), nb::arg("overwrite"),
             nb::arg("config"), nb::arg("options"), nb::arg("data"), nb::arg("notify"));
  module.def("evaluate", &evaluate, nb::arg("model"), nb::arg("options"), nb::arg("data"), nb::arg("report"),
             nb::arg("notify"));
}

}  // namespace longhand::python
