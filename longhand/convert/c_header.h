// A program in C as the text of one header.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/c_compile.h"

namespace longhand::convert {

struct CHeaderTexts {
  std::string name;                    ///< begins all names
  std::string source;                  ///< what the model is
  int64_t sample_rate = 0;             ///< 0: none
  std::vector<std::string> symbols{};  ///< texts of the input's symbols; empty: not known
  std::vector<std::string> labels{};   ///< of the outputs; empty: they have none
  std::vector<std::string> remarks{};  ///< lines for the comment
};

/// C99, also C++11. It has no other dependency than <string.h> and <stdint.h>, and <math.h> where it takes square
/// roots.
std::string c_header(const CCompiled& compiled, const CHeaderTexts& texts);

/// "weights 7,284 bytes, state 160 bytes, ...", for the user and for the header's comment: a line each.
std::vector<std::string> c_costs(const CCompiled& compiled);

}  // namespace longhand::convert
