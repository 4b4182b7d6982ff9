#include "longhand/base/error.h"

namespace longhand {

void check_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(std::string(file) + ":" + std::to_string(line) + ": assertion failed: " + condition);
}

}  // namespace longhand
