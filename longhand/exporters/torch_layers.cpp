// Writes all layers but recurrent ones as PyTorch code. Tensors are [B, T, C] or [B, T, L, C].
#include <fmt/core.h>

#include <cmath>

#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

void write_linear(TorchNode& node) {
  const graph::Array& w = node.weight("weight");
  const bool bias = node.has_weight("bias");
  node.init(fmt::format("nn.Linear({}, {}{})", w.dims[1], w.dims[0], bias ? "" : ", bias=False"));
  node.tensor("weight", "weight");
  if (bias) node.tensor("bias", "bias");
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
}

void write_embedding(TorchNode& node) {
  const graph::Array& w = node.weight("weight");
  node.init(fmt::format("nn.Embedding({}, {})", w.dims[0], w.dims[1]));
  node.tensor("weight", "weight");
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
}

void write_one_hot(TorchNode& node) {
  node.assign(fmt::format("F.one_hot({}, {}).float()", node.in(0), node.integer("classes", 0)));
}

struct TorchConvolution {
  int64_t inputs, outputs, kernel, stride, dilation, groups;
  bool bias;
  int64_t padding = 0;

  std::string arguments() const {
    std::string out = fmt::format("{}, {}, {}", inputs, outputs, kernel);
    if (stride != 1) out += fmt::format(", stride={}", stride);
    if (padding != 0) out += fmt::format(", padding={}", padding);
    if (dilation != 1) out += fmt::format(", dilation={}", dilation);
    if (groups != 1) out += fmt::format(", groups={}", groups);
    if (!bias) out += ", bias=False";
    return out;
  }
  int64_t span() const { return (kernel - 1) * dilation + 1; }
};

// Returns the expression of x with `left` and `right` rows of padding: F.pad for zeros, a helper for other modes.
std::string padded_rows(TorchNode& node, const std::string& x, int64_t left, int64_t right, const std::string& mode) {
  if (left == 0 && right == 0) return x;
  if (mode == "zeros") return fmt::format("F.pad({}, (0, 0, {}, {}))", x, left, right);
  return fmt::format("{}({}, {}, {}, {})", node.program().helper("pad_rows"), x, left, right, python_string(mode));
}

void write_conv1d(TorchNode& node) {
  const graph::Array& w = node.weight("weight");
  TorchConvolution c{.inputs = w.dims[1] * node.integer("groups", 1),
                     .outputs = w.dims[0],
                     .kernel = w.dims[2],
                     .stride = node.integer("stride", 1),
                     .dilation = node.integer("dilation", 1),
                     .groups = node.integer("groups", 1),
                     .bias = node.has_weight("bias")};
  const bool over_time = node.rank() == 3;
  const std::string mode = node.text("mode", "zeros");
  std::vector<int64_t> sides = node.is_text("padding") ? std::vector<int64_t>() : node.integers("padding", {});
  const std::string padding = sides.empty() ? node.text("padding", "valid") : "sides";
  std::string x = node.in(0);
  if (padding == "causal" && over_time) {
    node.init(fmt::format("{}({})", node.program().helper("CausalConv1d"), c.arguments()));
    const std::string before = node.program().state_in(node.module()), after = node.program().state_out(node.module());
    const std::string y = node.out();
    node.line(fmt::format("{}, {} = self.{}({}, {})", y, after, node.module(), x, before));
  } else {
    if (padding == "causal") sides = {c.span() - 1, 0};
    if (padding == "same" && c.stride == 1) sides = {(c.span() - 1) / 2, c.span() - 1 - (c.span() - 1) / 2};
    if (padding == "same" && c.stride != 1) {
      x = fmt::format("{}({}, {}, {})", node.program().helper("pad_same"), x, c.span(), c.stride);
    } else if (!sides.empty()) {
      if (mode == "zeros" && sides.front() == sides.back()) {
        c.padding = sides.front();
      } else {
        x = padded_rows(node, x, sides.front(), sides.back(), mode);
      }
    }
    node.init(fmt::format("nn.Conv1d({})", c.arguments()));
    node.assign(fmt::format("{}(self.{}, {})", node.program().helper("convolve"), node.module(), x));
  }
  node.tensor("weight", "weight");
  if (c.bias) node.tensor("bias", "bias");
}

