// Operations that only move elements: on the way back, each gradient goes to where its element came from.
#include <algorithm>
#include <array>
#include <span>

#include "longhand/autograd/operations.h"

namespace longhand::autograd {
namespace {

/// y += x
template <class T>
void add_to(int64_t n, const T* x, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

/// Indices [m], checked to be 0 .. below-1 and copied for as long as the tape needs them.
template <class T>
const int32_t* keep_indices(Tape<T>& tape, const int32_t* indices, int64_t m, int64_t below) {
  for (int64_t i = 0; i < m; ++i) LONGHAND_CHECK(indices[i] >= 0 && indices[i] < below);
  return tape.pool().keep(indices, m);
}

}  // namespace

template <class T>
Var<T> columns(Var<T> x, int64_t begin, int64_t count) {
  const Matrix<T> in = x.matrix();
  LONGHAND_CHECK(begin >= 0 && count > 0 && begin + count <= in.columns);
  return x.tape->record(
      in.rows, count, std::array{x},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < in.rows; ++i) {
          std::copy_n(in.value + i * in.columns + begin, count, out.value + i * count);
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < in.rows; ++i) {
          add_to(count, out.gradient + i * count, in.gradient + i * in.columns + begin);
        }
      });
}

template <class T>
Var<T> concat_columns(Var<T> a, Var<T> b) {
  const Matrix<T> left = a.matrix(), right = b.matrix();
  LONGHAND_CHECK(left.rows == right.rows);
  const int64_t m = left.rows, n1 = left.columns, n2 = right.columns, n = n1 + n2;
  return a.tape->record(
      m, n, std::array{a, b},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          std::copy_n(left.value + i * n1, n1, out.value + i * n);
          std::copy_n(right.value + i * n2, n2, out.value + i * n + n1);
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          const T* dy = out.gradient + i * n;
          if (left.gradient != nullptr) add_to(n1, dy, left.gradient + i * n1);
          if (right.gradient != nullptr) add_to(n2, dy + n1, right.gradient + i * n2);
        }
      });
}

template <class T>
Var<T> concat_rows(const std::vector<Var<T>>& parts) {
  LONGHAND_CHECK(!parts.empty());
  std::vector<Matrix<T>> matrices;
  int64_t m = 0;
  for (const Var<T>& part : parts) {
    matrices.push_back(part.matrix());
    LONGHAND_CHECK(part.columns() == parts.front().columns());
    m += part.rows();
  }
  Tape<T>& tape = *parts.front().tape;
  const std::span<const Matrix<T>> kept(tape.pool().keep(matrices.data(), parts.size()), parts.size());
  return tape.record(
      m, parts.front().columns(), parts,
      [&](const Matrix<T>& out) {
        T* y = out.value;
        for (const Matrix<T>& part : kept) y = std::copy_n(part.value, part.size(), y);
      },
      [=](const Matrix<T>& out) {
        const T* dy = out.gradient;
        for (const Matrix<T>& part : kept) {
          if (part.gradient != nullptr) add_to(part.size(), dy, part.gradient);
          dy += part.size();
        }
      });
}

template <class T>
Var<T> expand_row(Var<T> row, int64_t m) {
  LONGHAND_CHECK(row.rows() == 1);
  return gather_rows(row, std::vector<int32_t>(static_cast<size_t>(m)).data(), m);
}

template <class T>
Var<T> select_rows(const uint8_t* pick_a, Var<T> a, Var<T> b) {
  const int32_t m = static_cast<int32_t>(a.rows());
  LONGHAND_CHECK(b.rows() == m);
  std::vector<int32_t> rows;
  for (int32_t i = 0; i < m; ++i) rows.push_back(pick_a[i] != 0 ? i : m + i);
  return gather_rows(concat_rows<T>({a, b}), rows.data(), m);
}

template <class T>
Var<T> gather_rows(Var<T> table, const int32_t* indices, int64_t m) {
  const Matrix<T> in = table.matrix();
  const int64_t n = in.columns;
  const int32_t* rows = keep_indices(*table.tape, indices, m, in.rows);
  return table.tape->record(
      m, n, std::array{table},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) std::copy_n(in.value + rows[i] * n, n, out.value + i * n);
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) add_to(n, out.gradient + i * n, in.gradient + rows[i] * n);
      });
}

template <class T>
Var<T> gather_columns(Var<T> w, const int32_t* symbols, int64_t m) {
  const Matrix<T> in = w.matrix();
  const int64_t n = in.rows, V = in.columns;
  const int32_t* picked = keep_indices(*w.tape, symbols, m, V);
  return w.tape->record(
      m, n, std::array{w},
      [&](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) out.value[i * n + j] = in.value[j * V + picked[i]];
        }
      },
      [=](const Matrix<T>& out) {
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) in.gradient[j * V + picked[i]] += out.gradient[i * n + j];
        }
      });
}

template Var<float> columns(Var<float>, int64_t, int64_t);
template Var<float> concat_columns(Var<float>, Var<float>);
template Var<float> concat_rows(const std::vector<Var<float>>&);
template Var<float> expand_row(Var<float>, int64_t);
template Var<float> select_rows(const uint8_t*, Var<float>, Var<float>);
template Var<float> gather_rows(Var<float>, const int32_t*, int64_t);
template Var<float> gather_columns(Var<float>, const int32_t*, int64_t);

template Var<double> columns(Var<double>, int64_t, int64_t);
template Var<double> concat_columns(Var<double>, Var<double>);
template Var<double> concat_rows(const std::vector<Var<double>>&);
template Var<double> expand_row(Var<double>, int64_t);
template Var<double> select_rows(const uint8_t*, Var<double>, Var<double>);
template Var<double> gather_rows(Var<double>, const int32_t*, int64_t);
template Var<double> gather_columns(Var<double>, const int32_t*, int64_t);

}  // namespace longhand::autograd
