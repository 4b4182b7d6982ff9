// What makes one row of several, or one number of a row, in C.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/convert/c_functions.h"
#include "longhand/convert/c_site.h"

namespace longhand::convert {
namespace {

// y [outer, inner] of the middle axis of x [outer, n, inner]: "first" begins, `more` takes v, `last` ends.
void add_c_reduction(const CSite& site, int64_t outer, int64_t n, int64_t inner, const std::string& first,
                     const std::string& more, const std::string& last) {
  site.add(
      fmt::format("{}: of {} rows of {}", site.called(), n, inner),
      c_fill("for (int o = 0; o < $outer; ++o) {\n  const float *from = x + o * $row;\n"
             "  float *@RESTRICT to = y + o * $inner;\n  for (int j = 0; j < $inner; ++j) to[j] = $first;\n"
             "  for (int k = 0; k < $n; ++k) {\n    for (int j = 0; j < $inner; ++j) {\n"
             "      const float v = from[k * $inner + j];\n      to[j] = $more;\n    }\n  }\n$last}\n",
             {{"outer", outer},
              {"n", n},
              {"inner", inner},
              {"row", n * inner},
              {"first", first},
              {"more", more},
              {"last", last.empty() ? "" : fmt::format("  for (int j = 0; j < {}; ++j) to[j] = {};\n", inner, last)}}),
      {site.read("x", 0), site.write("y")});
}

struct Folding {
  std::string first, more, last;
};

// Of the kinds of pooling and of ONNX's reductions; `from` is the first row.
Folding folding(const CSite& site, const std::string& kind, int64_t n) {
  const std::string share = c_float(1.0F / static_cast<float>(n));
  if (kind == "mean") return {"0.0f", "to[j] + v", fmt::format("to[j] * {}", share)};
  if (kind == "max") return {"from[j]", "v > to[j] ? v : to[j]", ""};
  if (kind == "min") return {"from[j]", "v < to[j] ? v : to[j]", ""};
  if (kind == "sum") return {"0.0f", "to[j] + v", ""};
  if (kind == "product") return {"1.0f", "to[j] * v", ""};
  if (kind == "l1") return {"0.0f", "to[j] + (v < 0.0f ? -v : v)", ""};
  if (kind == "square") return {"0.0f", "to[j] + v * v", ""};
  if (kind == "l2") {
    use_helper(site.program, "sqrt");
    return {"0.0f", "to[j] + v * v", "sqrtf(to[j])"};
  }
  use_helper(site.program, "log");
  return {"0.0f", "to[j] + v", "@log(to[j])"};  // of a sum
}

void write_pool(const CSite& site) {
  const CView& x = site.in(0);
  const std::string kind = site.text("kind", "last");
  const int64_t n = x.dims[x.dims.size() - 2], width = CSite::last(x), outer = CSite::size(x) / (n * width);
  if (kind == "last") {
    return site.add(fmt::format("{}: the last of {} rows", site.called(), n),
                    c_fill("for (int o = 0; o < $outer; ++o) {\n"
                           "  for (int j = 0; j < $w; ++j) y[o * $w + j] = x[o * $row + $at + j];\n}\n",
                           {{"outer", outer}, {"w", width}, {"row", n * width}, {"at", (n - 1) * width}}),
                    {site.read("x", 0), site.write("y")});
  }
  if (kind != "attention") {
    const Folding f = folding(site, kind, n);
    return add_c_reduction(site, outer, n, width, f.first, f.more, f.last);
  }
  // sum of a_t x_t, a = softmax over t of query . tanh(x_t) (Zhou et al. 2016, equations 9 to 11)
  use_helper(site.program, "exp");
  use_helper(site.program, "tanh");
  const std::string query = site.program.constant(site.label() + "_query", site.weight("query").floats);
  site.add(fmt::format("{}: {} rows of {}, weighted", site.called(), n, width),
           c_fill(R"(for (int o = 0; o < $outer; ++o) {
  const float *from = x + o * $row;
  float *@RESTRICT to = y + o * $w;
  float largest = 0.0f, sum = 0.0f;
  for (int k = 0; k < $n; ++k) {
    float score = 0.0f;
    for (int j = 0; j < $w; ++j) score += @$query[j] * @tanh(from[k * $w + j]);
    shares[k] = score;
    if (k == 0 || score > largest) largest = score;
  }
  for (int k = 0; k < $n; ++k) {
    shares[k] = @exp(shares[k] - largest);
    sum += shares[k];
  }
  for (int j = 0; j < $w; ++j) to[j] = 0.0f;
  for (int k = 0; k < $n; ++k) {
    const float share = shares[k] / sum;
    for (int j = 0; j < $w; ++j) to[j] += share * from[k * $w + j];
  }
}
)",
                  {{"outer", outer}, {"n", n}, {"w", width}, {"row", n * width}, {"query", query}}),
           {site.read("x", 0), site.scratch("shares", n), site.write("y")}, outer * n * width * 2);
}

