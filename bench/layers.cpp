// Layers on one thread and on several, beside the machine's own peak and, where it is installed, oneDNN: what every
// pair of numbers compares was measured in turns. `longhand_layers [--threads N]`. docs/parallelism.md has its tables.
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "bench/onednn.h"
#include "longhand/base/rng.h"
#include "longhand/kernels/target.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::bench {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

nn::LstmStackOptions options_of(const LayerSizes& sizes) {
  nn::LstmStackOptions options;
  options.lstm.hidden = sizes.hidden;
  options.lstm.layers = sizes.layers;
  options.inputs = sizes.inputs;
  return options;
}

// Our layers with their weights and data: what a training step does in them, and a forward pass.
class OurLstm {
 public:
  OurLstm(const LayerSizes& sizes, int threads, kernels::Precision precision = kernels::Precision::kFloat)
      : sizes_(sizes), context_(threads), stack_(options_of(sizes), arena_) {
    context_.precision = precision;
    arena_.allocate();
    arena_.allocate_gradients();
    arena_.initialise(1);
    const int64_t rows = sizes.steps * sizes.batch;
    x_.resize(rows * padded(sizes.inputs));
    dx_.resize(rows * padded(sizes.inputs));
    dy_.resize(rows * padded(sizes.hidden));
    const CounterRng rng(1, 0, RngPlace::kSample, 1);
    for (int64_t i = 0; i < x_.size(); ++i) {
      x_[i] = static_cast<float>(2.0 * rng.uniform(static_cast<uint64_t>(i)) - 1.0);
    }
    dy_.fill(1e-3F);
    stack_.weights.set_values(arena_.values().data());
  }

  void forward() { run(nn::Pass::kInference); }
  void train() {
    stack_.weights.set_values(arena_.values().data());
    run(nn::Pass::kTraining);
    stack_.backward(input(), {.d_output = dy_.data(), .dx = dx_.data(), .dx_stride = padded(sizes_.inputs)},
                    nn::Engine::kFused, arena_.gradients().data(), context_);
  }

 private:
  nn::StackInput<float> input() const {
    return {.steps = sizes_.steps,
            .batch = sizes_.batch,
            .lengths = nullptr,
            .x = x_.data(),
            .x_stride = padded(sizes_.inputs),
            .symbols = nullptr,
            .masks = {1, 0, 0}};
  }
  void run(nn::Pass pass) {
    stack_.state.reset(sizes_.batch);
    stack_.forward(stack_.state, input(), pass, nn::Engine::kFused, context_);
  }

  LayerSizes sizes_;
  kernels::Context context_;
  ParameterArena arena_;
  nn::WholeStack<float> stack_;
  Buffer<float> x_, dx_, dy_;
};

// Multiply-adds of the products alone, twice: forward, to the inputs, to the weights.
double training_flops(const LayerSizes& s) {
  const auto H = static_cast<double>(s.hidden);
  const double of_a_row = 4.0 * H * (static_cast<double>(s.inputs) + H * static_cast<double>(2 * s.layers - 1));
  return 6.0 * of_a_row * static_cast<double>(s.steps * s.batch);
}

// Seconds of one call.
double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  double seconds = 0.0;
  int calls = 0;
  do {
    work();
    ++calls;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  } while (seconds < 0.04);
  return seconds / calls;
}

// Median seconds of each, and the medians of their ratios to the first, over rounds in which they take turns.
struct Measured {
  std::vector<double> seconds, ratios;
};
Measured in_turns(const std::vector<std::function<void()>>& works) {
  constexpr int kRounds = 11;
  std::vector<std::vector<double>> seconds(works.size()), ratios(works.size());
  for (const auto& work : works) work();
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < works.size(); ++i) {
      seconds[i].push_back(seconds_of(works[i]));
      ratios[i].push_back(seconds[i].back() / seconds[0].back());
    }
  }
  Measured out;
  for (size_t i = 0; i < works.size(); ++i) {
    out.seconds.push_back(median(seconds[i]));
    out.ratios.push_back(median(ratios[i]));
  }
  return out;
}

