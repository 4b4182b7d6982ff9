// Data sources for training and evaluation: files, named data sets, and data from Python in memory.
#pragma once

#include <nanobind/nanobind.h>

#include "longhand/runs/sources.h"
#include "watch.h"

namespace longhand::python {

/// {name used in options: file contents as bytes}.
using DataInMemory = nb::dict;

/// Returns the sources for files, named data sets and `data`. They call `notify("note", text)` for messages to the
/// user, and stop reading when `watch.should_stop()`. `watch` and `notify` must outlive the result.
runs::Sources make_sources(const DataInMemory& data, Watch& watch, const nb::callable& notify);

}  // namespace longhand::python
