// Arithmetic of arrays, element by element: ONNX's operators, and sums and products of layers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {
namespace {

enum class Operation {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMod,   ///< with the sign of the divisor
  kFmod,  ///< with the sign of the dividend
  kMin,
  kMax,
  kEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kXor
};

struct OperationRow {
  const char* name;
  Operation operation;
};
constexpr OperationRow kOperations[] = {{"Add", Operation::kAdd},
                                        {"Sub", Operation::kSub},
                                        {"Mul", Operation::kMul},
                                        {"Div", Operation::kDiv},
                                        {"Pow", Operation::kPow},
                                        {"Mod", Operation::kMod},
                                        {"Equal", Operation::kEqual},
                                        {"Less", Operation::kLess},
                                        {"LessOrEqual", Operation::kLessEqual},
                                        {"Greater", Operation::kGreater},
                                        {"GreaterOrEqual", Operation::kGreaterEqual},
                                        {"And", Operation::kAnd},
                                        {"Or", Operation::kOr},
                                        {"Xor", Operation::kXor}};

// The rows of a pair of operands by one operation. The two usual strides have loops of their own, which the compiler
// makes vectors of.
template <class T, class R, class F>
void for_pairs(const BroadcastLoop& loop, const T* a, const T* b, R* y, const F& f) {
  loop.for_rows([&](int64_t n, int64_t at_a, int64_t a_stride, int64_t at_b, int64_t b_stride, int64_t at_y) {
    const T* pa = a + at_a;
    const T* pb = b + at_b;
    R* py = y + at_y;
    if (a_stride == 1 && b_stride == 1) {
      for (int64_t i = 0; i < n; ++i) py[i] = f(pa[i], pb[i]);
    } else if (a_stride == 1 && b_stride == 0) {
      const T other = *pb;
      for (int64_t i = 0; i < n; ++i) py[i] = f(pa[i], other);
    } else {
      for (int64_t i = 0; i < n; ++i) py[i] = f(pa[i * a_stride], pb[i * b_stride]);
    }
  });
}

// Integers wrap around, and a division by zero is zero: neither is a reason to crash.
int64_t wrapped(uint64_t value) { return static_cast<int64_t>(value); }
int64_t whole_power(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : 0;
  uint64_t out = 1;
  for (auto b = static_cast<uint64_t>(base); exponent > 0; exponent >>= 1, b *= b) {
    if ((exponent & 1) != 0) out *= b;
  }
  return wrapped(out);
}

void floats_by(Operation operation, const BroadcastLoop& l, const float* a, const float* b, float* y) {
  switch (operation) {
    case Operation::kAdd: return for_pairs(l, a, b, y, [](float u, float v) { return u + v; });
    case Operation::kSub: return for_pairs(l, a, b, y, [](float u, float v) { return u - v; });
    case Operation::kMul: return for_pairs(l, a, b, y, [](float u, float v) { return u * v; });
    case Operation::kDiv: return for_pairs(l, a, b, y, [](float u, float v) { return u / v; });
    case Operation::kPow:
      return for_pairs(l, a, b, y, [](float u, float v) { return v == 2.0F ? u * u : std::pow(u, v); });
    case Operation::kFmod: return for_pairs(l, a, b, y, [](float u, float v) { return std::fmod(u, v); });
    case Operation::kMod:
      return for_pairs(l, a, b, y, [](float u, float v) {
        const float rest = std::fmod(u, v);
        return rest != 0.0F && (rest < 0.0F) != (v < 0.0F) ? rest + v : rest;
      });
    case Operation::kMin: return for_pairs(l, a, b, y, [](float u, float v) { return v < u ? v : u; });
    case Operation::kMax: return for_pairs(l, a, b, y, [](float u, float v) { return u < v ? v : u; });
    default: return;
  }
}

void ints_by(Operation operation, const BroadcastLoop& l, const int64_t* a, const int64_t* b, int64_t* y) {
  using U = uint64_t;
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  switch (operation) {
    case Operation::kAdd: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return wrapped(U(u) + U(v)); });
    case Operation::kSub: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return wrapped(U(u) - U(v)); });
    case Operation::kMul: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return wrapped(U(u) * U(v)); });
    case Operation::kDiv:
      return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return v == 0 || (u == kLeast && v == -1) ? 0 : u / v; });
    case Operation::kPow: return for_pairs(l, a, b, y, whole_power);
    case Operation::kFmod:
      return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return v == 0 || v == -1 ? 0 : u % v; });
    case Operation::kMod:
      return for_pairs(l, a, b, y, [](int64_t u, int64_t v) -> int64_t {
        if (v == 0 || v == -1) return 0;
        const int64_t rest = u % v;
        return rest != 0 && (rest < 0) != (v < 0) ? rest + v : rest;
      });
    case Operation::kMin: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return std::min(u, v); });
    case Operation::kMax: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return std::max(u, v); });
    case Operation::kAnd: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return int64_t{u != 0 && v != 0}; });
    case Operation::kOr: return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return int64_t{u != 0 || v != 0}; });
    case Operation::kXor:
      return for_pairs(l, a, b, y, [](int64_t u, int64_t v) { return int64_t{(u != 0) != (v != 0)}; });
    default: return;
  }
}

