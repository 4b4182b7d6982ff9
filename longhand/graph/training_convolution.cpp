// Gradients of convolutions over time or within frames, and of padding. A convolution gathers the window of each output
// row into a matrix (im2col), and multiplies it by the weights.
#include <algorithm>

#include "longhand/graph/convolution_sizes.h"
#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

// Maps position `at` of sequence (or frame) s to row `row(s, at)` of the array.
template <class T>
struct Positions {
  const TrainValue<T>* value;
  bool over_time;

  int64_t sequences() const { return over_time ? value->batch : value->steps * value->batch; }
  int64_t length(int64_t s) const { return over_time ? value->length(s) : value->rows; }
  int64_t extent() const { return over_time ? value->steps : value->rows; }
  int64_t row(int64_t s, int64_t at) const { return over_time ? at * value->batch + s : s * value->rows + at; }
};

// Returns the position whose row replaces a padding row; -1: a row of zeros.
int64_t padded_position(Padding padding, int64_t at, int64_t length) {
  if (at >= 0 && at < length) return at;
  if (padding == Padding::kZeros || length == 0) return -1;
  if (padding == Padding::kEdge) return std::clamp<int64_t>(at, 0, length - 1);
  const int64_t mirrored = at < 0 ? -at : 2 * (length - 1) - at;
  return mirrored >= 0 && mirrored < length ? mirrored : -1;
}

template <class T>
class TrainConvolution {
 public:
  TrainConvolution(TrainBuild<T>& node, const ConvolutionSizes& sizes, Padding padding, bool over_time)
      : x_(node.floats(0)), y_(node.out()), run_(node.run()), s_(sizes), padding_(padding), over_time_(over_time) {
    const int64_t own = s_.channels / s_.groups, rows = s_.outputs / s_.groups;
    const int64_t w = node.offset("weight"), bias = node.offset("bias");
    for (int64_t g = 0; g < s_.groups; ++g) {
      groups_.emplace_back(rows, own * s_.kernel, w + g * rows * own * s_.kernel, bias < 0 ? -1 : bias + g * rows);
    }
    if (s_.keeps && s_.left > 0) past_ = static_cast<int64_t>(node.add_past(s_.left * s_.channels));
  }

  void forward() {
    const Positions<T> in{&x_, over_time_};
    if (over_time_) {
      y_.lengths.clear();
      for (const int32_t length : x_.lengths) {
        const int64_t read = s_.left + length + s_.right;
        y_.lengths.push_back(
            static_cast<int32_t>(length == 0 || read < s_.span() ? 0 : (read - s_.span()) / s_.stride + 1));
      }
      y_.resize_like(x_, out_extent());
    } else {
      y_.resize_like(x_);
    }
    keep_past();
    blocks([&](int64_t first, int64_t n, int64_t g) {
      gather(first, n, g);
      groups_[static_cast<size_t>(g)].forward(run_, n, window_.data(), stride(), y_.data + first * y_.stride() + out(g),
                                              y_.stride());
    });
    if (past_ >= 0) move_past(in);
  }

  void backward(T* dx) {
    if (dx != nullptr) std::fill_n(dx, x_.count() * x_.stride(), T(0));
    blocks([&](int64_t first, int64_t n, int64_t g) {
      gather(first, n, g);
      if (dx != nullptr) d_window_.resize(n * stride());
      groups_[static_cast<size_t>(g)].backward(run_, n, window_.data(), stride(),
                                               y_.gradient.data() + first * y_.stride() + out(g), y_.stride(),
                                               dx == nullptr ? nullptr : d_window_.data(), stride());
      if (dx != nullptr) scatter(first, n, g, dx);
    });
  }

 private:
  int64_t stride() const { return padded(s_.kernel * (s_.channels / s_.groups)); }
  int64_t out(int64_t g) const { return g * (s_.outputs / s_.groups); }
  int64_t out_extent() const { return (s_.left + x_.steps + s_.right - s_.span()) / s_.stride + 1; }

  // Calls use(first, n, group) for blocks of output rows. Blocks limit the memory of the gathered windows.
  template <class Use>
  void blocks(const Use& use) {
    constexpr int64_t kFloats = 1 << 20;
    const int64_t all = y_.count(), most = std::max<int64_t>(64, kFloats / stride());
    for (int64_t first = 0; first < all; first += most) {
      for (int64_t g = 0; g < s_.groups; ++g) use(first, std::min(most, all - first), g);
    }
  }

  // Calls each(row of the block, tap, row of x or -1, row of the past or -1) for the block's windows in sequences
  // begin .. end - 1.
  template <class Each>
  void windows(int64_t first, int64_t n, int64_t begin, int64_t end, const Each& each) const {
    const Positions<T> in{&x_, over_time_}, out{&y_, over_time_};
    for (int64_t i = first; i < first + n; ++i) {
      const int64_t s = over_time_ ? i % y_.batch : i / y_.rows, to = over_time_ ? i / y_.batch : i % y_.rows;
      if (s < begin || s >= end) continue;
      const bool counts = to < out.length(s);
      for (int64_t k = 0; k < s_.kernel; ++k) {
        const int64_t at = to * s_.stride + k * s_.dilation - s_.left;
        if (past_ >= 0 && at < 0) {
          each(i - first, k, -1, counts ? s * s_.left + s_.left + at : -1);
          continue;
        }
        const int64_t from = counts ? padded_position(padding_, at, in.length(s)) : -1;
        each(i - first, k, from < 0 ? -1 : in.row(s, from), -1);
      }
    }
  }

