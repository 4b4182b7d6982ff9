#include "longhand/runs/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/chart.h"
#include "longhand/io/file.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"
#include "longhand/version.h"

namespace longhand::runs {
namespace {

using Rows = std::vector<nlohmann::json>;

constexpr size_t kLongestTitle = 120;
constexpr size_t kLongestDescription = 2000;

Rows read_metrics(const std::string& path) {
  Rows rows;
  std::istringstream lines(io::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    const bool good = row.is_object() && row.contains("epoch") && row["epoch"].is_number() &&
                      row.contains("train_loss") && (row["train_loss"].is_number() || row["train_loss"].is_null());
    if (!good) {
      throw input_error(fmt::format("{}:{}: expected an evaluation, found something else", path, rows.size() + 1),
                        "the file is damaged; run the training again");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// The values of one field by epoch; null is what JSON has for a number that is not finite.
std::vector<io::Point> values(const Rows& rows, const std::string& key) {
  std::vector<io::Point> out;
  for (const nlohmann::json& row : rows) {
    if (row.contains(key) && row[key].is_number()) out.push_back({row["epoch"].get<double>(), row[key].get<double>()});
  }
  return out;
}

std::optional<io::Point> lowest(const std::vector<io::Point>& points) {
  if (points.empty()) return std::nullopt;
  return *std::min_element(points.begin(), points.end(),
                           [](const io::Point& a, const io::Point& b) { return a.y < b.y; });
}

io::Chart by_epoch(std::string title, std::vector<io::Curve> curves, double log_beyond = 1e300) {
  return {.title = std::move(title),
          .x_title = "epoch",
          .whole_x = true,
          .log_beyond = log_beyond,
          .curves = std::move(curves),
          .mark = {}};
}

bool has_perplexity(const Rows& rows) { return rows.back().contains("train_perplexity"); }

// What tasks other than language models have: metrics in per cent, the first of which chooses the model.
std::vector<io::Curve> shares(const Rows& rows) {
  std::vector<io::Curve> out;
  for (const char* name : {"f1", "precision", "recall", "accuracy", "macro_f1"}) {
    std::vector<io::Point> points = values(rows, std::string("valid_") + name);
    if (!points.empty()) out.push_back({name, static_cast<int>(out.size()), std::move(points)});
  }
  return out;
}

std::vector<io::Curve> r2(const Rows& rows) {
  std::vector<io::Point> points = values(rows, "valid_r2");
  return points.empty() ? std::vector<io::Curve>() : std::vector<io::Curve>{{"R2", 1, std::move(points)}};
}

// Losses after a cold start, by epoch: of held-out text, or of the training text where nothing is held out.
io::Chart cold_by_epoch(const Rows& rows) {
  std::vector<io::Curve> curves;
  const std::pair<const char*, const char*> bands[] = {
      {"1_5", "after 1 to 5 symbols"}, {"6_20", "after 6 to 20"}, {"21_100", "after 21 to 100"}};
  for (const auto& [key, label] : bands) {
    std::vector<io::Point> points = values(rows, std::string("valid_cold_nats_") + key);
    if (points.empty()) points = values(rows, std::string("train_cold_nats_") + key);
    if (!points.empty()) curves.push_back({label, static_cast<int>(curves.size()) + 2, std::move(points)});
  }
  return by_epoch("Loss from a cold start (nats per symbol)", std::move(curves));
}

std::string charts(const Rows& rows) {
  io::Chart losses =
      by_epoch(has_perplexity(rows) ? "Loss (nats per symbol)" : "Loss",
               {{"training", 0, values(rows, "train_loss")}, {"held out", 1, values(rows, "valid_loss")}});
  if (const std::optional<io::Point> best = lowest(losses.curves[1].points)) {
    losses.mark = {
        fmt::format("{}: {:.4f} in epoch {:.0f}", has_perplexity(rows) ? "best" : "lowest", best->y, best->x), *best,
        1};
  }
  std::vector<io::Curve> perplexities = {{"training", 0, values(rows, "train_perplexity")}};
  if (!perplexities[0].points.empty()) perplexities.push_back({"held out", 1, values(rows, "valid_perplexity")});
  std::string html = io::draw(losses) + "<div class=pair>" + io::draw(by_epoch("Perplexity", perplexities, 10.0)) +
                     io::draw(by_epoch("Held out (%)", shares(rows))) + io::draw(by_epoch("R2, held out", r2(rows))) +
                     io::draw(cold_by_epoch(rows)) +
                     io::draw(by_epoch("Learning rate", {{"learning rate", 0, values(rows, "learning_rate")}}));
  html +=
      io::draw(by_epoch("Gradient norm before clipping", {{"gradient norm", 0, values(rows, "gradient_norm")}}, 10.0));
  const std::vector<io::Point> batch = values(rows, "batch");
  const bool changes = std::any_of(batch.begin(), batch.end(), [&](const io::Point& p) { return p.y != batch[0].y; });
  if (changes) html += io::draw(by_epoch("Batch (sequences per update)", {{"batch", 0, batch}}));
  return html + "</div>\n";
}

std::string number(const nlohmann::json& row, const std::string& key, const char* format) {
  if (!row.contains(key) || !row[key].is_number()) return "–";
  return fmt::format(fmt::runtime(format), row[key].get<double>());
}

std::string head_figures(const Rows& rows) {
  const nlohmann::json& last = rows.back();
  std::string html = "<dl class=figures>" + io::head_figure("epochs", number(last, "epoch", "{:.0f}")) +
                     io::head_figure("updates", number(last, "step", "{:.0f}"));
  if (last.contains("train_perplexity")) {
    const bool huge = last["train_perplexity"].is_number() && last["train_perplexity"].get<double>() >= 1e5;
    html += io::head_figure("training perplexity", number(last, "train_perplexity", huge ? "{:.2e}" : "{:.3f}"));
  } else {
    html += io::head_figure("training loss", number(last, "train_loss", "{:.4f}"));
  }
  if (const std::vector<io::Curve> of_task = shares(rows); !of_task.empty()) {
    const io::Curve& first = of_task.front();
    const io::Point best = *std::max_element(first.points.begin(), first.points.end(),
                                             [](const io::Point& a, const io::Point& b) { return a.y < b.y; });
    html += io::head_figure("best held-out " + first.label, fmt::format("{:.2f} %", best.y)) +
            io::head_figure("in epoch", fmt::format("{:.0f}", best.x));
  } else if (const std::optional<io::Point> best = lowest(values(rows, "valid_loss"))) {
    html += io::head_figure("best held-out loss", fmt::format("{:.4f}", best->y)) +
            io::head_figure("in epoch", fmt::format("{:.0f}", best->x));
  }
  return html + io::head_figure("seconds", number(last, "seconds", "{:.1f}")) +
         io::head_figure(has_perplexity(rows) ? "tokens/s" : "items/s", number(last, "tokens_per_second", "{:.0f}")) +
         "</dl>\n";
}

std::string metric_figures(const std::vector<tasks::Metric>& metrics) {
  std::string html = "<dl class=figures>";
  for (const tasks::Metric& metric : metrics) {
    std::string name = metric.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    html += io::head_figure(name, std::isfinite(metric.value) ? fmt::format("{:.5g}", metric.value) : "none");
  }
  return html + "</dl>\n";
}

// The model's figures beside those of the baseline.
std::string baseline_section(const BaselineFindings& baseline, const std::vector<tasks::Metric>& model) {
  std::string html =
      "<h2>Baseline</h2><p class=soft>" + io::escape_html(baseline.name) +
      (baseline.note.empty() ? "" : "; " + io::escape_html(baseline.note)) +
      (baseline.measured.empty() ? "" : ", on the " + io::escape_html(baseline.measured)) +
      ".</p><div class=scroll><table class=plain><thead><tr><th></th><th>model</th><th>baseline</th></tr>"
      "</thead><tbody>";
  for (const tasks::Metric& metric : baseline.metrics) {
    const tasks::Metric* ours = tasks::find_metric(model, metric.name);
    std::string name = metric.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    html += fmt::format("<tr><th>{}</th><td>{}</td><td>{:.5g}</td></tr>", io::escape_html(name),
                        ours == nullptr ? "–" : fmt::format("{:.5g}", ours->value), metric.value);
  }
  html += "</tbody></table></div>";
  if (!baseline.verdict.empty()) html += "<p>" + io::escape_html(baseline.verdict) + ".</p>";
  return html + "\n";
}

// What is of the task, and was asked of data that were held out.
std::string examination(const Findings& findings) {
  std::string html;
  if (findings.forecasts) html += page_of(*findings.forecasts);
  if (findings.sequences) html += page_of(*findings.sequences);
  if (findings.classes) html += page_of(*findings.classes);
  if (findings.tags) html += page_of(*findings.tags);
  if (findings.lines) html += page_of(*findings.lines);
  return html;
}

std::string foot(const std::string& command) {
  std::string html = std::string("<footer>Longhand ") + LONGHAND_VERSION;
  if (!command.empty()) html += ". Made by <code>" + io::isolated(command) + "</code>";
  return html + "</footer>\n";
}

}  // namespace

void write_report(const std::string& folder, const Findings& findings, const std::string& command,
                  const std::vector<tasks::Metric>& held_out) {
  const Rows rows = read_metrics(folder + "/metrics.jsonl");
  const std::string name = std::filesystem::path(folder + "/").parent_path().filename().string();
  std::string html = io::page_start("Training run: " + io::shortened(name, kLongestTitle), pages_style());
  if (!rows.empty()) html += head_figures(rows) + charts(rows);
  if (findings.cold) html += page_of(*findings.cold);
  if (!findings.test.empty()) html += "<h2>Test</h2>" + metric_figures(findings.test);
  if (findings.baseline) html += baseline_section(*findings.baseline, findings.test.empty() ? held_out : findings.test);
  if (const std::string found = examination(findings); !found.empty()) {
    html += "<p class=soft>The sections below are of the " + io::escape_html(findings.examined) +
            ", which the model was not trained on.</p>\n" + found;
  }
  if (!findings.not_examined.empty()) html += "<p class=soft>" + io::escape_html(findings.not_examined) + "</p>\n";
  html += page_of(findings.samples);
  html += "<h2>Configuration</h2><pre>" + io::escape_html(io::read_file(folder + "/config.toml")) + "</pre>\n";
  io::write_file(folder + "/report.html", html + foot(command) + io::kPageEnd);
}

void write_evaluation_report(const std::string& path, const EvaluationSubject& subject, const Findings& findings,
                             const std::string& text) {
  std::string html = io::page_start("Evaluation: " + io::shortened(subject.title, kLongestTitle), pages_style());
  if (!subject.data.empty()) {
    html += "<p class=soft>" + io::isolated(io::shortened(subject.data, kLongestDescription)) + "</p>\n";
  }
  html += metric_figures(findings.test);
  if (findings.baseline) html += baseline_section(*findings.baseline, findings.test);
  if (findings.cold) html += page_of(*findings.cold);
  html += examination(findings) + page_of(findings.samples);
  html += "<h2>Figures</h2><pre>" + io::escape_html(text) + "</pre>\n";
  if (!subject.options.empty()) {
    html += "<h2>Model</h2><pre>";
    for (const auto& [option, value] : subject.options) html += io::escape_html(option + " = " + value) + "\n";
    html += "</pre>\n";
  }
  io::write_file(path, html + foot(subject.command) + io::kPageEnd);
}

}  // namespace longhand::runs
