// What the sources of derivatives.h have in common: small vectors in double, and the comparison. The cell is written
// out there once more for each equation, away from the kernels, so that the two can disagree.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "longhand/autograd/cells.h"
#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/lab/derivatives.h"

namespace longhand::lab {

using Vector = std::vector<double>;
using autograd::Tape;
using autograd::Var;

constexpr int64_t kH = 5, kI = 3, kP = 4, kT = 4;  // sizes of the points at which the equations are checked

inline Vector random(int64_t n, uint32_t place) {
  const CounterRng rng(13, 0, RngPlace::kSample, place);
  Vector out;
  for (int64_t i = 0; i < n; ++i) out.push_back(2.0 * rng.uniform_double(static_cast<uint64_t>(i)) - 1.0);
  return out;
}

inline double sigmoid(double a) { return 1.0 / (1.0 + std::exp(-a)); }

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// W x, and W' y, for W with as many columns as x has, or rows as y has.
inline Vector times(const Vector& w, const Vector& x) {
  Vector y(w.size() / x.size());
  for (size_t k = 0; k < w.size(); ++k) y[k / x.size()] += w[k] * x[k % x.size()];
  return y;
}
inline Vector transposed_times(const Vector& w, const Vector& y) {
  const size_t columns = w.size() / y.size();
  Vector x(columns);
  for (size_t k = 0; k < w.size(); ++k) x[k % columns] += w[k] * y[k / columns];
  return x;
}
inline Vector outer(const Vector& y, const Vector& x) {
  Vector w;
  for (const double row : y) {
    for (const double column : x) w.push_back(row * column);
  }
  return w;
}
inline Vector plus(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
inline Vector times_each(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}
inline Vector part(const Vector& v, int64_t begin, int64_t count) {
  return {v.begin() + begin, v.begin() + begin + count};
}
inline Vector one_minus(Vector v) {
  for (double& e : v) e = 1.0 - e;
  return v;
}

/// The larger difference; one that is no number is the worst.
inline double worse(double a, double b) { return std::isnan(a) || std::isnan(b) ? INFINITY : std::max(a, b); }

class Checker {
 public:
  // Compares dL/d(variable) by the formula, by the tape and by differences of `loss`, elements begin .. of the
  // variable.
  void check(int number, const std::string& what, Vector& variable, const std::function<double()>& loss,
             const Vector& formula, const Vector& tape, int64_t begin = 0) {
    EquationResult result{.number = number, .what = what, .tolerance_tape = 1e-14, .tolerance_differences = 1e-10};
    LONGHAND_CHECK(!formula.empty() && tape.size() == formula.size());
    LONGHAND_CHECK(static_cast<size_t>(begin) + formula.size() <= variable.size());
    for (size_t i = 0; i < formula.size(); ++i) {
      double& element = variable[static_cast<size_t>(begin) + i];
      const double saved = element;
      constexpr double kStep = 1e-4;
      const auto at = [&](double by) {
        element = saved + by;
        return loss();
      };
      const double numeric = (8.0 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12.0 * kStep);
      element = saved;
      result.tape = worse(result.tape, std::abs(formula[i] - tape[i]));
      result.differences = worse(result.differences, std::abs(formula[i] - numeric));
    }
    loss();
    results.push_back(result);
  }

  // The same for each step's variable; the worst step is reported.
  void check_steps(int number, const std::string& what, std::vector<Vector>& variables,
                   const std::function<double()>& loss, const std::vector<Vector>& formula,
                   const std::vector<Vector>& tape, int64_t begin = 0) {
    EquationResult worst;
    for (size_t t = 0; t < variables.size(); ++t) {
      check(number, what, variables[t], loss, formula[t], tape[t], begin);
      EquationResult now = results.back();
      results.pop_back();
      now.tape = worse(now.tape, worst.tape);
      now.differences = worse(now.differences, worst.differences);
      worst = now;
    }
    results.push_back(worst);
  }

  std::vector<EquationResult> results;
};

inline Vector gradient(const Var<double>& v) { return {v.gradient().begin(), v.gradient().end()}; }

inline Var<double> leaf(Tape<double>& tape, const Vector& values, int64_t rows = 1) {
  return tape.variable(rows, static_cast<int64_t>(values.size()) / rows, values.data());
}

/// The gradients of nodes from `skip` on, and elements begin .. begin + kH of each vector.
inline std::vector<Vector> gradients(const std::vector<Var<double>>& nodes, size_t skip = 0) {
  std::vector<Vector> out;
  for (size_t t = skip; t < nodes.size(); ++t) out.push_back(gradient(nodes[t]));
  return out;
}
inline std::vector<Vector> parts(const std::vector<Vector>& all, int64_t begin) {
  std::vector<Vector> out;
  for (const Vector& v : all) out.push_back(part(v, begin, kH));
  return out;
}

/// (33) to (44), in derivatives_options.cpp.
void check_options(Checker& checker);
/// (45) to (51), in derivatives_output.cpp.
void check_around_layers(Checker& checker);
/// (63) to (76), in derivatives_cells.cpp.
void check_other_cells(Checker& checker);
/// (77) to (83) but for (79), in derivatives_variants.cpp.
void check_cell_variants(Checker& checker);

}  // namespace longhand::lab
