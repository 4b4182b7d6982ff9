#include "longhand/baselines/least_squares.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand::baselines {
namespace {

// In four sums, so that an addition need not wait for the one before.
double dot(const double* a, const double* b, int64_t n) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int64_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// y += f x
void add(double* y, double f, const double* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += f * x[i];
}

struct Place {
  double* first;  // of t = u = 0
  int64_t row, column;
};

// Adds, for t < T and u < U, the sum over k < count of p[t + k] q[u + k]. Along a diagonal one product is new and one
// is gone.
void add_products(const double* p, int64_t T, const double* q, int64_t U, int64_t count, const Place& out) {
  for (int64_t lag = 1 - T; lag < U; ++lag) {
    int64_t t = std::max<int64_t>(0, -lag), u = t + lag;
    double sum = dot(p + t, q + u, count);
    while (true) {
      out.first[t * out.row + u * out.column] += sum;
      if (t + 1 == T || u + 1 == U) break;
      sum += p[t + count] * q[u + count] - p[t] * q[u];
      ++t;
      ++u;
    }
  }
}

// Adds, for t < T, the sum over k < count of p[t + k].
void add_values(const double* p, int64_t T, int64_t count, double* out, int64_t stride) {
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t k = 0; k < count; ++k) out[t * stride] += p[t + k];
  }
}

// Adds windows that begin at rows `begin` .. begin + count - 1.
void add_run(const Columns& columns, const Reading& reading, int64_t begin, int64_t target, int64_t count, Sums& out) {
  const int64_t W = reading.window, A = reading.ahead, n = out.n, m = out.m;
  const auto C = static_cast<int64_t>(reading.columns.size()), O = static_cast<int64_t>(columns.y.size());
  const auto x = [&](int64_t c) { return columns.x[reading.columns[static_cast<size_t>(c)]].data() + begin; };
  for (int64_t c = 0; c < C; ++c) {
    add_values(x(c), W, count, out.x.data() + c * W, 1);
    for (int64_t d = c; d < C; ++d) {
      add_products(x(c), W, x(d), W, count, {out.xx.data() + c * W * n + d * W, n, 1});
    }
    for (int64_t o = 0; o < O; ++o) {
      const double* y = columns.y[static_cast<size_t>(o)].data() + target;
      add_products(x(c), W, y, A, count, {out.xy.data() + c * W * m + o, m, O});
    }
  }
  for (int64_t o = 0; o < O; ++o) {
    const double* y = columns.y[static_cast<size_t>(o)].data() + target;
    add_values(y, A, count, out.y.data() + o, O);
    for (int64_t a = 0; a < A; ++a) out.yy[static_cast<size_t>(a * O + o)] += dot(y + a, y + a, count);
  }
}

// A = U' U: overwrites the upper triangle of the symmetric A [n, n] with that of U. Rows are brought up to date in
// blocks, so that each row above is read once a block.
void factorise(std::vector<double>& A, int64_t n) {
  constexpr int64_t kBlock = 32;
  const auto row = [&](int64_t i) { return A.data() + i * n; };
  const auto eliminate = [&](int64_t i, int64_t j) { add(row(j) + j, -row(i)[j], row(i) + j, n - j); };
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = std::min(n, first + kBlock);
    for (int64_t i = 0; i < first; ++i) {
      for (int64_t j = first; j < last; ++j) eliminate(i, j);
    }
    for (int64_t j = first; j < last; ++j) {
      for (int64_t i = first; i < j; ++i) eliminate(i, j);
      const double root = std::sqrt(row(j)[j]);
      for (int64_t k = j; k < n; ++k) row(j)[k] /= root;
    }
  }
}

// Solves U' U X = B in place, for B [n, m].
void substitute(const std::vector<double>& U, std::vector<double>& B, int64_t n, int64_t m) {
  const auto row = [&](int64_t i) { return B.data() + i * m; };
  const auto divide = [&](int64_t i) {
    for (int64_t j = 0; j < m; ++j) row(i)[j] /= U[static_cast<size_t>(i * n + i)];
  };
  for (int64_t i = 0; i < n; ++i) {
    divide(i);
    for (int64_t k = i + 1; k < n; ++k) add(row(k), -U[static_cast<size_t>(i * n + k)], row(i), m);
  }
  for (int64_t i = n; i-- > 0;) {
    for (int64_t k = i + 1; k < n; ++k) add(row(i), -U[static_cast<size_t>(i * n + k)], row(k), m);
    divide(i);
  }
}

}  // namespace

