// Where the command line's data come from: files, standard input, built-in names, and downloaded data sets.
#pragma once

#include "cli/console.h"
#include "longhand/fetch/cache.h"
#include "longhand/runs/sources.h"

namespace longhand::cli {

using runs::shown_name;

inline runs::Sources sources() {
  return {fetch::find_in_cache, [](const std::string& note) { say("note: {}\n", note); }};
}

}  // namespace longhand::cli