void write_pad(TorchNode& node) {
  node.assign(
      padded_rows(node, node.in(0), node.integer("left", 0), node.integer("right", 0), node.text("mode", "zeros")));
}

void write_pool_windows(TorchNode& node) {
  const int64_t kernel = node.integer("kernel", 1), stride = node.integer("stride", kernel);
  const std::vector<int64_t> sides = node.is_text("padding") ? std::vector<int64_t>{0} : node.integers("padding", {0});
  const bool mean = node.node().type == "avg-pool1d";
  if (node.is_text("padding") && node.text("padding", "") != "valid") {
    node.refuse("expected windows without padding");
  }
  if (sides.front() != 0 || sides.back() != 0) node.refuse("expected windows without padding");
  node.init(fmt::format("nn.{}({}, {})", mean ? "AvgPool1d" : "MaxPool1d", kernel, stride));
  node.assign(fmt::format("{}(self.{}, {})", node.program().helper("convolve"), node.module(), node.in(0)));
}

// Batch normalisation with fixed statistics: a scale and a shift, unless the module is trained.
void write_batch_norm(TorchNode& node) {
  const int64_t C = node.weight("running_mean").dims[0];
  const bool affine = node.has_weight("weight") || node.has_weight("bias");
  if (affine && !(node.has_weight("weight") && node.has_weight("bias"))) {
    node.refuse("expected both a weight and a bias, or none");
  }
  node.init(
      fmt::format("nn.BatchNorm1d({}, eps={}{})", C, node.number("epsilon", 1e-5), affine ? "" : ", affine=False"));
  for (const char* role : {"weight", "bias", "running_mean", "running_var"}) {
    if (node.has_weight(role)) node.tensor(role, role);
  }
  const std::string x = node.in(0);
  node.program().tensor(node.module() + ".num_batches_tracked", graph::array_of_ints({}, {0}));
  node.assign(fmt::format("{}(self.{}, {})", node.program().helper("normalise_channels"), node.module(), x));
}

void write_layer_norm(TorchNode& node) {
  const std::string epsilon = fmt::format("{}", node.number("epsilon", 1e-5));
  const auto width = node.dims(0).back();
  if (node.has_weight("weight")) {
    node.init(fmt::format("nn.LayerNorm({}, eps={}{})", width, epsilon, node.has_weight("bias") ? "" : ", bias=False"));
    node.tensor("weight", "weight");
    if (node.has_weight("bias")) node.tensor("bias", "bias");
    return node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
  }
  if (node.has_weight("bias")) node.refuse("expected a weight beside the bias");
  node.assign(fmt::format("F.layer_norm({}, ({},), eps={})", node.in(0), width, epsilon));
}

// x * scale + shift. Each factor is a number, a list of numbers, or a parameter.
void write_scale(TorchNode& node) {
  std::string out = node.in(0);
  for (const char* role : {"scale", "shift"}) {
    const char* sign = std::string_view(role) == "scale" ? " * " : " + ";
    if (node.has_weight(role)) {
      const std::string name = node.module() + "_" + role;
      node.program().init(
          fmt::format("self.{} = nn.Parameter(torch.zeros({}))", name, graph::count(node.weight(role).dims)));
      node.program().tensor(name, node.weight(role));
      node.program().source(node.node().weights.at(role), {.tensors = {name}});
      out += fmt::format("{}self.{}", sign, name);
      continue;
    }
    const std::vector<double> values = node.numbers(role);
    if (values.size() == 1) out += sign + python_float(static_cast<float>(values[0]));
    if (values.size() > 1) {
      const std::string name = node.module() + "_" + role;
      node.program().init(fmt::format("self.register_buffer({}, torch.tensor({}), persistent=False)",
                                      python_string(name), python_floats({values.begin(), values.end()})));
      out += fmt::format("{}self.{}", sign, name);
    }
  }
  node.assign(out);
}

