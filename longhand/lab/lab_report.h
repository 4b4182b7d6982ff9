// What an experiment shows: tables, plots and words; as text for a terminal, as a page, as JSON and as CSV.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhand/io/chart.h"

namespace longhand::lab {

/// All cells are plain text: every form escapes them in its way.
struct LabTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< of as many cells; the first one names the row
};

/// For a terminal: the first column to the left, the others to the right.
std::string to_text(const LabTable& table);
std::string to_html(const LabTable& table);
/// Fields quoted as in RFC 4180, lines ended by a newline.
std::string to_csv(const LabTable& table);

/// A part of a report: a heading, then words, plots and a table, as far as there are any.
struct LabSection {
  std::string heading;
  std::vector<std::string> words;  ///< paragraphs
  std::vector<io::Chart> charts;
  LabTable table;
  bool on_page_alone = false;  ///< too much for a terminal
};

struct LabReport {
  std::string name;  ///< of its files: "gradients"
  std::string title;
  std::string command;  ///< that made it
  std::string machine;
  std::vector<std::string> summary;  ///< what was found, a sentence each
  std::vector<LabSection> sections;
  nlohmann::ordered_json data;  ///< everything, for programs
  LabTable csv;                 ///< the measurements, a line each
};

/// Title, tables and summary.
std::string to_text(const LabReport& report);
/// A page that fetches nothing and runs no script; the command is at its foot.
std::string to_page(const LabReport& report);
/// Writes NAME.html, NAME.json and NAME.csv into a folder, which is made, and with `pictures` every plot as an SVG file
/// that is named after it: "NAME-gradient-by-h-at-initialisation.svg".
void write_report(const std::string& folder, const LabReport& report, bool pictures);

/// "0.034", "1.2e-07": four significant digits; "-" for what is not a number.
std::string shown(double value);

}  // namespace longhand::lab
