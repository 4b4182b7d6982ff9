// What nodes say of their recurrent cells, and small operations around layers, for the nodes with layers in C.
#pragma once

#include "longhand/convert/c_cell.h"

namespace longhand::convert {

/// Reads activations and their constants, bounds and coupled gates of a direction (graph/cell_options.h,
/// graph/general_cells.h) into `cell`, whose kind is known.
void read_c_cell_options(const CSite& site, int64_t direction, CCell& cell);

/// Adds y[to + j] = x[from + j] of n numbers; of whole buffers, a copy.
void add_c_part(CProgram& program, int x, int64_t from, int y, int64_t to, int64_t n);
void add_c_zeros(CProgram& program, int y, int64_t n);

}  // namespace longhand::convert