std::string shown(const LayerSizes& s) {
  return fmt::format("{:6} {:5} {:5} {:6} {:6}", s.layers, s.steps, s.batch, s.inputs, s.hidden);
}

void small_batches(int threads) {
  fmt::print("\nSmall batches: {} threads beside one; ms of one thread, of {}, and the ratio.\n\n", threads, threads);
  fmt::print("layers steps batch inputs hidden   forward                   training\n");
  std::vector<LayerSizes> all;
  for (const int64_t layers : {2, 3, 4}) {
    for (const int64_t batch : {1, 2, 4}) all.push_back({layers, 64, batch, 256, 256});
  }
  all.push_back({1, 64, 1, 256, 256});
  all.push_back({1, 64, 1, 512, 512});
  for (const LayerSizes& sizes : all) {
    OurLstm one(sizes, 1), several(sizes, threads);
    fmt::print("{}", shown(sizes));
    for (const bool training : {false, true}) {
      const auto work = [training](OurLstm& lstm) {
        return [&, training] { training ? lstm.train() : lstm.forward(); };
      };
      const Measured m = in_turns({work(several), work(one)});
      fmt::print("   {:7.2f} {:7.2f} {:5.2f}x", 1e3 * m.seconds[1], 1e3 * m.seconds[0], m.ratios[1]);
    }
    fmt::print("\n");
  }
}

void training_steps(int threads) {
  fmt::print(
      "\nTraining step (pack, forward, backward) on {} thread{}: ms, part of the peak; ms in bf16 ({}), and the\n",
      threads, threads == 1 ? "" : "s", kernels::bf16_is_native() ? "native" : "emulated");
  fmt::print("ratio to it{}\n\n", LONGHAND_HAS_ONEDNN ? "; oneDNN's ms in float, and the ratio of ours to it." : ".");
  fmt::print("layers steps batch inputs hidden       ms  of peak     bf16  ratio{}\n",
             LONGHAND_HAS_ONEDNN ? "   oneDNN  ratio" : "");
  double product = 1.0;
  int count = 0;
  for (const LayerSizes& sizes :
       {LayerSizes{1, 35, 32, 28, 256}, LayerSizes{1, 48, 128, 512, 512}, LayerSizes{2, 20, 20, 200, 200},
        LayerSizes{2, 35, 20, 650, 650}, LayerSizes{4, 64, 16, 256, 256}, LayerSizes{1, 30, 32, 100, 200},
        LayerSizes{1, 64, 64, 1024, 1024}, LayerSizes{1, 35, 32, 256, 256}, LayerSizes{1, 35, 32, 512, 512},
        LayerSizes{1, 100, 1, 256, 256}}) {
    OurLstm ours(sizes, threads), in_bf16(sizes, threads, kernels::Precision::kBf16);
    double peak = 0.0;
    std::vector<std::function<void()>> works = {[&] { ours.train(); },
                                                [&] { peak = std::max(peak, kernels::measure_peak_gflops()); },
                                                [&] { in_bf16.train(); }};
#if LONGHAND_HAS_ONEDNN
    OneDnnLstm rival(sizes, threads);
    works.emplace_back([&] { rival.train(); });
#endif
    const Measured m = in_turns(works);
    fmt::print("{}   {:8.2f} {:6.0f} % {:8.2f} {:5.2f}x", shown(sizes), 1e3 * m.seconds[0],
               100.0 * training_flops(sizes) / m.seconds[0] * 1e-9 / (peak * threads), 1e3 * m.seconds[2],
               1.0 / m.ratios[2]);
    if (works.size() > 3) {
      fmt::print(" {:8.2f} {:5.2f}x", 1e3 * m.seconds[3], m.ratios[3]);
      product *= m.ratios[3];
      ++count;
    }
    fmt::print("\n");
  }
  if (count > 0) fmt::print("geometric mean {:.2f}x\n", std::pow(product, 1.0 / count));
#if LONGHAND_HAS_ONEDNN
  fmt::print("\nForward pass of batch 1 on {} thread{}: ms, oneDNN's and its ratio to ours\n\n", threads,
             threads == 1 ? "" : "s");
  for (const LayerSizes& sizes : {LayerSizes{1, 64, 1, 256, 256}, LayerSizes{1, 64, 1, 512, 512},
                                  LayerSizes{2, 64, 1, 256, 256}, LayerSizes{4, 64, 1, 256, 256}}) {
    OurLstm ours(sizes, threads);
    OneDnnLstm rival(sizes, threads);
    const Measured m = in_turns({[&] { ours.forward(); }, [&] { rival.forward(); }});
    fmt::print("{}   {:8.2f} {:8.2f} {:5.2f}x\n", shown(sizes), 1e3 * m.seconds[0], 1e3 * m.seconds[1], m.ratios[1]);
  }
#endif
}

