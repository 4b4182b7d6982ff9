#include "cli/compared_run.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/lab/symmetry.h"

namespace longhand::cli {
namespace {

std::string result_path(const std::string& folder) { return folder + "/result.json"; }

// What the child does; returns its exit code. What it found is in result.json, unless it was interrupted.
int train(const RunSettings& settings, const std::string& folder, bool quiet) {
  nlohmann::ordered_json result;
  try {
    LanguageRun run(settings);
    ProgressDisplay display(quiet || ::isatty(STDERR_FILENO) == 0);
    const RunResult done = run.run(folder, io::exists(train::RunFiles(folder).checkpoint),
                                   {.on_step = [&](const auto& p) { display.on_step(p); },
                                    .on_evaluation = [&](const auto& e) { display.on_evaluation(e); },
                                    .should_stop = interrupted});
    if (done.training.outcome == train::Outcome::kInterrupted) return static_cast<int>(ExitCode::kInterrupted);
    const train::Progress& p = done.training.progress;
    const lab::UnitCount units = lab::distinct_units(run.model().parameters());
    result = {{"failure", ""},
              {"parameters", run.parameters()},
              {"epochs", p.epoch},
              {"best_epoch", done.training.best_epoch},
              {"train_loss", p.loss()},
              {"valid_loss", nullptr},
              {"tokens_per_second", static_cast<double>(p.total_count) / p.seconds},
              {"seconds", p.seconds},
              {"units", units.units},
              {"distinct_units", units.distinct}};
    if (!done.training.valid.empty()) result["valid_loss"] = done.training.valid.front().value;
  } catch (const std::exception& e) {
    const std::string what = e.what();
    result = {{"failure", what.substr(0, what.find("; training has stopped"))}};
  }
  io::write_file(result_path(folder), result.dump(2) + "\n");
  return 0;
}

// Waits for the child, and passes a signal on that only this process was sent.
int wait_for(pid_t child, rusage& usage) {
  int status = 0;
  bool told = false;
  while (::wait4(child, &status, 0, &usage) < 0) {
    LONGHAND_CHECK(errno == EINTR);
    if (interrupted() && !told) ::kill(child, SIGINT);
    told = interrupted();
  }
  return status;
}

std::vector<lab::CurvePoint> read_curve(const std::string& folder) {
  std::vector<lab::CurvePoint> curve;
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

// Reads what a finished child wrote. Throws a JSON exception where somebody altered it.
void read_result(const std::string& folder, ComparedOutcome& out) {
  const nlohmann::json result = io::parse_json(io::read_file(result_path(folder)), result_path(folder));
  out.run.failure = result.at("failure");
  out.run.memory_mib = result.value("memory_mib", 0.0);
  if (!out.run.failure.empty()) return;
  out.run.parameters = result.at("parameters");
  out.run.epochs = result.at("epochs");
  out.run.best_epoch = result.at("best_epoch");
  out.run.train_loss = result.at("train_loss");
  if (!result.at("valid_loss").is_null()) out.run.valid_loss = result["valid_loss"].get<double>();
  out.run.tokens_per_second = result.at("tokens_per_second");
  out.run.seconds = result.at("seconds");
  out.units = result.at("units");
  out.distinct_units = result.at("distinct_units");
  out.run.curve = read_curve(folder);
}

// The child cannot know its largest size before it ends.
void add_memory(const std::string& folder, const rusage& usage) {
  nlohmann::ordered_json result = nlohmann::ordered_json::parse(io::read_file(result_path(folder)));
  result["memory_mib"] = static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts in KiB
  io::write_file(result_path(folder), result.dump(2) + "\n");
}

}  // namespace

ComparedOutcome run_in_process(const RunSettings& settings, const std::string& folder, bool quiet) {
  ComparedOutcome out;
  out.run.seed = settings.seed;
  out.was_done = io::exists(result_path(folder));
  if (!out.was_done) {
    io::make_folder(folder);
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw input_error(std::string("no process can be started: ") + std::strerror(errno), "free some");
    if (child == 0) {
      int code = static_cast<int>(ExitCode::kInput);
      try {
        code = train(settings, folder, quiet);
      } catch (const std::exception& e) {
        fmt::print(stderr, "{}\n", e.what());
      }
      std::fflush(nullptr);
      std::_Exit(code);
    }
    rusage usage{};
    const int status = wait_for(child, usage);
    if (WIFSIGNALED(status)) out.run.failure = fmt::format("ended by signal {}", WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitCode::kInterrupted)) out.interrupted = true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1) out.run.failure = "its result could not be written";
    if (out.interrupted) out.run.failure = "interrupted";
    if (!out.run.failure.empty()) return out;
    add_memory(folder, usage);
  }
  try {
    read_result(folder, out);
  } catch (const nlohmann::json::exception&) {
    throw input_error(folder + ": expected what a finished run leaves, found something else",
                      "remove this folder; the run will be made again");
  }
  return out;
}

}  // namespace longhand::cli
