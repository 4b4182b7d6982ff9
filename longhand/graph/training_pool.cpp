// Gradients of pooling over the time steps of a sequence (by nn), or over the rows of a frame.
#include <algorithm>

#include "longhand/graph/training_build.h"
#include "longhand/nn/pooling.h"

namespace longhand::graph {
namespace {

// [T, B, C] -> [1, B, C]
template <class T>
void train_pool_steps(TrainBuild<T>& node, const std::string& kind) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  auto& kept = node.template make<nn::PoolKept<T>>();
  Buffer<T>& unwanted = node.memory();
  const int64_t query = node.offset("query");
  const auto input = [&x, &run, query, kind = nn::parse_pool(kind)] {
    return nn::PoolInput<T>{.kind = kind,
                            .steps = x.steps,
                            .batch = x.batch,
                            .width = x.width,
                            .lengths = x.lengths.empty() ? nullptr : x.lengths.data(),
                            .x = x.data,
                            .stride = x.stride(),
                            .query = query < 0 ? nullptr : run.values + query};
  };
  node.forward([&, input] {
    y.lengths.clear();
    y.resize_like(x, 1);
    nn::pool<T>(input(), y.data, y.stride(), kept, run.context.pool);
  });
  node.backward([&, input, query, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr && query < 0) return;
    if (to == nullptr) {
      unwanted.resize(x.count() * x.stride());
      to = unwanted.data();
    }
    nn::pool_backward<T>(input(), kept, y.gradient.data(), y.stride(), to, query < 0 ? nullptr : run.gradients + query,
                         run.context.pool);
    dx.done(run);
  });
}

// [T, B, L, C] -> [T, B, 1, C]
template <class T>
void train_pool_rows(TrainBuild<T>& node, const std::string& kind) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  if (kind == "attention") node.fail("cannot be trained over the rows of a frame", "use the kinds last, mean or max");
  // Returns the derivative of the pooled number j of frame n by row l.
  const auto share = [&x, &y, kind](int64_t n, int64_t l, int64_t j) {
    if (kind == "mean") return T(1) / static_cast<T>(x.rows);
    if (kind == "last") return l + 1 == x.rows ? T(1) : T(0);
    const T largest = y.data[n * y.stride() + j];
    for (int64_t k = 0; k <= l; ++k) {
      if (x.data[(n * x.rows + k) * x.stride() + j] == largest) return k == l ? T(1) : T(0);
    }
    return T(0);
  };
  node.forward([&, kind] {
    y.resize_like(x);
    for (int64_t n = 0; n < y.count(); ++n) {
      for (int64_t j = 0; j < y.width; ++j) {
        const auto at = [&](int64_t l) { return x.data[(n * x.rows + l) * x.stride() + j]; };
        T out = kind == "last" ? at(x.rows - 1) : at(0);
        for (int64_t l = 1; l < x.rows && kind != "last"; ++l)
          out = kind == "mean" ? out + at(l) : std::max(out, at(l));
        y.data[n * y.stride() + j] = kind == "mean" ? out * (T(1) / static_cast<T>(x.rows)) : out;
      }
    }
  });
  node.backward([&, share, dx = node.gradient_of(0)] {
    T* to = dx.begin();
    if (to == nullptr) return;
    for (int64_t n = 0; n < y.count(); ++n) {
      for (int64_t l = 0; l < x.rows; ++l) {
        for (int64_t j = 0; j < y.width; ++j) {
          to[(n * x.rows + l) * x.stride() + j] = y.gradient[n * y.stride() + j] * share(n, l, j);
        }
      }
    }
    dx.done(run);
  });
}

template <class T>
void train_pool(TrainBuild<T>& node) {
  const std::string kind = node.described().choice("kind", "last", {"last", "mean", "max", "attention"});
  node.described().in(0).rank() == 3 ? train_pool_steps(node, kind) : train_pool_rows(node, kind);
}

}  // namespace

std::vector<TrainableType> trainable_pool_types() { return {{"pool", train_pool<float>, train_pool<double>}}; }

}  // namespace longhand::graph
