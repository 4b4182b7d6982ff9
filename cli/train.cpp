// longhand train: one verb for each task, all with the same way from the line to the folder.
#include <fmt/core.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "cli/together.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/distributed/collectives.h"
#include "longhand/distributed/mpi.h"
#include "longhand/io/config.h"
#include "longhand/io/folder_lock.h"
#include "longhand/runs/registry.h"

namespace longhand::cli {
namespace {

// Options of the command line that are no part of the run itself.
struct RunControl {
  std::string config;
  std::string out;
  std::string resume;
  bool overwrite = false;
  bool quiet = false;
  bool json = false;

  void add_to(OptionTable& table) {
    table.begin_group("Running");
    table.add("config", config, "TOML file of options; command-line options override it");
    table.add("out", out, "run folder to create; by default one below runs/");
    table.add("resume", resume, "run folder in which to resume training");
    table.add("overwrite", overwrite, "replace the run in --out");
    table.add("quiet", quiet, "print no progress");
    table.add("json", json, "print the result as a JSON object");
  }
};

class Train {
 public:
  explicit Train(const runs::TaskRow& task) : task_(task), settings_(task.settings()) {
    settings_->add_to(settings_table_);
    control_.add_to(control_table_);
  }

  void declare(const Verb& verb) {
    verb.add_options(settings_table_, given_settings_);
    verb.add_options(control_table_, given_control_);
  }

  int run() {
    return run_together([&](distributed::Communicator& ranks) { return run_on(ranks); });
  }

 private:
  int run_on(distributed::Communicator& ranks) {
    std::unique_ptr<runs::Run> run;
    runs::Sources from = sources(control_.quiet || !ranks.is_first());
    // The first before the others, for what it downloads or prepares for all processes that see the same files.
    for (const bool first : {true, false}) {
      distributed::do_together(ranks, [&] {
        if (ranks.is_first() == first) run = make_run(from, ranks);
      });
    }
    std::optional<io::FolderLock> lock;
    distributed::do_together(ranks, [&] {
      if (!ranks.is_first()) return;
      prepare_folder();
      lock.emplace(folder_);
      if (control_.resume.empty()) train::remove_run(folder_);
    });
    ProgressDisplay display(control_.quiet);
    stop_on_interrupt();
    std::optional<WorkProgress> examination;  // its clock starts when the examination does
    const runs::RunResult result =
        run->train({.folder = folder_,
                    .resume = !control_.resume.empty(),
                    .command = name() + given_control_.as_typed() + given_settings_.as_typed(),
                    .observer = {.on_step = [&](const auto& p) { display.on_step(p); },
                                 .on_evaluation = [&](const auto& e) { display.on_evaluation(e); },
                                 .should_stop = interrupted},
                    .ranks = &ranks,
                    .on_saved = end_on_interrupt,
                    .on_result = [&](const auto& known) { print_when_interrupted(known); },
                    .on_examined =
                        [&](int64_t done, int64_t total) {
                          if (!examination) {
                            display.clear();
                            examination.emplace(std::string(task_.noun) + "s examined", control_.quiet);
                          }
                          examination->on_done(static_cast<double>(done), static_cast<double>(total));
                        },
                    .on_baseline =
                        [&] {
                          display.clear();
                          examination.reset();
                          if (!control_.quiet) say("fitting the baseline\n");
                        }});
    display.clear();
    examination.reset();
    if (result.was_complete && !control_.quiet) {
      say("note: the run was complete after {}; to continue, give a larger --epochs\n",
          format_count(settings_->training.epochs, "epoch"));
    }
    if (result.training.outcome == train::Outcome::kInterrupted) {
      say("interrupted after step {}; the checkpoint is safe\n  continue with `{} --resume {}`\n",
          result.training.progress.step, name(), shell_word(folder_));
      return static_cast<int>(ExitCode::kInterrupted);
    }
    end_on_interrupt();
    return ranks.is_first() ? show(result) : 0;
  }

  int show(const runs::RunResult& result) const {
    const Report known = report(result);
    write_output(known.text);
    if (!known.notes.empty()) write_message(known.notes);
    const train::Progress& p = result.training.progress;
    if (!p.has_grown()) return 0;
    flush_output();
    say_error(fmt::format("the training diverged: its loss grew from {:.4g} to {:.4g}", p.first_loss, p.loss()),
              fmt::format("use a lower --lr (now {}) or a lower --clip-norm above 0 (now {}; 0: no clipping)",
                          settings_->training.optimizer.learning_rate, settings_->training.optimizer.clip_norm));
    return static_cast<int>(ExitCode::kInput);
  }

  std::string name() const { return std::string("longhand train ") + task_.verb; }

