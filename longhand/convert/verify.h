// Proof that a model was understood: what it gives on an input, beside what it must give.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/io/array.h"

namespace longhand::convert {

/// The largest difference between what a network gives and what it must give. Differences are absolute, and relative to
/// the expected number where that is above 1.
struct Verification {
  double largest = 0.0;
  std::string where;  ///< "s07 [3, 1]": the sequence and the place in the expected array
  double expected = 0.0, found = 0.0;
  int64_t numbers = 0;  ///< compared
};

/// Arrays of a file. By name in .npz (of inputs or outputs) and in JSON objects (of sequences); otherwise one, "".
struct NumberFile {
  bool of_ports = false;  ///< the names are those of inputs or outputs
  std::vector<std::pair<std::string, io::Array>> arrays;
};

/// Reads .npy, .npz, .csv, .txt, .wav, .json or .pb (a tensor of ONNX). In JSON, lists of numbers, texts of one symbol
/// a character, or an object of these by name. Throws an input error for what cannot be read.
NumberFile read_numbers(const std::string& path, const std::vector<std::string>& symbols);

/// Runs a network on an input. An array with the axes of the network's input is one run; of any other, the elements are
/// one sequence, step after step (a network without an axis of time is run once for each, and so are the rows of one
/// that carries a state from run to run). Sequences by name begin anew. Throws an input error where the numbers do not
/// fit the network, or one another.
Verification verify(const graph::Graph& graph, const NumberFile& input, const NumberFile& expected,
                    const std::string& input_path, const std::string& expected_path);

}  // namespace longhand::convert