// Over neighbouring axes.
void write_reduce(const CSite& site) {
  const CView& x = site.in(0);
  const int64_t rank = static_cast<int64_t>(x.dims.size());
  std::vector<int64_t> axes = site.integers("axes", {});
  if (site.has(1)) {
    const CView& given = site.in(1);
    axes.assign(given.ints, given.ints + CSite::size(given));
  }
  if (axes.empty() && site.integer("noop_with_empty_axes", 0) != 0) {
    return site.alias(0, site.network.memory.of(site.in(0)));
  }
  for (int64_t axis = 0; axes.empty() && axis < rank; ++axis) axes.push_back(axis - rank);
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  for (size_t i = 1; i < axes.size(); ++i) {
    if (axes[i] != axes[i - 1] + 1) site.fail("expected neighbouring axes, found others");
  }
  if (x.type != graph::ElementType::kFloat) site.fail("expected floats in C, found whole numbers that are computed");
  const auto first = static_cast<size_t>(axes.front()), end = static_cast<size_t>(axes.back()) + 1;
  const std::string type = site.node.type.substr(6);
  const std::string kind = type == "Sum"         ? "sum"
                           : type == "Mean"      ? "mean"
                           : type == "Max"       ? "max"
                           : type == "Min"       ? "min"
                           : type == "Prod"      ? "product"
                           : type == "L1"        ? "l1"
                           : type == "L2"        ? "l2"
                           : type == "SumSquare" ? "square"
                                                 : "log";
  const int64_t n = graph::count(x.dims, first, end);
  const Folding f = folding(site, kind, n);
  add_c_reduction(site, graph::count(x.dims, 0, first), n, graph::count(x.dims, end, x.dims.size()), f.first, f.more,
                  f.last);
}

// [.., 2 F] -> [.., F]: sqrt(re^2 + im^2)
void write_magnitude(const CSite& site) {
  const int64_t F = CSite::last(site.out()), rows = CSite::rows(site.out());
  use_helper(site.program, "sqrt");
  site.add(fmt::format("{}: of {} complex numbers", site.called(), F),
           c_fill("for (int n = 0; n < $n; ++n) {\n  const float *re = x + n * $F2, *im = re + $F;\n"
                  "  for (int j = 0; j < $F; ++j) y[n * $F + j] = sqrtf(re[j] * re[j] + im[j] * im[j]);\n}\n",
                  {{"n", rows}, {"F", F}, {"F2", 2 * F}}),
           {site.read("x", 0), site.write("y")});
}

}  // namespace

std::vector<CNodeType> c_reduction_types() {
  return {{{"pool"}, write_pool},
          {{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
            "ReduceSumSquare", "ReduceLogSum"},
           write_reduce},
          {{"magnitude"}, write_magnitude}};
}

}  // namespace longhand::convert
