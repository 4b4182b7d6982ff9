// The part of a report that shows forecasts.
#include <fmt/core.h>

#include <cmath>

#include "longhand/base/format.h"
#include "longhand/io/chart.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

constexpr size_t kLongestColumnName = 40;

constexpr int kForecastColour = 0, kNaiveColour = 1, kActualColour = 9;
constexpr int kDashed = 12;  // added to a colour

std::string column_name(const TargetForecasts& target) { return io::shortened(target.name, kLongestColumnName); }

std::string naive_name(const ForecastFindings& findings) {
  return findings.naive_is_mean ? "naive (training mean)" : "naive (last value)";
}

std::string step_name(int64_t step) {
  return step == 0 ? "of the window's last row" : step == 1 ? "one step ahead" : fmt::format("{} steps ahead", step);
}

std::string error_cells(const ForecastError& model, const ForecastError& naive) {
  return fmt::format("<td>{:.5g}</td><td>{:.5g}</td><td>{:.5g}</td><td>{:.5g}</td>", model.mse, naive.mse, model.mae,
                     naive.mae);
}

ForecastError mean_of(const std::vector<ForecastError>& errors) {
  ForecastError out;
  for (const ForecastError& error : errors) {
    out.mse += error.mse / static_cast<double>(errors.size());
    out.mae += error.mae / static_cast<double>(errors.size());
  }
  return out;
}

std::string error_table(const ForecastFindings& findings) {
  std::string html =
      "<div class=scroll tabindex=0><table class=plain><thead><tr><th></th><th>MSE</th><th>MSE, naive</th><th>MAE</th>"
      "<th>MAE, naive</th></tr></thead><tbody>\n";
  for (const TargetForecasts& target : findings.targets) {
    const size_t steps = target.model.size();
    const std::string name = io::isolated(column_name(target));
    html += "<tr><th scope=row>" + name + (steps > 1 ? fmt::format(", mean of {} steps", steps) : "") + "</th>" +
            error_cells(mean_of(target.model), mean_of(target.naive)) + "</tr>\n";
    for (const size_t step : {size_t{0}, steps - 1}) {
      if (steps == 1) break;
      html += "<tr><th scope=row>" + name + ", " + step_name(static_cast<int64_t>(step) + 1) + "</th>" +
              error_cells(target.model[step], target.naive[step]) + "</tr>\n";
    }
  }
  return html + "</tbody></table></div>\n";
}

std::string by_step(const TargetForecasts& target, const std::string& naive) {
  if (target.model.size() < 3) return "";
  io::Chart chart{.title = "Mean squared error of " + column_name(target) + " by step ahead",
                  .x_title = "steps ahead",
                  .whole_x = true,
                  .log_beyond = 100.0,
                  .curves = {{"forecast", kForecastColour, {}}, {naive, kNaiveColour, {}}},
                  .mark = {}};
  for (size_t a = 0; a < target.model.size(); ++a) {
    const auto x = static_cast<double>(a + 1);
    chart.curves[0].points.push_back({x, target.model[a].mse});
    chart.curves[1].points.push_back({x, target.naive[a].mse});
  }
  return io::draw(chart);
}

io::Chart by_row(const std::string& title, std::vector<io::Curve> curves) {
  return {.title = title, .x_title = "row of the table", .whole_x = true, .curves = std::move(curves), .mark = {}};
}

// Those of both forecasts beside each other, on axes of the same height.
std::string residual_charts(const std::string& what, const ForecastCurves& curves, const std::string& naive) {
  std::vector<double> both;
  for (const auto* points : {&curves.residuals, &curves.naive_residuals}) {
    for (const io::Point& p : *points) {
      if (std::abs(p.y) < 1e150) both.push_back(p.y);
    }
  }
  std::string html = "<div class=pair>";
  for (const bool of_model : {true, false}) {
    io::Chart chart = by_row(what + ": residuals of the " + (of_model ? "forecast" : "naive forecast"),
                             {{of_model ? "forecast" : naive, of_model ? kForecastColour : kNaiveColour,
                               of_model ? curves.residuals : curves.naive_residuals}});
    chart.y_holds = both;
    html += io::draw(chart);
  }
  return html + "</div>\n";
}

// The last forecasts over what came, beside the naive ones.
io::Chart last_forecasts(const std::string& what, const ForecastCurves& curves, const std::string& naive, bool many) {
  return by_row(what + (many ? fmt::format(": the last {} forecasts", curves.last_actual.size()) : ""),
                {{naive, kDashed + kNaiveColour, curves.last_naive},
                 {"actual", kActualColour, curves.last_actual},
                 {"forecast", kForecastColour, curves.last_forecast, false, curves.last_interval}});
}

bool has_earlier(const ForecastFindings& findings, const ForecastCurves& curves) {
  return findings.windows > static_cast<int64_t>(curves.last_actual.size());
}

std::string name_of(const TargetForecasts& target, const ForecastCurves& curves) {
  return column_name(target) + ", " + step_name(curves.step);
}

std::string forecast_charts(const std::string& what, const ForecastCurves& curves, const std::string& naive,
                            bool many) {
  std::string html;
  if (many) {
    // The actual values, which are the smoother ones to look through, are drawn above.
    html += io::draw(by_row(what + ": all forecasts", {{"forecast", kForecastColour, curves.forecast},
                                                       {"actual", kActualColour, curves.actual}}));
  }
  html += io::draw(last_forecasts(what, curves, naive, many));
  return html + residual_charts(what, curves, naive);
}

}  // namespace

std::vector<io::Chart> charts_of(const ForecastFindings& findings) {
  std::vector<io::Chart> out;
  for (const TargetForecasts& target : findings.targets) {
    for (const ForecastCurves& curves : target.curves) {
      out.push_back(
          last_forecasts(name_of(target, curves), curves, naive_name(findings), has_earlier(findings, curves)));
    }
  }
  return out;
}

std::string page_of(const ForecastFindings& findings) {
  if (findings.targets.empty()) return "";
  const std::string naive = naive_name(findings);
  std::string html = "<h2>Forecasts</h2><p>Of " + format_count(findings.windows, "window") +
                     "; errors are in the units of the data (MSE: squared), and residuals are forecast minus actual. "
                     "The naive forecast " +
                     (findings.naive_is_mean ? "is the mean in training.</p>\n" : "repeats the last value.</p>\n") +
                     error_table(findings);
  if (!findings.remark.empty()) html += "<p>Forecast: " + io::isolated(findings.remark) + "</p>\n";
  html += measures_page(findings);
  size_t charted = 0;
  for (const TargetForecasts& target : findings.targets) {
    if (target.curves.empty()) continue;
    ++charted;
    html += "<h3>" + io::isolated(column_name(target)) + "</h3>\n" + by_step(target, naive);
    if (target.curves.size() > 1) {
      html +=
          fmt::format("<p class=soft>Of {} steps ahead, the first and the last are drawn.</p>\n", target.model.size());
    }
    for (const ForecastCurves& curves : target.curves) {
      html += forecast_charts(name_of(target, curves), curves, naive, has_earlier(findings, curves));
    }
  }
  if (charted < findings.targets.size()) {
    html += fmt::format("<p class=soft>Drawn are the first {} of {} targets.</p>\n", charted, findings.targets.size());
  }
  return html;
}

}  // namespace longhand::runs
