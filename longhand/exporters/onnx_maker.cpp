#include "longhand/exporters/onnx_maker.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/convert/onnx_tensor.h"

namespace longhand::exporters {
namespace {

using io::DType;

convert::OnnxAttribute empty_attribute(std::string name, convert::OnnxAttributeType type) {
  convert::OnnxAttribute out;
  out.name = std::move(name);
  out.type = type;
  return out;
}

io::Array io_array(const graph::Array& from) {
  return from.type == graph::ElementType::kFloat ? io::make_array(from.dims, std::span<const float>(from.floats))
                                                 : io::make_array(from.dims, std::span<const int64_t>(from.ints));
}

bool is_one_of(const std::string& type, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool makes_truth(const std::string& type) {
  return is_one_of(type,
                   {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not", "IsNaN"});
}

// Returns how many of the first inputs of an operator must be bool.
size_t truth_inputs(const std::string& type) {
  if (is_one_of(type, {"And", "Or", "Xor"})) return 2;
  return is_one_of(type, {"Not", "Where"}) ? 1 : 0;
}

bool keeps_types(const std::string& type) {
  return is_one_of(type, {"Identity",        "Reshape", "Flatten", "Squeeze", "Unsqueeze",      "Transpose",
                          "Slice",           "Concat",  "Split",   "Gather",  "GatherElements", "ScatterElements",
                          "Expand",          "Tile",    "Pad",     "Cast",    "Shape",          "Size",
                          "ReverseSequence", "Scan",    "Loop",    "Equal"});
}

}  // namespace

convert::OnnxAttribute onnx::whole(std::string name, int64_t value) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kInteger);
  out.integer = value;
  return out;
}
convert::OnnxAttribute onnx::wholes(std::string name, std::vector<int64_t> values) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kIntegers);
  out.integers = std::move(values);
  return out;
}
convert::OnnxAttribute onnx::real(std::string name, double value) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kReal);
  out.real = static_cast<float>(value);
  return out;
}
convert::OnnxAttribute onnx::reals(std::string name, const std::vector<double>& values) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kReals);
  for (const double value : values) out.reals.push_back(static_cast<float>(value));
  return out;
}
convert::OnnxAttribute onnx::text(std::string name, std::string value) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kText);
  out.text = std::move(value);
  return out;
}
convert::OnnxAttribute onnx::texts(std::string name, std::vector<std::string> values) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kTexts);
  out.texts = std::move(values);
  return out;
}
convert::OnnxAttribute onnx::tensor(std::string name, const graph::Array& value) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kTensor);
  out.tensors.resize(1);
  out.tensors.front().array = io_array(value);
  return out;
}
convert::OnnxAttribute onnx::body(std::string name, convert::OnnxGraph graph) {
  convert::OnnxAttribute out = empty_attribute(std::move(name), convert::OnnxAttributeType::kGraph);
  out.graphs.push_back(std::move(graph));
  return out;
}

convert::OnnxValue onnx_value(const std::string& name, DType dtype, std::vector<convert::OnnxExtent> shape) {
  convert::OnnxValue out;
  out.name = name;
  out.dtype = dtype;
  out.has_shape = true;
  out.shape = std::move(shape);
  return out;
}

std::string OnnxMaker::unique(std::string name) {
  while (!taken_.insert(name).second) name += "_";
  return name;
}

std::string OnnxMaker::fresh(const std::string& what) {
  for (;;) {
    const int count = ++counts_[owner_ + "/" + what];
    std::string name = count == 1 ? fmt::format("{}/{}", owner_, what) : fmt::format("{}/{}_{}", owner_, what, count);
    if (taken_.insert(name).second) return name;
  }
}

DType OnnxMaker::type_of(const std::string& value) const {
  const auto found = types_.find(value);
  return found == types_.end() ? DType::kF32 : found->second;
}

std::string OnnxMaker::as(DType dtype, const std::string& value) {
  if (type_of(value) == dtype) return value;
  return op("Cast", {value}, {onnx::whole("to", convert::onnx_number(dtype))});
}

// Casts inputs between bool and integers. Our graphs store truth values as integers; ONNX has the type bool.
void OnnxMaker::settle_types(const std::string& type, Names& inputs) {
  const size_t truths = truth_inputs(type);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].empty()) continue;
    if (i < truths) inputs[i] = as(DType::kBool, inputs[i]);
    if (i >= truths && !keeps_types(type) && type_of(inputs[i]) == DType::kBool) inputs[i] = as(DType::kI64, inputs[i]);
  }
  if (!is_one_of(type, {"Concat", "Equal"})) return;  // their inputs must have the same type
  const bool mixed = std::any_of(inputs.begin(), inputs.end(),
                                 [&](const std::string& each) { return type_of(each) != type_of(inputs.front()); });
  for (std::string& input : inputs) {
    if (mixed && type_of(input) == DType::kBool) input = as(DType::kI64, input);
  }
}

std::string OnnxMaker::op(const std::string& type, Names inputs, Attributes attributes, const std::string& output) {
  settle_types(type, inputs);
  std::string name = output.empty() ? fresh(type) : output;
  add(type, std::move(inputs), {name}, std::move(attributes));
  return name;
}

