#include "longhand/convert/onnx_file.h"

#include <fmt/core.h>

#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/onnx_tensor.h"
#include "longhand/convert/protobuf.h"
#include "longhand/io/file.h"

namespace longhand::convert {
namespace {

constexpr int kDeepestGraph = 8;

OnnxGraph parse_graph(std::string_view message, OnnxContext& context, int depth);

// TensorShapeProto: extents, each a number or a name.
void parse_shape(std::string_view message, OnnxContext& context, OnnxValue& out) {
  out.has_shape = true;
  ProtobufReader shape(message, context.name);
  while (shape.next()) {
    if (shape.field() != 1) continue;
    context.count();
    OnnxExtent& extent = out.shape.emplace_back();
    ProtobufReader reader(shape.bytes(), context.name);
    while (reader.next()) {
      if (reader.field() == 1) extent.value = std::max<int64_t>(reader.integer(), -1);
      if (reader.field() == 2) extent.name = reader.text();
    }
  }
}

// ValueInfoProto: a name and a TypeProto, of which a tensor's element type and shape are read.
OnnxValue parse_value(std::string_view message, OnnxContext& context) {
  context.count();
  OnnxValue out;
  ProtobufReader value(message, context.name);
  while (value.next()) {
    if (value.field() == 1) out.name = value.text();
    if (value.field() != 2) continue;
    ProtobufReader type(value.bytes(), context.name);
    while (type.next()) {
      if (type.field() != 1) continue;
      ProtobufReader tensor(type.bytes(), context.name);
      while (tensor.next()) {
        if (tensor.field() == 1) out.dtype = onnx_dtype(tensor.integer());
        if (tensor.field() == 2) parse_shape(tensor.bytes(), context, out);
      }
    }
  }
  return out;
}

OnnxAttributeType attribute_type(int64_t number) {
  switch (number) {
    case 1: return OnnxAttributeType::kReal;
    case 2: return OnnxAttributeType::kInteger;
    case 3: return OnnxAttributeType::kText;
    case 4: return OnnxAttributeType::kTensor;
    case 5: return OnnxAttributeType::kGraph;
    case 6: return OnnxAttributeType::kReals;
    case 7: return OnnxAttributeType::kIntegers;
    case 8: return OnnxAttributeType::kTexts;
    case 9: return OnnxAttributeType::kTensors;
    case 10: return OnnxAttributeType::kGraphs;
    default: return OnnxAttributeType::kOther;
  }
}

// Old files do not say the type: it is that of the field that is there.
OnnxAttribute parse_attribute(std::string_view message, OnnxContext& context, int depth) {
  context.count();
  OnnxAttribute out;
  int64_t type = 0, seen = 0;
  ProtobufReader reader(message, context.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: out.name = reader.text(); continue;
      case 20: type = reader.integer(); continue;
      case 2:
        out.real = reader.real32();
        seen = 1;
        break;
      case 3:
        out.integer = reader.integer();
        seen = 2;
        break;
      case 4:
        out.text = reader.bytes();
        seen = 3;
        break;
      case 5:
        out.tensors = {parse_onnx_tensor(reader.bytes(), context)};
        seen = 4;
        break;
      case 6:
        out.graphs = {parse_graph(reader.bytes(), context, depth + 1)};
        seen = 5;
        break;
      case 7:
        reader.append(out.reals);
        seen = 6;
        break;
      case 8:
        reader.append(out.integers);
        seen = 7;
        break;
      case 9:
        out.texts.emplace_back(reader.bytes());
        seen = 8;
        break;
      case 10:
        out.tensors.push_back(parse_onnx_tensor(reader.bytes(), context));
        seen = 9;
        break;
      case 11:
        out.graphs.push_back(parse_graph(reader.bytes(), context, depth + 1));
        seen = 10;
        break;
      default: break;
    }
  }
  out.type = attribute_type(type != 0 ? type : seen);
  const bool complete = (out.type != OnnxAttributeType::kTensor || out.tensors.size() == 1) &&
                        (out.type != OnnxAttributeType::kGraph || out.graphs.size() == 1);
  if (!complete) {
    throw input_error(
        fmt::format("{}: the attribute '{}' lacks the value of its type", context.name, visible(out.name)),
        "the file is altered; export the model again");
  }
  return out;
}

OnnxNode parse_node(std::string_view message, OnnxContext& context, int depth) {
  context.count();
  OnnxNode out;
  ProtobufReader reader(message, context.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: out.inputs.push_back(reader.text()); break;
      case 2: out.outputs.push_back(reader.text()); break;
      case 3: out.name = reader.text(); break;
      case 4: out.op_type = reader.text(); break;
      case 5: out.attributes.push_back(parse_attribute(reader.bytes(), context, depth)); break;
      case 7: out.domain = reader.text(); break;
      default: break;
    }
  }
  if (out.domain == "ai.onnx") out.domain.clear();  // the same, written out
  if (out.op_type.empty()) {
    throw input_error(fmt::format("{}: the node '{}' has no operator", context.name, visible(out.name)),
                      "the file is altered or of another format; export the model again");
  }
  return out;
}

