// longhand compare
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/compare_progress.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/base/threads.h"
#include "longhand/io/config.h"
#include "longhand/io/picture.h"
#include "longhand/lab/comparison_page.h"
#include "longhand/lab/local_workers.h"
#include "longhand/lab/variant_runs.h"
#include "longhand/tasks/language_model.h"
#include "longhand/version.h"

namespace longhand::cli {
namespace {

struct CompareControl {
  std::string grid;
  int64_t seeds = 3;
  std::string config;
  std::string out;
  int64_t jobs = 1;
  bool quiet = false;
  bool json = false;
  bool markdown = false;
  bool pictures = false;

  void add_to(OptionTable& table) {
    table.begin_group("Comparing");
    table.add("grid", grid, "TOML file of options with lists of values; every combination is trained");
    table.add("seeds", seeds, "number of seeds per variant, counted from --seed", between(1, 1000));
    table.add("config", config, "TOML file of options for all variants; command-line options override it");
    table.add("out", out, "folder for the runs and results; by default runs/compare-SET, or named after the grid file");
    table.add("jobs", jobs,
              "number of runs at the same time, each in a process of its own; without `threads`, each has its share of "
              "the processors",
              between(1, 1024));
    table.add("quiet", quiet, "print no progress");
    table.add("json", json, "print the result as a JSON object");
    table.add("pictures", pictures, "write each plot as an SVG file, too");
    table.add("markdown", markdown, "print the table in Markdown");
  }
};

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
    const lab::CompareSet set = read_options();
    for (const std::string& note : settings_->notes(settings_table_)) {
      if (!control_.quiet) say("note: {}\n", with_dashes(note));
    }
    if (set.name != "engines" && set.name != "grid") settings_->check();  // in these, a variant may fix it
    runs::Sources from = sources();
    const lab::ComparedTask shared{task_, *settings_, from};
    CompareProgress progress(control_.quiet);
    const lab::RunHooks process{.interrupted = interrupted, .on_saved = end_on_interrupt};
    lab::VariantRuns all(shared, {.folder = control_.out,
                                  .seeds = control_.seeds,
                                  .search_rates = set.searches_rate && !rate_given_,
                                  .settings_rate = rate_given_,
                                  .process = process,
                                  .on_run = [&](const auto&... run) { progress.on_run(run...); },
                                  .on_retry = [&](const auto&... run) { progress.on_retry(run...); },
                                  .on_state = [&](const auto& state) { progress.on_state(state); }});
    all.check_data();
    io::make_folder(control_.out);
    stop_on_interrupt();
    const std::string at_one_rate =
        fmt::format("Optimizers at the learning rate {}", settings_->training.optimizer.learning_rate);
    lab::RunComparison comparison{.title = rate_given_ ? at_one_rate : set.title,
                                  .command = command(set),
                                  .machine = machine(),
                                  .noun = of_language_models() ? "token" : task_.noun,
                                  .has_perplexity = of_language_models(),
                                  .common = common_options(),
                                  .published = {},
                                  .variants = {}};
    if (of_language_models()) comparison.published = set.published;
    lab::LocalWorkers workers(shared, {.jobs = control_.jobs, .threads = threads_of_a_run(), .hooks = process});
    comparison.variants = all.run(set.variants, workers);
    progress.clear();
    comparison.baselines = all.baselines();
    for (lab::ComparedVariant& variant : comparison.variants) {
      for (lab::ComparedRun& run : variant.runs) run.failure = with_dashes(run.failure);
    }
    write(comparison);
    if (interrupted()) {
      say("interrupted; run the same command again to continue\n");
      return static_cast<int>(ExitCode::kInterrupted);
    }
    return all.any_done() ? 0 : static_cast<int>(ExitCode::kInput);
  }

 private:
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
    std::vector<std::string> from_file;
    if (!control_.config.empty()) from_file = io::read_toml(control_.config, settings_table_);
    if (!control_.grid.empty()) chosen = lab::grid_set(control_.grid, io::read_grid(control_.grid, settings_table_));
    given_settings_.apply(settings_table_);
    rate_given_ = given_settings_.has("lr") || std::find(from_file.begin(), from_file.end(), "lr") != from_file.end();
    if (settings_->data.empty()) throw usage_error(name() + ": expected --data, found none", task_.example);
    settings_->resolve(settings_table_);
    refuse_what_varies(chosen);
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
  int64_t threads_of_a_run() const {
    if (control_.jobs == 1 || settings_->threads > 0) return 0;
    const int64_t processors = available_threads(), threads = std::max<int64_t>(1, processors / control_.jobs);
    if (!control_.quiet) {
      say("{} at a time, each with {} of {}\n", format_count(control_.jobs, "run"), format_count(threads, "thread"),
          format_count(processors, "processor"));
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
