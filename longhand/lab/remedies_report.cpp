// The report of `longhand lab remedies`.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "longhand/lab/comparison.h"
#include "longhand/lab/remedies.h"

namespace longhand::lab {
namespace {

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(text[0]));
  return text;
}

std::string with_range(const std::string& median, const std::string& low, const std::string& high) {
  return low == high ? median : fmt::format("{} ({} to {})", median, low, high);
}

// The median of one value over the seeds, and its range. A loss is not a number where a training diverged.
template <class Run>
std::string values_text(const std::vector<Run>& runs, double Run::*value, bool range) {
  std::vector<double> all;
  for (const Run& run : runs) all.push_back(run.*value);
  const auto undefined = std::count_if(all.begin(), all.end(), [](double v) { return std::isnan(v); });
  if (undefined == static_cast<int64_t>(all.size())) return "diverged";
  if (undefined > 0) return fmt::format("{} of {} diverged", undefined, all.size());
  const Spread of_seeds = spread(all);
  const std::string median = shown(of_seeds.median);
  return range ? with_range(median, shown(of_seeds.low), shown(of_seeds.high)) : median;
}

// The same of a number of steps; of two in the middle the larger, since one may be beyond the reach.
std::string steps_text(const RemedyResult& row, int64_t RemedyRun::*steps, int64_t reach, bool range) {
  std::vector<int64_t> all;
  for (const RemedyRun& run : row.runs) {
    if (run.*steps == Reach::kNoGradient) return "-";
    all.push_back(run.*steps == Reach::kBeyond ? reach + 1 : run.*steps);
  }
  std::sort(all.begin(), all.end());
  const auto text = [reach](int64_t n) { return n > reach ? fmt::format("> {}", reach) : fmt::format("{}", n); };
  const std::string median = text(all[all.size() / 2]);
  return range ? with_range(median, text(all.front()), text(all.back())) : median;
}

// What is told of each training, with ranges or without.
std::vector<std::string> measures_of(const RemedyResult& row, const RemediesOptions& options, bool range) {
  std::vector<std::string> out;
  if (row.remedy.model.lstm.layers > 1) {
    out.push_back(values_text(row.runs, &RemedyRun::layers_ratio, range));
  } else {
    out.push_back(values_text(row.runs, &RemedyRun::factor, range));
    out.push_back(steps_text(row, &RemedyRun::steps_before, options.reach.steps, range));
    out.push_back(steps_text(row, &RemedyRun::steps_after, options.reach.steps, range));
  }
  out.push_back(values_text(row.runs, &RemedyRun::largest_norm, range));
  out.push_back(values_text(row.runs, &RemedyRun::loss, range));
  return out;
}

// LSTMs with wrong equations beside a right one.
LabSection equations_section(const RemediesResult& result, const RemediesOptions& options,
                             nlohmann::ordered_json& data) {
  const EquationsOptions& eq = options.equations;
  LabSection out{
      .heading = "Equations that texts get wrong",
      .words = {fmt::format("An LSTM of {} units on the recall task with gap {}, {} updates: chance is 12.5 %. "
                            "Gradient error: how far the gradient of W_hh is from central differences of "
                            "the same network, relative to those, before the training and after it.",
                            eq.hidden, eq.gap, eq.updates)},
      .table = {.columns = {"equations", "per cent right", "loss", "gradient error, before", "after"}}};
  for (const EquationsResult& each : result.equations) {
    out.table.rows.push_back({each.name, values_text(each.runs, &EquationsRun::accuracy, true),
                              values_text(each.runs, &EquationsRun::loss, true),
                              values_text(each.runs, &EquationsRun::error_before, true),
                              values_text(each.runs, &EquationsRun::error_after, true)});
    for (const EquationsRun& run : each.runs) {
      data["equations"].push_back({{"equations", each.name},
                                   {"accuracy", run.accuracy},
                                   {"loss", run.loss},
                                   {"gradient_error_before", run.error_before},
                                   {"gradient_error_after", run.error_after}});
    }
  }
  return out;
}

