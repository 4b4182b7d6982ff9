// ONNX operators that change shapes or move elements, as PyTorch expressions.
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

// Returns a shape as Python arguments: constants, or the elements of an integer tensor.
std::string shape_argument(TorchNode& node, size_t input) {
  const auto known = node.known_ints(input);
  return known ? python_list(*known) : node.in(input) + ".tolist()";
}

void write_identity(TorchNode& node) { node.pass_on(); }

void write_constant(TorchNode& node) {
  node.program().bind(node.node().outputs.at(0), node.program().of(node.node().weights.at("value")));
}

void write_shape(TorchNode& node) {
  std::string x = node.in(0) + ".shape";
  if (node.has_attribute("start") || node.has_attribute("end")) {
    x += fmt::format("[{}:{}]", node.integer("start", 0),
                     node.has_attribute("end") ? std::to_string(node.integer("end", 0)) : "");
  }
  node.assign(fmt::format("torch.tensor({})", x));
}

void write_size(TorchNode& node) { node.assign(fmt::format("torch.tensor({}.numel())", node.in(0))); }

void write_constant_of_shape(TorchNode& node) {
  std::string value = "0.0";
  if (node.has_weight("value")) {
    const graph::Array& array = node.weight("value");
    value = array.type == graph::ElementType::kFloat ? python_float(array.floats.front())
                                                     : std::to_string(array.ints.front());
  }
  node.assign(fmt::format("torch.full({}, {})", shape_argument(node, 0), value));
}

void write_reshape(TorchNode& node) {
  const std::string x = node.in(0);
  const bool copies = node.integer("allowzero", 0) == 0;
  if (node.has(1) && !node.known_ints(1)) {
    return node.assign(
        copies ? fmt::format("{}.reshape([n or {}.shape[i] for i, n in enumerate({}.tolist())])", x, x, node.in(1))
               : fmt::format("{}.reshape({}.tolist())", x, node.in(1)));
  }
  std::string shape;
  const std::vector<int64_t> wanted = node.ints(1, "shape", {});
  for (size_t i = 0; i < wanted.size(); ++i) {
    shape += i == 0 ? "" : ", ";
    shape += wanted[i] == 0 && copies ? fmt::format("{}.shape[{}]", x, i) : std::to_string(wanted[i]);
  }
  node.assign(fmt::format("{}.reshape({})", x, wanted.empty() ? "()" : shape));
}

void write_flatten(TorchNode& node) {
  const int64_t axis = node.axis("axis", 1, node.rank());
  const std::string x = node.in(0);
  if (axis == 0) return node.assign(fmt::format("{}.reshape(1, -1)", x));
  if (axis == static_cast<int64_t>(node.rank())) return node.assign(fmt::format("{}.reshape(-1, 1)", x));
  node.assign(axis == 1 ? fmt::format("{}.flatten(1)", x)
                        : fmt::format("{}.flatten({}).flatten(0, {})", x, axis, axis - 1));
}

void write_squeeze(TorchNode& node) {
  const std::vector<int64_t> axes = node.ints(1, "axes", {});
  const std::string given = axes.size() == 1 ? std::to_string(axes.front()) : axes.empty() ? "" : python_tuple(axes);
  node.assign(fmt::format("{}.squeeze({})", node.in(0), given));
}

void write_unsqueeze(TorchNode& node) {
  std::vector<int64_t> axes = node.ints(1, "axes", {});
  const auto rank = static_cast<int64_t>(node.rank() + axes.size());
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  std::string out = node.in(0);
  for (const int64_t axis : axes) out += fmt::format(".unsqueeze({})", axis);
  node.assign(out);
}

void write_transpose(TorchNode& node) {
  std::vector<int64_t> order = node.integers("perm", {});
  for (auto axis = static_cast<int64_t>(node.rank()); order.size() < node.rank();) order.push_back(--axis);
  std::string text;
  for (const int64_t axis : order) text += (text.empty() ? "" : ", ") + std::to_string(axis);
  node.assign(fmt::format("{}.permute({})", node.in(0), text));
}

