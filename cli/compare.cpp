// longhand compare
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/compare_sets.h"
#include "cli/compared_run.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/sha256.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/kernels/target.h"
#include "longhand/lab/comparison_page.h"
#include "longhand/version.h"

namespace longhand::cli {
namespace {

struct CompareControl {
  std::string grid;
  int64_t seeds = 3;
  std::string config;
  std::string out;
  bool quiet = false;
  bool json = false;
  bool markdown = false;

  void add_to(OptionTable& table) {
    table.begin_group("Comparing");
    table.add("grid", grid, "TOML file of options with lists of values; every combination is trained");
    table.add("seeds", seeds, "number of seeds per variant, counted from --seed", between(1, 1000));
    table.add("config", config, "TOML file of options for all variants; command-line options override it");
    table.add("out", out, "folder for the runs and results; by default runs/compare-SET, or named after the grid file");
    table.add("quiet", quiet, "print no progress");
    table.add("json", json, "print the result as a JSON object");
    table.add("markdown", markdown, "print the table in Markdown");
  }
};

std::string machine() {
  std::string processor = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      processor = line.substr(std::min(line.size(), line.find(':') + 2));
      break;
    }
  }
  return fmt::format("{}, {}", processor, kernels::simd_target());
}

int columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// A name that a file can have.
std::string slug(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, 60)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (plain || (!out.empty() && out.back() != '-')) out.push_back(plain ? c : '-');
  }
  return out;
}

// "0.0003", where the shortest text would be 3e-04.
std::string decimal(double value) { return fmt::format("{}", value); }

// Infinite where the run failed, so that any other is better.
double score(const lab::ComparedRun& run) {
  const double loss = run.valid_loss.value_or(run.train_loss);
  return run.failure.empty() && std::isfinite(loss) ? loss : HUGE_VAL;
}

class Compare {
 public:
  Compare() {
    settings_.common.data = "tale";
    settings_.add_to(settings_table_);
    control_.add_to(control_table_);
  }

  void declare(const Verb& verb) {
    std::string sets;
    for (const CompareSet& set : compare_sets()) sets += (sets.empty() ? "" : ", ") + set.name;
    verb.add_argument("SET", set_name_, "set of variants to compare: " + sets + "; or give --grid", false);
    verb.add_options(control_table_, given_control_);
    verb.add_options(settings_table_, given_settings_);
  }

  int run() {
    const CompareSet set = read_options();
    for (const std::string& note : settings_.notes()) {
      if (!control_.quiet) say("note: {}\n", note);
    }
    if (set.name != "engines" && set.name != "grid") settings_.check();  // in these, a variant may fix it
    for (const std::string& source : {settings_.common.data, settings_.common.valid}) text_mark(source);
    io::make_folder(control_.out);
    stop_on_interrupt();
    const std::string at_one_rate =
        fmt::format("Optimizers at the learning rate {}", decimal(settings_.common.training.optimizer.learning_rate));
    lab::RunComparison comparison{.title = rate_given_ ? at_one_rate : set.title,
                                  .command = command(set),
                                  .machine = machine(),
                                  .common = common_options(),
                                  .published = set.published,
                                  .variants = {}};
    for (const Variant& variant : set.variants) {
      if (interrupted()) break;
      comparison.variants.push_back(set.searches_rate && !rate_given_ ? at_its_rate(variant) : all_seeds(variant));
    }
    write(comparison);
    if (interrupted()) {
      say("interrupted; run the same command again to continue\n");
      return static_cast<int>(ExitCode::kInterrupted);
    }
    return any_done_ ? 0 : static_cast<int>(ExitCode::kInput);
  }

 private:
  // Tells one text from another of the same name.
  std::string text_mark(const std::string& source) {
    if (source.empty()) return "";
    if (source == "-") {
      throw usage_error("longhand compare: expected files or built-in texts, found standard input",
                        "every run reads the text; write it to a file first");
    }
    const auto [mark, is_new] = text_marks_.try_emplace(source);
    if (is_new) mark->second = sha256(load_text(source));
    return mark->second;
  }

