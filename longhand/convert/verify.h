// Verification of an imported model: compares its outputs with the expected ones.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/io/array.h"

namespace longhand::convert {

/// The largest difference between actual and expected outputs: relative to the expected number if that is above 1,
/// otherwise absolute, and, of an output whose expected numbers are all below 1, relative to the largest of them.
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

/// Reads .npy, .npz, .csv, .txt, .wav, .json or .pb (a tensor of ONNX). In JSON, lists of numbers, texts of
/// symbols (SymbolReader), or an object of these by name. Throws an input error for what cannot be read.
NumberFile read_numbers(const std::string& path, const std::vector<std::string>& symbols);

/// The JSON of read_numbers, as the contents of a file, which `name` stands for in errors.
NumberFile read_json_numbers(const std::string& name, const std::string& text, const std::vector<std::string>& symbols);

/// Runs a network on an input.
///
/// - An array with the same axes as the network's input is one run.
/// - The elements of any other array are one sequence, one time step after the other. A network without a time axis
///   runs once per time step.
/// - Named sequences each begin with the initial state; arrays by port may give another, under the name of the state's
///   input, and what it must be in the end, under that of its output.
///
/// Throws an input error if the numbers do not fit the network.
Verification verify(const graph::Graph& graph, const NumberFile& input, const NumberFile& expected,
                    const std::string& input_path, const std::string& expected_path);

}  // namespace longhand::convert