template <class T>
void compare_by(Operation operation, const BroadcastLoop& l, const T* a, const T* b, int64_t* y) {
  switch (operation) {
    case Operation::kEqual: return for_pairs(l, a, b, y, [](T u, T v) { return int64_t{u == v}; });
    case Operation::kLess: return for_pairs(l, a, b, y, [](T u, T v) { return int64_t{u < v}; });
    case Operation::kLessEqual: return for_pairs(l, a, b, y, [](T u, T v) { return int64_t{u <= v}; });
    case Operation::kGreater: return for_pairs(l, a, b, y, [](T u, T v) { return int64_t{u > v}; });
    case Operation::kGreaterEqual: return for_pairs(l, a, b, y, [](T u, T v) { return int64_t{u >= v}; });
    default: return;
  }
}

Dims broadcast_dims(const NodeBuild& node, const Value& a, const Value& b) {
  const std::optional<Dims> dims = broadcast(a.dims, b.dims);
  if (!dims) node.fail("expected arrays that fit one another, found " + shown(a.dims) + " and " + shown(b.dims));
  return *dims;
}

// Pow may have an integer exponent for a float; all else has operands of one type.
const Value& as_floats(NodeBuild& node, const Value& x) {
  if (x.type == ElementType::kFloat) return x;
  float* memory = node.floats_memory(x.size).data();
  Value& out = node.make<Value>(x);
  out.type = ElementType::kFloat;
  out.floats = memory;
  out.ints = nullptr;
  node.step([&x, memory] {
    for (int64_t i = 0; i < x.size; ++i) memory[i] = static_cast<float>(x.ints[i]);
  });
  return out;
}

void add_pair_step(NodeBuild& node, Operation operation, const Value& a, const Value& b, Value& y) {
  const BroadcastLoop loop(a.dims, b.dims, y.dims);
  if (y.size == 0) return;
  if (a.type == ElementType::kInt) {
    const bool compares = operation >= Operation::kEqual && operation <= Operation::kGreaterEqual;
    node.step([=, &a, &b, &y] {
      compares ? compare_by(operation, loop, a.ints, b.ints, y.ints) : ints_by(operation, loop, a.ints, b.ints, y.ints);
    });
  } else if (y.type == ElementType::kInt) {
    node.step([=, &a, &b, &y] { compare_by(operation, loop, a.floats, b.floats, y.ints); });
  } else {
    node.step([=, &a, &b, &y] { floats_by(operation, loop, a.floats, b.floats, y.floats); });
  }
}

void build_pair(NodeBuild& node) {
  const auto* row = std::find_if(std::begin(kOperations), std::end(kOperations),
                                 [&](const OperationRow& each) { return node.node().type == each.name; });
  LONGHAND_CHECK(row != std::end(kOperations));
  const bool of_dividend = row->operation == Operation::kMod && node.integer("fmod", 0) != 0;
  const Operation operation = of_dividend ? Operation::kFmod : row->operation;
  const Value *a = &node.in(0), *b = &node.in(1);
  if (a->type != b->type) {
    if (operation != Operation::kPow) node.fail("expected operands of one type, found floats and integers");
    a = &as_floats(node, *a);
    b = &as_floats(node, *b);
  }
  const bool logical = operation >= Operation::kAnd;
  if (logical && a->type != ElementType::kInt) node.fail("expected truth values, found floats");
  const bool truth = operation >= Operation::kEqual;
  Value& y = node.out(0, truth ? ElementType::kInt : a->type, broadcast_dims(node, *a, *b));
  add_pair_step(node, operation, *a, *b, y);
}