// One group as a section: the columns that say something of it, and a plot.
LabSection group_section(const std::vector<const RemedyResult*>& rows, const RemediesOptions& options) {
  const bool deep = rows[0]->remedy.model.lstm.layers > 1;
  const bool clips = rows[0]->remedy.group.starts_with("explosion");
  LabSection out{
      .heading = capitalised(rows[0]->remedy.group), .table = {.columns = {"change"}}, .on_page_alone = true};
  const auto add = [&out](const char* name) { out.table.columns.emplace_back(name); };
  if (deep) {
    add("bottom to top");
  } else {
    add("factor per step");
    add("steps to 1/1000, before");
    add("after");
  }
  add("largest gradient");
  add("held-out loss");
  const char* shows = deep ? "training loss" : clips ? "gradient of each update" : "gradient by h before the training";
  io::Chart chart{.title = fmt::format("{}: {}", capitalised(rows[0]->remedy.group), shows),
                  .x_title = deep || clips ? "update (first seed)" : "k: steps back (first seed)",
                  .y_title = deep    ? "nats per symbol"
                             : clips ? "norm, before clipping"
                                     : "|dL/dh(t-k)| relative to |dL/dh(t)|",
                  .log_beyond = deep ? 1e300 : 10.0};
  for (const RemedyResult* row : rows) {
    std::vector<std::string> cells = {row->remedy.change};
    for (const std::string& measure : measures_of(*row, options, true)) cells.push_back(measure);
    out.table.rows.push_back(cells);
    const RemedyRun& first = row->runs[0];
    io::Curve curve{.label = row->remedy.change, .colour = static_cast<int>(chart.curves.size())};
    const std::vector<double>& values = deep ? first.losses : clips ? first.norms : first.by_h;
    for (size_t i = 0; i < values.size(); ++i) {
      if (deep || values[i] >= 1e-12) curve.points.push_back({static_cast<double>(i), values[i]});
    }
    chart.curves.push_back(curve);
  }
  // The other groups begin from equal weights.
  if (deep || clips || rows[0]->remedy.group.starts_with("initialiser") || rows[0]->remedy.group.starts_with("gates")) {
    out.charts.push_back(chart);
  }
  return out;
}

// All in one table: medians alone.
LabSection overview(const RemediesResult& result, const RemediesOptions& options) {
  LabSection out{
      .heading = "One change at a time",
      .words =
          {fmt::format("Each row is a training of {} updates by Adam, or by SGD where that is said: medians over {} "
                       "seeds here, with their ranges below.",
                       options.updates, options.seeds),
           "Factor per step: what each step back multiplies the gradient by, before the training. Steps to 1/1000: "
           "how far back a thousandth of the gradient by h is left, before and after the training. Bottom to top: "
           "in a stack, the gradient of the bottom layer's bias over that of the top layer's, before the training. "
           "Largest gradient: the largest norm of an update's gradient, before clipping. Loss: nats per symbol on "
           "held-out text, in windows of equal length for all."},
      .table = {.columns = {"remedy", "change", "factor per step", "steps to 1/1000", "after training", "bottom to top",
                            "largest gradient", "held-out loss"}}};
  std::string group;
  for (const RemedyResult& row : result.rows) {
    std::vector<std::string> measures = measures_of(row, options, false);
    const bool deep = row.remedy.model.lstm.layers > 1;
    if (deep) {
      measures.insert(measures.begin(), 3, "");
    } else {
      measures.insert(measures.begin() + 3, "");
    }
    measures.insert(measures.begin(), {row.remedy.group == group ? "" : row.remedy.group, row.remedy.change});
    out.table.rows.push_back(measures);
    group = row.remedy.group;
  }
  return out;
}

void add_runs(const RemedyResult& row, const RemediesOptions& options, LabReport& report) {
  for (size_t s = 0; s < row.runs.size(); ++s) {
    const RemedyRun& run = row.runs[s];
    const int64_t seed = options.seed + static_cast<int64_t>(s);
    const bool deep = row.remedy.model.lstm.layers > 1;
    const auto field = [](double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); };
    const auto steps = [deep](int64_t n) {
      return deep || n == Reach::kNoGradient ? std::string() : fmt::format("{}", n);
    };
    report.csv.rows.push_back({row.remedy.group, row.remedy.change, fmt::format("{}", seed), field(run.factor),
                               steps(run.steps_before), steps(run.steps_after), field(run.layers_ratio),
                               field(run.largest_norm), field(run.loss)});
    const auto json_steps = [deep](int64_t n) {
      return deep || n == Reach::kNoGradient ? nlohmann::ordered_json() : nlohmann::ordered_json(n);
    };
    report.data["runs"].push_back({{"remedy", row.remedy.group},
                                   {"change", row.remedy.change},
                                   {"seed", seed},
                                   {"factor", run.factor},
                                   {"steps_before", json_steps(run.steps_before)},
                                   {"steps_after", json_steps(run.steps_after)},
                                   {"bottom_to_top", run.layers_ratio},
                                   {"largest_norm", run.largest_norm},
                                   {"loss", run.loss},
                                   {"norms", run.norms},
                                   {"losses", run.losses}});
  }
}

}  // namespace

LabReport remedies_report(const RemediesResult& result, const RemediesOptions& options, const std::string& source) {
  LabReport report{.name = "remedies",
                   .title = fmt::format("What helps against vanishing and exploding gradients: {}, {} hidden units",
                                        source, options.hidden)};
  report.sections.push_back(overview(result, options));
  report.csv.columns = {"remedy",      "change",        "seed",         "factor", "steps_before",
                        "steps_after", "bottom_to_top", "largest_norm", "loss"};
  std::vector<const RemedyResult*> group;
  for (const RemedyResult& row : result.rows) {
    if (!group.empty() && group[0]->remedy.group != row.remedy.group) {
      report.sections.push_back(group_section(group, options));
      group.clear();
    }
    group.push_back(&row);
    add_runs(row, options, report);
  }
  if (!group.empty()) report.sections.push_back(group_section(group, options));
  if (!result.equations.empty()) report.sections.push_back(equations_section(result, options, report.data));
  return report;
}

}  // namespace longhand::lab
