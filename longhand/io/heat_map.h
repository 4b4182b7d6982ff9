// A table of counts whose cells are shaded, in HTML alone, for a page that `page_start` (chart.h) began with
// `heat_map_style`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::io {

struct HeatMap {
  std::string title;
  std::string row_title;
  std::string column_title;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<int64_t> counts;  ///< [rows, columns]; the shade is a count's share of its row

  int64_t count(size_t row, size_t column) const { return counts[row * columns.size() + column]; }
  int64_t total(size_t row) const;
};

/// The table as an HTML <figure>, with counts and shares of the rows; empty without rows or columns. Where there are
/// many columns, cells are small, zeros are left out, and the shares are in the cells' titles. All texts are plain;
/// they are escaped here.
std::string draw(const HeatMap& map);

/// The CSS that the tables need.
std::string heat_map_style();

}  // namespace longhand::io
