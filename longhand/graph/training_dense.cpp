// Gradients of fully connected layers, embeddings and one-hot vectors.
#include <algorithm>

#include "longhand/graph/training_build.h"
#include "longhand/kernels/reference.h"

namespace longhand::graph {

template <class T>
void TrainLinear<T>::forward(TrainRun<T>& run, int64_t n, const T* x, int64_t x_stride, T* y, int64_t y_stride) {
  const kernels::LinearForward<T> args{.inputs = inputs_,
                                       .outputs = outputs_,
                                       .n = n,
                                       .x = x,
                                       .x_stride = x_stride,
                                       .w = run.values + w_,
                                       .bias = bias_ < 0 ? nullptr : run.values + bias_,
                                       .y = y,
                                       .y_stride = y_stride};
  if constexpr (std::is_same_v<T, float>) {
    const bool trains = run.pass != nn::Pass::kInference;
    const bool serves = trains ? training_ : !training_ || run.context.precision == kernels::Precision::kFloat;
    if (run.engine == nn::Engine::kFused && (version_ != run.version || !serves)) {
      kernels::pack_linear(args.w, outputs_, inputs_, trains, packed_, run.context);
      version_ = run.version;
      training_ = trains;
    }
    nn::linear_forward(args, packed_, run.engine, run.context);
  } else {
    kernels::reference::linear_forward(args);
  }
}

template <class T>
void TrainLinear<T>::backward(TrainRun<T>& run, int64_t n, const T* x, int64_t x_stride, const T* dy, int64_t dy_stride,
                              T* dx, int64_t dx_stride) {
  const kernels::LinearBackward<T> args{.inputs = inputs_,
                                        .outputs = outputs_,
                                        .n = n,
                                        .x = x,
                                        .x_stride = x_stride,
                                        .w = run.values + w_,
                                        .dy = dy,
                                        .dy_stride = dy_stride,
                                        .dx = dx,
                                        .dx_stride = dx_stride,
                                        .dw = run.gradients + w_,
                                        .dbias = bias_ < 0 ? nullptr : run.gradients + bias_};
  if constexpr (std::is_same_v<T, float>) {
    nn::linear_backward(args, packed_, run.engine, run.context);
  } else {
    kernels::reference::linear_backward(args);
  }
}

template class TrainLinear<float>;
template class TrainLinear<double>;

namespace {

// [T, B, L, I] -> [T, B, L, O]
template <class T>
void train_linear(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& linear = node.template make<TrainLinear<T>>(y.width, x.width, node.offset("weight"), node.offset("bias"));
  auto& run = node.run();
  node.forward([&] {
    y.resize_like(x);
    linear.forward(run, x.count(), x.data, x.stride(), y.data, y.stride());
  });
  node.backward([&, dx = node.gradient_of(0)] {
    linear.backward(run, x.count(), x.data, x.stride(), y.gradient.data(), y.stride(), dx.begin(), x.stride());
    dx.done(run);
  });
}

// [T, B] symbols -> [T, B, E]
template <class T>
void train_embedding(TrainBuild<T>& node) {
  auto &x = node.in(0), &y = node.out();
  if (!x.symbols) node.fail("expected symbols, found rows of numbers", "say `symbols` in the input");
  auto& run = node.run();
  const int64_t table = node.offset("weight"), E = y.width;
  node.forward([&, table, E] {
    y.resize_like(x);
    for (int64_t n = 0; n < x.count(); ++n) std::copy_n(run.values + table + x.ints[n] * E, E, y.data + n * y.stride());
  });
  // Each thread has whole columns, so that the order of the sums is fixed.
  node.backward([&, table, E] {
    run.share(E, x.count(), [&](int64_t begin, int64_t end) {
      for (int64_t n = 0; n < x.count(); ++n) {
        const T* dy = y.gradient.data() + n * y.stride();
        T* to = run.gradients + table + x.ints[n] * E;
        for (int64_t j = begin; j < end; ++j) to[j] += dy[j];
      }
    });
  });
}

// [T, B] symbols -> [T, B, V]. Recurrent layers read the symbols instead.
template <class T>
void train_one_hot(TrainBuild<T>& node) {
  auto &x = node.in(0), &y = node.out();
  if (!x.symbols) node.fail("expected symbols, found rows of numbers", "say `symbols` in the input");
  y.one_hot = &x;
  node.forward([&] {
    y.resize_like(x);
    y.own.fill(T(0));
    for (int64_t n = 0; n < x.count(); ++n) y.data[n * y.stride() + x.ints[n]] = T(1);
  });
}

}  // namespace

std::vector<TrainableType> trainable_dense_types() {
  return {{"linear", train_linear<float>, train_linear<double>},
          {"embedding", train_embedding<float>, train_embedding<double>},
          {"one-hot", train_one_hot<float>, train_one_hot<double>}};
}

}  // namespace longhand::graph
