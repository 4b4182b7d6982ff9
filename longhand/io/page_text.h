// Text from data on a page: it is shown as text, whatever it says, and stays within its place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longhand::io {

/// The first `max` characters of a text, and "…" where that is not all. Bytes that are no UTF-8 become U+FFFD.
std::string shortened(std::string_view text, size_t max);

/// The last `max` characters, after "…" where that is not all.
std::string shortened_start(std::string_view text, size_t max);

/// The text with the marks that change the direction of writing made visible (\u202E); bytes that are no UTF-8 become
/// U+FFFD.
std::string visible_directions(std::string_view text);

/// The text as escape_html gives it, in a <bdi>, so that its direction has no effect on what stands around it.
std::string isolated(std::string_view text);

}  // namespace longhand::io
