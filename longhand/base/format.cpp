#include "longhand/base/format.h"

#include <fmt/format.h>

#include <cmath>

namespace longhand {

std::string format_count(double count) {
  return fmt::format("{}", fmt::group_digits(static_cast<int64_t>(std::llround(count))));
}

std::string format_count(int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", fmt::group_digits(count), noun, count == 1 ? "" : "s");
}

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

}  // namespace longhand
