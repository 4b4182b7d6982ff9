// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace longhand {

/// "1,234,567"
std::string format_count(double count);
/// "1 epoch", "1,234 epochs"
std::string format_count(int64_t count, const std::string& noun);
/// "1:02:03" or "4:05"
std::string format_duration(double seconds);

}  // namespace longhand
