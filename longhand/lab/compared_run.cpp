#include "longhand/lab/compared_run.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/folder_lock.h"
#include "longhand/lab/symmetry.h"

namespace longhand::lab {
namespace {

std::string result_path(const std::string& folder) { return folder + "/result.json"; }
std::string failure_path(const std::string& folder) { return folder + "/failure.txt"; }

constexpr int kFailed = 3;  // exit code of the child, besides 0 and that of an interruption

// What the child does; returns its exit code. What it found is in result.json, or in failure.txt.
int train_here(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
               const std::string& folder, const std::string& key, const ProcessObserver& of_process) {
  nlohmann::ordered_json result;
  try {
    const io::FolderLock lock(folder);
    const std::string checkpoint = train::RunFiles(folder).checkpoint;
    bool stepped = false;
    train::Observer observer = of_process.training;
    observer.on_step = [&](const train::Progress& p) {
      stepped = true;
      if (of_process.training.on_step) of_process.training.on_step(p);
    };
    std::unique_ptr<runs::Run> run;
    runs::RunResult done;
    try {
      run = task.run(settings, sources);
      done = run->train(
          {.folder = folder, .resume = io::exists(checkpoint), .observer = observer, .on_saved = of_process.on_saved});
    } catch (const train::Divergence&) {
      throw;
    } catch (const Error&) {  // a damaged checkpoint is no reason to do without the run
      if (stepped || !io::exists(checkpoint)) throw;
      std::filesystem::remove(checkpoint);
      run = task.run(settings, sources);
      done = run->train({.folder = folder, .observer = observer, .on_saved = of_process.on_saved});
    }
    if (done.training.outcome == train::Outcome::kInterrupted) return static_cast<int>(ExitCode::kInterrupted);
    const train::Progress& p = done.training.progress;
    const UnitCount units = distinct_units(run->parameters());
    result = {{"failure", ""},
              {"parameters", run->parameters().count()},
              {"epochs", p.epoch},
              {"best_epoch", done.training.best_epoch},
              {"train_loss", p.loss()},
              {"valid_loss", nullptr},
              {"tokens_per_second", static_cast<double>(p.total_count) / p.seconds},
              {"seconds", p.seconds},
              {"units", units.units},
              {"distinct_units", units.distinct},
              {"baseline_key", run->baseline_key()}};
    if (!done.training.valid.empty()) {
      result["valid_loss"] = tasks::find_metric(done.training.valid, "loss")->value;
      const tasks::Metric& measure = done.training.valid.front();
      result["valid_measure"] = measure.value;
      result["measure"] = measure.name;
      result["more_is_better"] = measure.more_is_better;
    }
  } catch (const train::Divergence& e) {
    const std::string what = e.what();
    result = {{"failure", what.substr(0, what.find("; training has stopped"))}};
  } catch (const std::exception& e) {
    io::write_file(failure_path(folder), e.what());
    return kFailed;
  }
  result["key"] = key;
  io::write_file(result_path(folder), result.dump(2) + "\n");
  return 0;
}

// Waits for the child, which has a process group of its own, and passes an interruption on to it. (Waiting without an
// end would miss a signal that comes just before.)
int wait_for(pid_t child, const std::function<bool()>& interrupted, rusage& usage) {
  int status = 0;
  bool told = false;
  for (;;) {
    const pid_t ended = ::wait4(child, &status, WNOHANG, &usage);
    if (ended == child) return status;
    LONGHAND_CHECK(ended == 0 || errno == EINTR);
    const bool stop = interrupted && interrupted();
    if (stop && !told) ::kill(child, SIGINT);
    told = stop;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Starts the child. It ends with its parent, whatever ends that.
pid_t start(const std::function<int()>& what) {
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would leave nothing to wait for
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw input_error(std::string("cannot start a process: ") + std::strerror(errno), "free some");
  if (child > 0) return child;
  ::setpgid(0, 0);
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  int code = kFailed;
  try {
    if (::getppid() == parent) code = what();
  } catch (const std::exception&) {  // not even the reason could be written
  }
  std::fflush(nullptr);
  std::_Exit(code);
}

std::vector<CurvePoint> read_curve(const std::string& folder) {
  std::vector<CurvePoint> curve;
  std::istringstream lines(io::read_file(train::RunFiles(folder).metrics));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    const auto number = [&](const char* key) {
      return row.at(key).is_number() ? std::optional<double>(row[key].get<double>()) : std::nullopt;
    };
    if (!number("train_loss")) continue;
    curve.push_back({row.at("epoch"), row.at("seconds"), *number("train_loss"), number("valid_loss")});
  }
  return curve;
}

// The folder holds a run of something else, which nobody asked to remove.
struct OtherRun : Error {
  explicit OtherRun(const Error& error) : Error(error) {}
};

// Reads what a finished child wrote. Throws a JSON exception where somebody altered it.
void read_result(const std::string& folder, const std::string& key, ComparedOutcome& out) {
  const nlohmann::json result = io::parse_json(io::read_file(result_path(folder)), result_path(folder));
  if (result.at("key") != key)
    throw OtherRun(input_error(folder + ": expected the run of this variant, found one with other options",
                               "remove it, or choose another `out`"));
  out.run.failure = result.at("failure");
  out.run.memory_mib = result.value("memory_mib", 0.0);
  if (!out.run.failure.empty()) return;
  out.run.parameters = result.at("parameters");
  out.run.epochs = result.at("epochs");
  out.run.best_epoch = result.at("best_epoch");
  out.run.train_loss = result.at("train_loss");
  if (!result.at("valid_loss").is_null()) out.run.valid_loss = result["valid_loss"].get<double>();
  if (result.contains("measure")) {
    const nlohmann::json& value = result.at("valid_measure");  // null: not finite
    out.run.valid_measure = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    out.run.measure = {result.at("measure"), result.at("more_is_better")};
  }
  out.run.tokens_per_second = result.at("tokens_per_second");
  out.run.seconds = result.at("seconds");
  out.units = result.at("units");
  out.distinct_units = result.at("distinct_units");
  out.baseline_key = result.value("baseline_key", "");
  out.run.curve = read_curve(folder);
}

// What the child does for a baseline.
int measure_here(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
                 const std::string& path, const ProcessObserver& of_process) {
  if (of_process.on_saved) of_process.on_saved();
  const std::unique_ptr<runs::Run> run = task.run(settings, sources);
  const std::optional<runs::BaselineFindings> found = run->measure_baseline("");
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
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

// What was done here before, unless its files are damaged: then it is done again.
bool found(const std::string& folder, const std::string& key, ComparedOutcome& out) {
  if (!io::exists(result_path(folder))) return false;
  try {
    read_result(folder, key, out);
    return true;
  } catch (const OtherRun&) {
    throw;
  } catch (const std::exception&) {
    std::filesystem::remove_all(folder);
    return false;
  }
}

// The child cannot know its largest size before it ends.
void add_memory(const std::string& folder, const rusage& usage) {
  nlohmann::ordered_json result = nlohmann::ordered_json::parse(io::read_file(result_path(folder)));
  result["memory_mib"] = static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts in KiB
  io::write_file(result_path(folder), result.dump(2) + "\n");
}

std::string reason(int status, const std::string& folder) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0: return "";
    case static_cast<int>(ExitCode::kInterrupted): return "interrupted";
    default: return io::exists(failure_path(folder)) ? io::read_file(failure_path(folder)) : "it gave no reason";
  }
}

}  // namespace

std::optional<ComparedBaseline> baseline_in_process(const runs::TaskRow& task, const runs::Settings& settings,
                                                    runs::Sources& sources, const std::string& path,
                                                    const ProcessObserver& observer) {
  if (io::exists(path)) return read_baseline(path);
  rusage usage{};
  wait_for(start([&] { return measure_here(task, settings, sources, path, observer); }), observer.interrupted, usage);
  return read_baseline(path);
}

ComparedOutcome run_in_process(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
                               const std::string& folder, const std::string& key, const ProcessObserver& observer) {
  ComparedOutcome out;
  out.run.seed = settings.seed;
  out.was_done = found(folder, key, out);
  if (out.was_done) return out;
  out = {};
  out.run.seed = settings.seed;
  io::make_folder(folder);
  rusage usage{};
  const int status = wait_for(start([&] { return train_here(task, settings, sources, folder, key, observer); }),
                              observer.interrupted, usage);
  out.run.failure = reason(status, folder);
  if (!out.run.failure.empty()) return out;
  add_memory(folder, usage);
  read_result(folder, key, out);
  return out;
}

}  // namespace longhand::lab
