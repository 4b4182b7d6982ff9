// longhand compare
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/compare_control.h"
#include "cli/compare_progress.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/sources.h"
#include "cli/together.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/distributed/collectives.h"
#include "longhand/io/config.h"
#include "longhand/io/picture.h"
#include "longhand/lab/comparison_page.h"
#include "longhand/lab/rank_workers.h"
#include "longhand/lab/search.h"
#include "longhand/lab/variant_runs.h"
#include "longhand/tasks/language_model.h"
#include "longhand/version.h"

namespace longhand::cli {
namespace {

int columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

class Compare {
 public:
  explicit Compare(const runs::TaskRow& task) : task_(task), settings_(task.settings()) {
    if (of_language_models()) settings_->data = "tale";
    settings_->add_to(settings_table_);
    control_.add_to(control_table_);
  }

  void declare(const Verb& verb) {
    std::string sets;
    for (const lab::CompareSet& set : lab::compare_sets()) sets += (sets.empty() ? "" : ", ") + set.name;
    verb.add_argument("SET", set_name_, "set of variants to compare: " + sets + "; or give --grid", false);
    verb.add_options(control_table_, given_control_);
    verb.add_options(settings_table_, given_settings_);
  }

  int run() {
    return run_together([&](distributed::Communicator& ranks) { return run_on(ranks); });
  }

 private:
  int run_on(distributed::Communicator& ranks) {
    lab::CompareSet set;
    distributed::do_together(ranks, [&] { set = read_options(); });
    for (const std::string& note : settings_->notes(settings_table_)) {
      if (!control_.quiet) say("note: {}\n", with_dashes(note));
    }
    runs::Sources from = sources();
    const lab::ComparedTask shared{task_, *settings_, from};
    const lab::RunHooks process{.interrupted = interrupted, .on_saved = end_on_interrupt};
    lab::LocalWorkers own(shared, {.jobs = control_.jobs, .threads = threads_of_a_run(ranks), .hooks = process});
    std::optional<lab::RankWorkers> on_all;
    CompareProgress progress(control_.quiet);
    lab::VariantRunsOptions options{.folder = control_.out,
                                    .seeds = control_.seeds,
                                    .search_rates = set.searches_rate && !rate_given_,
                                    .settings_rate = rate_given_,
                                    .rungs = rungs_,
                                    .halving_factor = control_.halving_factor,
                                    .by_rank = control_.searches(),
                                    .process = process,
                                    .on_run = [&](const auto&... run) { progress.on_run(run...); },
                                    .on_retry = [&](const auto&... run) { progress.on_retry(run...); },
                                    .on_state = [&](const auto& state) { progress.on_state(state); }};
    const auto stopped = [&] { return interrupted() || (on_all && on_all->is_interrupted()); };
    options.process.interrupted = stopped;
    lab::VariantRuns all(shared, std::move(options));
    check_data(all, ranks);
    lab::check_shared_folder(ranks, control_.out);
    stop_on_interrupt();
    if (!ranks.is_first()) {
      lab::serve_runs(ranks, own, interrupted);
      return 0;
    }
    if (ranks.size() > 1) on_all.emplace(ranks, own);
    lab::RunComparison comparison = empty_comparison(set);
    comparison.variants = all.run(set.variants, on_all ? static_cast<lab::RunWorkers&>(*on_all) : own);
    progress.clear();
    comparison.baselines = all.baselines();
    for (lab::ComparedVariant& variant : comparison.variants) {
      for (lab::ComparedRun& run : variant.runs) run.failure = with_dashes(run.failure);
    }
    if (!comparison.variants.empty() || !stopped()) write(comparison);
    if (stopped()) {
      say("interrupted{}; run the same command again to continue\n",
          comparison.variants.empty() ? " before the end of the first run" : "");
      return static_cast<int>(ExitCode::kInterrupted);
    }
    return all.any_done() ? 0 : static_cast<int>(ExitCode::kInput);
  }

