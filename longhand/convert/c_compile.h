// From a network to a program in C that computes one step of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/convert/c_program.h"
#include "longhand/graph/graph.h"

namespace longhand::convert {

struct CPort {
  std::string name;
  int64_t size = 0;
  graph::Dims dims;
  bool ints = false;
  int64_t below = 0;        ///< of ints: how many there are; 0: not known
  std::string parameter{};  ///< of an input
};

struct CCompiled {
  CProgram program;
  std::vector<CPort> inputs, outputs;  ///< outputs one after the other; inputs likewise, if all are numbers
  int64_t steps = 1;                   ///< time steps of a call
  bool anew = false;                   ///< each call reads a sequence from its beginning
  bool has_length = false;             ///< a call reads a whole sequence of up to so many steps
  bool has_result = false;             ///< the outputs are those of a sequence, not of each step
  std::vector<std::string> layers;     ///< what each operation does, from what to what

  bool has_ints() const;
};

struct CCompileOptions {
  bool int8 = false;
  int64_t steps = 0;  ///< time steps of a call; 0: one, of a network that can be read step by step
};

/// Throws an input error of two lines, which begins with `where`, for a network that cannot be read step by step, and
/// for a node that C has not.
CCompiled compile_c(const graph::Graph& graph, const std::string& where, const CCompileOptions& options);

}  // namespace longhand::convert