// Starts and ends are constants or computed from shapes. PyTorch clamps them to the axis as ONNX does.
void write_slice(TorchNode& node) {
  constexpr int64_t kFar = std::numeric_limits<int32_t>::max();
  std::vector<int64_t> axes = node.ints(3, "axes", {});
  const size_t n = axes.empty()
                       ? static_cast<size_t>(node.has(1) ? graph::count(node.dims(1))
                                                         : static_cast<int64_t>(node.integers("starts", {}).size()))
                       : axes.size();
  for (size_t i = axes.size(); i < n; ++i) axes.push_back(static_cast<int64_t>(i));
  const std::vector<int64_t> by = node.ints(4, "steps", std::vector<int64_t>(n, 1));
  const auto limit = [&](size_t input, const char* attribute, size_t i, bool start) -> std::string {
    if (node.has(input) && !node.known_ints(input)) return fmt::format("int({}.reshape(-1)[{}])", node.in(input), i);
    const int64_t value = node.ints(input, attribute, {}).at(i);
    if (start ? value == 0 || value < -kFar : value >= kFar) return "";
    return std::to_string(value);
  };
  std::vector<std::string> index(node.rank(), ":");
  std::string x = node.in(0);
  for (size_t i = 0; i < n; ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(node.rank()) : axes[i]);
    if (by[i] < 0) {
      const auto starts = node.ints(1, "starts", {}), ends = node.ints(2, "ends", {});
      if (by[i] != -1 || (starts[i] != -1 && starts[i] < kFar) || ends[i] > -kFar) {
        node.refuse("it goes backwards through a part of an axis");
      }
      x += fmt::format(".flip({})", axis);
      continue;
    }
    index.at(axis) = fmt::format("{}:{}", limit(1, "starts", i, true), limit(2, "ends", i, false));
    if (by[i] != 1) index.at(axis) += fmt::format(":{}", by[i]);
  }
  while (!index.empty() && index.back() == ":") index.pop_back();
  if (index.empty() && x == node.in(0)) return node.pass_on();
  if (index.empty()) return node.assign(x);
  std::string text;
  for (const std::string& each : index) text += (text.empty() ? "" : ", ") + each;
  node.assign(fmt::format("{}[{}]", x, text));
}

void write_concat(TorchNode& node) {
  if (node.node().inputs.size() == 1) return node.pass_on();
  std::string parts;
  for (size_t i = 0; i < node.node().inputs.size(); ++i) parts += (i == 0 ? "" : ", ") + node.in(i);
  const int64_t axis = node.integer("axis", node.node().type == "concat" ? -1 : 0);
  node.assign(fmt::format("torch.cat([{}], dim={})", parts, axis));
}

void write_split(TorchNode& node) {
  if (node.node().outputs.size() == 1) return node.pass_on();
  const int64_t axis = node.axis("axis", 0, node.rank()), n = node.dims(0)[static_cast<size_t>(axis)];
  const auto parts = static_cast<int64_t>(node.node().outputs.size());
  std::vector<int64_t> sizes = node.ints(1, "split", {});
  for (int64_t i = 0, each = (n + parts - 1) / parts; sizes.empty() || static_cast<int64_t>(sizes.size()) < parts;
       ++i) {
    sizes.push_back(i + 1 < parts ? each : n - each * (parts - 1));
  }
  const std::string x = node.in(0);
  std::string names;
  for (size_t i = 0; i < node.node().outputs.size(); ++i) {
    names += i == 0 ? "" : ", ";
    names += node.wants(i) ? node.out(i) : "_";
  }
  node.line(fmt::format("{} = torch.split({}, {}, dim={})", names, x, python_list(sizes), axis));
}

// Gathering rows of a parameter becomes an embedding.
void write_gather(TorchNode& node) {
  const int64_t axis = node.axis("axis", 0, node.rank());
  const std::string& name = node.node().inputs[0];
  const auto table = node.program().graph().arrays.find(name);
  if (axis == 0 && table != node.program().graph().arrays.end() && table->second.dims.size() == 2 &&
      table->second.type == graph::ElementType::kFloat && node.program().total_uses(name) == 1) {
    node.init(fmt::format("nn.Embedding({}, {})", table->second.dims[0], table->second.dims[1]));
    node.program().tensor(node.module() + ".weight", table->second);
    node.program().source(name, {.tensors = {node.module() + ".weight"}});
    return node.assign(fmt::format("self.{}({})", node.module(), node.in(1)));
  }
  const auto known = node.known_ints(1);
  if (known && node.rank(1) == 0)
    return node.assign(fmt::format("{}.select({}, {})", node.in(0), axis, known->front()));
  node.assign(fmt::format("{}({}, {}, {})", node.program().helper("take_rows"), node.in(0), node.in(1), axis));
}

void write_gather_elements(TorchNode& node) {
  node.assign(fmt::format("{}.gather({}, {})", node.in(0), node.integer("axis", 0), node.in(1)));
}

void write_scatter_elements(TorchNode& node) {
  node.assign(fmt::format("{}.scatter({}, {}, {})", node.in(0), node.integer("axis", 0), node.in(1), node.in(2)));
}

