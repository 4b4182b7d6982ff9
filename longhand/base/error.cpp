#include "longhand/base/error.h"

namespace longhand {

std::string listed(const std::vector<std::string>& names, size_t max) {
  if (names.empty()) return "none";
  std::string out = names.front();
  for (size_t i = 1; i < names.size() && i < max; ++i) out += ", " + names[i];
  return out + (names.size() > max ? ", ..." : "");
}

void check_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(std::string(file) + ":" + std::to_string(line) + ": assertion failed: " + condition);
}

}  // namespace longhand