  // Every rank reads the data, once: they must be the same.
  static void check_data(lab::VariantRuns& all, distributed::Communicator& ranks) {
    std::string mark;
    distributed::do_together(ranks, [&] { mark = all.check_data(); });
    std::string first = mark;
    distributed::broadcast(first, ranks);
    distributed::do_together(ranks, [&] {
      if (mark == first) return;
      throw input_error("expected the options, the data and the version of rank 0, found others",
                        "give all ranks the same command, the same files and the same binary");
    });
  }

  lab::RunComparison empty_comparison(const lab::CompareSet& set) const {
    const std::string at_one_rate =
        fmt::format("Optimizers at the learning rate {}", settings_->training.optimizer.learning_rate);
    lab::RunComparison out{.title = rate_given_ ? at_one_rate : set.title,
                           .command = command(set),
                           .machine = machine(),
                           .noun = of_language_models() ? "token" : task_.noun,
                           .has_perplexity = of_language_models(),
                           .common = common_options(),
                           .published = {},
                           .variants = {}};
    if (of_language_models()) out.published = set.published;
    out.search = summary_of(control_, rungs_);
    return out;
  }

  // Rejects a set that varies an option which the task lacks; a network's cells are in its description.
  void check_varies(const lab::CompareSet& set) const {
    for (const lab::Variant& variant : set.variants) {
      for (const auto& [option, value] : variant.options) {
        if (settings_table_.find(option) != nullptr) continue;
        throw usage_error(fmt::format("{}: {}: it varies `{}`, which `longhand train {}` does not have", name(),
                                      set.name, option, task_.verb),
                          "compare learning-rates, optimizers or engines, or give --grid");
      }
    }
  }

  // What varies cannot also be given.
  void refuse_what_varies(const lab::CompareSet& set) const {
    for (const auto& [option, text] : given_settings_.given()) {
      for (const lab::Variant& variant : set.variants) {
        for (const auto& [name, value] : variant.options) {
          if (name != option->name || (name == "lr" && set.searches_rate)) continue;
          throw usage_error(fmt::format("{}: --{} cannot be given: {} varies it", this->name(), name, set.name),
                            "leave it out, or compare something else");
        }
      }
    }
    if (!settings_->test.empty()) {
      throw usage_error(name() + ": expected no --test",
                        "variants are chosen by held-out data; measure the one you choose with `longhand eval`");
    }
  }

  lab::CompareSet read_options() {
    given_control_.apply(control_table_);
    const auto names = [] {
      std::vector<std::string> out;
      for (const lab::CompareSet& set : lab::compare_sets()) out.push_back(set.name);
      for (const runs::TaskRow& task : runs::task_rows()) out.emplace_back(task.verb);
      return out;
    };
    if (set_name_.empty() == control_.grid.empty()) {
      throw usage_error(name() + (set_name_.empty() ? ": expected the name of a set or --grid, found neither"
                                                    : ": expected a set or --grid, found both"),
                        "see `" + name() + " --help`");
    }
    lab::CompareSet chosen;
    if (!set_name_.empty()) {
      const auto& sets = lab::compare_sets();
      const auto found =
          std::find_if(sets.begin(), sets.end(), [&](const lab::CompareSet& set) { return set.name == set_name_; });
      if (found == sets.end()) {
        throw usage_error(name() + ": unknown set " + set_name_,
                          "see `" + name() + " --help`" + did_you_mean(set_name_, names()));
      }
      chosen = *found;
    }
    check_varies(chosen);
    std::vector<std::string> from_file;
    if (!control_.config.empty()) from_file = settings_->read_config(control_.config, settings_table_);
    check_search(control_, given_control_, name());
    if (!control_.grid.empty()) chosen = set_of_grid(control_, settings_table_);
    if (control_.searches() && !given_control_.has("seeds")) control_.seeds = 1;
    given_settings_.apply(settings_table_);
    rate_given_ = given_settings_.has("lr") || std::find(from_file.begin(), from_file.end(), "lr") != from_file.end();
    if (settings_->data.empty()) throw usage_error(name() + ": expected --data, found none", task_.example);
    settings_->resolve(settings_table_);
    refuse_what_varies(chosen);
    if (control_.halves()) {
      rungs_ =
          lab::rung_epochs(settings_->training.epochs, control_.trials, control_.halving_factor, control_.first_epochs);
    }
    if (chosen.name != "engines" && chosen.name != "grid") settings_->check();  // in these, a variant may fix it
    rate_given_ = rate_given_ && chosen.searches_rate;
    if (control_.out.empty()) {
      const std::string name =
          control_.grid.empty() ? chosen.name : std::filesystem::path(control_.grid).stem().string();
      control_.out = std::string("runs/compare-") + (of_language_models() ? "" : std::string(task_.verb) + "-") + name;
    }
    if (io::exists(train::RunFiles(control_.out).checkpoint)) {
      throw usage_error(control_.out + ": holds a run of `longhand train`", "choose another --out");
    }
    return chosen;
  }