  // What varies cannot also be given.
  void refuse_what_varies(const CompareSet& set) const {
    for (const auto& [option, text] : given_settings_.given()) {
      for (const Variant& variant : set.variants) {
        for (const auto& [name, value] : variant.options) {
          if (name != option->name || (name == "lr" && set.searches_rate)) continue;
          throw usage_error(fmt::format("longhand compare: --{} cannot be given: {} varies it", name, set.name),
                            "leave it out, or compare something else");
        }
      }
    }
    if (!settings_.common.test.empty()) {
      throw usage_error("longhand compare: expected no --test",
                        "variants are chosen by held-out text; measure the one you choose with `longhand eval`");
    }
  }

  CompareSet read_options() {
    given_control_.apply(control_table_);
    const auto names = [] {
      std::vector<std::string> out;
      for (const CompareSet& set : compare_sets()) out.push_back(set.name);
      return out;
    };
    if (set_name_.empty() == control_.grid.empty()) {
      throw usage_error(set_name_.empty() ? "longhand compare: expected the name of a set or --grid, found neither"
                                          : "longhand compare: expected a set or --grid, found both",
                        "see `longhand compare --help`");
    }
    CompareSet chosen;
    if (!set_name_.empty()) {
      const auto& sets = compare_sets();
      const auto found =
          std::find_if(sets.begin(), sets.end(), [&](const CompareSet& set) { return set.name == set_name_; });
      if (found == sets.end()) {
        throw usage_error("longhand compare: unknown set " + set_name_,
                          "see `longhand compare --help`" + did_you_mean(set_name_, names()));
      }
      chosen = *found;
    }
    std::vector<std::string> from_file;
    if (!control_.config.empty()) from_file = io::read_toml(control_.config, settings_table_);
    if (!control_.grid.empty()) chosen = grid_set(control_.grid, io::read_grid(control_.grid, settings_table_));
    given_settings_.apply(settings_table_);
    rate_given_ = given_settings_.has("lr") || std::find(from_file.begin(), from_file.end(), "lr") != from_file.end();
    if (!settings_.common.valid.empty()) settings_.common.valid_fraction = 0.0;
    refuse_what_varies(chosen);
    rate_given_ = rate_given_ && chosen.searches_rate;
    if (control_.out.empty()) {
      const std::string name =
          control_.grid.empty() ? chosen.name : std::filesystem::path(control_.grid).stem().string();
      control_.out = "runs/compare-" + name;
    }
    if (io::exists(train::RunFiles(control_.out).checkpoint)) {
      throw usage_error(control_.out + ": holds a run of `longhand train`", "choose another --out");
    }
    return chosen;
  }

  std::string command(const CompareSet& set) const {
    std::string out = "longhand compare" + (set_name_.empty() ? "" : " " + set.name);
    for (const GivenOptions* given : {&given_control_, &given_settings_}) {
      for (const auto& [option, text] : given->given()) {
        out += " --" + option->name;
        if (!option->is_flag()) out += " " + shell_word(text);
      }
    }
    return out;
  }

