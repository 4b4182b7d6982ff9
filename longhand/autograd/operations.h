// The operations that a tape can record, each with its derivative in operations.cpp. Shapes are checked; all Vars of
// one call belong to one tape, and so does the result. Models are not here: they are made of these.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "longhand/autograd/tape.h"

namespace longhand::autograd {

/// x W': x [m,k], w [n,k] -> [m,n].
template <class T>
Var<T> matmul_transposed(Var<T> x, Var<T> w);

/// Element by element, on equal shapes [m,n].
template <class T>
Var<T> add(Var<T> a, Var<T> b);
template <class T>
Var<T> subtract(Var<T> a, Var<T> b);
template <class T>
Var<T> multiply(Var<T> a, Var<T> b);

/// Each row of x [m,n] with `row` [1,n].
template <class T>
Var<T> add_row(Var<T> x, Var<T> row);
template <class T>
Var<T> multiply_row(Var<T> x, Var<T> row);

/// Each column of x [m,n] with `column` [m,1].
template <class T>
Var<T> multiply_column(Var<T> x, Var<T> column);
template <class T>
Var<T> subtract_column(Var<T> x, Var<T> column);

/// Each element on its own. relu is max(x, 0), with the derivative 0 at 0.
template <class T>
Var<T> add_scalar(Var<T> x, std::type_identity_t<T> s);
template <class T>
Var<T> scale(Var<T> x, std::type_identity_t<T> s);
template <class T>
Var<T> sigmoid(Var<T> x);
template <class T>
Var<T> tanh(Var<T> x);
template <class T>
Var<T> relu(Var<T> x);
/// min(x, 0), with the derivative 1 at 0: together with relu it is x.
template <class T>
Var<T> negative_part(Var<T> x);
/// x where it is at least `least`, elsewhere 0; the derivative is 1 or 0.
template <class T>
Var<T> keep_from(Var<T> x, std::type_identity_t<T> least);
/// x held within [-most, most]; the derivative is 1 within and at these bounds.
template <class T>
Var<T> clip(Var<T> x, std::type_identity_t<T> most);
template <class T>
Var<T> exp(Var<T> x);
template <class T>
Var<T> log(Var<T> x);
/// x^(-1/2)
template <class T>
Var<T> rsqrt(Var<T> x);

/// [m,n] -> [m,1]
template <class T>
Var<T> row_sum(Var<T> x);
template <class T>
Var<T> row_mean(Var<T> x);
/// [m,n] -> [1,1]
template <class T>
Var<T> sum(Var<T> x);

/// Columns begin .. begin + count - 1: [m,n] -> [m,count].
template <class T>
Var<T> columns(Var<T> x, int64_t begin, int64_t count);
/// a [m,n1], b [m,n2] side by side -> [m,n1+n2].
template <class T>
Var<T> concat_columns(Var<T> a, Var<T> b);
/// Parts [m1,n], [m2,n], ... one below the other -> [m1+m2+..., n].
template <class T>
Var<T> concat_rows(const std::vector<Var<T>>& parts);
/// row [1,n], m times -> [m,n].
template <class T>
Var<T> expand_row(Var<T> row, int64_t m);
/// Row i of a [m,n] where pick_a[i] is not 0, else of b [m,n] -> [m,n]. `pick_a` [m] is copied.
template <class T>
Var<T> select_rows(const uint8_t* pick_a, Var<T> a, Var<T> b);
/// Row i is row indices[i] of table [V,E] -> [m,E]. `indices` [m], of 0 .. V-1, is copied.
template <class T>
Var<T> gather_rows(Var<T> table, const int32_t* indices, int64_t m);
/// Row i is column symbols[i] of w [n,V] -> [m,n]: the product of one-hot rows with W'. `symbols` [m] is copied.
template <class T>
Var<T> gather_columns(Var<T> w, const int32_t* symbols, int64_t m);

/// -log softmax(logits [m,V])[targets] in nats -> [m,1], for `targets` [m] of 0 .. V-1, which is copied.
template <class T>
Var<T> cross_entropy(Var<T> logits, const int32_t* targets);

}  // namespace longhand::autograd
