#include "longhand/nn/pooling.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/base/error.h"

namespace longhand::nn {
namespace {

// The step at which element w of a sequence's outputs is final.
template <class T>
int64_t final_step(const PoolInput<T>& in, int64_t row, int64_t w) {
  return w < in.width / in.directions ? in.length(row) - 1 : 0;
}

template <class T>
const T* output(const PoolInput<T>& in, int64_t t, int64_t row) {
  return in.x + (t * in.batch + row) * in.stride;
}

// (57)
template <class T>
void attend(const PoolInput<T>& in, int64_t row, T* attention) {
  const int64_t length = in.length(row);
  std::vector<double> scores(static_cast<size_t>(length));
  for (int64_t t = 0; t < length; ++t) {
    const T* h = output(in, t, row);
    double score = 0.0;
    for (int64_t w = 0; w < in.width; ++w) score += static_cast<double>(in.query[w] * std::tanh(h[w]));
    scores[static_cast<size_t>(t)] = score;
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0.0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (int64_t t = 0; t < length; ++t) {
    attention[t * in.batch + row] = static_cast<T>(scores[static_cast<size_t>(t)] / sum);
  }
}

// (58) Adds to d_query.
template <class T>
void attend_backward(const PoolInput<T>& in, int64_t row, const T* attention, const T* dy, T* dx, T* d_query) {
  const int64_t length = in.length(row);
  std::vector<double> along(static_cast<size_t>(length));
  double mean = 0.0;
  for (int64_t t = 0; t < length; ++t) {
    const T* h = output(in, t, row);
    double dot = 0.0;
    for (int64_t w = 0; w < in.width; ++w) dot += static_cast<double>(dy[w] * h[w]);
    along[static_cast<size_t>(t)] = dot;
    mean += static_cast<double>(attention[t * in.batch + row]) * dot;
  }
  for (int64_t t = 0; t < length; ++t) {
    const T* h = output(in, t, row);
    const T a = attention[t * in.batch + row];
    const T d_score = static_cast<T>(static_cast<double>(a) * (along[static_cast<size_t>(t)] - mean));
    T* d_h = dx + (t * in.batch + row) * in.stride;
    for (int64_t w = 0; w < in.width; ++w) {
      const T squashed = std::tanh(h[w]);
      d_h[w] = a * dy[w] + d_score * in.query[w] * (T(1) - squashed * squashed);
      d_query[w] += d_score * squashed;
    }
  }
}

}  // namespace

PoolKind parse_pool(const std::string& name) {
  if (name == "last") return PoolKind::kLast;
  if (name == "mean") return PoolKind::kMean;
  if (name == "max") return PoolKind::kMax;
  LONGHAND_CHECK(name == "attention");
  return PoolKind::kAttention;
}

template <class T>
void pool(const PoolInput<T>& in, T* y, int64_t y_stride, PoolKept<T>& kept, ThreadPool& threads) {
  if (in.kind == PoolKind::kAttention) kept.attention.resize(in.steps * in.batch);
  if (in.kind == PoolKind::kMax) kept.largest.resize(in.batch * in.width);
  const auto row_of = [&](int64_t row) {
    T* out = y + row * y_stride;
    const int64_t length = in.length(row);
    if (in.kind == PoolKind::kLast) {
      for (int64_t w = 0; w < in.width; ++w) out[w] = output(in, final_step(in, row, w), row)[w];
      return;
    }
    if (in.kind == PoolKind::kMax) {
      int32_t* largest = kept.largest.data() + row * in.width;
      std::fill_n(largest, in.width, 0);
      std::copy_n(output(in, 0, row), in.width, out);
      for (int64_t t = 1; t < length; ++t) {
        const T* h = output(in, t, row);
        for (int64_t w = 0; w < in.width; ++w) {
          if (h[w] > out[w]) {
            out[w] = h[w];
            largest[w] = static_cast<int32_t>(t);
          }
        }
      }
      return;
    }
    if (in.kind == PoolKind::kAttention) attend(in, row, kept.attention.data());
    std::fill_n(out, in.width, T(0));
    for (int64_t t = 0; t < length; ++t) {
      const T* h = output(in, t, row);
      const T a = in.kind == PoolKind::kMean ? T(1) / static_cast<T>(length) : kept.attention[t * in.batch + row];
      for (int64_t w = 0; w < in.width; ++w) out[w] += a * h[w];
    }
  };
  threads.run(
      [&](int part, int parts) {
        const Range rows = split(in.batch, parts, part);
        for (int64_t row = rows.begin; row < rows.end; ++row) row_of(row);
      },
      in.steps * in.batch * in.width / 16384);
}

template <class T>
void pool_backward(const PoolInput<T>& in, const PoolKept<T>& kept, const T* dy, int64_t dy_stride, T* dx, T* d_query,
                   ThreadPool& threads) {
  // Each row's part of the query's gradient, so that they can be added in one order.
  std::vector<T> d_queries(in.kind == PoolKind::kAttention ? static_cast<size_t>(in.batch * in.width) : 0);
  const auto row_of = [&](int64_t row) {
    const T* d = dy + row * dy_stride;
    const int64_t length = in.length(row);
    const auto at = [&](int64_t t) { return dx + (t * in.batch + row) * in.stride; };
    const bool everywhere = in.kind == PoolKind::kMean || in.kind == PoolKind::kAttention;
    for (int64_t t = everywhere ? length : 0; t < in.steps; ++t) std::fill_n(at(t), in.stride, T(0));
    switch (in.kind) {
      case PoolKind::kLast:
        for (int64_t w = 0; w < in.width; ++w) at(final_step(in, row, w))[w] = d[w];
        break;
      case PoolKind::kMax:
        for (int64_t w = 0; w < in.width; ++w) at(kept.largest[row * in.width + w])[w] = d[w];
        break;
      case PoolKind::kMean:
        for (int64_t t = 0; t < length; ++t) {
          for (int64_t w = 0; w < in.width; ++w) at(t)[w] = d[w] / static_cast<T>(length);
        }
        break;
      case PoolKind::kAttention:
        attend_backward(in, row, kept.attention.data(), d, dx, d_queries.data() + row * in.width);
        break;
    }
    for (int64_t t = 0; everywhere && t < length; ++t) std::fill(at(t) + in.width, at(t) + in.stride, T(0));
  };
  threads.run(
      [&](int part, int parts) {
        const Range rows = split(in.batch, parts, part);
        for (int64_t row = rows.begin; row < rows.end; ++row) row_of(row);
      },
      in.steps * in.batch * in.width / 16384);
  if (in.kind != PoolKind::kAttention) return;
  for (int64_t row = 0; row < in.batch; ++row) {
    for (int64_t w = 0; w < in.width; ++w) d_query[w] += d_queries[static_cast<size_t>(row * in.width + w)];
  }
}

template void pool(const PoolInput<float>&, float*, int64_t, PoolKept<float>&, ThreadPool&);
template void pool(const PoolInput<double>&, double*, int64_t, PoolKept<double>&, ThreadPool&);
template void pool_backward(const PoolInput<float>&, const PoolKept<float>&, const float*, int64_t, float*, float*,
                            ThreadPool&);
template void pool_backward(const PoolInput<double>&, const PoolKept<double>&, const double*, int64_t, double*, double*,
                            ThreadPool&);

}  // namespace longhand::nn
