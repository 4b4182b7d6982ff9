// Fully connected layers, matrix products and embeddings in C.
#include <fmt/core.h>

#include "longhand/exporters/c_product.h"
#include "longhand/exporters/c_site.h"

namespace longhand::exporters {
namespace {

std::vector<float> c_turned(const std::vector<float>& b, int64_t k, int64_t n) {
  std::vector<float> out(b.size());
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) out[static_cast<size_t>(j * k + i)] = b[static_cast<size_t>(i * n + j)];
  }
  return out;
}

// Adds an operation for y [rows, outputs] = x [rows, inputs] W^T + bias.
void add_c_linear(const CSite& site, int64_t outputs, int64_t inputs, const std::vector<float>& weights,
                  const std::vector<float>& bias) {
  const CMatrix w = site.program.matrix(site.label() + "_w", outputs, inputs, weights);
  const std::string b = bias.empty() ? "" : site.program.constant(site.label() + "_b", bias);
  const int64_t rows = outputs == 0 ? 0 : CSite::size(site.out()) / outputs;
  site.add(
      fmt::format("{}: {} -> {}{}", site.called(), inputs, outputs, rows > 1 ? fmt::format(", of {} rows", rows) : ""),
      c_linear(w, b, {.rows = rows, .x_stride = inputs, .y_stride = outputs}), {site.read("x", 0), site.write("y")},
      rows * outputs * inputs);
}

void write_linear(const CSite& site) {
  const graph::Array& w = site.weight("weight");
  add_c_linear(site, w.dims[0], w.dims[1], w.floats, site.weights_or("bias", {}));
}

// Symbols [...] -> [..., E]. The embedding table is stored transposed, as columns of a CMatrix.
void write_embedding(const CSite& site) {
  const graph::Array& table = site.weight("weight");
  const int64_t V = table.dims[0], E = table.dims[1], n = CSite::size(site.in(0));
  const std::string name = site.label() + "_w";
  std::string value;
  if (site.program.has_int8()) {  // one scale per symbol
    const CMatrix w = site.program.matrix(name, V, E, table.floats);
    value = fmt::format("(float)@{0}[j * {1} + x[n]] * @{2}[x[n]]", w.weights, V, w.scales);
  } else {
    value = fmt::format("@{}[x[n] * {} + j]", site.program.constant(name, table.floats), E);
  }
  site.add(fmt::format("{}: a symbol of {} -> {}", site.called(), V, E),
           c_fill("for (int n = 0; n < $n; ++n) {\n  for (int j = 0; j < $E; ++j) y[n * $E + j] = $value;\n}\n",
                  {{"n", n}, {"E", E}, {"value", value}}),
           {site.read("x", 0), site.write("y")});
}

void write_one_hot(const CSite& site) {
  const int64_t V = site.integer("classes", 0), n = CSite::size(site.in(0));
  site.add(fmt::format("{}: a symbol -> {} numbers, of which one is 1", site.called(), V),
           c_fill("for (int n = 0; n < $n; ++n) {\n"
                  "  for (int j = 0; j < $V; ++j) y[n * $V + j] = j == x[n] ? 1.0f : 0.0f;\n}\n",
                  {{"n", n}, {"V", V}}),
           {site.read("x", 0), site.write("y")});
}

// Returns C statements for y [m, n] = a [m, k] b [k, n], where neither matrix is constant. `a` and `b` are expressions
// of one element.
std::string product_text(int64_t m, int64_t k, int64_t n, const std::string& a, const std::string& b) {
  return c_fill(
      "for (int i = 0; i < $m; ++i) {\n  for (int j = 0; j < $n; ++j) y[i * $n + j] = 0.0f;\n"
      "  for (int k = 0; k < $k; ++k) {\n    const float a = $a;\n"
      "    for (int j = 0; j < $n; ++j) y[i * $n + j] += a * $b;\n  }\n}\n",
      {{"m", m}, {"k", k}, {"n", n}, {"a", a}, {"b", b}});
}

void write_matmul(const CSite& site) {
  const CView &a = site.in(0), &b = site.in(1);
  const int64_t k = CSite::last(a);
  const int64_t n = b.dims.size() < 2 ? 1 : b.dims.back();
  if (b.constant && b.dims.size() <= 2) return add_c_linear(site, n, k, c_turned(site.known_floats(1), k, n), {});
  const graph::Dims over_a(a.dims.begin(), a.dims.end() - std::min<int64_t>(2, static_cast<int64_t>(a.dims.size())));
  const graph::Dims over_b(b.dims.begin(), b.dims.end() - std::min<int64_t>(2, static_cast<int64_t>(b.dims.size())));
  const int64_t batch = graph::count(over_a), m = a.dims.size() < 2 ? 1 : a.dims[a.dims.size() - 2];
  if (graph::count(over_b) != batch || over_a.size() != over_b.size()) {
    site.fail(fmt::format("expected products of as many matrices on both sides, found {} and {}", graph::shown(a.dims),
                          graph::shown(b.dims)));
  }
  const std::string one =
      product_text(m, k, n, c_fill("x[i * $k + k]", {{"k", k}}), c_fill("w[k * $n + j]", {{"n", n}}));
  std::string body = one;
  if (batch > 1) {
    body = c_fill("for (int s = 0; s < $s; ++s) {\n$one  x += $mk;\n  w += $kn;\n  y += $mn;\n}\n",
                  {{"s", batch}, {"one", indented(one, 2)}, {"mk", m * k}, {"kn", k * n}, {"mn", m * n}});
  }
  site.add(fmt::format("{}: {} times {}", site.called(), graph::shown(a.dims), graph::shown(b.dims)), body,
           {site.read("x", 0), site.read("w", 1), site.write("y")}, batch * m * k * n);
}

// y = alpha A B + beta C
void write_gemm(const CSite& site) {
  const CView &a = site.in(0), &b = site.in(1), &y = site.out();
  const bool a_turned = site.integer("transA", 0) != 0, b_turned = site.integer("transB", 0) != 0;
  const int64_t m = y.dims[0], n = y.dims[1], k = a.dims[a_turned ? 0 : 1];
  const auto alpha = static_cast<float>(site.number("alpha", 1.0)), beta = static_cast<float>(site.number("beta", 1.0));
  const bool known_c =
      !site.has(2) || (site.is_known(2) && CSite::last(site.in(2)) == n && CSite::size(site.in(2)) == n);
  if (!b.constant || !known_c || (a_turned && m > 1 && k > 1)) {
    site.fail("expected a known matrix, and a known row to be added", "export it with constant weights");
  }
  std::vector<float> w = site.known_floats(1), bias;
  if (!b_turned) w = c_turned(w, k, n);
  for (float& each : w) each *= alpha;
  if (site.has(2)) bias = site.known_floats(2);
  for (float& each : bias) each *= beta;
  add_c_linear(site, n, k, w, bias);
}

}  // namespace

std::vector<CNodeType> c_dense_types() {
  return {{{"linear"}, write_linear},
          {{"embedding"}, write_embedding},
          {{"one-hot"}, write_one_hot},
          {{"MatMul"}, write_matmul},
          {{"Gemm"}, write_gemm}};
}

}  // namespace longhand::exporters
