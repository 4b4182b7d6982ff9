// The cells of the lattice's points, and how near their values are to where a loss has no derivative.
#pragma once

#include "longhand/kernels/lstm_cell.h"
#include "longhand/lab/lattice.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::lab {

/// The cell that a point's toggles ask for. Its activations are drawn among all but the standard ones, with constants
/// of their own. Coupled gates are not for normalised layers: there that toggle does nothing.
kernels::LstmCell lattice_cell(const LatticePoint& point);

/// Whether a derivative of the cell jumps, or that of its derivative: beside a bound, or where a function bends.
bool bends(const kernels::LstmCell& cell);

/// Whether the functions of the cell can give more than they get, so that large weights make large numbers of them.
bool grows(const kernels::LstmCell& cell);

/// The least distance of any value of the last forward pass, which the reference did, from such a place. `values` are
/// the parameters. Values that are exactly zero are left out: ReLU makes them, and they stay.
double distance_to_bend(const nn::LstmStack& stack, const nn::StackWorkspace<double>& workspace,
                        const nn::StackInput<double>& input, const double* values);

}  // namespace longhand::lab
