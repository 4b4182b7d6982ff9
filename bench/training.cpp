// Whole training steps (pack, forward, loss, backward, norm, update) of six models on random data, one step after
// another: the other half of bench/pytorch.py, which sends a line "workload precision threads seconds" and reads the
// milliseconds of a step.
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/nn/network.h"
#include "longhand/train/optimizer.h"

namespace longhand::bench {
namespace {

struct Workload {
  int64_t symbols, embed, hidden, layers, rows, steps, outputs;
  const char* optimizer;
  double dropout = 0.0;
  bool bidirectional = false;
};

// As bench/pytorch.py has them.
const std::map<std::string, Workload>& workloads() {
  static const std::map<std::string, Workload> all = {{"characters", {28, 0, 256, 1, 32, 35, 28, "sgd"}},
                                                      {"words", {8293, 512, 512, 1, 128, 48, 8293, "adam"}},
                                                      {"ptb-small", {10000, 200, 200, 2, 20, 20, 10000, "sgd"}},
                                                      {"ptb-medium", {10000, 650, 650, 2, 20, 35, 10000, "sgd", 0.5}},
                                                      {"deep", {100, 256, 256, 4, 16, 64, 100, "adam"}},
                                                      {"tagger", {20000, 100, 200, 1, 32, 30, 17, "adam", 0.0, true}}};
  return all;
}

nn::NetworkOptions options_of(const Workload& w) {
  nn::NetworkOptions options;
  options.lstm.hidden = w.hidden;
  options.lstm.layers = w.layers;
  options.lstm.bidirectional = w.bidirectional;
  options.lstm.dropout = w.dropout;
  options.symbols = w.symbols;
  options.embed = w.embed;
  return options;
}

train::OptimizerOptions optimizer_of(const Workload& w) {
  train::OptimizerOptions options;
  options.optimizer = w.optimizer;
  options.clip_norm = 5.0;
  return options;
}

class Training {
 public:
  Training(const Workload& w, kernels::Precision precision, int threads)
      : w_(w), context_(threads), network_(options_of(w)) {
    context_.precision = precision;
    network_.add_output(w.outputs);
    network_.initialise(1);
    workspace_ = std::make_unique<nn::NetworkWorkspace>(network_, nn::Engine::kFused, context_);
    optimizer_ = std::make_unique<train::Optimizer>(optimizer_of(w), parameters());
    const CounterRng rng(1, 0, RngPlace::kSample, 1);
    for (int64_t i = 0; i < w.rows * w.steps; ++i) {
      const auto at = static_cast<uint64_t>(i);
      symbols_.push_back(static_cast<int32_t>(rng.below(2 * at, static_cast<uint64_t>(w.symbols))));
      targets_.push_back(static_cast<int32_t>(rng.below(2 * at + 1, static_cast<uint64_t>(w.outputs))));
    }
    d_output_.resize(w.rows * w.steps * padded(network_.width()));
    losses_.resize(w.rows * w.steps);
  }

  void step() {
    const int64_t n = w_.rows * w_.steps;
    const nn::GradientPass pass =
        network_.begin_training({.masks = {1, static_cast<uint64_t>(step_), 0}}, n, n, *workspace_);
    const nn::NetworkInput input{.steps = w_.steps, .rows = w_.rows, .symbols = symbols_.data(), .masks = pass.masks};
    const float* output = network_.forward(input, nn::Pass::kTraining, *workspace_);
    network_.output().softmax({.n = n, .x = output},
                              {.targets = targets_.data(),
                               .losses = losses_.data(),
                               .scale = pass.scale,
                               .smoothing = 0.0,
                               .dx = d_output_.data()},
                              *workspace_);
    network_.backward(input, d_output_.data(), pass.penalty_scale, *workspace_);
    const std::span<float> gradients = network_.parameters().gradients();
    const double norm = std::sqrt(kernels::squared_norm(gradients.data(), parameters(), context_));
    optimizer_->update(network_.parameters().values(), gradients, norm, 1e-3, step_++, context_);
    network_.parameters_changed();
  }

 private:
  int64_t parameters() const { return static_cast<int64_t>(network_.parameters().values().size()); }

  Workload w_;
  kernels::Context context_;
  nn::Network network_;
  std::unique_ptr<nn::NetworkWorkspace> workspace_;
  std::unique_ptr<train::Optimizer> optimizer_;
  std::vector<int32_t> symbols_, targets_;
  Buffer<float> d_output_, losses_;
  int64_t step_ = 0;
};

double milliseconds_of_a_step(Training& training, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double taken = 0.0;
  int steps = 0;
  while (taken < seconds) {
    training.step();
    ++steps;
    taken = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return 1e3 * taken / steps;
}

}  // namespace
}  // namespace longhand::bench

int main() {
  using namespace longhand::bench;
  std::string name;
  std::string precision;
  std::string current;
  int threads = 0;
  double seconds = 0.0;
  std::unique_ptr<Training> training;
  while (std::cin >> name >> precision >> threads >> seconds) {
    const std::string wanted = fmt::format("{} {} {}", name, precision, threads);
    if (wanted != current) {
      training = std::make_unique<Training>(
          workloads().at(name),
          precision == "bf16" ? longhand::kernels::Precision::kBf16 : longhand::kernels::Precision::kFloat, threads);
      training->step();
      current = wanted;
    }
    fmt::print("{}\n", milliseconds_of_a_step(*training, seconds));
    std::fflush(stdout);
  }
}
