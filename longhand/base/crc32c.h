// The cyclic redundancy check that files use to notice damage.
#pragma once

#include <cstdint>
#include <string_view>

namespace longhand {

/// The cyclic redundancy check with Castagnoli's polynomial, as in RFC 3720; `before`: of what comes before the bytes.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace longhand
