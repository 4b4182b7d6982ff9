// Compiles a network to a C program that computes one call: one time step, or a sequence of up to T steps.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/exporters/c_program.h"
#include "longhand/graph/graph.h"

namespace longhand::exporters {

struct CPort {
  std::string name;
  int64_t size = 0;
  graph::Dims dims;
  bool ints = false;
  int64_t below = 0;        ///< ints only: vocabulary size (values are 0 to below - 1); 0: unknown
  std::string parameter{};  ///< name of the C parameter (inputs only)
};

struct CCompiled {
  CProgram program;
  std::vector<CPort> inputs, outputs;  ///< outputs share one array; so do inputs, if all are floats
  int64_t steps = 1;                   ///< time steps per call
  bool anew = false;                   ///< each call starts a new sequence
  bool has_length = false;             ///< each call takes the length of the sequence, at most `steps`
  bool has_result = false;             ///< NAME_result returns the outputs of the sequence so far
  std::vector<std::string> layers;     ///< one comment per operation: its node and shapes

  bool has_ints() const;
};

struct CCompileOptions {
  bool int8 = false;
  int64_t steps = 0;  ///< time steps per call; 0: single steps (streaming)
};

/// Throws an input error of two lines that begins with `where`: for a network that cannot be read step by step, or for
/// a node type that the C exporter does not support.
CCompiled compile_c(const graph::Graph& graph, const std::string& where, const CCompileOptions& options);

}  // namespace longhand::exporters
