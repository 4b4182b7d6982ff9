#include "longhand/lab/compared_run.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/folder_lock.h"
#include "longhand/lab/run_result.h"
#include "longhand/lab/symmetry.h"

namespace longhand::lab {
namespace {

using Json = nlohmann::ordered_json;

// Turns the trainer's progress into that of the order.
class PositionTeller {
 public:
  PositionTeller(int64_t until_epoch, const std::function<void(const RunPosition&)>& tell)
      : until_epoch_(until_epoch), tell_(tell) {}

  void operator()(const train::Progress& p) {
    const auto steps = static_cast<double>(std::max<int64_t>(1, p.steps_in_epoch));
    const double at = static_cast<double>(p.epoch - 1) + static_cast<double>(p.index) / steps;
    if (!start_) start_ = at - 1.0 / steps;
    const auto end = static_cast<double>(until_epoch_ > 0 ? std::min(until_epoch_, p.epochs) : p.epochs);
    if (tell_) tell_({std::min(1.0, (at - *start_) / (end - *start_)), p.epoch, p.epochs, p.loss()});
  }
  bool stepped() const { return start_.has_value(); }

 private:
  int64_t until_epoch_;
  const std::function<void(const RunPosition&)>& tell_;
  std::optional<double> start_;  // in epochs
};

void add_measure(const std::vector<tasks::Metric>& valid, Json& result) {
  if (valid.empty()) return;
  result["valid_loss"] = tasks::find_metric(valid, "loss")->value;
  const tasks::Metric& measure = valid.front();
  result["valid_measure"] = measure.value;
  result["measure"] = measure.name;
  result["more_is_better"] = measure.more_is_better;
}

Json figures_of(runs::Run& run, const train::Progress& p) {
  const UnitCount units = distinct_units(run.parameters());
  return {{"parameters", run.parameters().count()},
          {"epochs", p.epoch},
          {"best_epoch", 0},
          {"train_loss", p.loss()},
          {"valid_loss", nullptr},
          {"tokens_per_second", static_cast<double>(p.total_count) / p.seconds},
          {"seconds", p.seconds},
          {"units", units.units},
          {"distinct_units", units.distinct},
          {"baseline_key", run.baseline_key()}};
}

// A run that has paused has a result already.
Json earlier_result(const std::string& folder) {
  if (!io::exists(result_path(folder))) return Json::object();
  Json out = Json::parse(io::read_file(result_path(folder)), nullptr, false);
  return out.is_object() ? out : Json::object();
}

class Training {
 public:
  Training(const ComparedTask& shared, const RunOrder& order, int64_t threads, const RunHooks& hooks)
      : shared_(shared),
        order_(order),
        hooks_(hooks),
        settings_(settings_of(shared.settings, order)),
        teller_(order.until_epoch, hooks.on_step) {
    if (settings_->threads == 0) settings_->threads = threads;
    observer_.should_stop = hooks.interrupted;
    observer_.on_step = [this](const train::Progress& p) { teller_(p); };
    observer_.on_evaluation = [this](const train::Evaluation& evaluation) { last_ = evaluation; };
  }

  int run() {
    Json result = earlier_result(order_.folder);
    result.erase("failure");
    try {
      const runs::RunResult done = train();
      using train::Outcome;
      const Outcome outcome = done.training.outcome;
      if (outcome == Outcome::kInterrupted) return static_cast<int>(ExitCode::kInterrupted);
      result.update(figures_of(*run_, done.training.progress));
      result["best_epoch"] = done.training.best_epoch;
      add_measure(done.training.valid, result);
      result["failure"] = "";
      result["complete"] = outcome != Outcome::kPaused;
    } catch (const train::Divergence& e) {
      // What was found until then counts where the run was to be trained no further.
      if (last_) {
        result.update(figures_of(*run_, last_->progress));
        add_measure(last_->valid, result);
      }
      const std::string what = e.what();
      result["failure"] = what.substr(0, what.find("; training has stopped"));
      result["complete"] = true;
    }
    result["key"] = order_.key;
    io::write_file(result_path(order_.folder), result.dump(2) + "\n");
    return 0;
  }

 private:
  runs::RunResult train() {
    const std::string checkpoint = train::RunFiles(order_.folder).checkpoint;
    const bool resume = io::exists(checkpoint);
    try {
      return train(resume);
    } catch (const train::Divergence&) {
      throw;
    } catch (const Error&) {  // a damaged checkpoint is no reason to do without the run
      if (teller_.stepped() || !resume) throw;
      std::filesystem::remove(checkpoint);
      return train(false);
    }
  }

  runs::RunResult train(bool resume) {
    run_ = shared_.task.run(*settings_, shared_.sources);
    return run_->train({.folder = order_.folder,
                        .resume = resume,
                        .until_epoch = order_.until_epoch,
                        .observer = observer_,
                        .on_saved = hooks_.on_saved});
  }

  const ComparedTask& shared_;
  const RunOrder& order_;
  const RunHooks& hooks_;
  std::unique_ptr<runs::Settings> settings_;
  PositionTeller teller_;
  train::Observer observer_;
  std::unique_ptr<runs::Run> run_;
  std::optional<train::Evaluation> last_;
};

}  // namespace

std::string failure_path(const std::string& folder) { return folder + "/failure.txt"; }

std::unique_ptr<runs::Settings> settings_of(const runs::Settings& shared, const RunOrder& order) {
  std::unique_ptr<runs::Settings> settings = shared.copy();
  OptionTable table;
  settings->add_to(table);
  for (const auto& [name, value] : order.options) table.set(*table.find(name), value, name);
  settings->seed = order.seed;
  settings->baseline = false;  // one for all
  return settings;
}

int train_here(const ComparedTask& shared, const RunOrder& order, int64_t threads, const RunHooks& hooks) {
  try {
    const io::FolderLock lock(order.folder);
    return Training(shared, order, threads, hooks).run();
  } catch (const std::exception& e) {
    io::write_file(failure_path(order.folder), e.what());
    return kRunFailed;
  }
}

int measure_here(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
                 const std::string& path, const RunHooks& hooks) {
  if (hooks.on_saved) hooks.on_saved();
  const std::unique_ptr<runs::Run> run = task.run(settings, sources);
  const std::optional<runs::BaselineFindings> found = run->measure_baseline("");
  Json out = Json::object();
  if (found) {
    const tasks::Metric* loss = tasks::find_metric(found->metrics, "loss");
    out = {{"name", found->name}, {"measure", found->metrics.front().value}, {"valid_loss", nullptr}};
    if (loss != nullptr) out["valid_loss"] = loss->value;
  }
  io::write_file(path, out.dump(2) + "\n");
  return 0;
}

std::optional<ComparedBaseline> read_baseline(const std::string& path) {
  if (!io::exists(path)) return std::nullopt;
  const nlohmann::json found = nlohmann::json::parse(io::read_file(path), nullptr, false);
  if (!found.is_object() || !found.contains("name") || !found["name"].is_string()) return std::nullopt;
  ComparedBaseline out;
  out.name = found["name"];
  const auto number = [&](const char* key) {
    return found.contains(key) && found[key].is_number() ? std::optional<double>(found[key].get<double>())
                                                         : std::nullopt;
  };
  out.valid_loss = number("valid_loss");
  out.valid_measure = number("measure");
  return out;
}

}  // namespace longhand::lab