// Another process that wants a processor, while it is told to.
class OtherProcess {
 public:
  OtherProcess() : id_(::fork()) {
    if (id_ < 0) throw std::runtime_error("cannot start another process");
    if (id_ == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (std::atomic<uint64_t> n = 0; id_ == 0; ++n) {
    }
    rest();
  }
  ~OtherProcess() {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  void work() const { ::kill(id_, SIGCONT); }
  void rest() const { ::kill(id_, SIGSTOP); }

 private:
  pid_t id_;
};

void busy_machine(const OtherProcess& other, int threads) {
  fmt::print(
      "\nTraining step beside one other busy process: part of the speed without it, on {} threads and on one; and\n",
      threads);
  fmt::print("what {} threads make beside it of what one makes there.\n\n", threads);
  fmt::print("layers steps batch inputs hidden   threads      one   beside\n");
  for (const LayerSizes& sizes : {LayerSizes{1, 35, 32, 256, 256}, LayerSizes{2, 35, 20, 200, 200},
                                  LayerSizes{1, 48, 128, 512, 512}, LayerSizes{2, 64, 1, 256, 256}}) {
    OurLstm one(sizes, 1), several(sizes, threads);
    std::vector<double> speed, speed_of_one, beside;
    const auto seconds = [](OurLstm& lstm) {
      const auto start = Clock::now();
      int calls = 0;
      double taken = 0.0;
      do {  // many of the system's time slices
        lstm.train();
        ++calls;
        taken = std::chrono::duration<double>(Clock::now() - start).count();
      } while (taken < 0.5);
      return taken / calls;
    };
    for (int round = 0; round < 7; ++round) {
      const double quiet = seconds(several), quiet_one = seconds(one);
      other.work();
      const double busy = seconds(several), busy_one = seconds(one);
      other.rest();
      speed.push_back(quiet / busy);
      speed_of_one.push_back(quiet_one / busy_one);
      beside.push_back(busy_one / busy);
    }
    fmt::print("{}   {:5.0f} % {:6.0f} % {:7.2f}x\n", shown(sizes), 100.0 * median(speed), 100.0 * median(speed_of_one),
               median(beside));
  }
}

}  // namespace
}  // namespace longhand::bench

int main(int argc, char** argv) {
  int threads = longhand::available_threads();
  if (argc == 3 && std::string_view(argv[1]) == "--threads") threads = std::max(1, std::atoi(argv[2]));
  fmt::print("{}, {} processors. Medians of 11 rounds in turns (of 7 beside a busy process).\n",
             longhand::kernels::simd_target(), longhand::available_threads());
  const longhand::bench::OtherProcess other;  // before there are threads
  if (threads > 1) longhand::bench::small_batches(threads);
  if (threads > 1) longhand::bench::busy_machine(other, threads);
  for (int n = 1; n <= threads; n = n == threads ? n + 1 : threads) longhand::bench::training_steps(n);
}
