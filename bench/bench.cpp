// Two tables, each measured in turns in one run, since other users of a machine slow both sides of a ratio alike: the
// LSTM layer's training step beside the machine's own multiply-add peak, and the layer with each of its options beside
// the plain one. `longhand_bench [--threads N]`.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/target.h"
#include "longhand/nn/lstm_stack.h"

namespace {

using namespace longhand;
using Clock = std::chrono::steady_clock;

struct Workload {
  int64_t steps, batch, inputs, hidden;
  bool one_hot;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void randomise(Buffer<float>& buffer, int64_t rows, int64_t columns, int64_t stride, double scale, uint32_t place) {
  const CounterRng rng(1, 0, RngPlace::kSample, place);
  buffer.resize(rows * stride);
  for (int64_t i = 0; i < rows * columns; ++i) {
    const double u = 2.0 * rng.uniform(static_cast<uint64_t>(i)) - 1.0;
    buffer[i / columns * stride + i % columns] = static_cast<float>(scale * u);
  }
}

// One layer with its weights, activations and gradients, and the training step over them.
class Layer {
 public:
  Layer(const Workload& w, kernels::Context& context) : w_(w), context_(context) {
    const int64_t I = w.inputs, H = w.hidden, Hp = padded(H), rows = w.steps * w.batch;
    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    randomise(w_ih_, 4 * H, I, I, scale, 1);
    randomise(w_hh_, 4 * H, H, H, scale, 2);
    randomise(bias_, 1, 4 * H, 4 * H, scale, 3);
    randomise(x_, rows, I, padded(I), 1.0, 4);
    randomise(dh_, rows, H, Hp, 1e-3, 5);
    h_.resize((rows + w.batch) * Hp);
    c_.resize((rows + w.batch) * Hp);
    gates_.resize(rows * 4 * Hp);
    dx_.resize(rows * padded(I));
    dw_ih_.resize(4 * H * I);
    dw_hh_.resize(4 * H * H);
    dbias_.resize(4 * H);
    const CounterRng rng(1, 0, RngPlace::kSample, 6);
    for (int64_t i = 0; i < rows; ++i) {
      symbols_.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(i), static_cast<uint64_t>(I))));
    }
  }

  /// Pack, forward, backward: what a training step spends in the layer.
  void step() {
    const kernels::LstmShape shape{w_.steps, w_.batch, w_.inputs, w_.hidden, nullptr};
    const kernels::LstmWeights<float> weights{w_ih_.data(), w_hh_.data(), bias_.data()};
    const kernels::LstmInput<float> input{w_.one_hot ? nullptr : x_.data(), padded(w_.inputs), symbols_.data()};
    pack_lstm(shape, weights, !w_.one_hot, kernels::PackFor::kTraining, packed_, context_);
    lstm_forward(
        {.shape = shape, .weights = weights, .input = input, .h = h_.data(), .c = c_.data(), .cache = {gates_.data()}},
        packed_, context_);
    lstm_backward({.shape = shape,
                   .weights = weights,
                   .input = input,
                   .h = h_.data(),
                   .c = c_.data(),
                   .cache = {gates_.data()},
                   .dh = dh_.data(),
                   .dx = w_.one_hot ? nullptr : dx_.data(),
                   .dx_stride = padded(w_.inputs),
                   .gradients = {dw_ih_.data(), dw_hh_.data(), dbias_.data()}},
                  packed_, context_);
  }

  /// Two operations per multiply-add of the matrix products alone: forward, to the inputs, to the weights.
  double flops() const {
    const double inputs = w_.one_hot ? 0.0 : static_cast<double>(w_.inputs);
    const double products = (inputs + static_cast<double>(w_.hidden)) * 4.0 * static_cast<double>(w_.hidden);
    return 3.0 * 2.0 * products * static_cast<double>(w_.steps * w_.batch);
  }

 private:
  Workload w_;
  kernels::Context& context_;
  kernels::PackedLstm packed_;
  Buffer<float> w_ih_, w_hh_, bias_, x_, dh_, h_, c_, gates_, dx_, dw_ih_, dw_hh_, dbias_;
  std::vector<int32_t> symbols_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void measure(const Workload& workload, int threads) {
  kernels::Context context(threads);
  Layer layer(workload, context);
  layer.step();
  const auto warm_up = Clock::now();
  layer.step();
  const int repetitions = std::clamp(static_cast<int>(0.1 / seconds_since(warm_up)), 1, 1000);
  std::vector<double> speeds, peaks, ratios;
  for (int round = 0; round < 9; ++round) {
    const double peak = kernels::measure_peak_gflops() * threads;
    const auto start = Clock::now();
    for (int i = 0; i < repetitions; ++i) layer.step();
    const double speed = layer.flops() * repetitions / seconds_since(start) * 1e-9;
    peaks.push_back(peak);
    speeds.push_back(speed);
    ratios.push_back(speed / peak);
  }
  fmt::print("{:5} {:5} {:>9} {:6} {:7}  {:8.1f} {:8.1f} {:7.0f} %\n", workload.steps, workload.batch,
             workload.one_hot ? fmt::format("{} 1-hot", workload.inputs) : fmt::format("{}", workload.inputs),
             workload.hidden, threads, median(speeds), median(peaks), 100.0 * median(ratios));
}

