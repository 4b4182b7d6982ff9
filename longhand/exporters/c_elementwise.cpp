// Elementwise functions and arithmetic in C.
#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "longhand/exporters/c_functions.h"
#include "longhand/exporters/c_site.h"
#include "longhand/graph/broadcast.h"
#include "longhand/graph/function_names.h"

namespace longhand::exporters {
namespace {

using graph::ElementType;
using kernels::Function;

void expect_floats(const CSite& site) {
  for (size_t i = 0; i < site.node.inputs.size(); ++i) {
    if (site.has(i) && site.in(i).type != ElementType::kFloat) {
      site.fail("expected floats in C, found whole numbers that are computed");
    }
  }
}

// Adds an operation for y[i] = value, where `value` is an expression of v = x[i].
void add_of_each(const CSite& site, const std::string& value) {
  const int64_t n = CSite::size(site.out());
  site.add(fmt::format("{}: of {} numbers", site.called(), n),
           c_fill("for (int i = 0; i < $n; ++i) {\n  const float v = x[i];\n  y[i] = $value;\n}\n",
                  {{"n", n}, {"value", value}}),
           {site.read("x", 0), site.write("y")});
}

void add_c_function(const CSite& site, Function function, float alpha, float beta) {
  expect_floats(site);
  add_of_each(site, c_function(site.program, function, alpha, beta, "v"));
}

void write_function(const CSite& site) {
  const graph::FunctionRow* row = graph::find_function(site.node.type);
  add_c_function(site, row->function, static_cast<float>(site.number(row->alpha_name, static_cast<double>(row->alpha))),
                 static_cast<float>(site.number(row->beta_name, static_cast<double>(row->beta))));
}

void write_gelu(const CSite& site) {
  add_c_function(site, site.text("approximate", "none") == "tanh" ? Function::kGeluTanh : Function::kGelu, 0.0F, 0.0F);
}

void write_clip(const CSite& site) {
  const auto bound = [&](size_t input, const char* name, float otherwise) {
    if (site.has(input)) return site.known_floats(input).at(0);
    return static_cast<float>(site.number(name, static_cast<double>(otherwise)));
  };
  add_c_function(site, Function::kClip, bound(1, "min", -3.402823466e+38F), bound(2, "max", 3.402823466e+38F));
}

// y = x * scale + shift, with a scale and a shift per element of the last axis.
void write_scale(const CSite& site) {
  const int64_t width = CSite::last(site.in(0)), rows = CSite::rows(site.in(0));
  const auto values = [&](const char* name, float otherwise) {
    std::vector<float> out = site.weights_or(name, {});
    for (const double each : site.numbers(name)) out.push_back(static_cast<float>(each));
    if (out.empty()) out.push_back(otherwise);
    if (out.size() == 1) out.assign(static_cast<size_t>(width), out.front());
    return out;
  };
  site.add(fmt::format("{}: of {} numbers", site.called(), width),
           c_fill("for (int n = 0; n < $n; ++n) {\n"
                  "  for (int j = 0; j < $w; ++j) y[n * $w + j] = x[n * $w + j] * @$scale[j] + @$shift[j];\n}\n",
                  {{"n", rows},
                   {"w", width},
                   {"scale", site.program.constant(site.label() + "_scale", values("scale", 1.0F))},
                   {"shift", site.program.constant(site.label() + "_shift", values("shift", 0.0F))}}),
           {site.read("x", 0), site.write("y")});
}

// Returns C loops over a broadcast. `value` is an expression of a and b, or of u and v. Axes that are contiguous in
// both inputs are merged.
std::string pair_text(const graph::Dims& a, const graph::Dims& b, const graph::Dims& y, const std::string& value) {
  const graph::BroadcastLoop loop(a, b, y);
  std::string at_a, at_b, at_y, heads;
  int64_t stride = 1;
  std::vector<int64_t> strides(loop.dims.size());
  for (size_t axis = loop.dims.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= loop.dims[axis];
  }
  const auto term = [](std::string& to, size_t axis, int64_t by) {
    if (by == 0) return;
    to += fmt::format("{}i{}", to.empty() ? "" : " + ", axis);
    if (by != 1) to += fmt::format(" * {}", by);
  };
  for (size_t axis = 0; axis < loop.dims.size(); ++axis) {
    term(at_a, axis, loop.a[axis]);
    term(at_b, axis, loop.b[axis]);
    term(at_y, axis, strides[axis]);
    heads += indented(fmt::format("for (int i{0} = 0; i{0} < {1}; ++i{0}) {{\n", axis, loop.dims[axis]),
                      2 * static_cast<int>(axis));
  }
  const int depth = 2 * static_cast<int>(loop.dims.size());
  std::string out = heads + indented(fmt::format("const float u = a[{}], v = b[{}];\ny[{}] = {};\n",
                                                 at_a.empty() ? "0" : at_a, at_b.empty() ? "0" : at_b, at_y, value),
                                     depth);
  for (size_t axis = loop.dims.size(); axis-- > 0;) out += indented("}\n", 2 * static_cast<int>(axis));
  return out;
}

const std::map<std::string, std::string>& pair_values() {
  static const std::map<std::string, std::string> kValues = {
      {"Add", "u + v"},         {"add", "u + v"},
      {"Sum", "u + v"},         {"Mean", "u + v"},
      {"Sub", "u - v"},         {"subtract", "u - v"},
      {"Mul", "u * v"},         {"multiply", "u * v"},
      {"Div", "u / v"},         {"Max", "u < v ? v : u"},
      {"max", "u < v ? v : u"}, {"Min", "v < u ? v : u"},
      {"min", "v < u ? v : u"}, {"PRelu", "u < 0.0f ? u * v : u"}};
  return kValues;
}

void add_c_pair(const CSite& site, const std::string& value, const COperation::Argument& a, const graph::Dims& a_dims,
                const COperation::Argument& b, const graph::Dims& b_dims, const COperation::Argument& y,
                const graph::Dims& y_dims) {
  site.add(fmt::format("{}: {} and {}", site.called(), graph::shown(a_dims), graph::shown(b_dims)),
           pair_text(a_dims, b_dims, y_dims, value), {a, b, y});
}

// Pow. Supports only exponents that need no library.
void write_power(const CSite& site) {
  if (!site.is_known(1) || CSite::size(site.in(1)) != 1) site.fail("expected one exponent that is known before a run");
  const CView& given = site.in(1);
  const auto power =
      given.type == ElementType::kFloat ? static_cast<double>(given.floats[0]) : static_cast<double>(given.ints[0]);
  const auto whole = static_cast<int>(std::clamp(power, 0.0, 8.0));
  if (power != 0.5 && (whole < 1 || static_cast<double>(whole) != power)) {
    site.fail(fmt::format("expected an exponent of 0.5, or a whole one from 1 to 8, found {}", power));
  }
  std::string value = "v";
  for (int i = 1; i < whole; ++i) value += " * v";
  if (power == 0.5) value = c_function(site.program, Function::kSqrt, 0.0F, 0.0F, "v");
  add_of_each(site, value);
}

void write_pairs(const CSite& site) {
  expect_floats(site);
  const std::string& value = pair_values().at(site.node.type);
  const graph::Dims& y = site.out().dims;
  const size_t n = site.node.inputs.size();
  if (n == 1) return site.alias(0, site.network.memory.of(site.in(0)));
  COperation::Argument sum = site.read("a", 0);
  graph::Dims dims = site.in(0).dims;
  for (size_t i = 1; i < n; ++i) {
    const bool last = i + 1 == n && site.node.type != "Mean";
    COperation::Argument to = last ? site.write("y") : site.scratch("y", CSite::size(site.out()));
    add_c_pair(site, value, sum, dims, site.read("b", i), site.in(i).dims, to, y);
    sum = {"a", to.buffer, false};
    dims = y;
  }
  if (site.node.type != "Mean") return;
  site.add(site.called(),
           fmt::format("for (int i = 0; i < {}; ++i) y[i] = x[i] * {};\n", CSite::size(site.out()),
                       c_float(1.0F / static_cast<float>(n))),
           {{"x", sum.buffer, false}, site.write("y")});
}

}  // namespace

std::vector<CNodeType> c_elementwise_types() {
  std::vector<CNodeType> out = {
      {{"gelu", "Gelu"}, write_gelu}, {{"clip", "Clip"}, write_clip}, {{"scale"}, write_scale}, {{"Pow"}, write_power}};
  for (const graph::FunctionRow& row : graph::function_rows()) {
    if (row.function == Function::kSin || row.function == Function::kCos) continue;  // they would need a library
    out.push_back({{row.onnx}, write_function});
    if (*row.name != 0) out.back().names.push_back(row.name);
  }
  for (const auto& [name, value] : pair_values()) out.push_back({{name.c_str()}, write_pairs});
  return out;
}

}  // namespace longhand::exporters
