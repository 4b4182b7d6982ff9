// The variants of the LSTM's cell on a tape: each activation made of operations of which the tape knows the
// derivatives.
#pragma once

#include "longhand/autograd/cells.h"
#include "longhand/kernels/lstm_cell.h"

namespace longhand::nn {

/// x [m,n] -> [m,n].
template <class T>
autograd::Var<T> tape_activation(const kernels::Activation& f, autograd::Var<T> x);

/// What of the cell is not standard.
template <class T>
autograd::LstmVariant<T> tape_variant(const kernels::LstmCell& cell);

}  // namespace longhand::nn
