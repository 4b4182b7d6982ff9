#include "longhand/lab/variant_runs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/fetch/sha256.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/version.h"

namespace longhand::lab {
namespace {

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
double score_of(const ComparedRun& run) {
  double value = run.valid_loss.value_or(run.train_loss);
  if (run.valid_measure) value = run.measure.more_is_better ? -*run.valid_measure : *run.valid_measure;
  return run.failure.empty() && std::isfinite(value) ? value : HUGE_VAL;
}

}  // namespace

void VariantRuns::check_data() {
  for (const std::string& source : {settings_.data, settings_.valid}) data_mark(source);
}

std::vector<ComparedVariant> VariantRuns::run(const std::vector<Variant>& variants) {
  std::vector<ComparedVariant> out;
  for (const Variant& variant : variants) {
    if (interrupted()) break;
    out.push_back(options_.search_rates ? at_its_rate(variant) : all_seeds(variant));
  }
  return out;
}

// Tells one content from another of the same name.
std::string VariantRuns::data_mark(const std::string& source) {
  if (source.empty()) return "";
  if (source == "-") {
    throw usage_error("longhand compare: expected files or built-in data, found standard input",
                      "every run reads the data; write it to a file first");
  }
  const auto [mark, is_new] = data_marks_.try_emplace(source);
  if (is_new) mark->second = fetch::sha256((sources_.*task_.read)(source));
  return mark->second;
}

ComparedOutcome VariantRuns::one(const Variant& variant, int64_t seed) {
  const std::unique_ptr<runs::Settings> settings = settings_.copy();
  OptionTable table;
  settings->add_to(table);
  for (const auto& [name, value] : variant.options) {
    table.set(*table.find(name), value, variant.name + ": " + name);
  }
  settings->seed += seed;
  settings->baseline = false;  // one for all
  ComparedOutcome outcome;
  try {
    // All that the run is made of: so that it is found again, and never taken for another.
    const std::string key = fmt::format("longhand {} {} data {} valid {}\n{}", LONGHAND_VERSION, task_.verb,
                                        data_mark(settings->data), data_mark(settings->valid), io::to_toml(table));
    const std::string folder = fmt::format("{}/runs/{}-seed{}-{}", options_.folder, slug(variant.name), settings->seed,
                                           fetch::sha256(key).substr(0, 12));
    outcome = run_in_process(task_, *settings, sources_, folder, key, options_.process);
  } catch (const Error& e) {  // a text of this variant that is not there
    if (e.code() == ExitCode::kUsage) throw;
    outcome.run.seed = settings->seed;
    outcome.run.failure = e.what();
  }
  any_done_ = any_done_ || outcome.run.failure.empty();
  if (outcome.run.failure.empty() && !outcome.baseline_key.empty()) {
    SameData& same = same_data_[outcome.baseline_key];
    if (same.settings == nullptr) same.settings = settings->copy();
    if (same.variants.empty() || same.variants.back() != variant.name) same.variants.push_back(variant.name);
  }
  if (options_.on_run) options_.on_run(variant, *settings, outcome);
  return outcome;
}

std::vector<ComparedBaseline> VariantRuns::baselines() {
  std::vector<ComparedBaseline> out;
  if (!settings_.baseline || same_data_.empty()) return out;
  io::make_folder(options_.folder + "/baselines");
  for (const auto& [key, same] : same_data_) {
    if (interrupted()) break;
    std::optional<ComparedBaseline> found = baseline_in_process(
        task_, *same.settings, sources_, options_.folder + "/baselines/" + key + ".json", options_.process);
    if (!found) continue;
    found->variants = same.variants;
    out.push_back(std::move(*found));
  }
  return out;
}

ComparedVariant VariantRuns::all_seeds(Variant variant) {
  if (options_.settings_rate) std::erase_if(variant.options, [](const auto& option) { return option.first == "lr"; });
  ComparedVariant out{.name = variant.name, .options = variant.options, .note = {}, .runs = {}};
  for (int64_t seed = 0; seed < options_.seeds && !interrupted(); ++seed) {
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
ComparedVariant VariantRuns::at_its_rate(Variant variant) {
  const auto rate = std::find_if(variant.options.begin(), variant.options.end(),
                                 [](const auto& option) { return option.first == "lr"; });
  std::map<int, double> scores;
  const auto try_rung = [&](int rung) {
    if (scores.contains(rung) || interrupted()) return;
    rate->second = decimal(ladder_rate(rung));
    scores[rung] = score_of(one(variant, 0).run);
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
  ComparedVariant out = all_seeds(variant);
  if (scores[best] == HUGE_VAL) return out;
  std::string tried;
  for (const auto& [rung, loss] : scores) tried += (tried.empty() ? "" : ", ") + decimal(ladder_rate(rung));
  out.note = fmt::format("lr {}, the best of {} with the first seed", rate->second, tried);
  return out;
}

}  // namespace longhand::lab