OnnxGraph parse_graph(std::string_view message, OnnxContext& context, int depth) {
  if (depth > kDeepestGraph) {
    throw input_error(fmt::format("{}: its graphs are nested more than {} deep", context.name, kDeepestGraph),
                      "no exporter writes such files; use an intact copy");
  }
  context.count();
  OnnxGraph out;
  ProtobufReader reader(message, context.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: out.nodes.push_back(parse_node(reader.bytes(), context, depth)); break;
      case 2: out.name = reader.text(); break;
      case 5: out.initialisers.push_back(parse_onnx_tensor(reader.bytes(), context)); break;
      case 11: out.inputs.push_back(parse_value(reader.bytes(), context)); break;
      case 12: out.outputs.push_back(parse_value(reader.bytes(), context)); break;
      case 13: out.values.push_back(parse_value(reader.bytes(), context)); break;
      case 15:
        throw input_error(context.name + ": it has a sparse array, which is not read",
                          "export the model with dense arrays");
      default: break;
    }
  }
  return out;
}

// A pair of texts, or of a text and a number: StringStringEntryProto, OperatorSetIdProto; and the name of a function.
struct Entry {
  std::string first, second;
  int64_t number = 0;
};
Entry parse_entry(std::string_view message, OnnxContext& context) {
  context.count();
  Entry out;
  ProtobufReader reader(message, context.name);
  while (reader.next()) {
    if (reader.field() == 1) out.first = reader.text();
    if (reader.field() == 2 && reader.wire() == ProtobufReader::Wire::kBytes) out.second = reader.text();
    if (reader.field() == 2 && reader.wire() == ProtobufReader::Wire::kVarint) out.number = reader.integer();
  }
  return out;
}

OnnxModel parse_model(std::string_view bytes, OnnxContext& context) {
  OnnxModel out;
  bool has_graph = false;
  ProtobufReader reader(bytes, context.name);
  while (reader.next()) {
    switch (reader.field()) {
      case 1: out.ir_version = reader.integer(); break;
      case 2: out.producer = reader.text(); break;
      case 3: out.producer_version = reader.text(); break;
      case 7:
        if (has_graph) {
          throw input_error(context.name + ": expected one graph, found two", "export the model again");
        }
        has_graph = true;
        out.graph = parse_graph(reader.bytes(), context, 0);
        break;
      case 8: {
        const Entry entry = parse_entry(reader.bytes(), context);
        out.opsets[entry.first == "ai.onnx" ? "" : entry.first] = entry.number;
        break;
      }
      case 14: {
        const Entry entry = parse_entry(reader.bytes(), context);
        out.texts[entry.first] = entry.second;
        break;
      }
      case 25: out.functions.push_back(parse_entry(reader.bytes(), context).first); break;
      default: break;
    }
  }
  if (!has_graph || out.graph.nodes.empty()) {
    throw input_error(context.name + ": not an ONNX model: it has no graph of operators",
                      "it is truncated or of another format; export the model again");
  }
  if (out.opsets.empty()) {
    throw input_error(context.name + ": not an ONNX model: it does not say of which version its operators are",
                      "it is truncated or altered; export the model again");
  }
  return out;
}

}  // namespace

const OnnxAttribute* OnnxNode::attribute(std::string_view wanted) const {
  for (const OnnxAttribute& one : attributes) {
    if (one.name == wanted) return &one;
  }
  return nullptr;
}

OnnxModel read_onnx(const std::string& path) {
  const std::string bytes = io::read_file(path);
  const std::string name = path == "-" ? "standard input" : path;
  OnnxContext context{.name = name, .folder = {}};
  if (path != "-") {
    context.folder = std::filesystem::path(path).parent_path().string();
    if (context.folder.empty()) context.folder = ".";
  }
  return parse_model(bytes, context);
}

OnnxModel read_onnx(const std::string& name, std::string_view bytes) {
  OnnxContext context{.name = name, .folder = {}};
  return parse_model(bytes, context);
}

OnnxTensor read_onnx_tensor(const std::string& path) { return read_onnx_tensor(path, io::read_file(path)); }

OnnxTensor read_onnx_tensor(const std::string& name, std::string_view bytes) {
  OnnxContext context{.name = name, .folder = {}};
  return parse_onnx_tensor(bytes, context);
}

}  // namespace longhand::convert