Sums sums_of(const Columns& columns, std::span<const data::Window> windows, const Reading& reading) {
  const int64_t n = reading.inputs(), m = reading.ahead * static_cast<int64_t>(columns.y.size());
  Sums out{.n = n, .m = m, .count = static_cast<int64_t>(windows.size())};
  out.xx.resize(static_cast<size_t>(n * n));
  out.xy.resize(static_cast<size_t>(n * m));
  out.x.resize(static_cast<size_t>(n));
  out.y.resize(static_cast<size_t>(m));
  out.yy.resize(static_cast<size_t>(m));
  for (size_t first = 0, last = 0; first < windows.size(); first = last) {
    const data::Window& window = windows[first];
    LONGHAND_CHECK(window.length >= reading.window);
    const auto follows = [&](size_t i) {
      const auto by = static_cast<int64_t>(i - first);
      return windows[i].begin == window.begin + by && windows[i].target == window.target + by &&
             windows[i].length == window.length;
    };
    for (last = first; last < windows.size() && follows(last);) ++last;
    add_run(columns, reading, window.begin + window.length - reading.window, window.target,
            static_cast<int64_t>(last - first), out);
  }
  for (int64_t i = 0; i < n; ++i) {  // the blocks of two columns, mirrored
    for (int64_t j = 0; j < i / reading.window * reading.window; ++j) {
      out.xx[static_cast<size_t>(i * n + j)] = out.xx[static_cast<size_t>(j * n + i)];
    }
  }
  return out;
}

Sums shortened(const Sums& sums, int64_t from_window, int64_t to_window) {
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < sums.n; ++i) {
    if (i % from_window >= from_window - to_window) kept.push_back(i);
  }
  Sums out{.n = static_cast<int64_t>(kept.size()), .m = sums.m, .count = sums.count, .y = sums.y, .yy = sums.yy};
  for (const int64_t i : kept) {
    for (const int64_t j : kept) out.xx.push_back(sums.xx[static_cast<size_t>(i * sums.n + j)]);
    out.xy.insert(out.xy.end(), sums.xy.begin() + i * sums.m, sums.xy.begin() + (i + 1) * sums.m);
    out.x.push_back(sums.x[static_cast<size_t>(i)]);
  }
  return out;
}

void subtract(Sums& from, const Sums& sums) {
  LONGHAND_CHECK(from.n == sums.n && from.m == sums.m);
  from.count -= sums.count;
  for (const auto member : {&Sums::xx, &Sums::xy, &Sums::x, &Sums::y, &Sums::yy}) {
    std::vector<double>& values = from.*member;
    for (size_t i = 0; i < values.size(); ++i) values[i] -= (sums.*member)[i];
  }
}

Linear fit(const Sums& sums, double penalty) {
  const int64_t n = sums.n, m = sums.m;
  const auto count = static_cast<double>(sums.count);
  std::vector<double> A = sums.xx;
  Linear out{.weight = sums.xy, .bias = sums.y};
  for (int64_t i = 0; i < n; ++i) {
    const double mean = sums.x[static_cast<size_t>(i)] / count;
    add(A.data() + i * n, -mean, sums.x.data(), n);
    A[static_cast<size_t>(i * n + i)] += penalty;
    add(out.weight.data() + i * m, -mean, sums.y.data(), m);
  }
  factorise(A, n);
  substitute(A, out.weight, n, m);
  for (int64_t i = 0; i < n; ++i) {
    add(out.bias.data(), -sums.x[static_cast<size_t>(i)], out.weight.data() + i * m, m);
  }
  for (double& b : out.bias) b /= count;
  return out;
}

double squared_error(const Sums& sums, const Linear& fit) {
  const int64_t n = sums.n, m = sums.m;
  const auto count = static_cast<double>(sums.count);
  // |y|^2 - 2 y (W x + b) + (W x + b)^2, summed term by term.
  double out = 0.0;
  std::vector<double> product(static_cast<size_t>(m));
  for (int64_t i = 0; i < n; ++i) {
    const double* w = fit.weight.data() + i * m;
    std::fill(product.begin(), product.end(), 0.0);
    for (int64_t k = 0; k < n; ++k) {
      add(product.data(), sums.xx[static_cast<size_t>(i * n + k)], fit.weight.data() + k * m, m);
    }
    for (int64_t j = 0; j < m; ++j) {
      const auto at = static_cast<size_t>(j);
      out += w[j] * (product[at] - 2.0 * sums.xy[static_cast<size_t>(i * m + j)] +
                     2.0 * fit.bias[at] * sums.x[static_cast<size_t>(i)]);
    }
  }
  for (size_t j = 0; j < static_cast<size_t>(m); ++j) {
    out += sums.yy[j] - 2.0 * fit.bias[j] * sums.y[j] + count * fit.bias[j] * fit.bias[j];
  }
  return std::max(out, 0.0);
}

}  // namespace longhand::baselines