void write_onnx_one_hot(TorchNode& node) {
  const std::vector<int64_t> depth = node.ints(1, "depth", {});
  const auto values = node.program().graph().arrays.find(node.node().inputs.at(2));
  const bool plain =
      values != node.program().graph().arrays.end() &&
      (values->second.floats == std::vector<float>{0.0F, 1.0F} || values->second.ints == std::vector<int64_t>{0, 1});
  const auto last = static_cast<int64_t>(node.rank());
  if (!plain || node.axis("axis", -1, node.rank() + 1) != last || depth.size() != 1) {
    node.refuse("expected rows of zeros with a one in the last axis");
  }
  node.assign(fmt::format("F.one_hot({}, {}){}", node.in(0), depth.front(),
                          values->second.type == graph::ElementType::kFloat ? ".float()" : ""));
}

void write_expand(TorchNode& node) {
  const std::string x = node.in(0);
  node.assign(fmt::format("{}.expand(torch.broadcast_shapes({}.shape, {}))", x, x, shape_argument(node, 1)));
}

void write_tile(TorchNode& node) { node.assign(fmt::format("{}.repeat({})", node.in(0), shape_argument(node, 1))); }

void write_onnx_pad(TorchNode& node) {
  const std::vector<int64_t> pads = node.ints(1, "pads", {});
  const std::string mode = node.text("mode", "constant");
  std::vector<int64_t> axes = node.ints(3, "axes", {});
  for (size_t i = axes.size(); i < pads.size() / 2; ++i) axes.push_back(static_cast<int64_t>(i));
  const size_t rank = node.rank();
  std::vector<int64_t> sides(2 * rank, 0);  // the last axis first, as in F.pad
  size_t padded = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(rank) : axes[i]);
    const size_t at = 2 * (rank - 1 - axis);
    sides.at(at) = pads[i];
    sides.at(at + 1) = pads[axes.size() + i];
    if (sides[at] != 0 || sides[at + 1] != 0) padded = std::max(padded, rank - axis);
  }
  if (padded == 0) return node.pass_on();
  sides.resize(2 * padded);
  if (mode == "constant") {
    double fill = node.number("value", 0.0);
    if (node.has(2)) fill = static_cast<double>(node.program().number_of(node.node().inputs[2]).value_or(0.0F));
    return node.assign(fmt::format("F.pad({}, {}{})", node.in(0), python_tuple(sides),
                                   fill == 0.0 ? "" : fmt::format(", value={}", fill)));
  }
  if (padded != 1 || rank < 2 || rank > 3) node.refuse("it pads other axes than the last, or other than 2 or 3 axes");
  node.assign(fmt::format("F.pad({}, {}, mode=\"{}\")", node.in(0), python_tuple(sides),
                          mode == "edge"   ? "replicate"
                          : mode == "wrap" ? "circular"
                                           : "reflect"));
}

void write_range(TorchNode& node) {
  const auto number = [&](size_t input) -> std::string {
    const auto known = node.known_ints(input);
    if (known) return std::to_string(known->front());
    const auto literal = node.program().number_of(node.node().inputs[input]);
    return literal ? python_float(*literal) : node.in(input) + ".item()";
  };
  node.assign(fmt::format("torch.arange({}, {}, {})", number(0), number(1), number(2)));
}

void write_reverse_sequence(TorchNode& node) {
  const bool batch_first = node.integer("batch_axis", 1) == 0;
  const std::string x = node.in(0), turned = batch_first ? "" : ".transpose(0, 1)";
  node.assign(fmt::format("{}({}{}, {}){}", node.program().helper("flip_rows"), x, turned, node.in(1), turned));
}

void write_triangle(TorchNode& node) {
  const std::vector<int64_t> k = node.ints(1, "k", {0});
  node.assign(fmt::format("{}.{}({})", node.in(0), node.integer("upper", 1) != 0 ? "triu" : "tril", k.front()));
}

}  // namespace

std::vector<TorchNodeType> torch_move_types() {
  return {{"Identity", write_identity},
          {"Constant", write_constant},
          {"Shape", write_shape},
          {"Size", write_size},
          {"ConstantOfShape", write_constant_of_shape},
          {"Reshape", write_reshape},
          {"Flatten", write_flatten},
          {"Squeeze", write_squeeze},
          {"Unsqueeze", write_unsqueeze},
          {"Transpose", write_transpose},
          {"Slice", write_slice},
          {"Concat", write_concat},
          {"concat", write_concat},
          {"Split", write_split},
          {"Gather", write_gather},
          {"GatherElements", write_gather_elements},
          {"ScatterElements", write_scatter_elements},
          {"OneHot", write_onnx_one_hot},
          {"Expand", write_expand},
          {"Tile", write_tile},
          {"Pad", write_onnx_pad},
          {"Range", write_range},
          {"ReverseSequence", write_reverse_sequence},
          {"Trilu", write_triangle}};
}

}  // namespace longhand::exporters
