// Where fetched data sets are kept, and how a name on the command line finds them.
#pragma once

#include <optional>
#include <string>

#include "longhand/data/datasets.h"

namespace longhand::fetch {

/// The folder of a set in the user's cache: below XDG_CACHE_HOME, or ~/.cache.
std::string cache_folder(const data::DataSet& set);
std::string cached_path(const data::DataSet& set, const data::DataFile& file);
bool is_cached(const data::DataSet& set);

/// The file that `source` names if it is a set's name, or that and a part ("wnut17", "wnut17:test"); the first part
/// where none is said. Nothing where it is no such name. Throws an input error for a set that was not fetched yet or
/// whose file is no longer the one that was fetched, and for a part that it does not have.
std::optional<std::string> find_in_cache(const std::string& source);

}  // namespace longhand::fetch
