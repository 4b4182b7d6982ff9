// A model on random data, and whole training steps of it (pack, forward, loss, backward, norm, update): what programs
// here measure.
#pragma once

#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/nn/network.h"
#include "longhand/train/optimizer.h"

namespace longhand::bench {

struct Workload {
  int64_t symbols, embed, hidden, layers, rows, steps, outputs;
  std::string optimizer;
  double dropout = 0.0;
  bool bidirectional = false;
};

inline nn::NetworkOptions options_of(const Workload& w) {
  nn::NetworkOptions options;
  options.lstm.hidden = w.hidden;
  options.lstm.layers = w.layers;
  options.lstm.bidirectional = w.bidirectional;
  options.lstm.dropout = w.dropout;
  options.symbols = w.symbols;
  options.embed = w.embed;
  return options;
}

inline train::OptimizerOptions optimizer_of(const Workload& w) {
  train::OptimizerOptions options;
  options.optimizer = w.optimizer;
  options.clip_norm = 5.0;
  return options;
}

/// When parts of a step were done, in seconds from its beginning.
struct StepTimes {
  double output = 0.0;     ///< the output layer's gradients
  double gradients = 0.0;  ///< all gradients
  double update = 0.0;
};

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

  StepTimes step() {
    StepTimes times;
    const auto start = std::chrono::steady_clock::now();
    const auto now = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
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
    times.output = now();
    network_.backward(input, d_output_.data(), pass.penalty_scale, *workspace_);
    times.gradients = now();
    const std::span<float> gradients = network_.parameters().gradients();
    const double norm = std::sqrt(kernels::squared_norm(gradients.data(), parameters(), context_));
    optimizer_->update(network_.parameters().values(), gradients, norm, 1e-3, step_++, context_);
    network_.parameters_changed();
    times.update = now();
    return times;
  }

  int64_t parameters() const { return static_cast<int64_t>(network_.parameters().values().size()); }
  /// Of them, those of the output layer, whose gradients are the first to be complete.
  int64_t output_parameters() const { return w_.outputs * (network_.width() + 1); }

 private:
  Workload w_;
  kernels::Context context_;
  nn::Network network_;
  std::unique_ptr<nn::NetworkWorkspace> workspace_;
  std::unique_ptr<train::Optimizer> optimizer_;
  std::vector<int32_t> symbols_, targets_;
  Buffer<float> d_output_, losses_;
  int64_t step_ = 0;
};

}  // namespace longhand::bench
