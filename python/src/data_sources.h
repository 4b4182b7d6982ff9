// Data of a training or an evaluation: files, names of data sets, and what Python hands over in memory.
#pragma once

#include <nanobind/nanobind.h>

#include "longhand/runs/sources.h"
#include "watch.h"

namespace longhand::python {

/// Data in memory, by the names that options call them by.
using DataInMemory = nb::dict;

/// Calls `notify("note", text)` with what a user should know of a name. `watch` and `notify` must outlive it.
runs::Sources make_sources(const DataInMemory& data, Watch& watch, const nb::callable& notify);

}  // namespace longhand::python
