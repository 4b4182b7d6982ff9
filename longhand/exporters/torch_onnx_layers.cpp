// ONNX convolutions, pooling and normalisation [N, C, L] as PyTorch modules.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

// Returns a weight that no other node reads. Throws an input error otherwise.
const graph::Array& own_array(TorchNode& node, size_t input) {
  const auto& arrays = node.program().graph().arrays;
  const auto found = node.has(input) ? arrays.find(node.node().inputs[input]) : arrays.end();
  if (found == arrays.end()) node.refuse(fmt::format("its input {} is computed as the model runs", input + 1));
  if (node.program().total_uses(found->first) != 1) {
    node.refuse(fmt::format("another node reads its input {}, too", input + 1));
  }
  return found->second;
}

void add_own(TorchNode& node, size_t input, const char* called) {
  const std::string name = fmt::format("{}.{}", node.module(), called);
  node.program().tensor(name, own_array(node, input));
  node.program().source(node.node().inputs[input], {.tensors = {name}});
}

int64_t first_of(const TorchNode& node, const char* name, int64_t otherwise) {
  const std::vector<int64_t> all = node.integers(name, {otherwise});
  return all.empty() ? otherwise : all.front();
}

struct OnnxWindow {
  int64_t kernel = 1, stride = 1, dilation = 1, left = 0, right = 0;
};

// Reads the window attributes of 1-D convolutions and pooling.
OnnxWindow read_window(const TorchNode& node, int64_t kernel) {
  OnnxWindow w{.kernel = kernel};
  w.stride = first_of(node, "strides", 1);
  w.dilation = first_of(node, "dilations", 1);
  const std::string automatic = node.text("auto_pad", "NOTSET");
  const std::vector<int64_t> pads = node.integers("pads", {0, 0});
  if (automatic == "NOTSET") {
    w.left = pads.front();
    w.right = pads.back();
  } else if (automatic != "VALID") {
    if (w.stride != 1) node.refuse("its padding depends on the length of its input (auto_pad)");
    const int64_t all = (w.kernel - 1) * w.dilation;
    w.left = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
    w.right = all - w.left;
  }
  return w;
}

// Returns the module's input. Equal padding on both sides becomes an option of the module, other padding F.pad.
std::string padded_input(TorchNode& node, OnnxWindow& w) {
  std::string x = node.in(0);
  if (w.left == w.right) return x;
  x = fmt::format("F.pad({}, ({}, {}))", x, w.left, w.right);
  w.left = w.right = 0;
  return x;
}

void write_onnx_conv(TorchNode& node) {
  const graph::Array& weight = own_array(node, 1);
  if (weight.dims.size() != 3) node.refuse("it is a convolution of another number of dimensions than one");
  OnnxWindow w = read_window(node, weight.dims[2]);
  const int64_t groups = node.integer("group", 1);
  const std::string x = padded_input(node, w);
  std::string options;
  if (w.stride != 1) options += fmt::format(", stride={}", w.stride);
  if (w.left != 0) options += fmt::format(", padding={}", w.left);
  if (w.dilation != 1) options += fmt::format(", dilation={}", w.dilation);
  if (groups != 1) options += fmt::format(", groups={}", groups);
  if (!node.has(2)) options += ", bias=False";
  node.init(fmt::format("nn.Conv1d({}, {}, {}{})", weight.dims[1] * groups, weight.dims[0], w.kernel, options));
  add_own(node, 1, "weight");
  if (node.has(2)) add_own(node, 2, "bias");
  node.assign(fmt::format("self.{}({})", node.module(), x));
}

void write_onnx_transposed_conv(TorchNode& node) {
  const graph::Array& weight = own_array(node, 1);
  if (weight.dims.size() != 3) node.refuse("it is a convolution of another number of dimensions than one");
  const OnnxWindow w = read_window(node, weight.dims[2]);
  if (node.has_attribute("output_shape")) node.refuse("its output's length is given (output_shape)");
  const int64_t groups = node.integer("group", 1), more = first_of(node, "output_padding", 0);
  std::string options;
  if (w.stride != 1) options += fmt::format(", stride={}", w.stride);
  if (w.left == w.right && w.left != 0) options += fmt::format(", padding={}", w.left);
  if (more != 0) options += fmt::format(", output_padding={}", more);
  if (groups != 1) options += fmt::format(", groups={}", groups);
  if (!node.has(2)) options += ", bias=False";
  if (w.dilation != 1) options += fmt::format(", dilation={}", w.dilation);
  node.init(
      fmt::format("nn.ConvTranspose1d({}, {}, {}{})", weight.dims[0], weight.dims[1] * groups, w.kernel, options));
  add_own(node, 1, "weight");
  if (node.has(2)) add_own(node, 2, "bias");
  const std::string x = node.in(0), cut = w.left == w.right ? ""
                                                            : fmt::format("[..., {}:{}]", w.left,
                                                                          w.right == 0 ? "" : std::to_string(-w.right));
  node.assign(fmt::format("self.{}({}){}", node.module(), x, cut));
}

