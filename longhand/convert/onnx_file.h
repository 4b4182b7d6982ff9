// ONNX files as plain structs: what a model says, not what it means.
//
// Source: onnx/onnx.proto (https://github.com/onnx/onnx). The format is read with a small reader of protobuf's wire
// format, which copies each array once, needs no generated code, and knows no version of protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longhand/io/array.h"

namespace longhand::convert {

struct OnnxTensor {
  std::string name;
  io::Array array;
  std::vector<std::string> texts;  ///< instead of the array, where is_text
  bool is_text = false;
};

struct OnnxGraph;

enum class OnnxAttributeType {
  kReal,
  kInteger,
  kText,
  kTensor,
  kGraph,
  kReals,
  kIntegers,
  kTexts,
  kTensors,
  kGraphs,
  kOther
};

/// The field of the type is set. kOther: a sparse tensor or a type of values, which are not read.
struct OnnxAttribute {
  std::string name;
  OnnxAttributeType type = OnnxAttributeType::kOther;
  float real = 0.0F;
  int64_t integer = 0;
  std::string text;  ///< any bytes
  std::vector<float> reals;
  std::vector<int64_t> integers;
  std::vector<std::string> texts;
  std::vector<OnnxTensor> tensors;  ///< one for kTensor
  std::vector<OnnxGraph> graphs;    ///< one for kGraph
};

struct OnnxNode {
  std::string name, op_type, domain;
  std::vector<std::string> inputs, outputs;  ///< empty: an optional one that is left out
  std::vector<OnnxAttribute> attributes;

  /// Nothing if there is no attribute of that name.
  const OnnxAttribute* attribute(std::string_view name) const;
};

/// An extent that is a number, or has a name ("batch"), or neither.
struct OnnxExtent {
  int64_t value = -1;  ///< -1: not a number
  std::string name;
};

/// An input, an output, or a value within the graph.
struct OnnxValue {
  std::string name;
  std::optional<io::DType> dtype;  ///< nothing: another type, or not said
  bool has_shape = false;
  std::vector<OnnxExtent> shape;
};

struct OnnxGraph {
  std::string name;
  std::vector<OnnxNode> nodes;  ///< each after those whose outputs it uses
  std::vector<OnnxTensor> initialisers;
  std::vector<OnnxValue> inputs, outputs, values;  ///< in old files, the initialisers are among the inputs, too
};

struct OnnxModel {
  int64_t ir_version = 0;
  std::string producer, producer_version;
  std::map<std::string, int64_t> opsets;     ///< version by domain; "" is ONNX's own
  std::map<std::string, std::string> texts;  ///< metadata
  std::vector<std::string> functions;        ///< names of functions that the file defines, which are not read
  OnnxGraph graph;
};

/// Arrays in files of their own are read from the folder of `path`, and refused where they are outside of it, links,
/// no regular files or too short. Throws an input error for a file that is truncated, altered or of another format, a
/// graph within more than eight others, more than 200,000 nodes, attributes and tensors, and an array of a type that
/// is no plain number (it names the array).
OnnxModel read_onnx(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors. Arrays in other files are refused.
OnnxModel read_onnx(const std::string& name, std::string_view bytes);

/// A file of one tensor (.pb), as ONNX's test data are.
OnnxTensor read_onnx_tensor(const std::string& path);
OnnxTensor read_onnx_tensor(const std::string& name, std::string_view bytes);

}  // namespace longhand::convert