  // With several runs at a time, each has its share of the processors.
  int64_t threads_of_a_run(distributed::Communicator& ranks) const {
    const int64_t processors = lab::own_processors(ranks), at_a_time = control_.jobs * ranks.size();
    if (at_a_time == 1 || settings_->threads > 0) return 0;
    const int64_t threads = std::max<int64_t>(1, processors / control_.jobs);
    if (!control_.quiet) {
      const std::string where =
          ranks.size() == 1 ? "" : fmt::format(" ({} on each of {} ranks)", control_.jobs, ranks.size());
      say("{} at a time{}, each with {}\n", format_count(at_a_time, "run"), where, format_count(threads, "thread"));
    }
    return threads;
  }

  bool of_language_models() const { return task_.task == std::string_view(tasks::LanguageModel::kTask); }
  std::string name() const {
    return of_language_models() ? "longhand compare" : std::string("longhand compare ") + task_.verb;
  }

  std::string command(const lab::CompareSet& set) const {
    return name() + (set_name_.empty() ? "" : " " + set.name) + given_control_.as_typed() + given_settings_.as_typed();
  }

  // Those that are not at their defaults.
  std::vector<std::pair<std::string, std::string>> common_options() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Option& option : settings_table_.options()) {
      if (option.name == "data" || option.text() != option.default_text) out.emplace_back(option.name, option.text());
    }
    return out;
  }

  void write(const lab::RunComparison& comparison) const {
    const std::string json = lab::to_json(comparison).dump(2);
    io::write_file(control_.out + "/compare.json", json + "\n");
    io::write_file(control_.out + "/compare.csv", lab::to_csv(comparison));
    io::write_file(control_.out + "/report.html", lab::comparison_page(comparison));
    if (control_.pictures) io::write_pictures(control_.out + "/compare", lab::comparison_charts(comparison));
    if (control_.json) {
      write_json(json);
    } else if (control_.markdown) {
      write_output(visible_lines(lab::to_markdown(comparison)));
    } else {
      put("{}\n\n{}\nreport  {}/report.html\n", comparison.title, lab::to_text(comparison, columns()),
          visible(control_.out));
    }
  }

  std::string set_name_;
  const runs::TaskRow& task_;
  std::unique_ptr<runs::Settings> settings_;
  CompareControl control_;
  OptionTable settings_table_, control_table_;
  std::vector<int64_t> rungs_;  // of halving, in epochs
  GivenOptions given_settings_, given_control_;
  bool rate_given_ = false;  // in a set that would search for one
};

}  // namespace

void declare_compare(const Verb& longhand) {
  const std::vector<runs::TaskRow>& tasks = runs::task_rows();
  // Without a task, of language models.
  const Verb compare = longhand.add_command<Compare>(
      "compare", "Train variants of a model and compare them (of a language model, unless a task is named)", tasks[0]);
  for (const runs::TaskRow& task : tasks) {
    compare.add_command<Compare>(task.verb, std::string("Compare variants of a ") + task.name, task);
  }
}

}  // namespace longhand::cli
