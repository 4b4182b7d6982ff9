// Recurrent layers in training: the stack of nn, with step order and output options as in recurrent_frame.h.
#include <algorithm>

#include "longhand/graph/recurrent_frame.h"
#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

template <class T>
class TrainRecurrent {
 public:
  TrainRecurrent(TrainBuild<T>& node, const RecurrentFrame& frame)
      : x_(node.floats(0)),
        y_(node.out()),
        run_(node.run()),
        stack_(*node.stack()),
        frame_(frame),
        state_(node.add_stack_state()),
        place_(static_cast<uint32_t>(node.index()) * kPlaces),
        weights_(stack_),
        workspace_(stack_) {
    for (const size_t p : node.network().constants(node.index())) {
      constants_.push_back(&node.network().parameters().parameters()[p]);
    }
  }

  void forward() {
    const nn::LstmOptions& lstm = stack_.options().lstm;
    if (version_ != run_.version) weights_.set_values(run_.values);
    version_ = run_.version;
    if constexpr (std::is_same_v<T, float>) {
      if (run_.engine == nn::Engine::kFused) weights_.pack(run_.pass, run_.context);
    }
    nn::StackState<T>& state = *run_.state->stacks[state_];
    if (frame_.fresh) state.reset(x_.batch);
    input_ = {.steps = x_.steps,
              .batch = x_.batch,
              .lengths = x_.lengths.empty() ? nullptr : x_.lengths.data(),
              .x = x_.data,
              .x_stride = x_.stride(),
              .masks = run_.masks};
    input_.masks.place += place_;
    if (stack_.options().one_hot) {
      input_.symbols = symbols();
      input_.x = nullptr;
    } else if (frame_.backwards) {
      ordered_.resize(x_.count() * x_.stride());
      reorder(x_.data, ordered_.data());
      input_.x = ordered_.data();
    }
    const T* h = workspace_.forward(weights_, state, input_, run_.pass, run_.engine, run_.context);
    h_ = h;
    y_.lengths = x_.lengths;
    if (!frame_.last && frame_.merge == Merge::kConcat) {
      y_.steps = x_.steps;
      y_.batch = x_.batch;
      y_.data = const_cast<T*>(h);
      return;
    }
    if (frame_.last) y_.lengths.clear();
    y_.resize_like(x_, frame_.last ? 1 : x_.steps);
    each_output([&](int64_t forward, int64_t reverse, int64_t to) {
      merge(h + forward, lstm.bidirectional ? h + reverse + frame_.state : nullptr, y_.data + to);
    });
  }

  void backward(T* dx) {
    const T* dh = y_.gradient.data();
    if (frame_.last || frame_.merge != Merge::kConcat) {
      dh_.resize(x_.steps * x_.batch * padded(frame_.width()));
      dh_.fill(T(0));
      each_output([&](int64_t forward, int64_t reverse, int64_t to) {
        unmerge(y_.gradient.data() + to, forward, reverse + frame_.state);
      });
      dh = dh_.data();
    }
    const bool reorders = dx != nullptr && frame_.backwards && !stack_.options().one_hot;
    if (reorders) d_ordered_.resize(x_.count() * x_.stride());
    nn::StackGradient<T> gradient;
    gradient.d_output = dh;
    gradient.dx = stack_.options().one_hot ? nullptr : reorders ? d_ordered_.data() : dx;
    gradient.dx_stride = x_.stride();
    workspace_.backward(weights_, input_, gradient, run_.engine, run_.gradients, run_.context);
    if (reorders) reorder(d_ordered_.data(), dx);
    for (int64_t b = 0; gradient.dx != nullptr && b < x_.batch; ++b) {
      for (int64_t t = x_.length(b); t < x_.steps; ++t) std::fill_n(dx + x_.at(t, b), x_.width, T(0));
    }
    for (const Parameter* p : constants_) std::fill_n(run_.gradients + p->offset, p->size, T(0));
  }

 private:
  static constexpr uint32_t kPlaces = 1 << 10;  // dropout masks per stack

