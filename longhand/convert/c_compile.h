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
};

struct CCompiled {
  CProgram program;
  std::vector<CPort> inputs, outputs;  ///< one after the other, as the program reads and writes them
  int64_t symbols = 0;                 ///< how many there are, where the input is symbols; 0: it is numbers
  int64_t steps = 1;                   ///< time steps of a call
  bool keeps_state = false;            ///< the next call goes on where this one ended
  std::vector<std::string> layers;     ///< what each operation does, from what to what
};

struct CCompileOptions {
  bool int8 = false;
  int64_t steps = 0;  ///< time steps of a call; 0: one, of a network that can be read step by step
};

/// Throws an input error of two lines, which begins with `where`, for a network that cannot be read step by step, and
/// for a node that C has not.
CCompiled compile_c(const graph::Graph& graph, const std::string& where, const CCompileOptions& options);

}  // namespace longhand::convert
