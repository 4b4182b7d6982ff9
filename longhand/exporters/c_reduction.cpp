// Reductions and pooling in C.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/c_functions.h"
#include "longhand/exporters/c_site.h"

namespace longhand::exporters {
namespace {

// Adds a reduction over the middle axis: x [outer, n, inner] -> y [outer, inner]. The expression `first` is the initial
// value, `more` adds the element v, and `last` finishes the result.
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

// Returns the expressions of a kind of pooling or an ONNX reduction. In them, `from` is the first row.
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
  return {"0.0f", "to[j] + v", "@log(to[j])"};  // ReduceLogSum
}

// Pooling over time, step by step: each step updates the state, and NAME_result computes the result from the state.
void write_running_pool(const CSite& site) {
  CProgram& program = site.program;
  const std::string& kind = site.network.running.at(site.node.name);
  const int64_t width = CSite::last(site.in(0));
  const int sum = program.state(site.label() + "_sum", width, {}),
            count = program.state(site.label() + "_count", 1, {});
  std::vector<COperation::Argument> arguments = {site.read("x", 0), {"sum", sum, true}, {"count", count, true}};
  std::string body, result = "sum[j]";
  int divisor = count;
  if (kind == "mean") {
    body = "for (int j = 0; j < $w; ++j) sum[j] += x[j];\n";
  } else if (kind == "max") {
    body = "for (int j = 0; j < $w; ++j) sum[j] = count[0] > 0.0f && sum[j] > x[j] ? sum[j] : x[j];\n";
  } else {  // attention: weights are relative to the largest score so far
    use_helper(program, "exp");
    use_helper(program, "tanh");
    divisor = program.state(site.label() + "_shares", 2, {});
    arguments.push_back({"shares", divisor, true});
    body = R"(float score = 0.0f;
for (int j = 0; j < $w; ++j) score += @$query[j] * @tanh(x[j]);
const float largest = count[0] > 0.0f && shares[1] > score ? shares[1] : score;
const float before = count[0] > 0.0f ? @exp(shares[1] - largest) : 0.0f, now = @exp(score - largest);
for (int j = 0; j < $w; ++j) sum[j] = sum[j] * before + now * x[j];
shares[0] = shares[0] * before + now;
shares[1] = largest;
)";
  }
  const std::string query =
      kind == "attention" ? program.constant(site.label() + "_query", site.weight("query").floats) : "";
  const CWords words = {{"w", width}, {"query", query}};
  site.add(fmt::format("{}: a row of {}", site.called(), width), c_fill(body, words) + "count[0] += 1.0f;\n",
           arguments);
  if (kind != "max") result = "n[0] > 0.0f ? sum[j] / n[0] : 0.0f";
  const int y = site.network.memory.of(site.out());
  program.make_late(y);
  arguments = {{"sum", sum, false}, {"y", y, true}};
  if (kind != "max") arguments.push_back({"n", divisor, false});
  site.add(fmt::format("{}: the result of all rows", site.called()),
           fmt::format("for (int j = 0; j < {}; ++j) y[j] = {};\n", width, result), arguments);
}

// Pooling over rows whose mask is not 0. The result is zero if there are none.
void write_masked_pool(const CSite& site, const std::string& kind, int64_t outer, int64_t n, int64_t width) {
  const int64_t forward = width / site.integer("directions", 1);
  const bool attention = kind == "attention";
  std::string row, end;
  if (kind == "last") {
    row = "for (int j = 0; j < $w; ++j) to[j] = j < $forward || read == 0 ? from[k * $w + j] : to[j];\n";
  } else if (kind == "max") {
    row = "for (int j = 0; j < $w; ++j) to[j] = read > 0 && to[j] > from[k * $w + j] ? to[j] : from[k * $w + j];\n";
  } else if (kind == "mean") {
    row = "for (int j = 0; j < $w; ++j) to[j] += from[k * $w + j];\n";
    end = "for (int j = 0; j < $w && read > 0; ++j) to[j] /= (float)read;\n";
  } else {
    use_helper(site.program, "exp");
    use_helper(site.program, "tanh");
    row = R"(float score = 0.0f;
for (int j = 0; j < $w; ++j) score += @$query[j] * @tanh(from[k * $w + j]);
const float now_largest = read > 0 && largest > score ? largest : score;
const float before = read > 0 ? @exp(largest - now_largest) : 0.0f, now = @exp(score - now_largest);
for (int j = 0; j < $w; ++j) to[j] = to[j] * before + now * from[k * $w + j];
sum = sum * before + now;
largest = now_largest;
)";
    end = "for (int j = 0; j < $w && read > 0; ++j) to[j] /= sum;\n";
  }
  const std::string query =
      attention ? site.program.constant(site.label() + "_query", site.weight("query").floats) : "";
  const CWords words = {{"w", width},         {"n", n},        {"row", n * width}, {"outer", outer},
                        {"forward", forward}, {"query", query}};
  std::vector<COperation::Argument> arguments = {site.read("x", 0), site.write("y")};
  if (site.has(1)) arguments.push_back(site.read("mask", 1));
  const std::string condition = site.has(1) ? fmt::format("  if (mask[o * {} + k] == 0) continue;\n", n) : "";
  site.add(fmt::format("{}: {} of {} rows of {}", site.called(), kind, n, width),
           c_fill(fmt::format("for (int o = 0; o < $outer; ++o) {{\n  const float *from = x + o * $row;\n"
                              "  float *@RESTRICT to = y + o * $w;\n  int read = 0;\n{}"
                              "  for (int j = 0; j < $w; ++j) to[j] = 0.0f;\n  for (int k = 0; k < $n; ++k) {{\n{}{}"
                              "    ++read;\n  }}\n{}}}\n",
                              attention ? "  float sum = 0.0f, largest = 0.0f;\n" : "", indented(condition, 2),
                              indented(row, 4), indented(end, 2)),
                  words),
           arguments);
}

