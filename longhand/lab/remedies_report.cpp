// The report of `longhand lab remedies`.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "longhand/lab/remedies.h"

namespace longhand::lab {
namespace {

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(text[0]));
  return text;
}

// The median of one value over the seeds, and its range.
template <class Run>
std::string values_text(const std::vector<Run>& runs, double Run::*value) {
  std::vector<double> all;
  for (const Run& run : runs) all.push_back(run.*value);
  const auto undefined = std::count_if(all.begin(), all.end(), [](double v) { return std::isnan(v); });
  if (undefined > 0)
    return undefined == static_cast<int64_t>(all.size()) ? "diverged"
                                                         : fmt::format("{} of {} diverged", undefined, all.size());
  std::sort(all.begin(), all.end());
  const std::string median = shown(all[all.size() / 2]);
  const std::string low = shown(all.front()), high = shown(all.back());
  return low == high ? median : fmt::format("{} ({} to {})", median, low, high);
}

std::string steps_of(const RemedyResult& row, int64_t RemedyRun::*steps, int64_t reach) {
  std::vector<int64_t> all;
  for (const RemedyRun& run : row.runs) {
    if (run.*steps == -2) return "-";
    all.push_back(run.*steps < 0 ? reach + 1 : run.*steps);
  }
  std::sort(all.begin(), all.end());
  const auto text = [reach](int64_t n) { return n > reach ? fmt::format("> {}", reach) : fmt::format("{}", n); };
  return all.front() == all.back()
             ? text(all.front())
             : fmt::format("{} ({} to {})", text(all[all.size() / 2]), text(all.front()), text(all.back()));
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
    out.table.rows.push_back(
        {each.name, values_text(each.runs, &EquationsRun::accuracy), values_text(each.runs, &EquationsRun::loss),
         values_text(each.runs, &EquationsRun::error_before), values_text(each.runs, &EquationsRun::error_after)});
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
  const bool clips = rows[0]->remedy.group.starts_with("clipping");
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
    if (deep) {
      cells.push_back(values_text(row->runs, &RemedyRun::layers_ratio));
    } else {
      cells.push_back(values_text(row->runs, &RemedyRun::factor));
      cells.push_back(steps_of(*row, &RemedyRun::steps_before, options.reach.steps));
      cells.push_back(steps_of(*row, &RemedyRun::steps_after, options.reach.steps));
    }
    cells.push_back(values_text(row->runs, &RemedyRun::largest_norm));
    cells.push_back(values_text(row->runs, &RemedyRun::loss));
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
  const auto first_word = [](const std::string& text) { return text.substr(0, text.find(" (")); };
  std::string group;
  for (const RemedyResult& row : result.rows) {
    const bool deep = row.remedy.model.lstm.layers > 1;
    out.table.rows.push_back({row.remedy.group == group ? "" : row.remedy.group, row.remedy.change,
                              deep ? "" : first_word(values_text(row.runs, &RemedyRun::factor)),
                              deep ? "" : first_word(steps_of(row, &RemedyRun::steps_before, options.reach.steps)),
                              deep ? "" : first_word(steps_of(row, &RemedyRun::steps_after, options.reach.steps)),
                              deep ? first_word(values_text(row.runs, &RemedyRun::layers_ratio)) : "",
                              first_word(values_text(row.runs, &RemedyRun::largest_norm)),
                              first_word(values_text(row.runs, &RemedyRun::loss))});
    group = row.remedy.group;
  }
  return out;
}

void add_runs(const RemedyResult& row, const RemediesOptions& options, LabReport& report) {
  for (size_t s = 0; s < row.runs.size(); ++s) {
    const RemedyRun& run = row.runs[s];
    const int64_t seed = options.seed + static_cast<int64_t>(s);
    report.csv.rows.push_back({row.remedy.group, row.remedy.change, fmt::format("{}", seed),
                               fmt::format("{}", run.factor), fmt::format("{}", run.steps_before),
                               fmt::format("{}", run.steps_after), fmt::format("{}", run.layers_ratio),
                               fmt::format("{}", run.largest_norm), fmt::format("{}", run.loss)});
    report.data["runs"].push_back({{"remedy", row.remedy.group},
                                   {"change", row.remedy.change},
                                   {"seed", seed},
                                   {"factor", run.factor},
                                   {"steps_before", run.steps_before},
                                   {"steps_after", run.steps_after},
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
