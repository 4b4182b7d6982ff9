// Gradients of elementwise functions and of softmax. The forward pass computes y = f(x) as in inference; the backward
// pass computes f' from x and y.
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "longhand/graph/function_names.h"
#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

using kernels::Function;

template <class T>
T sigmoid_of(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

template <class T>
T softplus_of(T x) {
  return x > T(20) ? x : std::log1p(std::exp(x));
}

template <class T>
T function_of(Function f, T a, T b, T x) {
  switch (f) {
    case Function::kRelu: return std::max(T(0), x);
    case Function::kLeakyRelu: return x < T(0) ? a * x : x;
    case Function::kThresholded: return x > a ? x : T(0);
    case Function::kElu: return x < T(0) ? a * std::expm1(x) : x;
    case Function::kCelu: return std::max(T(0), x) + std::min(T(0), a * std::expm1(x / a));
    case Function::kSelu: return b * (x > T(0) ? x : a * std::expm1(x));
    case Function::kGelu: return x * (T(1) + std::erf(x / std::numbers::sqrt2_v<T>)) / T(2);
    case Function::kGeluTanh: {
      const T c = std::sqrt(T(2) * std::numbers::inv_pi_v<T>);
      return x * (T(1) + std::tanh(c * (x + T(0.044715) * x * x * x))) / T(2);
    }
    case Function::kSigmoid: return sigmoid_of(x);
    case Function::kHardSigmoid: return std::max(T(0), std::min(T(1), a * x + b));
    case Function::kHardSwish: return x * std::max(T(0), std::min(T(1), x / T(6) + T(0.5)));
    case Function::kSilu: return x * sigmoid_of(x);
    case Function::kMish: return x * std::tanh(softplus_of(x));
    case Function::kTanh: return std::tanh(x);
    case Function::kScaledTanh: return a * std::tanh(b * x);
    case Function::kSoftsign: return x / (T(1) + std::abs(x));
    case Function::kSoftplus: return softplus_of(x);
    case Function::kAffine: return a * x + b;
    case Function::kClip: return std::max(a, std::min(b, x));
    case Function::kExp: return std::exp(x);
    case Function::kLog: return std::log(x);
    case Function::kSqrt: return std::sqrt(x);
    case Function::kAbs: return std::abs(x);
    case Function::kNeg: return -x;
    case Function::kReciprocal: return T(1) / x;
    default: return x;
  }
}

template <class T>
T derivative_of(Function f, T a, T b, T x, T y) {
  switch (f) {
    case Function::kRelu: return x > T(0) ? T(1) : T(0);
    case Function::kLeakyRelu: return x < T(0) ? a : T(1);
    case Function::kThresholded: return x > a ? T(1) : T(0);
    case Function::kElu: return x < T(0) ? y + a : T(1);
    case Function::kCelu: return x < T(0) ? std::exp(x / a) : T(1);
    case Function::kSelu: return x > T(0) ? b : y + a * b;
    case Function::kGelu: {
      const T density = std::exp(-x * x / T(2)) / std::sqrt(T(2) * std::numbers::pi_v<T>);
      return (T(1) + std::erf(x / std::numbers::sqrt2_v<T>)) / T(2) + x * density;
    }
    case Function::kGeluTanh: {
      const T c = std::sqrt(T(2) * std::numbers::inv_pi_v<T>), t = std::tanh(c * (x + T(0.044715) * x * x * x));
      return (T(1) + t) / T(2) + x * (T(1) - t * t) * c * (T(1) + T(3) * T(0.044715) * x * x) / T(2);
    }
    case Function::kSigmoid: return y * (T(1) - y);
    case Function::kHardSigmoid: return y > T(0) && y < T(1) ? a : T(0);
    case Function::kHardSwish: return x <= T(-3) ? T(0) : x >= T(3) ? T(1) : x / T(3) + T(0.5);
    case Function::kSilu: {
      const T s = sigmoid_of(x);
      return s + x * s * (T(1) - s);
    }
    case Function::kMish: {
      const T t = std::tanh(softplus_of(x));
      return t + x * (T(1) - t * t) * sigmoid_of(x);
    }
    case Function::kTanh: return T(1) - y * y;
    case Function::kScaledTanh: return a == T(0) ? T(0) : b * (a - y * y / a);
    case Function::kSoftsign: return (T(1) - std::abs(y)) * (T(1) - std::abs(y));
    case Function::kSoftplus: return sigmoid_of(x);
    case Function::kAffine: return a;
    case Function::kClip: return x > a && x < b ? T(1) : T(0);
    case Function::kExp: return y;
    case Function::kLog: return T(1) / x;
    case Function::kSqrt: return y > T(0) ? T(0.5) / y : T(0);
    case Function::kAbs: return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
    case Function::kNeg: return T(-1);
    case Function::kReciprocal: return -y * y;
    default: return T(1);
  }
}

template <class T>
void apply_row(const NamedFunction& f, const T* x, T* y, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    kernels::apply(f.function, f.alpha, f.beta, x, y, n);
  } else {
    for (int64_t j = 0; j < n; ++j) y[j] = function_of(f.function, T(f.alpha), T(f.beta), x[j]);
  }
}