// The sum, product, least, largest or mean of any number of arrays.
void build_several(NodeBuild& node) {
  const std::string& type = node.node().type;
  const Operation operation = type == "multiply"               ? Operation::kMul
                              : type == "Max" || type == "max" ? Operation::kMax
                              : type == "Min" || type == "min" ? Operation::kMin
                              : type == "subtract"             ? Operation::kSub
                                                               : Operation::kAdd;
  Dims dims = node.in(0).dims;
  for (size_t i = 1; i < node.inputs(); ++i) {
    if (node.in(i).type != node.in(0).type) node.fail("expected operands of one type, found floats and integers");
    const std::optional<Dims> both = broadcast(dims, node.in(i).dims);
    if (!both)
      node.fail("expected arrays that fit one another, found " + shown(dims) + " and " + shown(node.in(i).dims));
    dims = *both;
  }
  Value& y = node.out(0, node.in(0).type, dims);
  if (node.inputs() == 1) {
    node.step([&x = node.in(0), &y] {
      if (y.type == ElementType::kFloat) std::copy_n(x.floats, x.size, y.floats);
      if (y.type == ElementType::kInt) std::copy_n(x.ints, x.size, y.ints);
    });
  } else {
    add_pair_step(node, operation, node.in(0), node.in(1), y);
  }
  for (size_t i = 2; i < node.inputs(); ++i) add_pair_step(node, operation, y, node.in(i), y);
  if (type == "Mean") {
    const float share = 1.0F / static_cast<float>(node.inputs());
    if (y.type != ElementType::kFloat) node.fail("expected floats, found integers");
    node.step([&y, share] { kernels::apply(kernels::Function::kAffine, share, 0.0F, y.floats, y.floats, y.size); });
  }
}

void build_not(NodeBuild& node) {
  const Value& x = node.ints(0);
  Value& y = node.out(0, ElementType::kInt, x.dims);
  node.step([&x, &y] {
    for (int64_t i = 0; i < x.size; ++i) y.ints[i] = x.ints[i] == 0 ? 1 : 0;
  });
}

void clip_ints(NodeBuild& node) {
  const Value& x = node.ints(0);
  const auto limit = [&](size_t input, int64_t otherwise) {
    if (!node.has(input)) return otherwise;
    const std::vector<int64_t> given = node.constant_ints(input);
    if (given.size() != 1) node.fail("expected one number for each limit");
    return given.front();
  };
  const int64_t low = limit(1, std::numeric_limits<int64_t>::min());
  const int64_t high = limit(2, std::numeric_limits<int64_t>::max());
  Value& y = node.out(0, ElementType::kInt, x.dims);
  node.step([&x, &y, low, high] {
    for (int64_t i = 0; i < x.size; ++i) y.ints[i] = std::min(std::max(x.ints[i], low), high);
  });
}

// Limits as inputs (opset 11 and later), or as attributes.
void build_clip(NodeBuild& node) {
  if (node.in(0).type == ElementType::kInt) return clip_ints(node);
  const Value& x = node.floats(0);
  constexpr float kMost = std::numeric_limits<float>::max();
  float low = static_cast<float>(node.number("min", static_cast<double>(-kMost)));
  float high = static_cast<float>(node.number("max", static_cast<double>(kMost)));
  low = node.constant_number(1, low);
  high = node.constant_number(2, high);
  Value& y = node.out(0, x.dims);
  node.step([&x, &y, low, high] { kernels::apply(kernels::Function::kClip, low, high, x.floats, y.floats, x.size); });
}

// A slope for each of some elements where they are negative.
void build_prelu(NodeBuild& node) {
  const Value &x = node.floats(0), &slope = node.floats(1);
  Value& y = node.out(0, broadcast_dims(node, x, slope));
  if (y.dims != x.dims) node.fail("expected slopes that fit " + shown(x.dims) + ", found " + shown(slope.dims));
  const BroadcastLoop loop(x.dims, slope.dims, y.dims);
  node.step([=, &x, &slope, &y] {
    for_pairs(loop, x.floats, slope.floats, y.floats, [](float v, float s) { return v < 0.0F ? v * s : v; });
  });
}