void write_onnx_pool(TorchNode& node) {
  const bool mean = node.node().type == "AveragePool";
  OnnxWindow w = read_window(node, first_of(node, "kernel_shape", 1));
  if (node.rank() != 3) node.refuse("it pools another number of dimensions than one");
  if (w.left != w.right || w.dilation != 1 || node.integer("ceil_mode", 0) != 0 || 2 * w.left > w.kernel) {
    node.refuse("expected padding that is the same on both sides, no dilation and no ceil_mode");
  }
  std::string options = fmt::format("{}, {}", w.kernel, w.stride);
  if (w.left != 0) options += fmt::format(", padding={}", w.left);
  if (w.left != 0 && mean && node.integer("count_include_pad", 0) == 0) options += ", count_include_pad=False";
  node.init(fmt::format("nn.{}({})", mean ? "AvgPool1d" : "MaxPool1d", options));
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
}

void write_global_pool(TorchNode& node) {
  node.assign(fmt::format("{}.{}(2, keepdim=True)", node.in(0), node.node().type == "GlobalMaxPool" ? "amax" : "mean"));
}

void write_onnx_layer_norm(TorchNode& node) {
  const graph::Dims dims = node.dims(0);
  const int64_t axis = node.axis("axis", -1, dims.size());
  const std::vector<int64_t> shape(dims.begin() + axis, dims.end());
  node.assign(fmt::format("F.layer_norm({}, {}, {}, {}, {})", node.in(0), python_tuple(shape), node.in(1),
                          node.has(2) ? node.in(2) : "None", node.number("epsilon", 1e-5)));
}

void write_onnx_batch_norm(TorchNode& node) {
  if (node.rank() > 3) node.refuse("it has more than 3 axes");
  node.init(fmt::format("nn.BatchNorm1d({}, eps={})", own_array(node, 1).dims[0], node.number("epsilon", 1e-5)));
  add_own(node, 1, "weight");
  add_own(node, 2, "bias");
  add_own(node, 3, "running_mean");
  add_own(node, 4, "running_var");
  node.program().tensor(node.module() + ".num_batches_tracked", graph::array_of_ints({}, {0}));
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
}

void write_instance_norm(TorchNode& node) {
  node.assign(fmt::format("F.instance_norm({}, weight={}, bias={}, eps={})", node.in(0), node.in(1), node.in(2),
                          node.number("epsilon", 1e-5)));
}

void write_dequantize(TorchNode& node) {
  const graph::Dims scale = node.dims(1);
  const int64_t axis = node.axis("axis", 1, node.rank());
  std::string shape;  // broadcasts one number per element of the axis
  if (graph::count(scale) > 1) {
    std::vector<int64_t> dims(node.rank(), 1);
    dims[static_cast<size_t>(axis)] = -1;
    shape = fmt::format(".reshape({})", python_list(dims));
  }
  const std::string zero = node.has(2) ? fmt::format("({} - {}{})", node.in(0), node.in(2), shape) : node.in(0);
  node.assign(fmt::format("{} * {}{}", zero, node.in(1), shape));
}

}  // namespace

std::vector<TorchNodeType> torch_onnx_layer_types() {
  return {{"Conv", write_onnx_conv},
          {"ConvTranspose", write_onnx_transposed_conv},
          {"MaxPool", write_onnx_pool},
          {"AveragePool", write_onnx_pool},
          {"GlobalAveragePool", write_global_pool},
          {"GlobalMaxPool", write_global_pool},
          {"LayerNormalization", write_onnx_layer_norm},
          {"BatchNormalization", write_onnx_batch_norm},
          {"InstanceNormalization", write_instance_norm},
          {"DequantizeLinear", write_dequantize}};
}

}  // namespace longhand::exporters
