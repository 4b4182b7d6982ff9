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

// One row of `pool`, of any kind.
template <class T>
void pool_row(const PoolInput<T>& in, PoolKind kind, int64_t row, T* out, PoolKept<T>& kept) {
  const int64_t length = in.length(row), W = in.width;
  switch (kind) {
    case PoolKind::kLast:
      for (int64_t w = 0; w < W; ++w) out[w] = output(in, final_step(in, row, w), row)[w];
      return;
    case PoolKind::kMax: {
      int32_t* largest = kept.largest.data() + row * W;
      std::fill_n(largest, W, 0);
      std::copy_n(output(in, 0, row), W, out);
      for (int64_t t = 1; t < length; ++t) {
        const T* h = output(in, t, row);
        for (int64_t w = 0; w < W; ++w) {
          if (!(h[w] > out[w])) continue;
          out[w] = h[w];
          largest[w] = static_cast<int32_t>(t);
        }
      }
      return;
    }
    case PoolKind::kConcat:
      pool_row(in, PoolKind::kLast, row, out, kept);
      pool_row(in, PoolKind::kMax, row, out + W, kept);
      pool_row(in, PoolKind::kMean, row, out + 2 * W, kept);
      return;
    case PoolKind::kMean:
    case PoolKind::kAttention: break;
  }
  if (kind == PoolKind::kAttention) attend(in, row, kept.attention.data());
  std::fill_n(out, W, T(0));
  for (int64_t t = 0; t < length; ++t) {
    const T* h = output(in, t, row);
    const T a = kind == PoolKind::kMean ? T(1) / static_cast<T>(length) : kept.attention[t * in.batch + row];
    for (int64_t w = 0; w < W; ++w) out[w] += a * h[w];
  }
}

// The same backwards, but for attention: adds to dx.
template <class T>
void pool_row_backward(const PoolInput<T>& in, PoolKind kind, int64_t row, const PoolKept<T>& kept, const T* d, T* dx) {
  const int64_t length = in.length(row), W = in.width;
  const auto at = [&](int64_t t) { return dx + (t * in.batch + row) * in.stride; };
  switch (kind) {
    case PoolKind::kLast:
      for (int64_t w = 0; w < W; ++w) at(final_step(in, row, w))[w] += d[w];
      return;
    case PoolKind::kMax:
      for (int64_t w = 0; w < W; ++w) at(kept.largest[row * W + w])[w] += d[w];
      return;
    case PoolKind::kMean:
      for (int64_t t = 0; t < length; ++t) {
        for (int64_t w = 0; w < W; ++w) at(t)[w] += d[w] / static_cast<T>(length);
      }
      return;
    case PoolKind::kConcat:
      pool_row_backward(in, PoolKind::kLast, row, kept, d, dx);
      pool_row_backward(in, PoolKind::kMax, row, kept, d + W, dx);
      pool_row_backward(in, PoolKind::kMean, row, kept, d + 2 * W, dx);
      return;
    case PoolKind::kAttention: LONGHAND_CHECK(false);
  }
}

// Calls run(row) for each row of the batch, on some thread.
template <class T, class RunRow>
void share_rows(const PoolInput<T>& in, ThreadPool& threads, const RunRow& run) {
  threads.run(
      [&](int part, int parts) {
        const Range rows = split(in.batch, parts, part);
        for (int64_t row = rows.begin; row < rows.end; ++row) run(row);
      },
      in.steps * in.batch * in.width / 16384);
}

}  // namespace

PoolKind parse_pool(const std::string& name) {
  if (name == "last") return PoolKind::kLast;
  if (name == "mean") return PoolKind::kMean;
  if (name == "max") return PoolKind::kMax;
  if (name == "concat") return PoolKind::kConcat;
  LONGHAND_CHECK(name == "attention");
  return PoolKind::kAttention;
}

template <class T>
void pool(const PoolInput<T>& in, T* y, int64_t y_stride, PoolKept<T>& kept, ThreadPool& threads) {
  if (in.kind == PoolKind::kAttention) kept.attention.resize(in.steps * in.batch);
  if (in.kind == PoolKind::kMax || in.kind == PoolKind::kConcat) kept.largest.resize(in.batch * in.width);
  share_rows(in, threads, [&](int64_t row) { pool_row(in, in.kind, row, y + row * y_stride, kept); });
}

template <class T>
void pool_backward(const PoolInput<T>& in, const PoolKept<T>& kept, const T* dy, int64_t dy_stride, T* dx, T* d_query,
                   ThreadPool& threads) {
  // Each row's part of the query's gradient, so that they can be added in one order.
  std::vector<T> d_queries(in.kind == PoolKind::kAttention ? static_cast<size_t>(in.batch * in.width) : 0);
  share_rows(in, threads, [&](int64_t row) {
    for (int64_t t = 0; t < in.steps; ++t) std::fill_n(dx + (t * in.batch + row) * in.stride, in.stride, T(0));
    const T* d = dy + row * dy_stride;
    if (in.kind == PoolKind::kAttention) {
      attend_backward(in, row, kept.attention.data(), d, dx, d_queries.data() + row * in.width);
    } else {
      pool_row_backward(in, in.kind, row, kept, d, dx);
    }
  });
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