// One layer with options, as a model has it, and its training step.
class OptionLayer {
 public:
  OptionLayer(const nn::LstmOptions& lstm, kernels::Context& context)
      : stack_({.lstm = lstm, .inputs = kInputs, .one_hot = false, .init = {}}, arena_), context_(context) {
    arena_.allocate();
    arena_.allocate_gradients();
    arena_.initialise(1);
    randomise(x_, kSteps * kBatch, kInputs, padded(kInputs), 1.0, 4);
    randomise(dy_, kSteps * kBatch, lstm.outputs(), padded(lstm.outputs()), 1e-3, 5);
    dx_.resize(kSteps * kBatch * padded(kInputs));
    stack_.state.reset(kBatch);
  }

  void step() {
    const nn::StackInput<float> input{.steps = kSteps,
                                      .batch = kBatch,
                                      .lengths = nullptr,
                                      .x = x_.data(),
                                      .x_stride = padded(kInputs),
                                      .symbols = nullptr,
                                      .masks = {1, step_++, 0}};
    stack_.weights.set_values(arena_.values().data());
    stack_.forward(stack_.state, input, nn::Pass::kTraining, nn::Engine::kFused, context_);
    stack_.backward(input, {.d_output = dy_.data(), .dx = dx_.data(), .dx_stride = padded(kInputs)}, nn::Engine::kFused,
                    arena_.gradients().data(), context_);
  }

  static constexpr int64_t kSteps = 35, kBatch = 32, kInputs = 256, kHidden = 256;

 private:
  ParameterArena arena_;
  nn::WholeStack<float> stack_;
  kernels::Context& context_;
  Buffer<float> x_, dx_, dy_;
  uint64_t step_ = 0;
};

struct NamedOptions {
  const char* name;
  nn::LstmOptions lstm;
};

