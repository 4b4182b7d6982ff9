// Products, sums and functions of elements. Each operation is two loops: its values, and its derivative.
#include "longhand/autograd/operations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace longhand::autograd {
namespace {

/// y += s * x
template <class T>
void add_scaled(int64_t n, T s, const T* x, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += s * x[i];
}

/// y = f(x), element by element; `derivative(x, y)` is dy/dx.
template <class T, class F, class Derivative>
Var<T> pointwise(Var<T> x, const F& f, const Derivative& derivative) {
  const Matrix<T> in = x.matrix();
  return x.tape->record(
      in.rows, in.columns, std::array{x},
      [&](const Matrix<T>& out) { std::transform(in.value, in.value + in.size(), out.value, f); },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < in.size(); ++i) {
          in.gradient[i] += out.gradient[i] * derivative(in.value[i], out.value[i]);
        }
      });
}

/// Which element of the second operand meets element (i, j) of the first, [m,n].
enum class Operand { kSame, kRow, kColumn };

template <Operand kOperand>
int64_t element(int64_t i, int64_t j, int64_t n) {
  return kOperand == Operand::kSame ? i * n + j : kOperand == Operand::kRow ? j : i;
}

/// y = f(a, b), element by element; `da(a, b)` and `db(a, b)` are the partial derivatives. An element of `b` that meets
/// several of `a` gets the sum of their gradients.
template <Operand kOperand, class T, class F, class DerivativeA, class DerivativeB>
Var<T> pointwise(Var<T> a, Var<T> b, const F& f, const DerivativeA& da, const DerivativeB& db) {
  const Matrix<T> left = a.matrix(), right = b.matrix();
  const int64_t m = left.rows, n = left.columns;
  LONGHAND_CHECK(right.rows == (kOperand == Operand::kRow ? 1 : m));
  LONGHAND_CHECK(right.columns == (kOperand == Operand::kColumn ? 1 : n));
  const auto each = [=](const auto& body) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) body(i * n + j, element<kOperand>(i, j, n));
    }
  };
  return a.tape->record(
      m, n, std::array{a, b},
      [&](const Matrix<T>& out) {
        each([&](int64_t p, int64_t q) { out.value[p] = f(left.value[p], right.value[q]); });
      },
      [=](const Matrix<T>& out) {
        if (left.gradient != nullptr) {
          each([&](int64_t p, int64_t q) { left.gradient[p] += out.gradient[p] * da(left.value[p], right.value[q]); });
        }
        if (right.gradient != nullptr) {
          each([&](int64_t p, int64_t q) { right.gradient[q] += out.gradient[p] * db(left.value[p], right.value[q]); });
        }
      });
}

template <Operand kOperand, class T>
Var<T> plus(Var<T> a, Var<T> b) {
  const auto one = [](T, T) { return T(1); };
  return pointwise<kOperand>(
      a, b, [](T u, T v) { return u + v; }, one, one);
}

template <Operand kOperand, class T>
Var<T> minus(Var<T> a, Var<T> b) {
  return pointwise<kOperand>(
      a, b, [](T u, T v) { return u - v; }, [](T, T) { return T(1); }, [](T, T) { return T(-1); });
}

template <Operand kOperand, class T>
Var<T> times(Var<T> a, Var<T> b) {
  return pointwise<kOperand>(
      a, b, [](T u, T v) { return u * v; }, [](T, T v) { return v; }, [](T u, T) { return u; });
}

/// The sums of each `n` successive elements, as a column.
template <class T>
Var<T> sum_groups(Var<T> x, int64_t n) {
  const Matrix<T> in = x.matrix();
  return x.tape->record(
      in.size() / n, 1, std::array{x},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < out.rows; ++i) {
          out.value[i] = std::accumulate(in.value + i * n, in.value + (i + 1) * n, T(0));
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < out.rows; ++i) {
          for (int64_t j = 0; j < n; ++j) in.gradient[i * n + j] += out.gradient[i];
        }
      });
}

}  // namespace

