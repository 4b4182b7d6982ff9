#include "cli/machine.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>

#include "longhand/kernels/target.h"

namespace longhand::cli {

std::string machine() {
  std::string processor = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      processor = line.substr(std::min(line.size(), line.find(':') + 2));
      break;
    }
  }
  return fmt::format("{}, {}", processor, kernels::simd_target());
}

}  // namespace longhand::cli
