#include "longhand/lab/comparison_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace longhand::lab {
namespace {

constexpr const char* kNothing = "–";

std::string count_text(double value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (std::abs(value) >= 1e12) return fmt::format("{:.1e}", value);
  return fmt::format("{}", fmt::group_digits(static_cast<int64_t>(std::llround(value))));
}

std::string loss_text(double nats) {
  return fmt::format(fmt::runtime(std::abs(nats) < 1000.0 ? "{:.3f}" : "{:.1e}"), nats);
}

std::string perplexity_text(double perplexity) {
  if (perplexity < 1000.0) return fmt::format("{:.2f}", perplexity);
  return perplexity < 1e5 ? count_text(perplexity) : fmt::format("{:.1e}", perplexity);
}

std::string time_text(double seconds) {
  if (!(std::abs(seconds) < 1e9)) return fmt::format("{:.1e} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

template <class Format>
TableCell cell(const std::vector<double>& seeds, const Format& format) {
  if (seeds.empty()) return {kNothing, ""};
  const Spread s = spread(seeds);
  return {format(s.median), seeds.size() > 1 ? format(s.low) + " to " + format(s.high) : ""};
}

std::string failures_of(const ComparedVariant& variant) {
  if (variant.runs.empty()) return "no runs";
  std::string reasons;
  size_t failed = 0;
  std::vector<std::string> named;
  for (const ComparedRun& run : variant.runs) {
    if (run.failure.empty()) continue;
    ++failed;
    if (std::find(named.begin(), named.end(), run.failure) != named.end()) continue;
    named.push_back(run.failure);
    reasons += (reasons.empty() ? "" : "; ") + one_line(run.failure);
  }
  if (failed == 0) return "";
  if (variant.runs.size() == 1) return "failed: " + reasons;
  return fmt::format("{} of {} seeds failed: {}", failed, variant.runs.size(), reasons);
}

std::string remark_on(const ComparedVariant& variant) {
  const std::string failures = failures_of(variant);
  return failures + (failures.empty() || variant.note.empty() ? "" : "; ") + one_line(variant.note);
}

// Of an accuracy, an error, ...
std::string measure_text(const Measure& measure, double value) {
  const bool per_cent = measure.more_is_better && measure.name != "r2" && measure.name != "nse";
  return per_cent ? fmt::format("{:.2f} %", value) : fmt::format("{:.4g}", value);
}

bool halved(const RunComparison& comparison) { return comparison.search && comparison.search->factor > 0; }

// Epochs reached. All runs of a variant are on the same rung; one may have run out of patience.
TableCell epochs_cell(const ComparedVariant& variant) {
  int64_t most = 0;
  for (const ComparedRun* run : finished(variant)) most = std::max(most, run->epochs);
  return {fmt::format("{}{}", most, variant.stopped_after > 0 ? ", stopped" : ""), ""};
}

TableRow row_of(const ComparedVariant& variant, const RunComparison& comparison, bool held_out,
                const Measure& measure) {
  const bool perplexity = comparison.has_perplexity;
  TableRow row{.name = one_line(variant.name), .cells = {}, .remark = remark_on(variant)};
  if (finished(variant).empty()) return row;
  const std::vector<double> train = figures(variant, &ComparedRun::train_loss), valid = valid_losses(variant);
  row.cells.push_back(cell(train, loss_text));
  if (held_out) row.cells.push_back(cell(valid, loss_text));
  if (perplexity) {
    row.cells.push_back(cell(held_out ? valid : train, [](double nats) { return perplexity_text(std::exp(nats)); }));
  } else if (held_out && measure.name != "loss") {
    row.cells.push_back(cell(valid_measures(variant), [&](double value) { return measure_text(measure, value); }));
  }
  if (halved(comparison)) row.cells.push_back(epochs_cell(variant));
  row.cells.push_back(cell(figures(variant, &ComparedRun::tokens_per_second), count_text));
  row.cells.push_back(cell(figures(variant, &ComparedRun::seconds), time_text));
  row.cells.push_back(cell(figures(variant, &ComparedRun::memory_mib), count_text));
  return row;
}

TableRow row_of(const PublishedRow& published, bool held_out) {
  TableRow row{.name = one_line(published.name), .published = true, .cells = {}, .remark = {}};
  row.cells.assign(held_out ? 6 : 5, {kNothing, ""});
  const size_t perplexity = held_out ? 2 : 1;
  if (published.perplexity > 0.0) row.cells[perplexity].median = perplexity_text(published.perplexity);
  if (published.tokens_per_second > 0.0) row.cells[perplexity + 1].median = count_text(published.tokens_per_second);
  return row;
}

// Training loss, speed and size are not of interest.
TableRow row_of(const ComparedBaseline& baseline, const RunComparison& comparison, const Measure& measure) {
  TableRow row{.name = "baseline: " + one_line(baseline.name), .baseline = true, .cells = {}, .remark = {}};
  row.cells.push_back({kNothing, ""});
  const auto add = [&](const std::optional<double>& value, const auto& format) {
    row.cells.push_back({value ? format(*value) : kNothing, ""});
  };
  add(baseline.valid_loss, loss_text);
  if (comparison.has_perplexity) {
    add(baseline.valid_loss, [](double nats) { return perplexity_text(std::exp(nats)); });
  } else if (measure.name != "loss") {
    add(baseline.valid_measure, [&](double value) { return measure_text(measure, value); });
  }
  row.cells.insert(row.cells.end(), halved(comparison) ? 4 : 3, {kNothing, ""});
  if (comparison.baselines.size() > 1) {
    for (const std::string& name : baseline.variants) {
      row.remark += (row.remark.empty() ? "with the data of " : ", ") + one_line(name);
    }
  }
  return row;
}

// The row of the best median; null if there is nothing to compare.
const ComparedVariant* best_of(const RunComparison& comparison, bool held_out, const Measure& measure) {
  const ComparedVariant* best = nullptr;
  double best_score = std::numeric_limits<double>::infinity();  // less is better
  size_t with_figures = 0;
  for (const ComparedVariant& variant : comparison.variants) {
    const double median =
        spread(held_out ? valid_measures(variant) : figures(variant, &ComparedRun::train_loss)).median;
    const double score = measure.more_is_better ? -median : median;
    with_figures += finished(variant).empty() ? 0 : 1;
    if (variant.stopped_after == 0 && score < best_score) {
      best_score = score;
      best = &variant;
    }
  }
  return with_figures > 1 ? best : nullptr;
}

// That a baseline is better than all variants with its data; empty where none is.
std::string lost_to_baseline(const RunComparison& comparison, const Measure& measure) {
  for (const ComparedBaseline& baseline : comparison.baselines) {
    const std::optional<double> simple = baseline.valid_measure ? baseline.valid_measure : baseline.valid_loss;
    if (!simple || !(measure.name != "loss" ? baseline.valid_measure : baseline.valid_loss)) continue;
    bool any = false, beaten = false;
    for (const ComparedVariant& variant : comparison.variants) {
      const bool same_data =
          std::find(baseline.variants.begin(), baseline.variants.end(), variant.name) != baseline.variants.end();
      if (!same_data || valid_measures(variant).empty()) continue;
      const double median = spread(valid_measures(variant)).median;
      any = true;
      beaten = beaten || (measure.more_is_better ? median > *simple : median < *simple);
    }
    if (any && !beaten) return "no variant is better than the baseline by the held-out " + measure.name;
  }
  return "";
}

}  // namespace

std::vector<const ComparedRun*> finished(const ComparedVariant& variant) {
  std::vector<const ComparedRun*> out;
  for (const ComparedRun& run : variant.runs) {
    if (run.failure.empty()) out.push_back(&run);
  }
  return out;
}

std::vector<double> figures(const ComparedVariant& variant, double ComparedRun::*figure) {
  std::vector<double> out;
  for (const ComparedRun* run : finished(variant)) out.push_back(run->*figure);
  return out;
}

std::vector<double> valid_losses(const ComparedVariant& variant) {
  std::vector<double> out;
  for (const ComparedRun* run : finished(variant)) {
    if (run->valid_loss) out.push_back(*run->valid_loss);
  }
  return out;
}

std::vector<double> valid_measures(const ComparedVariant& variant) {
  std::vector<double> out;
  for (const ComparedRun* run : finished(variant)) {
    const std::optional<double> value = run->valid_measure ? run->valid_measure : run->valid_loss;
    if (value) out.push_back(*value);
  }
  return out;
}

Measure measure_of(const RunComparison& comparison) {
  for (const ComparedVariant& variant : comparison.variants) {
    for (const ComparedRun* run : finished(variant)) {
      if (run->valid_measure) return run->measure;
    }
  }
  return {};
}

bool has_valid_loss(const RunComparison& comparison) {
  for (const ComparedVariant& variant : comparison.variants) {
    for (const ComparedRun* run : finished(variant)) {
      if (run->valid_loss) return true;
    }
  }
  return false;
}

std::string one_line(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

ComparisonTable make_table(const RunComparison& comparison) {
  const bool held_out = has_valid_loss(comparison), perplexity = comparison.has_perplexity;
  const Measure measure = measure_of(comparison);
  ComparisonTable table;
  table.columns.push_back({"training", "loss"});
  if (held_out) table.columns.push_back({"held-out", "loss"});
  if (perplexity) {
    table.columns.push_back({held_out ? "held-out" : "training", "perplexity"});
  } else if (held_out && measure.name != "loss") {
    table.columns.push_back({"held-out", measure.name});
  }
  if (halved(comparison)) table.columns.push_back({"", "epochs"});
  table.columns.insert(table.columns.end(), {{"", comparison.noun + "s/s"}, {"", "time"}, {"", "MiB"}});
  for (const PublishedRow& published : comparison.published) table.rows.push_back(row_of(published, held_out));
  const ComparedVariant* best = best_of(comparison, held_out, measure);
  bool several = false;
  for (const ComparedVariant& variant : comparison.variants) {
    table.rows.push_back(row_of(variant, comparison, held_out, measure));
    table.rows.back().best = &variant == best;
    several = several || finished(variant).size() > 1;
  }
  for (const ComparedBaseline& baseline : comparison.baselines) {
    if (held_out) table.rows.push_back(row_of(baseline, comparison, measure));
  }
  if (best != nullptr) {
    table.notes.push_back(fmt::format("* the {} {} {}", measure.more_is_better ? "highest" : "lowest",
                                      held_out ? "held-out" : "training", measure.name));
  }
  table.notes.push_back("time: training only; MiB: peak memory of the process");
  if (halved(comparison)) {
    table.notes.push_back(
        fmt::format("only the best 1 of {} trials went on after epoch {}", comparison.search->factor,
                    fmt::join(comparison.search->rung_epochs.begin(), comparison.search->rung_epochs.end() - 1, ", ")));
  }
  if (const std::string lost = lost_to_baseline(comparison, measure); !lost.empty()) table.notes.push_back(lost);
  if (several) table.notes.push_back("median over the seeds, and range from the lowest to the highest");
  if (!comparison.published.empty()) {
    table.notes.push_back("published figures were measured on other machines, and perhaps on other texts");
  }
  return table;
}

}  // namespace longhand::lab