  // Those that are not at their defaults.
  std::vector<std::pair<std::string, std::string>> common_options() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Option& option : settings_table_.options()) {
      if (option.name == "data" || option.text() != option.default_text) out.emplace_back(option.name, option.text());
    }
    return out;
  }

  ComparedOutcome one(const Variant& variant, int64_t seed) {
    LanguageSettings settings = settings_;
    OptionTable table;
    settings.add_to(table);
    for (const auto& [name, value] : variant.options) {
      table.set(*table.find(name), value, variant.name + ": " + name);
    }
    settings.common.seed += seed;
    ComparedOutcome outcome;
    try {
      // All that the run is made of: so that it is found again, and never taken for another.
      const std::string key =
          fmt::format("longhand {} data {} valid {}\n{}", LONGHAND_VERSION, text_mark(settings.common.data),
                      text_mark(settings.common.valid), io::to_toml(table));
      const std::string folder = fmt::format("{}/runs/{}-seed{}-{}", control_.out, slug(variant.name),
                                             settings.common.seed, sha256(key).substr(0, 12));
      outcome = run_in_process(settings, folder, key, control_.quiet);
    } catch (const Error& e) {  // a text of this variant that is not there
      if (e.code() == ExitCode::kUsage) throw;
      outcome.run.seed = settings.common.seed;
      outcome.run.failure = e.what();
    }
    any_done_ = any_done_ || outcome.run.failure.empty();
    if (!control_.quiet) show(variant, settings, outcome);
    return outcome;
  }

  static void show(const Variant& variant, const LanguageSettings& settings, const ComparedOutcome& outcome) {
    const lab::ComparedRun& run = outcome.run;
    std::string what = run.failure;
    if (run.failure.empty()) {
      const auto number = [](double loss) {
        return loss < 1e4 ? fmt::format("{:.4f}", loss) : fmt::format("{:.3e}", loss);
      };
      what = "loss " + number(run.train_loss);
      if (run.valid_loss) what += ", held out " + number(*run.valid_loss);
      what += fmt::format(", {}", format_duration(run.seconds));
    }
    const std::string rate = "lr " + decimal(settings.common.training.optimizer.learning_rate);
    const bool said = variant.name.find("lr ") != std::string::npos;
    say("{}{}, seed {}: {}{}\n", variant.name, said ? "" : ", " + rate, run.seed, what,
        outcome.was_done ? " (reused)" : "");
  }

  lab::ComparedVariant all_seeds(Variant variant) {
    if (rate_given_) std::erase_if(variant.options, [](const auto& option) { return option.first == "lr"; });
    lab::ComparedVariant out{.name = variant.name, .options = variant.options, .note = {}, .runs = {}};
    for (int64_t seed = 0; seed < control_.seeds && !interrupted(); ++seed) {
      const ComparedOutcome outcome = one(variant, seed);
      if (interrupted() && !outcome.run.failure.empty()) break;  // it is resumed the next time
      out.runs.push_back(outcome.run);
      if (outcome.distinct_units < outcome.units) {
        out.note = fmt::format("{} hidden units with only {} distinct weight vector{}", outcome.units,
                               outcome.distinct_units, outcome.distinct_units == 1 ? "" : "s");
      }
    }
    return out;
  }

  // Climbs the ladder of rates with the first seed until both neighbours are worse, then trains the other seeds.
  lab::ComparedVariant at_its_rate(Variant variant) {
    const auto rate = std::find_if(variant.options.begin(), variant.options.end(),
                                   [](const auto& option) { return option.first == "lr"; });
    std::map<int, double> scores;
    const auto try_rung = [&](int rung) {
      if (scores.contains(rung) || interrupted()) return;
      rate->second = decimal(ladder_rate(rung));
      scores[rung] = score(one(variant, 0).run);
    };
    constexpr int kMaxSteps = 8;
    int best = nearest_rung(std::stod(rate->second));
    for (int step = 0; step < kMaxSteps && !interrupted(); ++step) {
      for (const int rung : {best, best + 1, best - 1}) try_rung(rung);
      const int before = best;
      for (const auto& [rung, loss] : scores) {
        if (loss < scores[best]) best = rung;
      }
      if (best == before) break;
    }
    rate->second = decimal(ladder_rate(best));
    lab::ComparedVariant out = all_seeds(variant);
    if (scores[best] == HUGE_VAL) return out;
    std::string tried;
    for (const auto& [rung, loss] : scores) tried += (tried.empty() ? "" : ", ") + decimal(ladder_rate(rung));
    out.note = fmt::format("lr {}, the best of {} with the first seed", rate->second, tried);
    return out;
  }

  void write(const lab::RunComparison& comparison) const {
    const std::string json = lab::to_json(comparison).dump(2);
    io::write_file(control_.out + "/compare.json", json + "\n");
    io::write_file(control_.out + "/compare.csv", lab::to_csv(comparison));
    io::write_file(control_.out + "/report.html", lab::comparison_page(comparison));
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
  LanguageSettings settings_;
  CompareControl control_;
  OptionTable settings_table_, control_table_;
  GivenOptions given_settings_, given_control_;
  bool rate_given_ = false;  // in a set that would search for one
  bool any_done_ = false;
  std::map<std::string, std::string> text_marks_;
};

}  // namespace

void declare_compare(const Verb& longhand) {
  longhand.add_command<Compare>("compare", "Train variants of a model and compare them");
}

}  // namespace longhand::cli