std::vector<NamedOptions> option_sets() {
  const nn::LstmOptions plain{.hidden = OptionLayer::kHidden};
  std::vector<NamedOptions> sets = {{"plain", plain}};
  const auto add = [&](const char* name, const auto& change) {
    sets.push_back({name, plain});
    change(sets.back().lstm);
  };
  using O = nn::LstmOptions;
  add("dropout-input 0.3", [](O& o) { o.dropout_input = 0.3; });
  add("dropout-output 0.3", [](O& o) { o.dropout_output = 0.3; });
  add("both, variational", [](O& o) { o.dropout = 0.3, o.variational = true; });
  add("dropout-recurrent 0.3", [](O& o) { o.dropout_recurrent = 0.3; });
  add("weight-drop 0.5", [](O& o) { o.weight_drop = 0.5; });
  add("zoneout 0.1", [](O& o) { o.zoneout = 0.1; });
  add("zoneout-cell 0.1", [](O& o) { o.zoneout_cell = 0.1; });
  add("layer-norm", [](O& o) { o.layer_norm = true; });
  add("peepholes", [](O& o) { o.peepholes = true; });
  add("coupled-gates", [](O& o) { o.coupled_gates = true; });
  add("gate-clip and cell-clip", [](O& o) { o.gate_clip = 5.0, o.cell_clip = 5.0; });
  add("hard-sigmoid", [](O& o) { o.gate_activation = "hard-sigmoid"; });
  add("train-initial-state", [](O& o) { o.train_initial_state = true; });
  add("all regularisers",
      [](O& o) { o.dropout = o.dropout_recurrent = 0.3, o.weight_drop = 0.5, o.zoneout = o.zoneout_cell = 0.1; });
  add("all, variational", [](O& o) {
    o.dropout = o.dropout_recurrent = 0.3, o.weight_drop = 0.5, o.zoneout = o.zoneout_cell = 0.1, o.variational = true;
  });
  add("all, and layer-norm", [](O& o) {
    o.dropout = o.dropout_recurrent = 0.3, o.weight_drop = 0.5, o.zoneout = o.zoneout_cell = 0.1;
    o.layer_norm = o.train_initial_state = true;
  });
  return sets;
}

// Every set beside the plain layer, which is measured again before each.
void measure_options(int threads) {
  kernels::Context context(threads);
  OptionLayer plain(option_sets()[0].lstm, context);
  const double symbols = static_cast<double>(OptionLayer::kSteps * OptionLayer::kBatch);
  const auto speed = [symbols](OptionLayer& layer) {
    constexpr int kRepetitions = 6;
    const auto start = Clock::now();
    for (int i = 0; i < kRepetitions; ++i) layer.step();
    return symbols * kRepetitions / seconds_since(start);
  };
  fmt::print("\n{:<24} {:>7} {:>12} {:>9}\n", "options", "threads", "steps B/s", "of plain");
  for (const NamedOptions& set : option_sets()) {
    OptionLayer layer(set.lstm, context);
    plain.step();
    layer.step();
    std::vector<double> speeds, ratios;
    for (int round = 0; round < 9; ++round) {
      const double base = speed(plain);
      speeds.push_back(speed(layer));
      ratios.push_back(speeds.back() / base);
    }
    fmt::print("{:<24} {:>7} {:>12.0f} {:>7.0f} %\n", set.name, threads, median(speeds), 100.0 * median(ratios));
  }
}

}  // namespace

int main(int argc, char** argv) {
  int most_threads = available_threads();
  if (argc == 3 && std::string_view(argv[1]) == "--threads") most_threads = std::max(1, std::atoi(argv[2]));
  fmt::print("Training step of one LSTM layer (pack, forward, backward), {}, medians of 9 paired rounds.\n",
             kernels::simd_target());
  fmt::print("Peak: independent multiply-adds in registers on one thread, times the threads.\n\n");
  fmt::print("steps batch    inputs hidden threads   GFLOP/s     peak  of peak\n");
  for (int threads = 1; threads <= most_threads; threads *= 2) {
    for (const Workload& workload :
         {Workload{35, 32, 256, 256, false}, Workload{35, 32, 28, 256, true}, Workload{35, 32, 128, 128, false},
          Workload{64, 64, 512, 512, false}, Workload{35, 1, 256, 256, false}}) {
      measure(workload, threads);
    }
  }
  fmt::print(
      "\nTraining step of one layer of {} units with options, {} steps of {} rows, {} inputs, medians of 9 rounds.\n",
      OptionLayer::kHidden, OptionLayer::kSteps, OptionLayer::kBatch, OptionLayer::kInputs);
  for (int threads = 1; threads <= most_threads; threads *= 2) measure_options(threads);
}
