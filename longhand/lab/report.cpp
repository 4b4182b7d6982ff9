#include "longhand/lab/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::lab {
namespace {

struct Curve {
  std::string label;
  std::string colour;  // a CSS variable
  std::vector<std::pair<double, double>> points;
};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `most` parts.
double tick_step(double span, int most) {
  double step = std::pow(10.0, std::floor(std::log10(span / most)));
  for (const double factor : {2.0, 2.5, 2.0, 2.0}) {
    if (span / step <= most) break;
    step *= factor;
  }
  return step;
}

// An SVG line chart. Both axes begin where the data do, or at zero if that is near.
std::string chart(const std::string& title, const std::string& x_title, const std::vector<Curve>& curves) {
  constexpr double kWidth = 760, kHeight = 280, kLeft = 56, kRight = 16, kTop = 12, kBottom = 40;
  double x_low = 1e300, x_high = -1e300, y_low = 0.0, y_high = -1e300;
  for (const Curve& curve : curves) {
    for (const auto& [x, y] : curve.points) {
      x_low = std::min(x_low, x);
      x_high = std::max(x_high, x);
      y_high = std::max(y_high, y);
    }
  }
  if (x_low > x_high) return "";
  if (x_low == x_high) x_high = x_low + 1.0;
  if (y_low >= y_high) y_high = y_low + 1.0;
  y_high += 0.04 * (y_high - y_low);
  const auto px = [&](double x) { return kLeft + (x - x_low) / (x_high - x_low) * (kWidth - kLeft - kRight); };
  const auto py = [&](double y) {
    return kHeight - kBottom - (y - y_low) / (y_high - y_low) * (kHeight - kTop - kBottom);
  };
  std::string svg = fmt::format("<figure><figcaption>{}", title);
  if (curves.size() > 1) {
    for (const Curve& curve : curves) {
      svg += fmt::format(" <span class=key style='--c:var({})'>{}</span>", curve.colour, curve.label);
    }
  }
  svg += fmt::format("</figcaption><svg viewBox='0 0 {} {}' role=img aria-label='{}'>", kWidth, kHeight, title);
  const double y_step = tick_step(y_high - y_low, 6);
  for (double y = y_low; y <= y_high + 1e-9; y += y_step) {
    svg += fmt::format("<line class=grid x1={} x2={} y1={:.1f} y2={:.1f} /><text class=y x={} y={:.1f}>{:.4g}</text>",
                       kLeft, kWidth - kRight, py(y), py(y), kLeft - 8, py(y) + 4, y);
  }
  const double x_step = std::max(1.0, tick_step(x_high - x_low, 8));
  for (double x = std::ceil(x_low / x_step) * x_step; x <= x_high + 1e-9; x += x_step) {
    svg += fmt::format("<text class=x x={:.1f} y={}>{:.6g}</text>", px(x), kHeight - kBottom + 18, x);
  }
  svg += fmt::format("<text class=x x={} y={}>{}</text>", (kLeft + kWidth - kRight) / 2, kHeight - 6, x_title);
  for (const Curve& curve : curves) {
    std::string path;
    for (const auto& [x, y] : curve.points) path += fmt::format("{:.1f},{:.1f} ", px(x), py(y));
    svg += fmt::format("<polyline points='{}' style='stroke:var({})'/>", path, curve.colour);
    const auto& [x, y] = curve.points.back();
    svg += fmt::format("<circle cx={:.1f} cy={:.1f} r=3 style='fill:var({})'><title>{} {:.4f}</title></circle>", px(x),
                       py(y), curve.colour, curve.label, y);
  }
  return svg + "</svg></figure>";
}

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667085; --line: #e3e6eb; --paper: #ffffff; --panel: #f6f7f9;
  --train: #2563c9; --valid: #c2570c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #9aa3b2; --line: #2e3542; --paper: #14171d;
  --panel: #1c2129; --train: #7aa8f7; --valid: #f0a05a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 800px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin: 1rem 0; }
dl div { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; margin-bottom: .3rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 12px; }
text.y { text-anchor: end; } text.x { text-anchor: middle; } line.grid { stroke: var(--line); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.key { font-weight: 400; margin-left: .8rem; } .key::before { content: ''; display: inline-block; width: 1rem;
  height: 3px; background: var(--c); margin-right: .35rem; vertical-align: middle; }
pre { background: var(--panel); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .85rem; }
)css";

std::vector<nlohmann::json> read_metrics(const std::string& path) {
  std::vector<nlohmann::json> rows;
  std::istringstream lines(io::read_file(path));
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    const bool good = row.is_object() && row.contains("epoch") && row["epoch"].is_number() &&
                      row.contains("train_loss") && row.contains("gradient_norm") && row["train_loss"].is_number();
    if (!good) {
      throw input_error(fmt::format("{}:{}: expected an evaluation, found something else", path, rows.size() + 1),
                        "the file was altered; run the training again");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Curve curve(const std::vector<nlohmann::json>& rows, const std::string& key, std::string label, std::string colour) {
  Curve out{std::move(label), std::move(colour), {}};
  for (const nlohmann::json& row : rows) {
    if (row.contains(key) && row[key].is_number()) {
      out.points.emplace_back(row["epoch"].get<double>(), row[key].get<double>());
    }
  }
  return out;
}

std::string figure(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

std::string number(const nlohmann::json& row, const std::string& key, const char* format) {
  if (!row.contains(key) || !row[key].is_number()) return "–";
  return fmt::format(fmt::runtime(format), row[key].get<double>());
}

}  // namespace

void write_report(const std::string& folder, const std::string& sample) {
  const std::vector<nlohmann::json> rows = read_metrics(folder + "/metrics.jsonl");
  const std::string title = std::filesystem::path(folder).filename().string();
  std::string html = fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
      "<title>Longhand: {0}</title><style>{1}</style><h1>Training run: {0}</h1>\n",
      escaped(title), kStyle);
  if (!rows.empty()) {
    const nlohmann::json& last = rows.back();
    html += "<dl>" + figure("epochs", number(last, "epoch", "{:.0f}")) +
            figure("updates", number(last, "step", "{:.0f}")) +
            figure("training perplexity", number(last, "train_perplexity", "{:.3f}"));
    const Curve valid = curve(rows, "valid_loss", "held out", "--valid");
    if (!valid.points.empty()) {
      const auto best = std::min_element(valid.points.begin(), valid.points.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; });
      html += figure("best held-out loss", fmt::format("{:.4f}", best->second)) +
              figure("in epoch", fmt::format("{:.0f}", best->first));
    }
    html += figure("seconds", number(last, "seconds", "{:.1f}")) +
            figure("tokens/s", number(last, "tokens_per_second", "{:.0f}")) + "</dl>\n";
    std::vector<Curve> losses = {curve(rows, "train_loss", "training", "--train")};
    if (!valid.points.empty()) losses.push_back(valid);
    html += chart("Loss (nats a symbol)", "epoch", losses);
    html += chart("Gradient norm before clipping (mean of the epoch)", "epoch",
                  {curve(rows, "gradient_norm", "gradient norm", "--train")});
  }
  if (!sample.empty()) html += "<h2>A sample (temperature 0.8)</h2><pre>" + escaped(sample) + "</pre>\n";
  html += "<h2>Configuration</h2><pre>" + escaped(io::read_file(folder + "/config.toml")) + "</pre></html>\n";
  io::write_file(folder + "/report.html", html);
}

}  // namespace longhand::lab
