// Makes an ONNX graph node by node: names, constants, and types of elements.
#pragma once

#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/onnx_file.h"
#include "longhand/graph/graph.h"

namespace longhand::convert {

/// Attributes of ONNX's nodes.
namespace onnx {
OnnxAttribute whole(std::string name, int64_t value);
OnnxAttribute wholes(std::string name, std::vector<int64_t> values);
OnnxAttribute real(std::string name, double value);
OnnxAttribute reals(std::string name, const std::vector<double>& values);
OnnxAttribute text(std::string name, std::string value);
OnnxAttribute texts(std::string name, std::vector<std::string> values);
OnnxAttribute tensor(std::string name, const graph::Array& value);
OnnxAttribute body(std::string name, OnnxGraph graph);
}  // namespace onnx

/// A value with its type; an empty shape where it is not said.
OnnxValue onnx_value(const std::string& name, io::DType dtype, std::vector<OnnxExtent> shape);

/// Ends of slices: of the axis, and, with a negative step, before its first element.
inline constexpr int64_t kToEnd = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kToBegin = std::numeric_limits<int64_t>::min() + 1;

class OnnxMaker {
 public:
  /// `taken` are names that values of the model have already.
  OnnxMaker(int64_t opset, std::set<std::string> taken) : opset_(opset), taken_(std::move(taken)) {}

  int64_t opset() const { return opset_; }
  /// Nodes and values that follow are named after this.
  void set_owner(std::string owner) { owner_ = std::move(owner); }

  using Names = std::vector<std::string>;
  using Attributes = std::vector<OnnxAttribute>;
  /// Adds a node with one output, whose name is returned; empty: a new name. Inputs that are truth values become
  /// integers where the operator computes with numbers, and integers truth values where it needs these.
  std::string op(const std::string& type, Names inputs, Attributes attributes = {}, const std::string& output = "");
  /// Adds a node with these outputs; "": one that is not wanted.
  void add(const std::string& type, Names inputs, Names outputs, Attributes attributes = {});
  /// The name, or where it is taken a longer one.
  std::string unique(std::string name);
  /// A new name of a value, after the owner.
  std::string fresh(const std::string& what);

  /// Constants. The same numbers are kept once, but for `array`, which has a name of its own; a name that is there with
  /// the same array is that one.
  std::string array(const std::string& name, const graph::Array& array);
  std::string ints(std::vector<int64_t> values);
  std::string number(double value);
  bool has(const std::string& value) const { return types_.contains(value); }

  /// The type of a value's elements.
  io::DType type_of(const std::string& value) const;
  void set_type(const std::string& value, io::DType dtype) { types_[value] = dtype; }
  /// The value, or what a node makes of it, with elements of this type.
  std::string as(io::DType dtype, const std::string& value);

  /// Operators whose form depends on the opset, or that take several nodes.
  std::string reduce(const std::string& type, const std::string& x, const std::vector<int64_t>& axes, bool keep,
                     const std::string& output = "");
  std::string squeeze(const std::string& x, const std::vector<int64_t>& axes, const std::string& output = "");
  std::string unsqueeze(const std::string& x, const std::vector<int64_t>& axes);
  std::string transpose(const std::string& x, std::vector<int64_t> perm, const std::string& output = "");
  std::string reshape(const std::string& x, std::vector<int64_t> shape, const std::string& output = "");
  /// x[begin:end] of one axis, in steps.
  std::string slice(const std::string& x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1);
  std::string concat(Names parts, int64_t axis, const std::string& output = "");
  /// (x - mean) / sqrt(variance + epsilon) over the last axis.
  std::string normalised(const std::string& x, double epsilon);
  /// The extents of these axes of x, one after the other, as a list of integers.
  std::string extents(const std::string& x, int64_t begin, int64_t end);

  /// Nodes from here on are those of a body, which sees all values of the graph around it; `end_body` returns them.
  void begin_body();
  std::vector<OnnxNode> end_body();

  OnnxGraph take();

 private:
  std::string constant(const std::string& key, const graph::Array& array);
  void settle_types(const std::string& type, Names& inputs);

  int64_t opset_;
  std::set<std::string> taken_;
  std::string owner_;
  OnnxGraph graph_;
  std::vector<std::vector<OnnxNode>> outside_;  // nodes of the graphs around a body
  std::map<std::string, io::DType> types_;
  std::map<std::string, std::string> constants_;
  std::map<std::string, int> counts_;
};

}  // namespace longhand::convert
