// Writes a C program as a single header file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/exporters/c_compile.h"

namespace longhand::exporters {

struct CHeaderTexts {
  std::string name;                            ///< prefix of all C names
  std::string source;                          ///< where the model comes from
  int64_t sample_rate = 0;                     ///< samples per second; 0: none
  std::vector<std::string> symbols{};          ///< names of the input symbols; empty: unknown
  std::vector<std::string> labels{};           ///< names of the outputs; empty: none
  std::vector<std::string> remarks{};          ///< lines added to the header's comment
  std::map<std::string, std::string> ports{};  ///< one-line description of each input and output, by name
  /// Names of the training series, and the mean (empty: 0) and scale of each of their targets: [series, targets].
  std::vector<std::string> series{};
  std::vector<float> series_mean{}, series_scale{};
};

/// Returns the text of a header in C99 that also compiles as C++11. It includes <string.h> and <stdint.h>, and <math.h>
/// if it needs square roots.
std::string c_header(const CCompiled& compiled, const CHeaderTexts& texts);

/// Returns the memory and the multiplications of a call, one line each, such as "weights 7,284 bytes, state 160 bytes,
/// ...".
std::vector<std::string> c_costs(const CCompiled& compiled);

}  // namespace longhand::exporters