// Pools all time steps, or the rows of a frame, to one row. A mask or `lengths` excludes padding.
void write_pool(TorchNode& node) {
  const std::string kind = node.text("kind", "last"), x = node.in(0);
  TorchProgram& program = node.program();
  const bool lengths = node.rank() == 3 && program.has_lengths() && !node.has(1);
  std::string given;
  if (kind == "last") {  // a mask is ones, followed by zeros
    if (node.has(1)) given = fmt::format(", {}.sum(-1)", node.in(1));
    if (lengths) given = ", lengths";
    const char* helper = node.integer("directions", 1) == 2 ? "last_of_directions" : "last_row";
    return node.assign(fmt::format("{}({}{})", program.helper(helper), x, given));
  }
  if (node.has(1)) given = fmt::format(", {}", node.in(1));
  if (lengths) given = fmt::format(", {}({}, lengths)", program.helper("rows_there"), x);
  if (kind != "attention") {
    const char* helper = kind == "mean" ? "mean_of_rows" : "max_of_rows";
    return node.assign(fmt::format("{}({}{})", program.helper(helper), x, given));
  }
  const std::string name = node.module() + "_query";
  program.init(fmt::format("self.{} = nn.Parameter(torch.zeros({}))", name, node.weight("query").dims[0]));
  program.tensor(name, node.weight("query"));
  program.source(node.node().weights.at("query"), {.tensors = {name}});
  node.assign(fmt::format("{}({}, self.{}{})", program.helper("attend_rows"), x, name, given));
}

void write_step_reshape(TorchNode& node) {
  std::string shape;
  for (const int64_t extent : node.integers("shape", {})) shape += fmt::format(", {}", extent);
  const std::string x = node.in(0);
  node.assign(fmt::format("{}.reshape({}.shape[0], {}.shape[1]{})", x, x, x, shape));
}

void write_step_flatten(TorchNode& node) {
  if (node.rank() < 3) return node.pass_on();
  node.assign(fmt::format("{}.flatten(2)", node.in(0)));
}

void write_step_transpose(TorchNode& node) { node.assign(fmt::format("{}.transpose(2, 3)", node.in(0))); }

void write_reverse(TorchNode& node) { node.assign(fmt::format("{}.flip(1)", node.in(0))); }

void write_part(TorchNode& node) {
  const auto n = node.dims(0).back();
  const int64_t start = node.integer("start", 0), end = node.integer("end", n);
  node.assign(fmt::format("{}[..., {}:{}]", node.in(0), start == 0 ? "" : std::to_string(start),
                          end == n ? "" : std::to_string(end)));
}

// Prepends the last numbers of the previous time step to each time step.
void write_context(TorchNode& node) {
  const std::string name = node.module(), x = node.in(0);
  const std::string before = node.program().state_in(name), after = node.program().state_out(name);
  const std::string y = node.out();
  node.line(fmt::format("{}, {} = {}({}, {}, {})", y, after, node.program().helper("with_context"), x, before,
                        node.integer("size", 0)));
}

void write_magnitude(TorchNode& node) {
  node.assign(fmt::format("{}({})", node.program().helper("magnitude"), node.in(0)));
}

void write_dropout(TorchNode& node) {
  const double rate = node.number(node.node().type == "dropout" ? "rate" : "ratio", 0.0);
  if (rate <= 0.0 || rate >= 1.0) return node.pass_on();
  node.init(fmt::format("nn.Dropout({})", rate));
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
}

}  // namespace

std::vector<TorchNodeType> torch_layer_types() {
  return {{"linear", write_linear},
          {"embedding", write_embedding},
          {"one-hot", write_one_hot},
          {"conv1d", write_conv1d},
          {"pad", write_pad},
          {"max-pool1d", write_pool_windows},
          {"avg-pool1d", write_pool_windows},
          {"batch-norm", write_batch_norm},
          {"layer-norm", write_layer_norm},
          {"scale", write_scale},
          {"pool", write_pool},
          {"reshape", write_step_reshape},
          {"flatten", write_step_flatten},
          {"transpose", write_step_transpose},
          {"reverse", write_reverse},
          {"slice", write_part},
          {"context", write_context},
          {"magnitude", write_magnitude},
          {"dropout", write_dropout},
          {"Dropout", write_dropout}};
}

}  // namespace longhand::exporters
