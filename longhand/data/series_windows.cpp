// The windows of a table's rows, and the scales of its columns.
#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/data/series.h"

namespace longhand::data {

std::vector<Window> windows(const Table& table, const SeriesOptions& options, int64_t first, int64_t last) {
  std::vector<Window> out;
  const int64_t ahead = steps_ahead(options);
  for (size_t s = 0; s + 1 < table.starts.size(); ++s) {
    const int64_t begin = table.starts[s], end = table.end_of(static_cast<int64_t>(s));
    if (options.window == 0) {
      if (begin >= first && end <= last) out.push_back({begin, end - begin, end - 1});
      continue;
    }
    for (int64_t at = begin;; ++at) {
      const int64_t target = at + options.window - (options.horizon == 0 ? 1 : 0);
      if (target + ahead > std::min(end, last)) break;
      if (target >= first) out.push_back({at, options.window, target});
    }
  }
  return out;
}

int64_t row_at(const Table& table, int64_t sequence, double fraction) {
  const int64_t begin = table.starts[static_cast<size_t>(sequence)], rows = table.end_of(sequence) - begin;
  return begin + static_cast<int64_t>(std::floor(static_cast<double>(rows) * fraction));
}

std::vector<Window> windows_of_part(const Table& table, const SeriesOptions& options, double from, double to) {
  std::vector<Window> out;
  const int64_t ahead = steps_ahead(options);
  for (int64_t s = 0; s < table.sequences(); ++s) {
    const int64_t begin = table.starts[static_cast<size_t>(s)], back = options.window - (options.horizon == 0 ? 1 : 0);
    const int64_t first = std::max(row_at(table, s, from), begin + back);
    const int64_t last = to >= 1.0 ? table.end_of(s) : row_at(table, s, to);
    for (int64_t target = first; target + ahead <= last; ++target) {
      out.push_back({target - back, options.window, target});
    }
  }
  return out;
}

int64_t Table::sequence_of(int64_t row) const {
  return std::upper_bound(starts.begin(), starts.end(), row) - starts.begin() - 1;
}

Scale spread_of(const std::vector<double>& values, int64_t rows) {
  const auto n = static_cast<size_t>(rows);
  const auto count = static_cast<double>(std::max<int64_t>(rows, 1));
  double mean = 0.0, squares = 0.0, largest = 0.0;
  for (size_t i = 0; i < n; ++i) {
    mean += values[i];
    largest = std::max(largest, std::abs(values[i]));
  }
  mean /= count;
  for (size_t i = 0; i < n; ++i) squares += std::pow(values[i] - mean, 2);
  const double deviation = std::sqrt(squares / count);
  // Bound on the rounding error of the sums.
  const double rounding = 4.0 * std::numeric_limits<double>::epsilon() * largest * std::sqrt(count);
  return {mean, deviation > rounding ? deviation : 0.0};
}

Scale scale_of(const std::vector<double>& values, int64_t rows) {
  const Scale spread = spread_of(values, rows);
  return {spread.mean, spread.deviation > 0.0 ? spread.deviation : 1.0};
}

}  // namespace longhand::data
