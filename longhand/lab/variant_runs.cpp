#include "longhand/lab/variant_runs.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "longhand/base/error.h"
#include "longhand/fetch/sha256.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/lab/run_process.h"
#include "longhand/lab/search.h"
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

template <class Plan>
std::vector<ComparedVariant> results_of(const std::vector<std::unique_ptr<Plan>>& plans) {
  std::vector<ComparedVariant> out;
  for (const std::unique_ptr<Plan>& plan : plans) out.push_back(plan->result());
  return out;
}

template <class Plan>
std::vector<RunPlan*> pointers(const std::vector<std::unique_ptr<Plan>>& plans) {
  std::vector<RunPlan*> out;
  for (const std::unique_ptr<Plan>& plan : plans) out.push_back(plan.get());
  return out;
}

}  // namespace

std::string VariantRuns::check_data() {
  const std::unique_ptr<runs::Settings> settings = shared_.settings.copy();
  OptionTable table;
  settings->add_to(table);
  std::string out = LONGHAND_VERSION + ("\n" + io::to_toml(table));
  for (const std::string& source : {shared_.settings.data, shared_.settings.valid}) out += " " + data_mark(source);
  return out + file_marks(table);
}

std::vector<ComparedVariant> VariantRuns::run(const std::vector<Variant>& variants, RunWorkers& workers) {
  for (const Variant& variant : variants) names_.push_back(variant.name);
  std::vector<ComparedVariant> out;
  const auto carry_out = [&]<class Plan>(std::vector<std::unique_ptr<Plan>> plans) {
    schedule(pointers(plans), workers);
    out = results_of(plans);
  };
  if (!options_.rungs.empty()) {
    HalvingPlan plan(variants, options_.seeds, options_.rungs, options_.halving_factor);
    schedule({&plan}, workers);
    out = plan.result();
  } else if (options_.search_rates) {
    std::vector<std::unique_ptr<RatePlan>> plans;
    for (const Variant& variant : variants) plans.push_back(std::make_unique<RatePlan>(variant, options_.seeds));
    carry_out(std::move(plans));
  } else {
    std::vector<std::unique_ptr<SeedsPlan>> plans;
    for (Variant variant : variants) {
      if (options_.settings_rate) std::erase_if(variant.options, [](const auto& each) { return each.first == "lr"; });
      plans.push_back(std::make_unique<SeedsPlan>(std::move(variant), options_.seeds));
    }
    carry_out(std::move(plans));
  }
  if (options_.by_rank && options_.rungs.empty()) sort_by_score(out);
  if (interrupted()) std::erase_if(out, [](const ComparedVariant& variant) { return variant.runs.empty(); });
  return out;
}

void VariantRuns::schedule(const std::vector<RunPlan*>& plans, RunWorkers& workers) {
  RunScheduler scheduler(workers, {.prepare = [this](const RunRequest& request) { return prepare(request); },
                                   .interrupted = options_.process.interrupted,
                                   .on_run = [this](const auto& run, const auto& outcome) { heard(run, outcome); },
                                   .on_retry =
                                       [this](const PreparedRun& run, const std::string& failure) {
                                         if (options_.on_retry)
                                           options_.on_retry(run.request.variant, *run.settings, failure);
                                       },
                                   .on_state = options_.on_state,
                                   .pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }});
  scheduler.run(plans);
}

// Tells one content from another of the same name.
std::string VariantRuns::data_mark(const std::string& source) {
  if (source.empty()) return "";
  if (source == "-") {
    throw usage_error("longhand compare: expected files or built-in data, found standard input",
                      "every run reads the data; write it to a file first");
  }
  const auto [mark, is_new] = data_marks_.try_emplace(source);
  if (is_new) mark->second = fetch::sha256((shared_.sources.*shared_.task.read)(source));
  return mark->second;
}

// The same for other files and runs in the options, such as word vectors and initial models.
std::string VariantRuns::file_marks(const OptionTable& table) {
  std::string out;
  for (const Option& option : table.options()) {
    const bool is_data = option.name == "data" || option.name == "valid" || option.name == "test";
    if (is_data || !std::holds_alternative<std::string*>(option.value) || !option.check.choices.empty()) continue;
    std::error_code ignored;
    const std::string text = option.text(), model = train::RunFiles(text).model;
    const std::string& path = io::is_folder(text) ? model : text;
    if (text.empty() || !std::filesystem::is_regular_file(path, ignored)) continue;
    const auto [mark, is_new] = data_marks_.try_emplace(path);
    if (is_new) mark->second = fetch::sha256_of_file(path);
    out += fmt::format(" {} {}", option.name, mark->second);
  }
  return out;
}

PreparedRun VariantRuns::prepare(const RunRequest& request) {
  PreparedRun run{.request = request};
  RunOrder& order = run.order;
  order.options = request.variant.options;
  order.seed = shared_.settings.seed + request.seed;
  order.until_epoch = request.until_epoch;
  std::shared_ptr<runs::Settings> settings = settings_of(shared_.settings, order);
  run.settings = settings;
  try {
    OptionTable table;
    settings->add_to(table);
    // All that the run is made of: so that it is found again, and never taken for another.
    order.key =
        fmt::format("longhand {} {} data {} valid {}{}\n{}", LONGHAND_VERSION, shared_.task.verb,
                    data_mark(settings->data), data_mark(settings->valid), file_marks(table), io::to_toml(table));
    order.folder = fmt::format("{}/runs/{}-seed{}-{}", options_.folder, slug(request.variant.name), settings->seed,
                               fetch::sha256(order.key).substr(0, 12));
    run.known = find_outcome(order);
  } catch (const Error& e) {  // a text of this variant that is not there
    if (e.code() == ExitCode::kUsage) throw;
    run.known.emplace();
    run.known->run.seed = settings->seed;
    run.known->run.failure = e.what();
  }
  return run;
}

void VariantRuns::heard(const PreparedRun& run, const ComparedOutcome& outcome) {
  const Variant& variant = run.request.variant;
  any_done_ = any_done_ || outcome.run.failure.empty();
  if (outcome.run.failure.empty() && !outcome.baseline_key.empty()) {
    SameData& same = same_data_[outcome.baseline_key];
    if (same.settings == nullptr) same.settings = run.settings;
    same.variants.insert(variant.name);
  }
  if (options_.on_run) options_.on_run(variant, *run.settings, outcome);
}

std::vector<ComparedBaseline> VariantRuns::baselines() {
  std::vector<ComparedBaseline> out;
  if (!shared_.settings.baseline || same_data_.empty()) return out;
  io::make_folder(options_.folder + "/baselines");
  for (const auto& [key, same] : same_data_) {
    if (interrupted()) break;
    const std::string path = options_.folder + "/baselines/" + key + ".json";
    if (!io::exists(path)) {
      wait_for_process(start_process([&, settings = same.settings] {
                         return measure_here(shared_.task, *settings, shared_.sources, path, options_.process);
                       }),
                       options_.process.interrupted);
    }
    std::optional<ComparedBaseline> found = read_baseline(path);
    if (!found) continue;
    for (const std::string& name : names_) {  // not in the order in which the runs ended
      if (same.variants.contains(name)) found->variants.push_back(name);
    }
    out.push_back(std::move(*found));
  }
  return out;
}

}  // namespace longhand::lab