void OnnxMaker::add(const std::string& type, Names inputs, Names outputs, Attributes attributes) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  DType dtype = inputs.empty() ? DType::kF32 : type_of(inputs[type == "Where" && inputs.size() > 1 ? 1 : 0]);
  if (makes_truth(type)) dtype = DType::kBool;
  if (is_one_of(type, {"Shape", "Size", "ArgMax", "ArgMin"})) dtype = DType::kI64;
  if (type == "OneHot" && inputs.size() > 2) dtype = type_of(inputs[2]);
  for (const convert::OnnxAttribute& attribute : attributes) {
    if (type == "Cast" && attribute.name == "to") dtype = convert::onnx_dtype(attribute.integer).value_or(DType::kF32);
    if (type == "ConstantOfShape" && !attribute.tensors.empty()) dtype = attribute.tensors.front().array.dtype;
  }
  if (type == "ConstantOfShape" && attributes.empty()) dtype = DType::kF32;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].empty()) types_[outputs[i]] = type == "TopK" && i == 1 ? DType::kI64 : dtype;
  }
  convert::OnnxNode node;
  node.op_type = type;
  node.name = fresh("node_" + type);
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  node.attributes = std::move(attributes);
  graph_.nodes.push_back(std::move(node));
}

std::string OnnxMaker::array(const std::string& name, const graph::Array& array) {
  if (types_.contains(name)) return name;
  convert::OnnxTensor tensor;
  tensor.name = name;
  tensor.array = io_array(array);
  types_[name] = tensor.array.dtype;
  taken_.insert(name);
  graph_.initialisers.push_back(std::move(tensor));
  return name;
}

std::string OnnxMaker::constant(const std::string& key, const graph::Array& array) {
  std::string& known = constants_[key];
  if (!known.empty()) return known;
  known = unique(key);
  return this->array(known, array);
}

std::string OnnxMaker::ints(std::vector<int64_t> values) {
  std::string key = "integers";
  for (const int64_t value : values) key += fmt::format("/{}", value);
  const auto n = static_cast<int64_t>(values.size());
  return constant(key, graph::array_of_ints({n}, std::move(values)));
}

std::string OnnxMaker::number(double value) {
  const auto single = static_cast<float>(value);
  return constant(fmt::format("number/{}", single), graph::array({}, {single}));
}

std::string OnnxMaker::reduce(const std::string& type, const std::string& x, const std::vector<int64_t>& axes,
                              bool keep, const std::string& output) {
  // `axes` is an input of ReduceSum since opset 13, and of the other reductions since opset 18.
  const bool as_input = opset_ >= (type == "ReduceSum" ? 13 : 18);
  Attributes attributes{onnx::whole("keepdims", keep ? 1 : 0)};
  if (as_input) return op(type, {x, ints(axes)}, attributes, output);
  attributes.push_back(onnx::wholes("axes", axes));
  return op(type, {x}, attributes, output);
}

std::string OnnxMaker::squeeze(const std::string& x, const std::vector<int64_t>& axes, const std::string& output) {
  return op("Squeeze", {x, ints(axes)}, {}, output);
}
std::string OnnxMaker::unsqueeze(const std::string& x, const std::vector<int64_t>& axes) {
  return op("Unsqueeze", {x, ints(axes)});
}
std::string OnnxMaker::transpose(const std::string& x, std::vector<int64_t> perm, const std::string& output) {
  return op("Transpose", {x}, {onnx::wholes("perm", std::move(perm))}, output);
}
std::string OnnxMaker::reshape(const std::string& x, std::vector<int64_t> shape, const std::string& output) {
  return op("Reshape", {x, ints(std::move(shape))}, {}, output);
}
std::string OnnxMaker::slice(const std::string& x, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  return op("Slice", {x, ints({begin}), ints({end}), ints({axis}), ints({step})});
}
std::string OnnxMaker::concat(Names parts, int64_t axis, const std::string& output) {
  return op("Concat", std::move(parts), {onnx::whole("axis", axis)}, output);
}

std::string OnnxMaker::normalised(const std::string& x, double epsilon) {
  const std::string centred = op("Sub", {x, reduce("ReduceMean", x, {-1}, true)});
  const std::string variance = reduce("ReduceMean", op("Mul", {centred, centred}), {-1}, true);
  return op("Div", {centred, op("Sqrt", {op("Add", {variance, number(epsilon)})})});
}

std::string OnnxMaker::extents(const std::string& x, int64_t begin, int64_t end) {
  return slice(op("Shape", {x}), 0, begin, end);
}

void OnnxMaker::begin_body() {
  outside_.push_back(std::move(graph_.nodes));
  graph_.nodes.clear();
}

std::vector<convert::OnnxNode> OnnxMaker::end_body() {
  std::vector<convert::OnnxNode> out = std::move(graph_.nodes);
  graph_.nodes = std::move(outside_.back());
  outside_.pop_back();
  return out;
}

convert::OnnxGraph OnnxMaker::take() { return std::move(graph_); }

}  // namespace longhand::exporters
