// Gradients of normalisation and scales.
#include <algorithm>
#include <cmath>

#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

// Sums columns: to[j] += sum over n of term(n, j). Each column has one thread, so that the order of the sum is fixed.
template <class T, class Term>
void add_columns(TrainRun<T>& run, int64_t rows, int64_t width, int64_t to, const Term& term) {
  if (to < 0) return;
  run.share(width, rows, [&](int64_t begin, int64_t end) {
    for (int64_t n = 0; n < rows; ++n) {
      for (int64_t j = begin; j < end; ++j) run.gradients[to + j] += term(n, j);
    }
  });
}

// y = gain N(x) + bias over the last axis. With g = gain dy and z = N(x):
// dx = (g - mean(g) - z mean(g z)) / sqrt(variance + epsilon)
template <class T>
void train_layer_norm(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  Buffer<T>&normalised = node.memory(), &scales = node.memory();
  const T epsilon = static_cast<T>(static_cast<float>(node.described().number("epsilon", 1e-5)));
  const int64_t gain = node.offset("weight"), bias = node.offset("bias");
  node.forward([&, epsilon, gain, bias] {
    y.resize_like(x);
    normalised.resize(y.own.size());
    scales.resize(x.count());
    run.share(x.count(), 8 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* from = x.data + n * x.stride();
        T *z = normalised.data() + n * x.stride(), *to = y.data + n * y.stride();
        T mean = 0, variance = 0;
        for (int64_t j = 0; j < x.width; ++j) mean += from[j];
        mean /= static_cast<T>(x.width);
        for (int64_t j = 0; j < x.width; ++j) {
          z[j] = from[j] - mean;
          variance += z[j] * z[j];
        }
        const T scale = T(1) / std::sqrt(variance / static_cast<T>(x.width) + epsilon);
        scales[n] = scale;
        for (int64_t j = 0; j < x.width; ++j) {
          z[j] *= scale;
          to[j] = z[j] * (gain < 0 ? T(1) : run.values[gain + j]) + (bias < 0 ? T(0) : run.values[bias + j]);
        }
      }
    });
  });
  node.backward([&, gain, bias, dx = node.gradient_of(0)] {
    const T* dy = y.gradient.data();
    const int64_t stride = x.stride();
    add_columns(run, x.count(), x.width, bias, [&](int64_t n, int64_t j) { return dy[n * stride + j]; });
    add_columns(run, x.count(), x.width, gain,
                [&](int64_t n, int64_t j) { return dy[n * stride + j] * normalised[n * stride + j]; });
    T* all = dx.begin();
    if (all == nullptr) return;
    run.share(x.count(), 8 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T *z = normalised.data() + n * stride, *from = dy + n * stride;
        T* to = all + n * stride;
        T mean = 0, product = 0;
        for (int64_t j = 0; j < x.width; ++j) {
          to[j] = from[j] * (gain < 0 ? T(1) : run.values[gain + j]);
          mean += to[j];
          product += to[j] * z[j];
        }
        mean /= static_cast<T>(x.width);
        product /= static_cast<T>(x.width);
        for (int64_t j = 0; j < x.width; ++j) to[j] = (to[j] - mean - z[j] * product) * scales[n];
      }
    });
    dx.done(run);
  });
}

// y = (x - mean) / sqrt(variance + epsilon) gain + bias, with constant statistics.
template <class T>
void train_batch_norm(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  const auto& means = node.described().weight("running_mean", {x.width}).floats;
  const auto& variances = node.described().weight("running_var", {x.width}).floats;
  const double epsilon = node.described().number("epsilon", 1e-5);
  auto& scales = node.template make<std::vector<T>>();
  for (const float v : variances) scales.push_back(static_cast<T>(1.0 / std::sqrt(static_cast<double>(v) + epsilon)));
  const int64_t gain = node.offset("weight"), bias = node.offset("bias");
  const auto normalised = [&, means = means.data()](int64_t n, int64_t j) {
    return (x.data[n * x.stride() + j] - T(means[j])) * scales[static_cast<size_t>(j)];
  };
  node.forward([&, normalised, gain, bias] {
    y.resize_like(x);
    run.share(x.count(), 4 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t j = 0; j < x.width; ++j) {
          y.data[n * y.stride() + j] =
              normalised(n, j) * (gain < 0 ? T(1) : run.values[gain + j]) + (bias < 0 ? T(0) : run.values[bias + j]);
        }
      }
    });
  });
  node.backward([&, normalised, gain, bias, dx = node.gradient_of(0)] {
    const T* dy = y.gradient.data();
    const int64_t stride = x.stride();
    add_columns(run, x.count(), x.width, bias, [&](int64_t n, int64_t j) { return dy[n * stride + j]; });
    add_columns(run, x.count(), x.width, gain,
                [&](int64_t n, int64_t j) { return dy[n * stride + j] * normalised(n, j); });
    T* to = dx.begin();
    if (to == nullptr) return;
    run.share(x.count(), 4 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t j = 0; j < x.width; ++j) {
          to[n * stride + j] =
              dy[n * stride + j] * scales[static_cast<size_t>(j)] * (gain < 0 ? T(1) : run.values[gain + j]);
        }
      }
    });
    dx.done(run);
  });
}

// y = x scale + shift. Scale and shift are constants: numbers of the description, or arrays.
template <class T>
void train_scale(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  const auto read = [&](const char* role, T otherwise) -> const std::vector<T>& {
    auto& out = node.template make<std::vector<T>>(static_cast<size_t>(x.width), otherwise);
    const std::vector<double> given = node.described().numbers(role);
    const float* array = node.described().optional_weight(role, {x.width});
    for (size_t j = 0; j < out.size(); ++j) {
      if (array != nullptr) {
        out[j] = T(array[j]);
      } else if (!given.empty()) {
        out[j] = static_cast<T>(static_cast<float>(given[given.size() == 1 ? 0 : j]));
      }
    }
    return out;
  };
  const std::vector<T>&scale = read("scale", T(1)), &shift = read("shift", T(0));
  node.forward([&] {
    y.resize_like(x);
    run.share(x.count(), 2 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t j = 0; j < x.width; ++j) {
          const auto at = static_cast<size_t>(j);
          y.data[n * y.stride() + j] = x.data[n * x.stride() + j] * scale[at] + shift[at];
        }
      }
    });
  });
  node.backward([&, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr) return;
    run.share(x.count(), 2 * x.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t j = 0; j < x.width; ++j) {
          to[n * x.stride() + j] = y.gradient[n * y.stride() + j] * scale[static_cast<size_t>(j)];
        }
      }
    });
    dx.done(run);
  });
}

}  // namespace

std::vector<TrainableType> trainable_normalisation_types() {
  return {{"layer-norm", train_layer_norm<float>, train_layer_norm<double>},
          {"batch-norm", train_batch_norm<float>, train_batch_norm<double>},
          {"scale", train_scale<float>, train_scale<double>}};
}

}  // namespace longhand::graph