void write_pool(const CSite& site) {
  if (site.network.running.contains(site.node.name)) return write_running_pool(site);
  const CView& x = site.in(0);
  const std::string kind = site.text("kind", "last");
  const int64_t n = x.dims[x.dims.size() - 2], width = CSite::last(x), outer = CSite::size(x) / (n * width);
  const bool all = !site.has(1) || (site.is_known(1) && std::all_of(site.in(1).ints, site.in(1).ints + outer * n,
                                                                    [](int64_t here) { return here != 0; }));
  if (!all || site.integer("directions", 1) != 1) return write_masked_pool(site, kind, outer, n, width);
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

// ONNX's Reduce operators over adjacent axes.
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

// Pooling over windows of the middle axis of [outer, L, inner]. Max pooling ignores padding.
void write_windows(const CSite& site) {
  const CView& x = site.in(0);
  const std::string& type = site.node.type;
  const bool own = type[0] >= 'a', global = type.starts_with("Global");
  const bool mean = type.find("verage") != std::string::npos || type == "avg-pool1d";
  const size_t axis = own ? x.dims.size() - 2 : 2;
  const int64_t length = x.dims[axis], inner = graph::count(x.dims, axis + 1, x.dims.size());
  const auto first = [&](const char* name, int64_t otherwise) { return site.integers(name, {otherwise}).front(); };
  const int64_t kernel = global ? length : first(own ? "kernel" : "kernel_shape", 1);
  const int64_t stride = global ? 1 : first(own ? "stride" : "strides", own ? kernel : 1);
  const int64_t left = global ? 0 : first(own ? "padding" : "pads", 0);
  const bool counts_padding = site.integer("count_include_pad", own ? 1 : 0) != 0;
  const CWords words = {{"outer", graph::count(x.dims, 0, axis)},
                        {"n", site.out().dims[axis]},
                        {"L", length},
                        {"inner", inner},
                        {"row", length * inner},
                        {"begin", left == 0 ? fmt::format("n * {}", stride) : fmt::format("n * {} - {}", stride, left)},
                        {"kernel", kernel},
                        {"more", mean ? "v + next" : "next > v ? next : v"},
                        {"last", !mean            ? "v"
                                 : counts_padding ? fmt::format("v / {}.0f", kernel)
                                                  : std::string("v / (float)(end - begin)")}};
  site.add(fmt::format("{}: windows of {} of {} rows", site.called(), kernel, length),
           c_fill(R"(for (int o = 0; o < $outer; ++o) {
  for (int n = 0; n < $n; ++n) {
    const int from = $begin, begin = from < 0 ? 0 : from, end = from + $kernel > $L ? $L : from + $kernel;
    for (int j = 0; j < $inner; ++j) {
      float v = x[o * $row + begin * $inner + j];
      for (int k = begin + 1; k < end; ++k) {
        const float next = x[o * $row + k * $inner + j];
        v = $more;
      }
      y[(o * $n + n) * $inner + j] = $last;
    }
  }
}
)",
                  words),
           {site.read("x", 0), site.write("y")});
}

// Magnitude of complex numbers, [.., 2 F] -> [.., F]: sqrt(re^2 + im^2).
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
          {{"max-pool1d", "avg-pool1d", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}, write_windows},
          {{"magnitude"}, write_magnitude}};
}

}  // namespace longhand::exporters