  // Reverses the time steps of each sequence. Padding stays at the end.
  void reorder(const T* from, T* to) const {
    for (int64_t b = 0; b < x_.batch; ++b) {
      const int64_t length = x_.length(b);
      for (int64_t t = 0; t < x_.steps; ++t) {
        const T* row = from + x_.at(t < length ? length - 1 - t : t, b);
        std::copy_n(row, x_.width, to + x_.at(t, b));
      }
    }
  }

  const int32_t* symbols() {
    const Buffer<int32_t>& from = x_.one_hot->ints;
    if (!frame_.backwards) return from.data();
    symbols_.resize(from.size());
    for (int64_t b = 0; b < x_.batch; ++b) {
      const int64_t length = x_.length(b);
      for (int64_t t = 0; t < x_.steps; ++t) {
        symbols_[t * x_.batch + b] = from[(t < length ? length - 1 - t : t) * x_.batch + b];
      }
    }
    return symbols_.data();
  }

  // Calls use(forward, reverse, to) for each output row: the offsets in h of both directions, and the offset in y.
  template <class Use>
  void each_output(const Use& use) const {
    const int64_t stride = padded(frame_.width());
    for (int64_t b = 0; b < x_.batch; ++b) {
      if (frame_.last) {
        use((std::max<int64_t>(x_.length(b), 1) - 1) * x_.batch * stride + b * stride, b * stride, y_.at(0, b));
        continue;
      }
      for (int64_t t = 0; t < x_.length(b); ++t) {
        const int64_t at = (t * x_.batch + b) * stride;
        use(at, at, y_.at(t, b));
      }
    }
  }

  void merge(const T* forward, const T* reverse, T* y) const {
    for (int64_t j = 0; j < frame_.state; ++j) {
      switch (frame_.merge) {
        case Merge::kConcat:
          y[j] = forward[j];
          if (reverse != nullptr) y[frame_.state + j] = reverse[j];
          break;
        case Merge::kSum: y[j] = forward[j] + reverse[j]; break;
        case Merge::kAve: y[j] = T(0.5) * (forward[j] + reverse[j]); break;
        case Merge::kMul: y[j] = forward[j] * reverse[j]; break;
      }
    }
  }

  void unmerge(const T* dy, int64_t forward, int64_t reverse) {
    T *df = dh_.data() + forward, *dr = dh_.data() + reverse;
    const bool both = frame_.directions == 2;
    for (int64_t j = 0; j < frame_.state; ++j) {
      switch (frame_.merge) {
        case Merge::kConcat:
          df[j] += dy[j];
          if (both) dr[j] += dy[frame_.state + j];
          break;
        case Merge::kSum: df[j] += dy[j], dr[j] += dy[j]; break;
        case Merge::kAve: df[j] += T(0.5) * dy[j], dr[j] += T(0.5) * dy[j]; break;
        case Merge::kMul: df[j] += dy[j] * h_[reverse + j], dr[j] += dy[j] * h_[forward + j]; break;
      }
    }
  }

  TrainValue<T>&x_, &y_;
  TrainRun<T>& run_;
  const nn::LstmStack& stack_;
  RecurrentFrame frame_;
  size_t state_;
  uint32_t place_;
  std::vector<const Parameter*> constants_;
  nn::StackWeights<T> weights_;
  nn::StackWorkspace<T> workspace_;
  nn::StackInput<T> input_;
  Buffer<T> ordered_, d_ordered_, dh_;
  Buffer<int32_t> symbols_;
  const T* h_ = nullptr;
  uint64_t version_ = 0;
};

template <class T>
void train_recurrent(TrainBuild<T>& node) {
  const nn::LstmOptions& lstm = node.stack()->options().lstm;
  const RecurrentFrame frame =
      read_frame(node.described(), node.described().floats(0), lstm.state(), lstm.directions());
  auto& layer = node.template make<TrainRecurrent<T>>(node, frame);
  auto& run = node.run();
  node.forward([&layer] { layer.forward(); });
  node.backward([&layer, &run, dx = node.gradient_of(0)] {
    layer.backward(dx.begin());
    dx.done(run);
  });
}

}  // namespace

std::vector<TrainableType> trainable_recurrent_types() {
  std::vector<TrainableType> out;
  for (const char* name : {"lstm", "gru", "rnn"})
    out.push_back({name, train_recurrent<float>, train_recurrent<double>});
  return out;
}

}  // namespace longhand::graph