// condition ? a : b
void build_where(NodeBuild& node) {
  const Value &condition = node.ints(0), &a = node.in(1), &b = node.in(2);
  if (a.type != b.type) node.fail("expected two arrays of one type, found floats and integers");
  const std::optional<Dims> dims = broadcast(condition.dims, broadcast_dims(node, a, b));
  if (!dims) node.fail("expected a condition that fits, found " + shown(condition.dims));
  Value& y = node.out(0, a.type, *dims);
  const Dims strides[3] = {broadcast_strides(condition.dims, *dims), broadcast_strides(a.dims, *dims),
                           broadcast_strides(b.dims, *dims)};
  Buffer<int64_t>& at = node.make<Buffer<int64_t>>(3 * std::max<int64_t>(y.size, 1));
  for (int64_t i = 0; i < y.size; ++i) {
    int64_t left = i, place[3] = {0, 0, 0};
    for (size_t axis = dims->size(); axis-- > 0;) {
      const int64_t step = left % (*dims)[axis];
      left /= (*dims)[axis];
      for (int k = 0; k < 3; ++k) place[k] += step * strides[k][axis];
    }
    std::copy_n(place, 3, at.data() + 3 * i);
  }
  node.step([&condition, &a, &b, &y, &at] {
    for (int64_t i = 0; i < y.size; ++i) {
      const int64_t* place = at.data() + 3 * i;
      const bool first = condition.ints[place[0]] != 0;
      if (y.type == ElementType::kFloat) {
        y.floats[i] = first ? a.floats[place[1]] : b.floats[place[2]];
      } else {
        y.ints[i] = first ? a.ints[place[1]] : b.ints[place[2]];
      }
    }
  });
}

// To floats, or to whole numbers: towards zero; to truth values: 0 or 1.
void build_cast(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::string to = node.choice("to", "float", {"float", "int", "bool"});
  if (to == "float" && x.type == ElementType::kFloat) return (void)node.alias(0, x, x.dims);
  if (to == "int" && x.type == ElementType::kInt) return (void)node.alias(0, x, x.dims);
  Value& y = node.out(0, to == "float" ? ElementType::kFloat : ElementType::kInt, x.dims);
  const bool truth = to == "bool";
  node.step([&x, &y, truth] {
    constexpr float kLimit = 9.2e18F;  // what an integer can hold
    for (int64_t i = 0; i < x.size; ++i) {
      if (y.type == ElementType::kFloat) {
        y.floats[i] = static_cast<float>(x.ints[i]);
      } else if (truth) {
        y.ints[i] = x.type == ElementType::kFloat ? x.floats[i] != 0.0F : x.ints[i] != 0;
      } else {
        const float v = x.floats[i];
        y.ints[i] = v >= -kLimit && v <= kLimit ? static_cast<int64_t>(v) : 0;
      }
    }
  });
}

}  // namespace

std::vector<NodeType> arithmetic_node_types() {
  std::vector<NodeType> out;
  for (const OperationRow& row : kOperations) {
    const bool is_mod = row.operation == Operation::kMod;
    out.push_back(
        {row.name, "ONNX", 2, 2, 1, is_mod ? std::vector{"fmod"} : std::vector<const char*>(), {}, build_pair});
  }
  for (const char* name : {"Sum", "Max", "Min", "Mean"}) {
    out.push_back({name, "ONNX", 1, NodeType::kAny, 1, {}, {}, build_several});
  }
  for (const char* name : {"add", "subtract", "multiply", "max", "min"}) {
    out.push_back({name, "of the outputs of several layers", 2, NodeType::kAny, 1, {}, {}, build_several, true});
  }
  out.push_back({"Not", "ONNX", 1, 1, 1, {}, {}, build_not});
  out.push_back({"Clip", "ONNX", 1, 3, 1, {"min", "max"}, {}, build_clip});
  out.push_back({"clip", "limits", 1, 1, 1, {"min", "max"}, {}, build_clip, true});
  out.push_back({"PRelu", "ONNX", 2, 2, 1, {}, {}, build_prelu});
  out.push_back({"Where", "ONNX", 3, 3, 1, {}, {}, build_where});
  out.push_back({"Cast", "ONNX; `to` is float, int or bool", 1, 1, 1, {"to"}, {}, build_cast});
  return out;
}

}  // namespace longhand::graph
