// Where the command line's data come from: files, standard input, built-in names, and downloaded data sets.
#pragma once

#include "longhand/runs/sources.h"

namespace longhand::cli {

using runs::shown_name;

/// While a large text is read, progress is shown unless `quiet`, and a signal stops at a good place.
runs::Sources sources(bool quiet = false);

}  // namespace longhand::cli