template <class T>
void train_function(TrainBuild<T>& node) {
  const NamedFunction f = read_function(node.described());
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  constexpr int64_t kCost = 16;
  node.forward([&, f] {
    y.resize_like(x);
    run.share(x.count(), x.width * kCost, [&](int64_t begin, int64_t end) {
      const int64_t stride = x.stride();
      if (x.width == stride)
        return apply_row(f, x.data + begin * stride, y.data + begin * stride, (end - begin) * stride);
      for (int64_t n = begin; n < end; ++n) apply_row(f, x.data + n * stride, y.data + n * stride, x.width);
    });
  });
  node.backward([&, f, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr) return;
    run.share(x.count(), x.width * kCost, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t row = n * x.stride();
        for (int64_t j = row; j < row + x.width; ++j) {
          const T slope = derivative_of(f.function, T(f.alpha), T(f.beta), x.data[j], y.data[j]);
          to[j] = y.gradient[j] == T(0) ? T(0) : y.gradient[j] * slope;
        }
      }
    });
    dx.done(run);
  });
}

// Over the last axis. dx = y (dy - sum of dy y); of the logarithm, dx = dy - e^y sum of dy.
template <class T>
void train_softmax(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  const int64_t rank = node.described().in(0).rank(), axis = node.described().integer("axis", -1);
  if (axis != -1 && axis != rank - 1)
    node.fail("cannot be trained over another axis than the last", "leave `axis` out");
  const bool logarithm = node.node().type == "log-softmax";
  auto& run = node.run();
  constexpr int64_t kCost = 16;
  node.forward([&, logarithm] {
    y.resize_like(x);
    run.share(x.count(), x.width * kCost, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* from = x.data + n * x.stride();
        T* to = y.data + n * y.stride();
        const T largest = *std::max_element(from, from + x.width);
        T sum = 0;
        for (int64_t j = 0; j < x.width; ++j) sum += std::exp(from[j] - largest);
        const T log_sum = std::log(sum);
        for (int64_t j = 0; j < x.width; ++j) {
          to[j] = logarithm ? from[j] - largest - log_sum : std::exp(from[j] - largest) / sum;
        }
      }
    });
  });
  node.backward([&, logarithm, dx = node.gradient_of(0)] {
    T* all = dx.begin();
    if (all == nullptr) return;
    run.share(x.count(), x.width * kCost, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T *dy = y.gradient.data() + n * y.stride(), *at = y.data + n * y.stride();
        T* to = all + n * x.stride();
        T sum = 0;
        for (int64_t j = 0; j < x.width; ++j) sum += logarithm ? dy[j] : dy[j] * at[j];
        for (int64_t j = 0; j < x.width; ++j) {
          to[j] = logarithm ? dy[j] - std::exp(at[j]) * sum : at[j] * (dy[j] - sum);
        }
      }
    });
    dx.done(run);
  });
}

}  // namespace

std::vector<TrainableType> trainable_activation_types() {
  std::vector<TrainableType> out;
  for (const std::string& name : function_names()) out.push_back({name, train_function<float>, train_function<double>});
  for (const char* name : {"gelu", "clip"}) out.push_back({name, train_function<float>, train_function<double>});
  for (const char* name : {"softmax", "log-softmax"})
    out.push_back({name, train_softmax<float>, train_softmax<double>});
  return out;
}

}  // namespace longhand::graph
