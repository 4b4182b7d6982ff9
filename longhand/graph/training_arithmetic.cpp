// Gradients of layers with several inputs: add, subtract, multiply, max, min, concat.
#include <algorithm>

#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

template <class T>
struct Operand {
  TrainValue<T>* x;
  typename TrainBuild<T>::InputGradient dx;
};

template <class T>
std::vector<Operand<T>> operands_of(TrainBuild<T>& node) {
  std::vector<Operand<T>> out;
  for (size_t i = 0; i < node.inputs(); ++i) out.push_back({&node.floats(i), node.gradient_of(i)});
  return out;
}

enum class Join { kAdd, kSubtract, kMultiply, kMax, kMin };

template <class T>
T joined(Join join, T a, T b) {
  switch (join) {
    case Join::kSubtract: return a - b;
    case Join::kMultiply: return a * b;
    case Join::kMax: return std::max(a, b);
    case Join::kMin: return std::min(a, b);
    default: return a + b;
  }
}

// Returns the derivative of y by operand i at element j. Among equal maxima or minima, the first operand gets the
// gradient.
template <class T>
T factor(Join join, const std::vector<Operand<T>>& operands, size_t i, int64_t j, T y) {
  if (join == Join::kAdd) return T(1);
  if (join == Join::kSubtract) return i == 0 ? T(1) : T(-1);
  if (join == Join::kMultiply) {
    T product = 1;
    for (size_t k = 0; k < operands.size(); ++k) product *= k == i ? T(1) : operands[k].x->data[j];
    return product;
  }
  for (size_t k = 0; k < i; ++k) {
    if (operands[k].x->data[j] == y) return T(0);
  }
  return operands[i].x->data[j] == y ? T(1) : T(0);
}

template <class T>
void train_join(TrainBuild<T>& node) {
  const std::string& type = node.node().type;
  const Join join = type == "subtract"   ? Join::kSubtract
                    : type == "multiply" ? Join::kMultiply
                    : type == "max"      ? Join::kMax
                    : type == "min"      ? Join::kMin
                                         : Join::kAdd;
  for (size_t i = 1; i < node.inputs(); ++i) {
    if (node.described().in(i).dims == node.described().in(0).dims) continue;
    node.fail("can be trained where all it reads has one shape, found " + shown(node.described().in(0).dims) + " and " +
                  shown(node.described().in(i).dims),
              "bring them to one shape with linear layers");
  }
  auto& y = node.out();
  auto& run = node.run();
  auto& operands = node.template make<std::vector<Operand<T>>>(operands_of(node));
  const auto all_numbers = [&run](const TrainValue<T>& x, const auto& use) {
    run.share(x.count(), 2 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t j = n * x.stride(); j < n * x.stride() + x.width; ++j) use(j);
      }
    });
  };
  node.forward([&, join, all_numbers] {
    y.resize_like(*operands.front().x);
    all_numbers(y, [&](int64_t j) {
      T sum = operands.front().x->data[j];
      for (size_t i = 1; i < operands.size(); ++i) sum = joined(join, sum, operands[i].x->data[j]);
      y.data[j] = sum;
    });
  });
  node.backward([&, join, all_numbers] {
    for (size_t i = 0; i < operands.size(); ++i) {
      T* to = operands[i].dx.begin();
      if (to == nullptr) continue;
      all_numbers(y, [&](int64_t j) { to[j] = y.gradient[j] * factor(join, operands, i, j, y.data[j]); });
      operands[i].dx.done(run);
    }
  });
}

// Concatenates along the last axis.
template <class T>
void train_concat(TrainBuild<T>& node) {
  const int64_t rank = node.described().in(0).rank(), axis = node.described().integer("axis", -1);
  if (axis != -1 && axis != rank - 1)
    node.fail("cannot be trained over another axis than the last", "leave `axis` out");
  auto& y = node.out();
  auto& run = node.run();
  auto& operands = node.template make<std::vector<Operand<T>>>(operands_of(node));
  node.forward([&] {
    y.resize_like(*operands.front().x);
    run.share(y.count(), y.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        T* to = y.data + n * y.stride();
        for (const Operand<T>& part : operands)
          to = std::copy_n(part.x->data + n * part.x->stride(), part.x->width, to);
      }
    });
  });
  node.backward([&] {
    int64_t first = 0;
    for (const Operand<T>& part : operands) {
      if (T* to = part.dx.begin(); to != nullptr) {
        for (int64_t n = 0; n < y.count(); ++n) {
          std::copy_n(y.gradient.data() + n * y.stride() + first, part.x->width, to + n * part.x->stride());
        }
        part.dx.done(run);
      }
      first += part.x->width;
    }
  });
}

}  // namespace

std::vector<TrainableType> trainable_arithmetic_types() {
  std::vector<TrainableType> out;
  for (const char* name : {"add", "subtract", "multiply", "max", "min"}) {
    out.push_back({name, train_join<float>, train_join<double>});
  }
  out.push_back({"concat", train_concat<float>, train_concat<double>});
  return out;
}

}  // namespace longhand::graph
