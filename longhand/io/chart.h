// Line charts in SVG, and the style of the pages that show them: HTML that fetches nothing and runs no script, for
// light and dark, for wide screens and narrow ones. What the pages say is in report.h and comparison_page.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace longhand::io {

struct Point {
  double x = 0.0;
  double y = 0.0;
};

/// What a curve says is a range at x.
struct Interval {
  double x = 0.0;
  double low = 0.0;
  double high = 0.0;
};

struct Curve {
  std::string label;
  int colour = 0;                ///< as in `colour_of`
  std::vector<Point> points;     ///< in order of x; points that are not finite are skipped
  bool faint = false;            ///< one of several runs of a variant: drawn thin, and not in the key
  std::vector<Interval> band{};  ///< drawn as an area behind the curves; those that are not finite are skipped
};

/// A point that the chart points out, with an entry in the key.
struct Mark {
  std::string label;
  Point at;
  int colour = 0;
};

struct Chart {
  std::string title;
  std::string x_title;
  std::string y_title{};  ///< what the vertical axis shows, where the title does not say it
  bool log_x = false;     ///< the x axis is logarithmic where all x are positive
  bool whole_x = false;   ///< x counts something: no ticks between whole numbers
  /// The y axis is logarithmic where the largest value is more than this many times the smallest, which must be
  /// positive.
  double log_beyond = 1e300;
  std::vector<Curve> curves;
  std::optional<Mark> mark;
  std::vector<double> y_holds{};  ///< values that the y axis has room for, so that charts beside each other are alike
};

/// The chart as an HTML <figure>, for a page that `page_start` began; empty if no curve has a finite point. Labels are
/// plain text; they are escaped here.
std::string draw(const Chart& chart);

/// The CSS colour number `index`, from 0; there are 12 that differ, then they begin again.
std::string colour_of(int index);

/// A place on an axis that bears a number.
struct Tick {
  double value = 0.0;
  std::string label;
};

/// Ticks between `low` and `high` (both included): multiples of 1, 2 or 5 times a power of ten, about `max` of them
/// and at least apart by 1 if `whole`.
std::vector<Tick> linear_ticks(double low, double high, int max, bool whole);

/// The same for a logarithmic axis, 0 < low < high: 1, 2 and 5 in every power of ten if that many fit, else powers.
std::vector<Tick> log_ticks(double low, double high, int max);

/// At most `max` (at least 4) of the points: the first, the last, and between them the lowest and the highest of every
/// stretch, so that no peak is lost.
std::vector<Point> thinned(const std::vector<Point>& points, size_t max);

/// Text for HTML, between tags or in a quoted attribute, with control characters and marks of direction made visible.
std::string escape_html(const std::string& text);

/// The page down to its heading, which is its title (plain text), too. `style` is CSS that this page adds. The page is
/// to be ended with `kPageEnd`.
std::string page_start(const std::string& title, const std::string& style = "");
inline constexpr const char* kPageEnd = "</main></html>\n";

/// One of the figures at the head of a page, for a <dl class=figures>. Both are plain text.
std::string head_figure(const std::string& name, const std::string& value);

}  // namespace longhand::io