  // Gathers windows as rows [C / groups, K], the layout of the weights.
  void gather(int64_t first, int64_t n, int64_t g) {
    window_.resize(n * stride());
    const int64_t own = s_.channels / s_.groups, K = s_.kernel;
    const int64_t sequences = Positions<T>{&x_, over_time_}.sequences();
    run_.share(sequences, std::max<int64_t>(1, n * K * own / std::max<int64_t>(sequences, 1)),
               [&](int64_t begin, int64_t end) {
                 windows(first, n, begin, end, [&](int64_t i, int64_t k, int64_t row, int64_t before) {
                   T* to = window_.data() + i * stride() + k;
                   const T* from = row >= 0      ? x_.data + row * x_.stride() + g * own
                                   : before >= 0 ? before_.data() + before * s_.channels + g * own
                                                 : nullptr;
                   for (int64_t c = 0; c < own; ++c) to[c * K] = from == nullptr ? T(0) : from[c];
                 });
               });
  }

  // Adds the windows' gradients to dx. Each thread has whole sequences, so that the order of the sums is fixed.
  void scatter(int64_t first, int64_t n, int64_t g, T* dx) {
    const int64_t own = s_.channels / s_.groups, K = s_.kernel;
    const int64_t sequences = Positions<T>{&x_, over_time_}.sequences();
    run_.share(sequences, std::max<int64_t>(1, n * K * own / std::max<int64_t>(sequences, 1)),
               [&](int64_t begin, int64_t end) {
                 windows(first, n, begin, end, [&](int64_t i, int64_t k, int64_t row, int64_t) {
                   if (row < 0) return;
                   const T* from = d_window_.data() + i * stride() + k;
                   T* to = dx + row * x_.stride() + g * own;
                   for (int64_t c = 0; c < own; ++c) to[c] += from[c * K];
                 });
               });
  }

  // Copies the past rows before the pass overwrites them. The backward pass reads the copy.
  void keep_past() {
    if (past_ < 0) return;
    const Buffer<T>& from = run_.state->pasts[static_cast<size_t>(past_)];
    before_.resize(from.size());
    std::copy_n(from.data(), from.size(), before_.data());
  }

  void move_past(const Positions<T>& in) {
    T* past = run_.state->pasts[static_cast<size_t>(past_)].data();
    for (int64_t b = 0; b < x_.batch; ++b) {
      for (int64_t k = 0; k < s_.left; ++k) {
        const int64_t at = x_.length(b) - s_.left + k;
        const T* from = at >= 0 ? x_.data + in.row(b, at) * x_.stride()
                                : before_.data() + (b * s_.left + s_.left + at) * s_.channels;
        std::copy_n(from, s_.channels, past + (b * s_.left + k) * s_.channels);
      }
    }
  }

  TrainValue<T>&x_, &y_;
  TrainRun<T>& run_;
  ConvolutionSizes s_;
  Padding padding_;
  bool over_time_;
  std::vector<TrainLinear<T>> groups_;
  int64_t past_ = -1;
  Buffer<T> window_, d_window_, before_;
};

template <class T>
void train_conv1d(TrainBuild<T>& node) {
  bool over_time = false;
  const ConvolutionSizes sizes = read_convolution(node.described(), over_time);
  const auto padding = node.node().attributes.find("padding");
  const bool same = padding != node.node().attributes.end() && padding->second == Attribute("same");
  if (over_time && same && sizes.stride > 1) {
    node.fail("cannot be trained with padding \"same\" and a stride over time",
              "say the rows of padding on both sides");
  }
  auto& layer = node.template make<TrainConvolution<T>>(node, sizes, read_padding_mode(node.described()), over_time);
  auto& run = node.run();
  node.forward([&layer] { layer.forward(); });
  node.backward([&layer, &run, dx = node.gradient_of(0)] {
    layer.backward(dx.begin());
    dx.done(run);
  });
}

// Pads with rows before the first and after the last row.
template <class T>
void train_pad(TrainBuild<T>& node) {
  auto &x = node.floats(0), &y = node.out();
  auto& run = node.run();
  const bool over_time = node.described().in(0).rank() == 3;
  const Padding padding = read_padding_mode(node.described());
  const int64_t left = node.described().integer("left", 0), right = node.described().integer("right", 0);
  const auto each = [&x, &y, over_time, padding, left](const auto& use) {
    const Positions<T> in{&x, over_time}, out{&y, over_time};
    for (int64_t s = 0; s < out.sequences(); ++s) {
      for (int64_t at = 0; at < out.extent(); ++at) {
        const int64_t from = at < out.length(s) ? padded_position(padding, at - left, in.length(s)) : -1;
        use(from < 0 ? -1 : in.row(s, from) * x.stride(), out.row(s, at) * y.stride());
      }
    }
  };
  node.forward([&, each, over_time, left, right] {
    y.lengths = x.lengths;
    for (int32_t& length : y.lengths) length += over_time && length > 0 ? static_cast<int32_t>(left + right) : 0;
    y.resize_like(x, over_time ? x.steps + left + right : x.steps);
    each([&](int64_t from, int64_t to) {
      from < 0 ? (void)std::fill_n(y.data + to, y.width, T(0)) : (void)std::copy_n(x.data + from, x.width, y.data + to);
    });
  });
  node.backward([&, each, dx = node.gradient_of(0)] {
    T* all = dx.begin();
    if (all == nullptr) return;
    std::fill_n(all, x.count() * x.stride(), T(0));
    each([&](int64_t from, int64_t to) {
      for (int64_t j = 0; from >= 0 && j < x.width; ++j) all[from + j] += y.gradient[to + j];
    });
    dx.done(run);
  });
}

}  // namespace

std::vector<TrainableType> trainable_convolution_types() {
  return {{"conv1d", train_conv1d<float>, train_conv1d<double>}, {"pad", train_pad<float>, train_pad<double>}};
}

}  // namespace longhand::graph
