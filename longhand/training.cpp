#include "longhand/training.h"

#include <fmt/core.h>

#include <map>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/io/config.h"
#include "longhand/io/folder_lock.h"
#include "longhand/runs/registry.h"

namespace longhand {
namespace {

const runs::TaskRow& row_of(Task task) {
  for (const runs::TaskRow& row : runs::task_rows()) {
    if (name_of(task) == row.name) return row;
  }
  throw usage_error("expected a task, found an unknown one", "give one of the values of Task");
}

std::vector<Measure> measures(const std::vector<tasks::Metric>& metrics) {
  std::vector<Measure> out;
  for (const tasks::Metric& metric : metrics) out.push_back({metric.name, metric.value, metric.more_is_better});
  return out;
}

TrainingProgress public_progress(const train::Progress& p) {
  return {.epoch = p.epoch,
          .epochs = p.epochs,
          .step = p.step,
          .loss = p.loss(),
          .seconds = p.seconds,
          .per_second = p.tokens_per_second};
}

}  // namespace

struct LONGHAND_LOCAL Training::Parts {
  explicit Parts(Task task) : row(row_of(task)), settings(row.settings()) {
    settings->baseline = false;  // a program that wants it says so
    settings->add_to(table);
  }

  const Option& option(const std::string& name) const {
    if (const Option* found = table.find(name)) return *found;
    std::vector<std::string> names;
    for (const Option& each : table.options()) names.push_back(each.name);
    throw usage_error("`" + name + "`: expected the name of a setting",
                      "docs/options.md lists them" + did_you_mean(name, names));
  }

  // Throws a usage error where the folder holds something that `run` would replace.
  static void check_folder(const std::string& folder) {
    if (!io::exists(train::RunFiles(folder).checkpoint) && !io::exists(folder + "/compare.json")) return;
    throw usage_error(folder + ": holds a run or a comparison already", "resume it, remove it, or name another folder");
  }

  TrainingResult train(const std::string& folder, bool resume, const TrainingObserver& observer) {
    if (settings->data.empty()) throw usage_error("`data`: expected a file or a name, found none", "set it");
    settings->resumed = resume ? folder : "";
    settings->resolve(table);
    settings->check();
    const std::unique_ptr<runs::Run> run = row.run(*settings, sources);
    io::make_folder(folder);
    const io::FolderLock lock(folder);
    if (!resume) check_folder(folder);  // again, now that nobody else writes there
    train::Observer inner;
    if (observer.on_step) inner.on_step = [&](const train::Progress& p) { observer.on_step(public_progress(p)); };
    if (observer.on_epoch) {
      inner.on_evaluation = [&](const train::Evaluation& e) {
        observer.on_epoch(public_progress(e.progress), measures(e.valid));
      };
    }
    inner.should_stop = observer.should_stop;
    const runs::RunResult result = run->train({.folder = folder, .resume = resume, .observer = inner});
    return {
        .interrupted = result.training.outcome == train::Outcome::kInterrupted,
        .progress = public_progress(result.training.progress),
        .best_epoch = result.training.best_epoch,
        .valid = measures(result.training.valid),
        .test = measures(result.findings.test),
        .baseline = result.findings.baseline ? measures(result.findings.baseline->metrics) : std::vector<Measure>()};
  }

  const runs::TaskRow& row;
  std::unique_ptr<runs::Settings> settings;
  OptionTable table;
  runs::Sources sources;
  std::map<std::string, std::string> given;  // what was set by name
};

Training::Training(Task task) : parts_(std::make_unique<Parts>(task)) {}
Training::~Training() = default;
Training::Training(Training&&) noexcept = default;
Training& Training::operator=(Training&&) noexcept = default;

void Training::set(const std::string& name, const std::string& value) {
  parts_->table.set(parts_->option(name), value, "`" + name + "`");
  parts_->given[name] = value;
}

void Training::set_number(const std::string& name, double value) { set(name, shortest(value)); }
void Training::set_number(const std::string& name, float value) { set(name, fmt::format("{}", value)); }
void Training::read(const std::string& path) { parts_->settings->read_config(path, parts_->table); }
std::string Training::settings() const { return io::to_toml(parts_->table); }

void Training::add_data(const std::string& name, std::string contents) {
  parts_->sources.add(name, std::move(contents));
}

void Training::use(Executor& host) { parts_->settings->executor = &host; }

TrainingResult Training::run(const std::string& folder, const TrainingObserver& observer) {
  Parts::check_folder(folder);
  return parts_->train(folder, false, observer);
}

TrainingResult Training::resume(const std::string& folder, const TrainingObserver& observer) {
  for (const auto& [name, value] : parts_->given) {
    if (runs::is_free(name)) continue;
    throw usage_error("`" + name + "` cannot change in a resumed run", "do not set it, or start another run");
  }
  runs::read_settings(parts_->row, folder, *parts_->settings, parts_->table);
  for (const auto& [name, value] : parts_->given) parts_->table.set(parts_->option(name), value, "`" + name + "`");
  train::check_fixed_options(folder, runs::fixed_options(parts_->table));
  return parts_->train(folder, true, observer);
}

}  // namespace longhand
