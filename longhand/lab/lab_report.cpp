#include "longhand/lab/lab_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/io/csv.h"
#include "longhand/io/file.h"
#include "longhand/io/picture.h"

namespace longhand::lab {
namespace {

constexpr const char* kLabStyle = R"css(
.scroll { overflow-x: auto; margin: 1rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--soft); font-weight: 400; font-size: .8rem; vertical-align: bottom; white-space: normal; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
tbody th { font-weight: 600; white-space: normal; min-width: 7rem; }
p, li { max-width: 44rem; }
)css";

}  // namespace

std::string to_text(const LabTable& table) {
  std::vector<size_t> widths;
  for (const std::string& column : table.columns) widths.push_back(display_width(column));
  for (const auto& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(visible(row[i])));
  }
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? left_aligned(visible(row[i]), widths[i]) : "  " + right_aligned(visible(row[i]), widths[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  return out;
}

std::string to_html(const LabTable& table) {
  std::string html = "<div class=scroll tabindex=0><table><thead><tr>";
  for (const std::string& column : table.columns) html += "<th scope=col>" + io::escape_html(column) + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      html += (i == 0 ? "<th scope=row>" : "<td>") + io::escape_html(row[i]) + (i == 0 ? "</th>" : "</td>");
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string to_csv(const LabTable& table) {
  std::string out;
  const auto add = [&out](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) out += (i == 0 ? "" : ",") + io::csv_field(row[i]);
    out += "\n";
  };
  add(table.columns);
  for (const auto& row : table.rows) add(row);
  return out;
}

std::string to_text(const LabReport& report) {
  std::string out = report.title + "\n";
  for (const LabSection& section : report.sections) {
    if (section.table.rows.empty() || section.on_page_alone) continue;
    out += "\n" + section.heading + "\n" + to_text(section.table);
  }
  if (!report.summary.empty()) out += "\n";
  for (const std::string& sentence : report.summary) out += sentence + "\n";
  return out;
}

std::string to_page(const LabReport& report) {
  std::string html = io::page_start(report.title, kLabStyle);
  if (!report.machine.empty()) html += "<p class=soft>" + io::escape_html(report.machine) + "</p>\n";
  if (!report.summary.empty()) {
    html += "<ul>";
    for (const std::string& sentence : report.summary) html += "<li>" + io::escape_html(sentence) + "</li>\n";
    html += "</ul>\n";
  }
  for (const LabSection& section : report.sections) {
    html += "<h2>" + io::escape_html(section.heading) + "</h2>\n";
    for (const std::string& paragraph : section.words) html += "<p>" + io::escape_html(paragraph) + "</p>\n";
    for (const io::Chart& chart : section.charts) html += io::draw(chart);
    if (!section.table.rows.empty()) html += to_html(section.table);
  }
  return html + "<h2>Made by</h2><pre>" + io::escape_html(report.command) + "</pre>\n" + io::kPageEnd;
}

void write_report(const std::string& folder, const LabReport& report, bool pictures) {
  io::make_folder(folder);
  const std::string path = folder + "/" + report.name;
  nlohmann::ordered_json json = {{"title", report.title}, {"command", report.command}, {"machine", report.machine}};
  json.update(report.data);
  io::write_file(path + ".json", json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  io::write_file(path + ".csv", to_csv(report.csv));
  io::write_file(path + ".html", to_page(report));
  for (const LabSection& section : report.sections) {
    if (pictures) io::write_pictures(path, section.charts);
  }
}

std::string shown(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "-" : value > 0 ? "infinite" : "-infinite";
  const double size = std::abs(value);
  if (size == 0.0) return "0";
  if (size < 1e-3 || size >= 1e5) return fmt::format("{:.1e}", value);
  return fmt::format("{:.{}f}", value, size >= 100.0 ? 1 : size >= 10.0 ? 2 : size >= 1.0 ? 3 : 4);
}

}  // namespace longhand::lab
