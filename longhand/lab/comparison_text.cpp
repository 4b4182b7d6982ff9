// The table of a comparison for a terminal and for Markdown.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/unicode.h"
#include "longhand/lab/comparison.h"
#include "longhand/lab/comparison_table.h"

namespace longhand::lab {
namespace {

constexpr size_t kShortName = 16;  // names up to here always have their figures beside them

// Lines of at most `width` columns (a longer word has its own), each after `indent` spaces.
std::string wrapped(const std::string& text, size_t width, size_t indent) {
  std::string out, line;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty()) continue;
    if (!line.empty() && indent + display_width(line) + 1 + display_width(word) > width) {
      out += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return line.empty() ? out : out + std::string(indent, ' ') + line + "\n";
}

std::string without_spaces_at_the_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// How wide each column is, and which of them show ranges.
struct TextLayout {
  size_t name = 0;
  std::vector<size_t> widths;
  std::vector<bool> ranges;

  // The mark, the name, one space, and two between columns. The first heading is wider than its figures.
  size_t total() const {
    size_t sum = 2 + name + 1;
    for (size_t i = 0; i < widths.size(); ++i) sum += widths[i] + (i > 0 ? 2 : 0);
    return sum;
  }
};

TextLayout lay_out(const ComparisonTable& table, size_t width) {
  TextLayout layout;
  std::vector<size_t> with_range;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    size_t median = 0, range = 0;
    for (const std::string& heading : table.columns[i]) median = std::max(median, display_width(heading));
    for (const TableRow& row : table.rows) {
      if (row.cells.empty()) continue;
      median = std::max(median, display_width(row.cells[i].median));
      range = std::max(range, display_width(row.cells[i].range));
    }
    layout.widths.push_back(median);
    with_range.push_back(std::max(median, range));
  }
  // The ranges of losses and perplexity matter more than a long name beside its figures. The first column's range may
  // lie below the name, and takes no room.
  TextLayout important = layout;
  for (size_t i = 1; i < important.widths.size() - 3; ++i) important.widths[i] = with_range[i];
  const size_t rest = important.total();
  for (const TableRow& row : table.rows) {
    if (!row.cells.empty()) layout.name = std::max(layout.name, display_width(row.name));
  }
  layout.name = std::min(std::max<size_t>(layout.name, 7), width > rest + kShortName ? width - rest : kShortName);
  layout.ranges.assign(layout.widths.size(), true);
  for (size_t i = 1; i < layout.widths.size(); ++i) {
    TextLayout wider = layout;
    wider.widths[i] = with_range[i];
    if (wider.total() <= width) {
      layout = wider;
    } else {
      layout.ranges[i] = with_range[i] == layout.widths[i];
    }
  }
  return layout;
}

std::string headings(const ComparisonTable& table, const TextLayout& layout) {
  std::string out;
  for (const size_t line : {size_t{0}, size_t{1}}) {
    std::string text = "  " + left_aligned(line == 1 ? "variant" : "", layout.name) + " ";
    for (size_t i = 0; i < layout.widths.size(); ++i) {
      text += (i > 0 ? "  " : "") + right_aligned(table.columns[i][line], layout.widths[i]);
    }
    out += without_spaces_at_the_end(text);
  }
  return out;
}

std::string row_text(const TableRow& row, const TextLayout& layout, size_t width) {
  const std::string mark = row.best ? "* " : "  ";
  const bool alone = row.cells.empty() || display_width(row.name) > layout.name;
  std::string out = alone ? mark + row.name + "\n" : "";
  if (!row.cells.empty()) {
    std::string line = alone ? std::string(2 + layout.name + 1, ' ') : mark + left_aligned(row.name, layout.name) + " ";
    std::string below;
    bool any_range = false;
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const std::string gap = i > 0 ? "  " : "";
      const std::string range = layout.ranges[i] ? row.cells[i].range : "";
      line += gap + right_aligned(row.cells[i].median, layout.widths[i]);
      below += gap + right_aligned(range, i > 0 ? layout.widths[i] : 2 + layout.name + 1 + layout.widths[i]);
      any_range = any_range || !range.empty();
    }
    out += without_spaces_at_the_end(line);
    if (any_range) out += without_spaces_at_the_end(below);
  }
  return out + wrapped(row.remark, width, 4);
}

// Markdown would read these as its own.
std::string escape_markdown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (c == '&') {
      out += "&amp;";
      continue;
    }
    if (std::string("\\|*_`[]").find(c) != std::string::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace

std::string to_text(const RunComparison& comparison, int width) {
  const ComparisonTable table = make_table(comparison);
  if (table.rows.empty()) return "  no variants\n";
  const auto columns = static_cast<size_t>(std::max(width, 40));
  const TextLayout layout = lay_out(table, columns);
  std::string out = headings(table, layout);
  bool published = false;
  for (const TableRow& row : table.rows) {
    if (row.published != published) out += row.published ? "published, on other machines:\n" : "measured here:\n";
    published = row.published;
    out += row_text(row, layout, columns);
  }
  for (const std::string& note : table.notes) out += wrapped(note, columns, 0);
  return out;
}

std::string to_markdown(const RunComparison& comparison) {
  const ComparisonTable table = make_table(comparison);
  std::string out = "| variant |", rule = "|---|";
  for (const std::vector<std::string>& heading : table.columns) {
    out += fmt::format(" {}{}{} |", heading[0], heading[0].empty() ? "" : " ", heading[1]);
    rule += "---:|";
  }
  out += "\n" + rule + "\n";
  for (const TableRow& row : table.rows) {
    const std::string name = escape_markdown(row.name);
    out += "| " + (row.best ? "**" + name + "** \\*" : row.published ? name + " (published)" : name);
    if (!row.remark.empty()) out += " (" + escape_markdown(row.remark) + ")";
    out += " |";
    for (size_t i = 0; i < table.columns.size(); ++i) {
      const TableCell cell = row.cells.empty() ? TableCell{"–", ""} : row.cells[i];
      out += " " + cell.median + (cell.range.empty() ? "" : " (" + cell.range + ")") + " |";
    }
    out += "\n";
  }
  out += "\n";
  for (size_t i = 0; i < table.notes.size(); ++i) {
    out += (i > 0 ? "; " : "") + escape_markdown(table.notes[i]);
  }
  return out + (table.notes.empty() ? "" : ".\n");
}

}  // namespace longhand::lab
