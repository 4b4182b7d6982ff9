// Builds an ONNX graph node by node, with value names, constants and element types.
#pragma once

#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/onnx_file.h"
#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// Make ONNX attributes.
namespace onnx {
convert::OnnxAttribute whole(std::string name, int64_t value);
convert::OnnxAttribute wholes(std::string name, std::vector<int64_t> values);
convert::OnnxAttribute real(std::string name, double value);
convert::OnnxAttribute reals(std::string name, const std::vector<double>& values);
convert::OnnxAttribute text(std::string name, std::string value);
convert::OnnxAttribute texts(std::string name, std::vector<std::string> values);
convert::OnnxAttribute tensor(std::string name, const graph::Array& value);
convert::OnnxAttribute body(std::string name, convert::OnnxGraph graph);
}  // namespace onnx

/// Makes a value with this element type and shape.
convert::OnnxValue onnx_value(const std::string& name, io::DType dtype, std::vector<convert::OnnxExtent> shape);

/// `end` of a slice: the end of the axis, or, with a negative step, the position before its first element.
inline constexpr int64_t kToEnd = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kToBegin = std::numeric_limits<int64_t>::min() + 1;

class OnnxMaker {
 public:
  /// `taken`: names of the model's values, which new values must not get.
  OnnxMaker(int64_t opset, std::set<std::string> taken) : opset_(opset), taken_(std::move(taken)) {}

  int64_t opset() const { return opset_; }
  /// Sets the prefix of the names of new nodes and values.
  void set_owner(std::string owner) { owner_ = std::move(owner); }

  using Names = std::vector<std::string>;
  using Attributes = std::vector<convert::OnnxAttribute>;
  /// Adds a node with one output, and returns the name of the output; `output` empty: a new name. Casts bool inputs to
  /// integers for operators that compute with numbers, and integers to bool for operators that need bool.
  std::string op(const std::string& type, Names inputs, Attributes attributes = {}, const std::string& output = "");
  /// Adds a node with these outputs; "" for an unused output.
  void add(const std::string& type, Names inputs, Names outputs, Attributes attributes = {});
  /// Returns `name`, or a longer name if it is taken.
  std::string unique(std::string name);
  /// Returns a new value name that begins with the owner.
  std::string fresh(const std::string& what);

  /// Add constants, and return their names. `ints` and `number` store equal constants once. `array` stores the array as
  /// `name`; it adds nothing if a value of that name exists.
  std::string array(const std::string& name, const graph::Array& array);
  std::string ints(std::vector<int64_t> values);
  std::string number(double value);
  bool has(const std::string& value) const { return types_.contains(value); }

  /// Returns the element type of a value.
  io::DType type_of(const std::string& value) const;
  void set_type(const std::string& value, io::DType dtype) { types_[value] = dtype; }
  /// Returns the value with this element type; adds a Cast node if needed.
  std::string as(io::DType dtype, const std::string& value);

  /// Operators whose form depends on the opset, or that take several nodes. Each returns the name of its output.
  std::string reduce(const std::string& type, const std::string& x, const std::vector<int64_t>& axes, bool keep,
                     const std::string& output = "");
  std::string squeeze(const std::string& x, const std::vector<int64_t>& axes, const std::string& output = "");
  std::string unsqueeze(const std::string& x, const std::vector<int64_t>& axes);
  std::string transpose(const std::string& x, std::vector<int64_t> perm, const std::string& output = "");
  std::string reshape(const std::string& x, std::vector<int64_t> shape, const std::string& output = "");
  /// x[begin:end:step] along one axis.
  std::string slice(const std::string& x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1);
  std::string concat(Names parts, int64_t axis, const std::string& output = "");
  /// (x - mean) / sqrt(variance + epsilon) over the last axis.
  std::string normalised(const std::string& x, double epsilon);
  /// The extents of axes begin to end - 1 of x, as an integer vector.
  std::string extents(const std::string& x, int64_t begin, int64_t end);

  /// Begins a body, to which new nodes are added until `end_body` returns them. A body may read all values of the
  /// graphs around it.
  void begin_body();
  std::vector<convert::OnnxNode> end_body();

  convert::OnnxGraph take();

 private:
  std::string constant(const std::string& key, const graph::Array& array);
  void settle_types(const std::string& type, Names& inputs);

  int64_t opset_;
  std::set<std::string> taken_;
  std::string owner_;
  convert::OnnxGraph graph_;
  std::vector<std::vector<convert::OnnxNode>> outside_;  // nodes of the graphs that enclose the current body
  std::map<std::string, io::DType> types_;
  std::map<std::string, std::string> constants_;
  std::map<std::string, int> counts_;
};

}  // namespace longhand::exporters
