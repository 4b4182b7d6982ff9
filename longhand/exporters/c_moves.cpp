// Nodes that only move elements, in C. The source of each output element is found by running the node on the indices of
// its input elements.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "longhand/exporters/c_site.h"

namespace longhand::exporters {
namespace {

using graph::ElementType;

// A run of n consecutive elements of a computed input (`input` is its index among the computed inputs), or a constant
// repeated n times.
struct MovedRun {
  int input = -1;  // -1: the constant `number`
  int64_t from = 0, n = 0;
  float number = 0.0F;

  bool goes_on(const MovedRun& next) const {
    if (input != next.input) return false;
    return input < 0 ? number == next.number : next.from == from + n;
  }
};

// A network of this node alone. Inputs that are known before a run are arrays.
class MoveProbe {
 public:
  explicit MoveProbe(const CSite& site) : site_(site) {
    graph::Graph graph;
    graph::Node node = site.node;
    node.name = "moves";
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!site.has(i)) continue;
      const CView& view = site.in(i);
      node.inputs[i] = fmt::format("in{}", i);
      if (view.constant) {
        graph::Array& array = graph.arrays[node.inputs[i]];
        array.type = view.type;
        array.dims = view.dims;
        if (view.type == ElementType::kFloat) array.floats.assign(view.floats, view.floats + CSite::size(view));
        if (view.type == ElementType::kInt) array.ints.assign(view.ints, view.ints + CSite::size(view));
      } else {
        graph.inputs.push_back({.name = node.inputs[i], .type = view.type, .dims = view.dims});
        computed_.push_back(i);
        total_ += CSite::size(view);
      }
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!site.wants(i)) continue;
      node.outputs[i] = fmt::format("out{}", i);
      graph.outputs.push_back({.name = node.outputs[i], .dims = {}});
    }
    // run() needs floats for 2 * total_ different indices.
    if (total_ > (1 << 22)) site.fail("expected at most 4,194,304 numbers to be moved, found more");
    graph.nodes = {std::move(node)};
    network_ = std::make_shared<const graph::Network>(std::move(graph), site.network.where);
    plan_.emplace(network_, graph::PlanOptions{});
  }

  const std::vector<size_t>& computed() const { return computed_; }

  /// Returns the runs of each used output.
  std::vector<std::vector<MovedRun>> run() {
    const std::vector<std::vector<double>> first = numbers(1), second = numbers(1 + total_);
    std::vector<std::vector<MovedRun>> out(first.size());
    for (size_t o = 0; o < first.size(); ++o) {
      for (size_t i = 0; i < first[o].size(); ++i) {
        MovedRun one = source(first[o][i], second[o][i]);
        if (!out[o].empty() && out[o].back().goes_on(one)) {
          ++out[o].back().n;
        } else {
          out[o].push_back(one);
        }
      }
    }
    return out;
  }

 private:
  std::vector<std::vector<double>> numbers(int64_t begin) {
    for (const graph::Plan::View& view : plan_->inputs()) {
      for (int64_t i = 0; i < graph::count(view.dims); ++i, ++begin) {
        if (view.type == ElementType::kFloat) {
          view.floats[i] = static_cast<float>(begin);
        } else {
          view.ints[i] = begin;
        }
      }
    }
    if (!plan_->run()) site_.fail("cannot be run on numbers of any kind");
    std::vector<std::vector<double>> out;
    for (const graph::Plan::View& view : plan_->outputs()) {
      std::vector<double>& to = out.emplace_back();
      for (int64_t i = 0; i < graph::count(view.dims); ++i) {
        to.push_back(view.type == ElementType::kFloat ? static_cast<double>(view.floats[i])
                                                      : static_cast<double>(view.ints[i]));
      }
    }
    return out;
  }

  MovedRun source(double first, double second) const {
    if (first == second) return {.n = 1, .number = static_cast<float>(first)};
    auto from = static_cast<int64_t>(first) - 1;
    if (static_cast<double>(from + 1) != first || second - first != static_cast<double>(total_)) {
      site_.fail("computes numbers where it should only move them");
    }
    size_t input = 0;
    for (; from >= graph::count(plan_->inputs()[input].dims); ++input)
      from -= graph::count(plan_->inputs()[input].dims);
    return {.input = static_cast<int>(input), .from = from, .n = 1};
  }

  const CSite& site_;
  std::vector<size_t> computed_;
  int64_t total_ = 0;
  std::shared_ptr<const graph::Network> network_;
  std::optional<graph::Plan> plan_;
};

// Writes C statements for one output. Its inputs are named x0, x1, ...
class MoveText {
 public:
  MoveText(const CSite& site, const CView& out, std::vector<MovedRun> runs)
      : site_(site), out_(out), runs_(std::move(runs)) {}

  std::string text() {
    constexpr size_t kFew = 8;
    if (runs_.size() <= kFew) return copies(0, runs_.size(), {});
    if (std::string loops = affine(); !loops.empty()) return loops;
    for (size_t period = 1; period <= kFew; ++period) {
      if (const auto strides = strides_of(period)) return periodic(period, *strides);
    }
    return table();
  }

