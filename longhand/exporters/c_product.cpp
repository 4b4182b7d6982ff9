#include "longhand/exporters/c_product.h"

#include <fmt/core.h>

namespace longhand::exporters {
namespace {

constexpr int64_t kColumnsAtOnce = 4;  // columns per pass over y

// "w[r] * x0 + w[r + 80] * x1 + ..."
std::string sum_of_columns(const CMatrix& w, int64_t columns) {
  const std::string cast = w.scales.empty() ? "" : "(float)";
  std::string out;
  for (int64_t k = 0; k < columns; ++k) {
    const std::string at = k == 0 ? "r" : fmt::format("r + {}", k * w.rows);
    out += fmt::format("{}{}w[{}] * x{}", k == 0 ? "" : " + ", cast, at, k);
  }
  return out;
}

// Returns statements that add `columns` columns of the matrix, from column `k` (an expression) on, to y for all rows.
std::string columns_text(const CMatrix& w, const CRows& rows, const std::string& x, const std::string& y,
                         const std::string& k, int64_t columns) {
  std::string values;
  for (int64_t i = 0; i < columns; ++i) {
    const std::string row = rows.rows > 1 ? fmt::format(" + n * {}", rows.x_stride) : "";
    const std::string at = k == "k" ? (i == 0 ? k : fmt::format("k + {}", i)) : std::to_string(std::stoll(k) + i);
    values += fmt::format("{}x{} = {}[{}{}]", i == 0 ? "" : ", ", i, x, at, row);
  }
  const std::string at_y = rows.rows > 1 ? fmt::format("n * {} + r", rows.y_stride) : "r";
  const std::string inner = fmt::format("const float {};\nfor (int r = 0; r < {}; ++r) {}[{}] += {};\n", values, w.rows,
                                        y, at_y, sum_of_columns(w, columns));
  if (rows.rows == 1) return inner;
  return fmt::format("for (int n = 0; n < {}; ++n) {{\n{}}}\n", rows.rows, indented(inner, 2));
}

std::string products_text(const CMatrix& w, const CRows& rows, const std::string& x, const std::string& y) {
  const CWords words = {{"w", w.weights}, {"R", w.rows}, {"type", w.scales.empty() ? "float" : "signed char"}};
  const int64_t whole = w.columns / kColumnsAtOnce * kColumnsAtOnce, rest = w.columns - whole;
  std::string out;
  if (whole > 0) {
    out += fmt::format("for (int k = 0; k < {}; k += {}) {{\n", whole, kColumnsAtOnce);
    out += c_fill("  const $type *const w = @$w + k * $R;\n", words);
    out += indented(columns_text(w, rows, x, y, "k", kColumnsAtOnce), 2) + "}\n";
  }
  if (rest > 0) {
    out += fmt::format("{{\n{}", c_fill("  const $type *const w = @$w", words)) +
           (whole > 0 ? fmt::format(" + {}", whole * w.rows) : "") + ";\n";
    out += indented(columns_text(w, rows, x, y, std::to_string(whole), rest), 2) + "}\n";
  }
  return out;
}

}  // namespace

std::string c_multiply(const CMatrix& w, const std::string& x, const std::string& y) {
  return products_text(w, {}, x, y);
}

std::string c_linear(const CMatrix& w, const std::string& bias, const CRows& rows, const std::string& x) {
  const bool scaled = !w.scales.empty(), several = rows.rows > 1;
  const std::string first = bias.empty() || scaled ? "0.0f" : fmt::format("@{}[r]", bias);
  const std::string y = several ? fmt::format("y[n * {} + r]", rows.y_stride) : "y[r]";
  const auto for_rows = [&](const std::string& statement) {
    const std::string loop = fmt::format("for (int r = 0; r < {}; ++r) {};\n", w.rows, statement);
    return several ? fmt::format("for (int n = 0; n < {}; ++n) {{\n  {}}}\n", rows.rows, loop) : loop;
  };
  std::string out = for_rows(fmt::format("{} = {}", y, first)) + products_text(w, rows, x, "y");
  if (scaled) {
    out += for_rows(
        fmt::format("{0} = {0} * @{1}[r]{2}", y, w.scales, bias.empty() ? "" : fmt::format(" + @{}[r]", bias)));
  }
  return out;
}

std::string c_column(const CMatrix& w, const std::string& bias, const std::string& column, const std::string& y) {
  std::string value = fmt::format("@{}[({}) * {} + r]", w.weights, column, w.rows);
  if (!w.scales.empty()) value = fmt::format("(float){} * @{}[r]", value, w.scales);
  if (!bias.empty()) value += fmt::format(" + @{}[r]", bias);
  return fmt::format("for (int r = 0; r < {}; ++r) {}[r] = {};\n", w.rows, y, value);
}

}  // namespace longhand::exporters