  // Reads options and data, and writes nothing.
  std::unique_ptr<runs::Run> make_run(runs::Sources& from, const distributed::Communicator& ranks) {
    settings_->ranks = distributed::launched_ranks();
    settings_->ranks_here = distributed::launched_here();
    read_options();
    settings_->check();
    if (ranks.size() > 1 && settings_->data == "-") {
      throw usage_error(name() + ": --data -: expected a file, since every process reads the data",
                        "write the data to a file that all of them see");
    }
    if (control_.resume.empty()) {
      check_out();
    } else {
      train::check_fixed_options(folder_, runs::fixed_options(settings_table_));
    }
    for (const std::string& note : settings_->notes(settings_table_)) {
      if (!control_.quiet) say("note: {}\n", with_dashes(note));
    }
    if (const train::RunFiles files(folder_); !control_.resume.empty() && !io::exists(files.metrics)) {
      say("note: {} is gone; metrics and report begin where training resumes\n", files.metrics);
    }
    std::unique_ptr<runs::Run> run = task_.run(*settings_, from);
    if (!run->description().empty() && !control_.quiet) say("{}\n", with_dashes(run->description()));
    return run;
  }

  void read_options() {
    given_control_.apply(control_table_);
    if (!control_.resume.empty()) {
      refuse_changes();
      folder_ = control_.resume;
      runs::read_settings(task_, folder_, *settings_, settings_table_);
    }
    if (!control_.config.empty()) settings_->read_config(control_.config, settings_table_);
    given_settings_.apply(settings_table_);
    if (settings_->data.empty()) throw usage_error(name() + ": expected --data, found none", task_.example);
    settings_->resumed = control_.resume;
    settings_->resolve(settings_table_);
  }

  // A resumed run keeps its options, except those that cannot change its numbers.
  void refuse_changes() const {
    if (!control_.out.empty() || !control_.config.empty()) {
      throw usage_error(name() + ": --resume cannot be combined with --out or --config",
                        "the run's own folder and configuration are used");
    }
    for (const auto& [option, text] : given_settings_.given()) {
      if (option->name == "epochs" || option->name == "patience" || option->name == "threads" ||
          option->name == "checkpoint-seconds" || option->name == "baseline") {
        continue;
      }
      throw usage_error(name() + ": --" + option->name + " cannot change in a resumed run",
                        "leave it out, or start another run; --epochs, --patience, --threads, "
                        "--checkpoint-seconds and --no-baseline may change");
    }
  }

  void check_out() const {
    if (control_.out.empty() || control_.overwrite) return;
    if (io::exists(train::RunFiles(control_.out).checkpoint)) {
      throw usage_error(
          control_.out + ": holds a run already",
          fmt::format("continue it with --resume {}, replace it with --overwrite, or choose another --out",
                      control_.out));
    }
    if (io::exists(control_.out + "/compare.json")) {
      throw usage_error(control_.out + ": holds a comparison", "choose another --out");
    }
  }

  // Nothing is made on the disk before the data were found good.
  void prepare_folder() {
    if (!control_.resume.empty()) return;
    if (!control_.out.empty()) {
      folder_ = control_.out;
      io::make_folder(folder_);
      return;
    }
    io::make_folder("runs");
    const std::string stem = settings_->data == "-" ? "stdin" : std::filesystem::path(settings_->data).stem().string();
    std::error_code error;
    for (int n = 1; n < 100000; ++n) {
      folder_ = n == 1 ? "runs/" + stem : fmt::format("runs/{}-{}", stem, n);
      if (std::filesystem::create_directory(folder_, error)) return;
      if (error) break;
    }
    throw input_error(folder_ + ": cannot create this folder: " + error.message(), "name another with --out");
  }

  // What is printed of a run: on standard output, and remarks on standard error.
  struct Report {
    std::string text;
    std::string notes;
  };

  Report report(const runs::RunResult& run) const {
    Report out;
    out.text = control_.json ? json_line(json_report(run).dump()) : visible_lines(text_report(run));
    const auto note = [&](const std::string& text) {
      if (!text.empty()) out.notes += fmt::format("note: {}\n", with_dashes(text));
    };
    if (run.findings.baseline) note(run.findings.baseline->verdict);
    if (const std::optional<runs::ColdCurve>& cold = run.findings.cold) {
      note(runs::cold_note(cold->bands, cold->warm_nats));
    }
    out.notes = visible_lines(out.notes);
    return out;
  }

  void print_when_interrupted(const runs::RunResult& run) const {
    const Report known = report(run);
    const bool examined = !run.findings.examined.empty();
    print_on_interrupt(known.text, visible_lines(fmt::format(
                                       "\ninterrupted: training is complete, and {}\n  complete the run with `{} "
                                       "--resume {}`\n",
                                       examined ? "no baseline was fitted" : "the model was not examined", name(),
                                       shell_word(folder_))) +
                                       known.notes);
  }

