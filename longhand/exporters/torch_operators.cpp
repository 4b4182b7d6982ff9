// ONNX arithmetic, products, reductions and selections as PyTorch expressions. Truth values are 0 and 1.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {
namespace {

// Returns an operand. A constant with one element becomes a literal if the other operand has at least its rank.
std::string operand(TorchNode& node, size_t input, size_t other) {
  const std::string& name = node.node().inputs[input];
  const auto number = node.program().number_of(name);
  const bool literal =
      number && node.rank(input) <= node.rank(other) && !node.program().number_of(node.node().inputs[other]);
  if (!literal) return node.in(input);
  return node.is_int(input) ? std::to_string(node.known_ints(input)->front()) : python_float(*number);
}

void write_pair(TorchNode& node) {
  static const std::map<std::string, const char*> kForms = {
      {"Add", "{} + {}"},
      {"Sub", "{} - {}"},
      {"Mul", "{} * {}"},
      {"Equal", "({} == {}).long()"},
      {"Less", "({} < {}).long()"},
      {"LessOrEqual", "({} <= {}).long()"},
      {"Greater", "({} > {}).long()"},
      {"GreaterOrEqual", "({} >= {}).long()"},
      {"And", "(({} != 0) & ({} != 0)).long()"},
      {"Or", "(({} != 0) | ({} != 0)).long()"},
      {"Xor", "(({} != 0) ^ ({} != 0)).long()"},
      {"Pow", "{} ** {}"},
      {"Div", "{} / {}"},
  };
  const std::string& type = node.node().type;
  const std::string a = operand(node, 0, 1), b = operand(node, 1, 0);
  if (type == "Mod") {
    return node.assign(fmt::format("torch.{}({}, {})", node.integer("fmod", 0) != 0 ? "fmod" : "remainder", a, b));
  }
  if (type == "Div" && node.is_int(0)) {
    return node.assign(fmt::format("torch.div({}, {}, rounding_mode=\"trunc\")", a, b));
  }
  node.assign(fmt::format(fmt::runtime(kForms.at(type)), a, b));
}

// Elementwise functions of several inputs, of descriptions or ONNX.
void write_several(TorchNode& node) {
  const std::string& type = node.node().type;
  const bool largest = type == "max" || type == "Max", least = type == "min" || type == "Min";
  const char* sign = type == "subtract" ? " - " : type == "multiply" ? " * " : " + ";
  std::string out = node.in(0);
  for (size_t i = 1; i < node.node().inputs.size(); ++i) {
    out = largest || least ? fmt::format("torch.{}({}, {})", largest ? "maximum" : "minimum", out, node.in(i))
                           : out + sign + node.in(i);
  }
  if (type == "Mean") out = fmt::format("({}) / {}", out, node.node().inputs.size());
  node.assign(out);
}

void write_cast(TorchNode& node) {
  const std::string to = node.text("to", "float"), x = node.in(0);
  if ((to == "float") != node.is_int(0) && to != "bool") return node.pass_on();
  node.assign(to == "bool" ? fmt::format("({} != 0).long()", x) : x + (to == "float" ? ".float()" : ".long()"));
}

void write_where(TorchNode& node) {
  node.assign(fmt::format("torch.where({} != 0, {}, {})", node.in(0), node.in(1), node.in(2)));
}

void write_prelu(TorchNode& node) {
  const std::string x = node.in(0);
  node.assign(fmt::format("torch.where({} < 0.0, {} * {}, {})", x, x, node.in(1), x));
}

// Writes x [..., I] times a parameter [I, O] as nn.Linear, if no other node reads the parameter. Returns whether.
bool writes_linear(TorchNode& node, bool transposed, const std::string& bias) {
  const std::string& name = node.node().inputs[1];
  const auto array = node.program().graph().arrays.find(name);
  if (array == node.program().graph().arrays.end() || array->second.dims.size() != 2 ||
      array->second.type != graph::ElementType::kFloat || node.program().total_uses(name) != 1 || node.rank(0) < 2) {
    return false;
  }
  const graph::Array own = transposed ? array->second : convert::transposed(array->second);
  const graph::Array* add = nullptr;
  if (!bias.empty()) {
    const auto found = node.program().graph().arrays.find(bias);
    if (found == node.program().graph().arrays.end() || node.program().total_uses(bias) != 1 ||
        found->second.dims != graph::Dims{own.dims[0]}) {
      return false;
    }
    add = &found->second;
  }
  node.init(fmt::format("nn.Linear({}, {}{})", own.dims[1], own.dims[0], add == nullptr ? ", bias=False" : ""));
  const std::string weight = node.module() + ".weight";
  node.program().tensor(weight, own);
  node.program().source(name, {.how = transposed ? "same" : "transposed", .tensors = {weight}});
  if (add != nullptr) {
    node.program().tensor(node.module() + ".bias", *add);
    node.program().source(bias, {.tensors = {node.module() + ".bias"}});
  }
  node.assign(fmt::format("self.{}({})", node.module(), node.in(0)));
  return true;
}

void write_matmul(TorchNode& node) {
  if (writes_linear(node, false, "")) return;
  node.assign(fmt::format("{} @ {}", node.in(0), node.in(1)));
}

void write_gemm(TorchNode& node) {
  const double alpha = node.number("alpha", 1.0), beta = node.number("beta", 1.0);
  const bool turns_a = node.integer("transA", 0) != 0, turns_b = node.integer("transB", 0) != 0;
  const std::string bias = node.has(2) ? node.node().inputs[2] : "";
  if (alpha == 1.0 && beta == 1.0 && !turns_a && writes_linear(node, turns_b, bias)) return;
  std::string out = fmt::format("{}{} @ {}{}", node.in(0), turns_a ? ".T" : "", node.in(1), turns_b ? ".T" : "");
  if (alpha != 1.0) out = fmt::format("{} * ({})", python_float(static_cast<float>(alpha)), out);
  if (node.has(2)) {
    out += beta == 1.0 ? " + " : fmt::format(" + {} * ", python_float(static_cast<float>(beta)));
    out += node.in(2);
  }
  node.assign(out);
}

void write_einsum(TorchNode& node) {
  std::string parts;
  for (size_t i = 0; i < node.node().inputs.size(); ++i) parts += fmt::format(", {}", node.in(i));
  node.assign(fmt::format("torch.einsum({}{})", python_string(node.text("equation", "")), parts));
}

void write_reduction(TorchNode& node) {
  static const std::map<std::string, const char*> kForms = {
      {"ReduceSum", "{x}.sum({d}, keepdim={k})"},
      {"ReduceMean", "{x}.mean({d}, keepdim={k})"},
      {"ReduceMax", "{x}.amax({d}, keepdim={k})"},
      {"ReduceMin", "{x}.amin({d}, keepdim={k})"},
      {"ReduceProd", "{x}.prod({d}, keepdim={k})"},
      {"ReduceL1", "{x}.abs().sum({d}, keepdim={k})"},
      {"ReduceL2", "({x} * {x}).sum({d}, keepdim={k}).sqrt()"},
      {"ReduceSumSquare", "({x} * {x}).sum({d}, keepdim={k})"},
      {"ReduceLogSum", "{x}.sum({d}, keepdim={k}).log()"},
      {"ReduceLogSumExp", "{x}.logsumexp({d}, keepdim={k})"},
  };
  std::vector<int64_t> axes = node.ints(1, "axes", {});
  if (axes.empty() && node.integer("noop_with_empty_axes", 0) != 0) return node.pass_on();
  for (size_t axis = 0; axes.empty() && axis < node.rank(); ++axis) {
    axes.resize(node.rank());
    for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  }
  if (node.node().type == "ReduceProd" && axes.size() != 1) node.refuse("it is a product over several axes");
  node.assign(fmt::format(fmt::runtime(kForms.at(node.node().type)), fmt::arg("x", node.in(0)),
                          fmt::arg("d", axes.size() == 1 ? std::to_string(axes[0]) : python_tuple(axes)),
                          fmt::arg("k", node.integer("keepdims", 1) != 0 ? "True" : "False")));
}

void write_argmax(TorchNode& node) {
  if (node.integer("select_last_index", 0) != 0) node.refuse("it selects the last of equal numbers");
  node.assign(fmt::format("torch.{}({}, {}, keepdim={})", node.node().type == "ArgMax" ? "argmax" : "argmin",
                          node.in(0), node.integer("axis", 0), node.integer("keepdims", 1) != 0 ? "True" : "False"));
}

void write_cumulative_sum(TorchNode& node) {
  const std::vector<int64_t> axis = node.ints(1, "axis", {0});
  const std::string x = node.in(0);
  std::string out = fmt::format("{}.cumsum({})", x, axis.front());
  if (node.integer("reverse", 0) != 0)
    out = fmt::format("{}.flip({}).cumsum({}).flip({})", x, axis.front(), axis.front(), axis.front());
  if (node.integer("exclusive", 0) != 0) out += fmt::format(" - {}", x);
  node.assign(out);
}

void write_top(TorchNode& node) {
  const std::vector<int64_t> k = node.ints(1, "k", {1});
  const std::string x = node.in(0), values = node.out(0);
  const std::string indexes = node.wants(1) ? node.out(1) : "_";
  node.line(fmt::format("{}, {} = torch.topk({}, {}, dim={}, largest={})", values, indexes, x, k.front(),
                        node.integer("axis", -1), node.integer("largest", 1) != 0 ? "True" : "False"));
}

}  // namespace

std::vector<TorchNodeType> torch_operator_types() {
  std::vector<TorchNodeType> out;
  for (const char* name : {"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "Less", "LessOrEqual", "Greater",
                           "GreaterOrEqual", "And", "Or", "Xor"}) {
    out.push_back({name, write_pair});
  }
  for (const char* name : {"add", "subtract", "multiply", "max", "min", "Sum", "Max", "Min", "Mean"}) {
    out.push_back({name, write_several});
  }
  for (const char* name : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
    out.push_back({name, write_reduction});
  }
  for (const char* name : {"ArgMax", "ArgMin"}) out.push_back({name, write_argmax});
  out.insert(out.end(), {{"Cast", write_cast},
                         {"Where", write_where},
                         {"PRelu", write_prelu},
                         {"MatMul", write_matmul},
                         {"Gemm", write_gemm},
                         {"Einsum", write_einsum},
                         {"CumSum", write_cumulative_sum},
                         {"TopK", write_top}});
  return out;
}

}  // namespace longhand::exporters
