#include "longhand/exporters/onnx_write.h"

#include "longhand/base/error.h"
#include "longhand/convert/onnx_tensor.h"
#include "longhand/convert/protobuf_writer.h"

namespace longhand::exporters {
namespace {

// Field numbers are those of onnx/onnx.proto (https://github.com/onnx/onnx).

convert::ProtobufWriter graph_message(const convert::OnnxGraph& graph);

convert::ProtobufWriter tensor_message(const convert::OnnxTensor& tensor) {
  convert::ProtobufWriter out;
  out.integers(1, tensor.array.shape);
  out.integer(2, tensor.is_text ? 8 : convert::onnx_number(tensor.array.dtype));
  for (const std::string& text : tensor.texts) out.text(6, text);
  if (!tensor.name.empty()) out.text(8, tensor.name);
  if (!tensor.is_text) out.text(9, tensor.array.bytes);
  return out;
}

// Returns the number of an attribute type in AttributeProto.AttributeType.
int64_t number_of(convert::OnnxAttributeType type) {
  LONGHAND_CHECK(type != convert::OnnxAttributeType::kOther);
  return static_cast<int64_t>(type) + 1;
}

convert::ProtobufWriter attribute_message(const convert::OnnxAttribute& attribute) {
  convert::ProtobufWriter out;
  out.text(1, attribute.name);
  switch (attribute.type) {
    case convert::OnnxAttributeType::kReal: out.real32(2, attribute.real); break;
    case convert::OnnxAttributeType::kInteger: out.integer(3, attribute.integer); break;
    case convert::OnnxAttributeType::kText: out.text(4, attribute.text); break;
    case convert::OnnxAttributeType::kTensor: out.message(5, tensor_message(attribute.tensors.front())); break;
    case convert::OnnxAttributeType::kGraph: out.message(6, graph_message(attribute.graphs.front())); break;
    // Lists of attributes are not packed in onnx.proto (proto2).
    case convert::OnnxAttributeType::kReals:
      for (const float value : attribute.reals) out.real32(7, value);
      break;
    case convert::OnnxAttributeType::kIntegers:
      for (const int64_t value : attribute.integers) out.integer(8, value);
      break;
    case convert::OnnxAttributeType::kTexts:
      for (const std::string& text : attribute.texts) out.text(9, text);
      break;
    case convert::OnnxAttributeType::kTensors:
      for (const convert::OnnxTensor& tensor : attribute.tensors) out.message(10, tensor_message(tensor));
      break;
    case convert::OnnxAttributeType::kGraphs:
      for (const convert::OnnxGraph& graph : attribute.graphs) out.message(11, graph_message(graph));
      break;
    case convert::OnnxAttributeType::kOther: break;
  }
  out.integer(20, number_of(attribute.type));
  return out;
}

convert::ProtobufWriter node_message(const convert::OnnxNode& node) {
  convert::ProtobufWriter out;
  for (const std::string& input : node.inputs) out.text(1, input);
  for (const std::string& output : node.outputs) out.text(2, output);
  if (!node.name.empty()) out.text(3, node.name);
  out.text(4, node.op_type);
  for (const convert::OnnxAttribute& attribute : node.attributes) out.message(5, attribute_message(attribute));
  if (!node.domain.empty()) out.text(7, node.domain);
  return out;
}

convert::ProtobufWriter value_message(const convert::OnnxValue& value) {
  convert::ProtobufWriter shape, tensor, type, out;
  for (const convert::OnnxExtent& extent : value.shape) {
    convert::ProtobufWriter dimension;
    if (extent.value >= 0) dimension.integer(1, extent.value);
    if (extent.value < 0 && !extent.name.empty()) dimension.text(2, extent.name);
    shape.message(1, dimension);
  }
  if (value.dtype) tensor.integer(1, convert::onnx_number(*value.dtype));
  if (value.has_shape) tensor.message(2, shape);
  type.message(1, tensor);
  out.text(1, value.name);
  out.message(2, type);
  return out;
}

convert::ProtobufWriter graph_message(const convert::OnnxGraph& graph) {
  convert::ProtobufWriter out;
  for (const convert::OnnxNode& node : graph.nodes) out.message(1, node_message(node));
  out.text(2, graph.name);
  for (const convert::OnnxTensor& tensor : graph.initialisers) out.message(5, tensor_message(tensor));
  for (const convert::OnnxValue& value : graph.inputs) out.message(11, value_message(value));
  for (const convert::OnnxValue& value : graph.outputs) out.message(12, value_message(value));
  for (const convert::OnnxValue& value : graph.values) out.message(13, value_message(value));
  return out;
}

// Returns a StringStringEntryProto.
convert::ProtobufWriter entry(const std::string& key, const std::string& value) {
  convert::ProtobufWriter out;
  out.text(1, key);
  out.text(2, value);
  return out;
}

size_t array_bytes(const convert::OnnxGraph& graph) {
  size_t out = 0;
  for (const convert::OnnxTensor& tensor : graph.initialisers) out += tensor.array.bytes.size();
  return out;
}

}  // namespace

std::string onnx_bytes(const convert::OnnxModel& model) {
  const auto too_large = [] {
    return input_error("expected a model of less than 2 GiB, which is the most that an ONNX file can hold",
                       "export a smaller one");
  };
  if (array_bytes(model.graph) > kMostOnnxBytes) throw too_large();
  convert::ProtobufWriter out;
  out.integer(1, model.ir_version);
  out.text(2, model.producer);
  out.text(3, model.producer_version);
  out.message(7, graph_message(model.graph));
  for (const auto& [domain, version] : model.opsets) {
    convert::ProtobufWriter set;
    set.text(1, domain);
    set.integer(2, version);
    out.message(8, set);
  }
  for (const auto& [key, value] : model.texts) out.message(14, entry(key, value));
  if (out.bytes().size() > kMostOnnxBytes) throw too_large();
  return out.take();
}

}  // namespace longhand::exporters
