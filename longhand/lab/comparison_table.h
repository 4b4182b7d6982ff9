// The table of a comparison in words and formatted numbers, from which its text, Markdown and HTML are made. Private to
// the comparison.
#pragma once

#include <string>
#include <vector>

#include "longhand/lab/comparison.h"

namespace longhand::lab {

struct TableCell {
  std::string median;  ///< a dash if there is no number
  std::string range;   ///< "low to high"; empty unless there are several seeds
};

struct TableRow {
  std::string name;
  bool published = false;
  bool best = false;
  bool baseline = false;         ///< a simple model, no variant
  std::vector<TableCell> cells;  ///< one a column; none where no run has figures
  std::string remark;            ///< "2 of 3 seeds failed: why", and the variant's note; may be empty
};

struct ComparisonTable {
  std::vector<std::vector<std::string>> columns;  ///< the headings, in two lines; without the names' column
  std::vector<TableRow> rows;                     ///< the published first
  std::vector<std::string> notes;                 ///< that explain the table, a line each
};

ComparisonTable make_table(const RunComparison& comparison);

/// One figure of a variant's runs that did not fail; the held-out losses of those that have one.
std::vector<double> figures(const ComparedVariant& variant, double ComparedRun::*figure);
std::vector<double> valid_losses(const ComparedVariant& variant);

std::vector<double> valid_measures(const ComparedVariant& variant);

/// Whether any run that did not fail has a held-out loss: then variants are compared by what was held out.
bool has_valid_loss(const RunComparison& comparison);
/// What variants are compared by: that of the runs, or the loss where nothing was held out.
Measure measure_of(const RunComparison& comparison);

/// Its runs that did not fail.
std::vector<const ComparedRun*> finished(const ComparedVariant& variant);

/// One line of what may have been several, or hold control characters.
std::string one_line(const std::string& text);

}  // namespace longhand::lab