template <class T>
Var<T> matmul_transposed(Var<T> x, Var<T> w) {
  const Matrix<T> in = x.matrix(), weights = w.matrix();
  const int64_t m = in.rows, n = weights.rows, k = in.columns;
  LONGHAND_CHECK(weights.columns == k);
  // In each of the three products the innermost loop runs along rows, so that a compiler can vectorise it.
  return x.tape->record(
      m, n, std::array{x, w},
      [&](const Matrix<T>& out) {
        T* transposed = x.tape->scratch(k * n);
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t l = 0; l < k; ++l) transposed[l * n + j] = weights.value[j * k + l];
        }
        std::fill_n(out.value, m * n, T(0));
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t l = 0; l < k; ++l) add_scaled(n, in.value[i * k + l], transposed + l * n, out.value + i * n);
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; in.gradient != nullptr && i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            add_scaled(k, out.gradient[i * n + j], weights.value + j * k, in.gradient + i * k);
          }
        }
        for (int64_t j = 0; weights.gradient != nullptr && j < n; ++j) {
          for (int64_t i = 0; i < m; ++i) {
            add_scaled(k, out.gradient[i * n + j], in.value + i * k, weights.gradient + j * k);
          }
        }
      });
}

template <class T>
Var<T> add(Var<T> a, Var<T> b) {
  return plus<Operand::kSame>(a, b);
}

template <class T>
Var<T> subtract(Var<T> a, Var<T> b) {
  return minus<Operand::kSame>(a, b);
}

template <class T>
Var<T> multiply(Var<T> a, Var<T> b) {
  return times<Operand::kSame>(a, b);
}

template <class T>
Var<T> add_row(Var<T> x, Var<T> row) {
  return plus<Operand::kRow>(x, row);
}

template <class T>
Var<T> multiply_row(Var<T> x, Var<T> row) {
  return times<Operand::kRow>(x, row);
}

template <class T>
Var<T> multiply_column(Var<T> x, Var<T> column) {
  return times<Operand::kColumn>(x, column);
}

template <class T>
Var<T> subtract_column(Var<T> x, Var<T> column) {
  return minus<Operand::kColumn>(x, column);
}

template <class T>
Var<T> add_scalar(Var<T> x, std::type_identity_t<T> s) {
  return pointwise(
      x, [s](T v) { return v + s; }, [](T, T) { return T(1); });
}

template <class T>
Var<T> scale(Var<T> x, std::type_identity_t<T> s) {
  return pointwise(
      x, [s](T v) { return s * v; }, [s](T, T) { return s; });
}

template <class T>
Var<T> sigmoid(Var<T> x) {
  return pointwise(
      x, [](T v) { return T(1) / (T(1) + std::exp(-v)); }, [](T, T y) { return y * (T(1) - y); });
}

template <class T>
Var<T> tanh(Var<T> x) {
  return pointwise(
      x, [](T v) { return std::tanh(v); }, [](T, T y) { return T(1) - y * y; });
}

template <class T>
Var<T> relu(Var<T> x) {
  // Written so that a NaN stays one.
  return pointwise(
      x, [](T v) { return v < T(0) ? T(0) : v; }, [](T v, T) { return v > T(0) ? T(1) : T(0); });
}

template <class T>
Var<T> negative_part(Var<T> x) {
  return pointwise(
      x, [](T v) { return v > T(0) ? T(0) : v; }, [](T v, T) { return v > T(0) ? T(0) : T(1); });
}

template <class T>
Var<T> keep_from(Var<T> x, std::type_identity_t<T> least) {
  return pointwise(
      x, [least](T v) { return v < least ? T(0) : v; }, [least](T v, T) { return v < least ? T(0) : T(1); });
}

template <class T>
Var<T> clip(Var<T> x, std::type_identity_t<T> most) {
  return pointwise(
      x, [most](T v) { return std::clamp(v, -most, most); },
      [most](T v, T) { return std::abs(v) > most ? T(0) : T(1); });
}

template <class T>
Var<T> exp(Var<T> x) {
  return pointwise(
      x, [](T v) { return std::exp(v); }, [](T, T y) { return y; });
}

template <class T>
Var<T> log(Var<T> x) {
  return pointwise(
      x, [](T v) { return std::log(v); }, [](T v, T) { return T(1) / v; });
}

