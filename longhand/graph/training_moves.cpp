// Gradients of layers that move numbers without changing them, of dropout, and of magnitude.
#include <algorithm>
#include <cmath>

#include "longhand/graph/training_build.h"
#include "longhand/nn/dropout.h"

namespace longhand::graph {
namespace {

// Adds a node that moves numbers. `from(step, sequence, index)` returns the offset in x of number `index` of a step of
// y, [L, C] flattened; -1: zero.
template <class T, class From>
void add_move(TrainBuild<T>& node, const From& from) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  const auto each = [&x, &y, from](const auto& use) {
    for (int64_t t = 0; t < y.steps; ++t) {
      for (int64_t b = 0; b < y.batch; ++b) {
        for (int64_t i = 0; i < y.rows * y.width; ++i) {
          use(from(x, t, b, i), y.at(t, b, i / y.width) + i % y.width);
        }
      }
    }
  };
  node.forward([&x, &y, each] {
    y.resize_like(x);
    each([&](int64_t source, int64_t to) { y.data[to] = source < 0 ? T(0) : x.data[source]; });
  });
  node.backward([&x, &y, &run, each, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr) return;
    std::fill_n(to, x.count() * x.stride(), T(0));
    each([&](int64_t source, int64_t at) {
      if (source >= 0) to[source] += y.gradient[at];
    });
    dx.done(run);
  });
}

template <class T>
void train_reshape(TrainBuild<T>& node) {
  if (node.floats(0).over_time != node.out().over_time) {
    node.fail("cannot be trained where it makes steps of what is none, or the other way round",
              "use `flatten` or `pool`");
  }
  add_move<T>(node, [](const TrainValue<T>& x, int64_t t, int64_t b, int64_t i) {
    return x.at(t, b, i / x.width) + i % x.width;
  });
}

template <class T>
void train_transpose(TrainBuild<T>& node) {
  add_move<T>(node, [](const TrainValue<T>& x, int64_t t, int64_t b, int64_t i) {
    return x.at(t, b, i % x.rows) + i / x.rows;
  });
}

template <class T>
void train_reverse(TrainBuild<T>& node) {
  add_move<T>(node, [](const TrainValue<T>& x, int64_t t, int64_t b, int64_t i) {
    return t < x.length(b) ? x.at(x.length(b) - 1 - t, b, i / x.width) + i % x.width : -1;
  });
}

template <class T>
void train_slice(TrainBuild<T>& node) {
  const int64_t n = node.floats(0).width, width = node.out().width;
  const int64_t given = node.described().integer("start", 0), start = given < 0 ? given + n : given;
  add_move<T>(node, [start, width](const TrainValue<T>& x, int64_t t, int64_t b, int64_t i) {
    return x.at(t, b, i / width) + start + i % width;
  });
}

// Prepends the last n numbers of the previous time step to each time step.
template <class T>
void train_context(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  const int64_t n = y.width - x.width;
  const size_t place = node.add_past(n);
  node.forward([&, n, place] {
    y.resize_like(x);
    T* past = run.state->pasts[place].data();
    for (int64_t t = 0; t < x.steps; ++t) {
      for (int64_t b = 0; b < x.batch; ++b) {
        const T* from = x.data + x.at(t, b);
        T* to = std::copy_n(past + b * n, n, y.data + y.at(t, b));
        std::copy_n(from, x.width, to);
        if (t < x.length(b)) std::copy_n(from + x.width - n, n, past + b * n);
      }
    }
  });
  node.backward([&, n, dx = node.gradient_of(0)] {
    T* all = dx.begin();
    if (all == nullptr) return;
    for (int64_t t = 0; t < x.steps; ++t) {
      for (int64_t b = 0; b < x.batch; ++b) {
        T* to = all + x.at(t, b);
        std::copy_n(y.gradient.data() + y.at(t, b) + n, x.width, to);
        if (t + 1 == x.steps) continue;
        const T* later = y.gradient.data() + y.at(t + 1, b);
        for (int64_t j = 0; j < n; ++j) to[x.width - n + j] += later[j];
      }
    }
    dx.done(run);
  });
}

// sqrt(re^2 + im^2). The derivative at 0 is set to 0.
template <class T>
void train_magnitude(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  node.forward([&] {
    y.resize_like(x);
    run.share(x.count(), 4 * y.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T *re = x.data + n * x.stride(), *im = re + y.width;
        for (int64_t j = 0; j < y.width; ++j) y.data[n * y.stride() + j] = std::sqrt(re[j] * re[j] + im[j] * im[j]);
      }
    });
  });
  node.backward([&, dx = node.gradient_of(0)] {
    T* all = dx.begin();
    if (all == nullptr) return;
    run.share(x.count(), 4 * y.width, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* from = x.data + n * x.stride();
        for (int64_t j = 0; j < x.width; ++j) {
          const int64_t at = n * y.stride() + j % y.width;
          all[n * x.stride() + j] = y.data[at] > T(0) ? y.gradient[at] * from[j] / y.data[at] : T(0);
        }
      }
    });
    dx.done(run);
  });
}

// In training, sets each number to zero with probability `rate`, and scales the others up.
template <class T>
void train_dropout(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  Buffer<T>& mask = node.memory();
  const double rate = node.described().number("rate", 0.5);
  if (!(rate >= 0.0 && rate < 1.0)) node.fail("attribute 'rate': expected 0 <= rate < 1", "correct it");
  const uint32_t place = (1U << 24) + static_cast<uint32_t>(node.index());
  const auto multiply = [&run, &mask](const TrainValue<T>& value, const T* from, T* to) {
    nn::multiply_mask<T>({.x = from,
                          .x_stride = value.stride(),
                          .mask = mask.data(),
                          .mask_rows = value.count(),
                          .mask_stride = value.stride(),
                          .y = to,
                          .y_stride = value.stride(),
                          .rows = value.count(),
                          .width = value.width},
                         run.context.pool);
  };
  const auto drops = [&run, rate] { return run.pass == nn::Pass::kTraining && rate > 0.0; };
  node.forward([&, multiply, drops, place, rate] {
    y.resize_like(x);
    if (!drops()) {
      y.data = x.data;
      return;
    }
    mask.resize(x.count() * x.stride());
    nn::DropoutKey key = run.masks;
    key.place += place;
    nn::draw_mask<T>(nn::dropout_draw<T>(key, rate), mask.data(), x.count(), x.width, x.stride(), run.context.pool);
    multiply(x, x.data, y.data);
  });
  node.backward([&, multiply, drops, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr) return;
    if (drops()) {
      multiply(x, y.gradient.data(), to);
    } else {
      std::copy_n(y.gradient.data(), y.count() * y.stride(), to);
    }
    dx.done(run);
  });
}

}  // namespace

std::vector<TrainableType> trainable_move_types() {
  return {{"reshape", train_reshape<float>, train_reshape<double>},
          {"flatten", train_reshape<float>, train_reshape<double>},
          {"transpose", train_transpose<float>, train_transpose<double>},
          {"reverse", train_reverse<float>, train_reverse<double>},
          {"slice", train_slice<float>, train_slice<double>},
          {"context", train_context<float>, train_context<double>},
          {"magnitude", train_magnitude<float>, train_magnitude<double>},
          {"dropout", train_dropout<float>, train_dropout<double>}};
}

}  // namespace longhand::graph