  nlohmann::ordered_json json_report(const runs::RunResult& run) const {
    const train::TrainResult& result = run.training;
    const train::Progress& p = result.progress;
    nlohmann::ordered_json out = {
        {"folder", folder_},      {"model", train::RunFiles(folder_).model},
        {"epochs", p.epoch},      {"steps", p.step},
        {"seconds", p.seconds},   {"tokens_per_second", static_cast<double>(p.total_count) / p.seconds},
        {"train_loss", p.loss()}, {"best_epoch", result.best_epoch}};
    if (p.has_perplexity) out["train_perplexity"] = std::exp(p.loss());
    for (const tasks::Metric& metric : result.valid) out["valid_" + metric.name] = metric.value;
    if (run.findings.cold) {
      for (const tasks::Metric& metric : run.findings.cold->bands) out[metric.name] = metric.value;
    }
    for (const tasks::Metric& metric : run.findings.test) out["test_" + metric.name] = metric.value;
    if (run.findings.forecasts && run.findings.forecasts->gain) {
      out["residual_gain"] = *run.findings.forecasts->gain;
    }
    if (p.exchanges > 0) {
      const auto steps = static_cast<double>(p.exchanges);
      out["processes"] = {{"count", p.ranks},
                          {"bytes_per_step", p.exchanged_bytes / steps},
                          {"exchange_seconds_per_step", p.exchange_seconds / steps},
                          {"waited_seconds_per_step", p.waited_seconds / steps},
                          {"seconds_per_step", p.exchanging_seconds / steps}};
    }
    if (run.findings.baseline) out["baseline"] = runs::to_json(*run.findings.baseline);
    return out;
  }

  std::string text_report(const runs::RunResult& run) const {
    const train::TrainResult& result = run.training;
    const train::Progress& p = result.progress;
    const train::RunFiles files(folder_);
    std::string out = fmt::format(
        "{}, {}, {} in {} of training: {} {}s/s{}\n", format_count(p.epoch, "epoch"), format_count(p.step, "step"),
        format_count(p.total_count, task_.noun), format_duration(p.seconds),
        format_count(static_cast<double>(p.total_count) / p.seconds), p.has_perplexity ? "token" : task_.noun,
        result.outcome == train::Outcome::kOutOfPatience ? " (stopped: no improvement)" : "");
    const auto line = [&](const char* name, const std::string& text) {
      if (!text.empty()) out += fmt::format("{:<11}{}\n", name, text);
    };
    std::vector<tasks::Metric> training = {{"loss", p.loss()}};
    if (p.has_perplexity) training.push_back({"perplexity", std::exp(p.loss())});
    line("training", fmt::format("{}, in epoch {}", runs::describe_metrics(training), p.epoch));
    if (!result.valid.empty()) {
      line("held out",
           fmt::format("{}, in epoch {}, the best", runs::describe_metrics(result.valid), result.best_epoch));
    }
    if (!run.findings.test.empty()) line("test", runs::describe_metrics(run.findings.test));
    if (run.findings.baseline) line("baseline", runs::describe(*run.findings.baseline));
    if (run.findings.forecasts) line("forecast", run.findings.forecasts->remark);
    if (run.findings.cold) line("cold start ", runs::describe_cold(run.findings.cold->bands));
    if (p.exchanges > 0) line("processes", describe_exchange(p));
    line("model", visible(files.model));
    line("report", visible(files.report));
    return out;
  }

  // How much of the time goes into communication.
  static std::string describe_exchange(const train::Progress& p) {
    const auto steps = static_cast<double>(p.exchanges);
    const double computed = p.exchanging_seconds - p.waited_seconds;
    return fmt::format(
        "{}: {:.1f} MB sent by each in {:.1f} ms a step, of which it waited {:.1f} ms; communication to "
        "computation {:.3f}",
        p.ranks, p.exchanged_bytes / 1e6 / steps, 1e3 * p.exchange_seconds / steps, 1e3 * p.waited_seconds / steps,
        p.waited_seconds / computed);
  }

  const runs::TaskRow& task_;
  std::unique_ptr<runs::Settings> settings_;
  RunControl control_;
  OptionTable settings_table_, control_table_;
  GivenOptions given_settings_, given_control_;
  std::string folder_;
};

}  // namespace

void declare_train(const Verb& longhand) {
  const Verb train = longhand.add("train", "Train a model");
  for (const runs::TaskRow& task : runs::task_rows()) train.add_command<Train>(task.verb, task.help, task);
}

}  // namespace longhand::cli