 private:
  std::string copies(size_t begin, size_t end, const std::vector<int64_t>& strides) const {
    std::string out;
    int64_t at = 0;
    for (size_t i = begin; i < end; ++i) {
      const MovedRun& run = runs_[i];
      const std::string to = at == 0 ? "i" : fmt::format("{} + i", at);
      std::string from = run.from == 0 ? "i" : fmt::format("{} + i", run.from);
      if (!strides.empty() && strides[i] != 0) from += fmt::format(" + o * {}", strides[i]);
      const std::string value = run.input < 0 ? c_float(run.number) : fmt::format("x{}[{}]", run.input, from);
      out += fmt::format("for (int i = 0; i < {}; ++i) {}[{}] = {};\n", run.n, strides.empty() ? "y" : "to", to, value);
      at += run.n;
    }
    return out;
  }

  // Returns loops over the output's axes, with one stride per axis in the only input; empty if the strides are not
  // constant.
  std::string affine() const {
    std::vector<int64_t> source;
    for (const MovedRun& run : runs_) {
      if (run.input != 0) return "";
      for (int64_t i = 0; i < run.n; ++i) source.push_back(run.from + i);
    }
    graph::Dims dims;
    for (const int64_t extent : out_.dims) {
      if (extent != 1) dims.push_back(extent);
    }
    std::vector<int64_t> strides(dims.size());
    int64_t step = 1;
    for (size_t axis = dims.size(); axis-- > 0; step *= dims[axis]) {
      strides[axis] = source[static_cast<size_t>(step)] - source[0];
    }
    for (size_t i = 0; i < source.size(); ++i) {
      auto left = static_cast<int64_t>(i), at = source[0];
      for (size_t axis = dims.size(); axis-- > 0; left /= dims[axis]) at += left % dims[axis] * strides[axis];
      if (at != source[i]) return "";
    }
    std::string heads, tails, from = std::to_string(source[0]), to;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      heads += indented(fmt::format("for (int i{0} = 0; i{0} < {1}; ++i{0}) {{\n", axis, dims[axis]),
                        2 * static_cast<int>(axis));
      tails.insert(0, indented("}\n", 2 * static_cast<int>(axis)));
      from += fmt::format(" + i{} * {}", axis, strides[axis]);
      to += fmt::format("{}i{} * {}", axis == 0 ? "" : " + ", axis, graph::count(dims, axis + 1, dims.size()));
    }
    return heads + indented(fmt::format("y[{}] = x0[{}];\n", to, from), 2 * static_cast<int>(dims.size())) + tails;
  }

  // Returns how far each of `period` runs moves in its input from one period to the next; nothing if this varies.
  std::optional<std::vector<int64_t>> strides_of(size_t period) const {
    if (runs_.size() % period != 0) return std::nullopt;
    std::vector<int64_t> out(period, 0);
    for (size_t i = period; i < runs_.size(); ++i) {
      const MovedRun &a = runs_[i - period], &b = runs_[i];
      const int64_t by = b.from - a.from;
      if (a.input != b.input || a.n != b.n || a.number != b.number) return std::nullopt;
      if (i < 2 * period) out[i % period] = by;
      if (out[i % period] != by) return std::nullopt;
    }
    return out;
  }
  std::string periodic(size_t period, const std::vector<int64_t>& strides) const {
    int64_t row = 0;
    for (size_t i = 0; i < period; ++i) row += runs_[i].n;
    return fmt::format("for (int o = 0; o < {}; ++o) {{\n  {} *@RESTRICT to = y + o * {};\n{}}}\n",
                       runs_.size() / period, out_.type == ElementType::kInt ? "int" : "float", row,
                       indented(copies(0, period, strides), 2));
  }

  std::string table() const {
    std::vector<int64_t> places;
    std::optional<float> fill;
    for (const MovedRun& run : runs_) {
      if (run.input > 0 || (run.input < 0 && fill && *fill != run.number)) {
        site_.fail("moves the numbers of several inputs in a way that has no form in C");
      }
      if (run.input < 0) fill = run.number;
      for (int64_t i = 0; i < run.n; ++i) places.push_back(run.input < 0 ? -1 : run.from + i);
    }
    const size_t n = places.size();
    const std::string name = site_.program.indexes(site_.label() + "_from", places);
    const std::string value =
        fill ? fmt::format("@{0}[i] < 0 ? {1} : x0[@{0}[i]]", name, c_float(*fill)) : fmt::format("x0[@{}[i]]", name);
    return fmt::format("for (int i = 0; i < {}; ++i) y[i] = {};\n", n, value);
  }

  const CSite& site_;
  const CView& out_;
  std::vector<MovedRun> runs_;
};