template <class T>
Var<T> rsqrt(Var<T> x) {
  return pointwise(
      x, [](T v) { return T(1) / std::sqrt(v); }, [](T v, T y) { return T(-0.5) * y / v; });
}

template <class T>
Var<T> row_sum(Var<T> x) {
  return sum_groups(x, x.columns());
}

template <class T>
Var<T> row_mean(Var<T> x) {
  return scale(row_sum(x), T(1) / static_cast<T>(x.columns()));
}

template <class T>
Var<T> sum(Var<T> x) {
  return sum_groups(x, x.matrix().size());
}

template <class T>
Var<T> cross_entropy(Var<T> logits, const int32_t* targets) {
  const Matrix<T> in = logits.matrix();
  const int64_t m = in.rows, V = in.columns;
  for (int64_t i = 0; i < m; ++i) LONGHAND_CHECK(targets[i] >= 0 && targets[i] < V);
  const int32_t* target = logits.tape->pool().keep(targets, m);
  T* probabilities = logits.tape->pool().template take<T>(m * V);
  return logits.tape->record(
      m, 1, std::array{logits},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          const T* x = in.value + i * V;
          T* p = probabilities + i * V;
          // Relative to the largest logit, no exponential overflows and one of them is 1.
          const T largest = *std::max_element(x, x + V);
          T total = 0;
          for (int64_t v = 0; v < V; ++v) total += p[v] = std::exp(x[v] - largest);
          for (int64_t v = 0; v < V; ++v) p[v] /= total;
          out.value[i] = std::log(total) + (largest - x[target[i]]);
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          add_scaled(V, out.gradient[i], probabilities + i * V, in.gradient + i * V);
          in.gradient[i * V + target[i]] -= out.gradient[i];
        }
      });
}

template Var<float> matmul_transposed(Var<float>, Var<float>);
template Var<float> add(Var<float>, Var<float>);
template Var<float> subtract(Var<float>, Var<float>);
template Var<float> multiply(Var<float>, Var<float>);
template Var<float> add_row(Var<float>, Var<float>);
template Var<float> multiply_row(Var<float>, Var<float>);
template Var<float> multiply_column(Var<float>, Var<float>);
template Var<float> subtract_column(Var<float>, Var<float>);
template Var<float> add_scalar(Var<float>, float);
template Var<float> scale(Var<float>, float);
template Var<float> sigmoid(Var<float>);
template Var<float> tanh(Var<float>);
template Var<float> relu(Var<float>);
template Var<float> negative_part(Var<float>);
template Var<float> keep_from(Var<float>, float);
template Var<float> clip(Var<float>, float);
template Var<float> exp(Var<float>);
template Var<float> log(Var<float>);
template Var<float> rsqrt(Var<float>);
template Var<float> row_sum(Var<float>);
template Var<float> row_mean(Var<float>);
template Var<float> sum(Var<float>);
template Var<float> cross_entropy(Var<float>, const int32_t*);

template Var<double> matmul_transposed(Var<double>, Var<double>);
template Var<double> add(Var<double>, Var<double>);
template Var<double> subtract(Var<double>, Var<double>);
template Var<double> multiply(Var<double>, Var<double>);
template Var<double> add_row(Var<double>, Var<double>);
template Var<double> multiply_row(Var<double>, Var<double>);
template Var<double> multiply_column(Var<double>, Var<double>);
template Var<double> subtract_column(Var<double>, Var<double>);
template Var<double> add_scalar(Var<double>, double);
template Var<double> scale(Var<double>, double);
template Var<double> sigmoid(Var<double>);
template Var<double> tanh(Var<double>);
template Var<double> relu(Var<double>);
template Var<double> negative_part(Var<double>);
template Var<double> keep_from(Var<double>, double);
template Var<double> clip(Var<double>, double);
template Var<double> exp(Var<double>);
template Var<double> log(Var<double>);
template Var<double> rsqrt(Var<double>);
template Var<double> row_sum(Var<double>);
template Var<double> row_mean(Var<double>);
template Var<double> sum(Var<double>);
template Var<double> cross_entropy(Var<double>, const int32_t*);

}  // namespace longhand::autograd
