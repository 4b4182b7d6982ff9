// Reads the cell options of recurrent nodes, and adds small copy operations, for the C exporter.
#pragma once

#include "longhand/exporters/c_cell.h"

namespace longhand::exporters {

/// Reads the activations with alpha and beta, the clipping bounds and the coupled gates of one direction
/// (graph/cell_options.h, graph/general_cells.h) into `cell`. `cell.kind` must be set.
void read_c_cell_options(const CSite& site, int64_t direction, CCell& cell);

/// Adds an operation that copies n elements: y[to + j] = x[from + j]. Whole buffers are copied with add_copy.
void add_c_part(CProgram& program, int x, int64_t from, int y, int64_t to, int64_t n);
void add_c_zeros(CProgram& program, int y, int64_t n);

}  // namespace longhand::exporters