void write_moves(const CSite& site) {
  MoveProbe probe(site);
  const std::vector<std::vector<MovedRun>> all = probe.run();
  size_t wanted = 0;
  for (size_t o = 0; o < site.node.outputs.size(); ++o) {
    if (!site.wants(o)) continue;
    const std::vector<MovedRun>& runs = all[wanted++];
    if (runs.empty()) continue;
    const auto input_of = [&](int place) { return probe.computed()[static_cast<size_t>(place)]; };
    const bool whole = runs.size() == 1 && runs[0].input >= 0 && runs[0].from == 0;
    if (whole && runs[0].n == CSite::size(site.in(input_of(runs[0].input)))) {
      site.alias(o, site.network.memory.of(site.in(input_of(runs[0].input))));
      continue;
    }
    std::vector<COperation::Argument> arguments;
    for (size_t i = 0; i < probe.computed().size(); ++i) {
      const bool used =
          std::any_of(runs.begin(), runs.end(), [&](const MovedRun& run) { return run.input == static_cast<int>(i); });
      if (used) arguments.push_back(site.read(fmt::format("x{}", i), probe.computed()[i]));
    }
    arguments.push_back(site.write("y", o));
    site.add(fmt::format("{}: {}", site.called(), graph::shown(site.out(o).dims)),
             MoveText(site, site.out(o), runs).text(), arguments);
  }
}

// Gather with computed indices. Gather with known indices is written as moves.
void write_gather(const CSite& site) {
  if (site.is_known(1)) return write_moves(site);
  const CView &x = site.in(0), &at = site.in(1);
  const int64_t given = site.integer("axis", 0), rank = static_cast<int64_t>(x.dims.size());
  const auto axis = static_cast<size_t>(given < 0 ? given + rank : given);
  if (x.type != ElementType::kFloat) site.fail("expected a table of floats, found whole numbers");
  const int64_t outer = graph::count(x.dims, 0, axis), n = x.dims[axis];
  const int64_t inner = graph::count(x.dims, axis + 1, x.dims.size());
  std::string value = "x[(o * $n + at) * $inner + j]";
  std::vector<COperation::Argument> arguments = {site.read("at_", 1), site.write("y")};
  if (x.constant && axis == 0 && rank == 2 && site.program.has_int8()) {
    const CMatrix w = site.program.matrix(site.label() + "_w", n, inner, site.known_floats(0));
    value = fmt::format("(float)@{}[j * {} + at] * @{}[at]", w.weights, n, w.scales);
  } else {
    arguments.push_back(site.read("x", 0));
  }
  site.add(fmt::format("{}: rows of {} by index", site.called(), graph::shown(x.dims)),
           c_fill("for (int o = 0; o < $outer; ++o) {\n  for (int k = 0; k < $k; ++k) {\n"
                  "    int at = at_[k] < 0 ? at_[k] + $n : at_[k];\n    if (at < 0) at = 0;\n"
                  "    if (at >= $n) at = $n - 1;\n"
                  "    for (int j = 0; j < $inner; ++j) y[(o * $k + k) * $inner + j] = " +
                      value + ";\n  }\n}\n",
                  {{"outer", outer}, {"n", n}, {"k", CSite::size(at)}, {"inner", inner}}),
           arguments);
}

// [T, C] -> [T, n + C]: prepends the last n elements of the previous step to each step.
void write_context(const CSite& site) {
  const CView& x = site.in(0);
  if (x.dims.at(0) != 1) site.fail(fmt::format("expected one sequence, found {}", graph::shown(x.dims)));
  const int64_t T = x.dims[1], C = x.dims[2], n = site.integer("size", 0);
  const int past = site.program.state(site.label() + "_past", n, {});
  site.add(fmt::format("{}: the last {} of the step before, then {}", site.called(), n, C),
           c_fill("for (int t = 0; t < $T; ++t) {\n  for (int j = 0; j < $n; ++j) y[t * $w + j] = past[j];\n"
                  "  for (int j = 0; j < $C; ++j) y[t * $w + $n + j] = x[t * $C + j];\n"
                  "  for (int j = 0; j < $n; ++j) past[j] = x[t * $C + $rest + j];\n}\n",
                  {{"T", T}, {"n", n}, {"C", C}, {"w", n + C}, {"rest", C - n}}),
           {site.read("x", 0), {"past", past, true}, site.write("y")});
}

void write_cast(const CSite& site) {
  const CView &x = site.in(0), &y = site.out();
  if (x.type != ElementType::kInt || y.type != ElementType::kFloat) site.fail("expected whole numbers as floats");
  site.add(site.called() + ": whole numbers as floats",
           fmt::format("for (int i = 0; i < {}; ++i) y[i] = (float)x[i];\n", CSite::size(y)),
           {site.read("x", 0), site.write("y")});
}

}  // namespace

std::vector<CNodeType> c_move_types() {
  return {{{"Transpose", "Slice",     "Concat",  "concat",    "Split",          "Expand",   "Tile",    "Pad",
            "pad",       "transpose", "slice",   "reverse",   "GatherElements", "Identity", "Dropout", "dropout",
            "Reshape",   "Flatten",   "Squeeze", "Unsqueeze", "reshape",        "flatten"},
           write_moves},
          {{"Gather"}, write_gather},
          {{"context"}, write_context},
          {{"Cast"}, write_cast}};
}

}  // namespace longhand::exporters
