// A small recurrent network for experiments: symbols (one-hot) or numbers in, layers of one cell, one linear layer out.
// It trains on sequences that a task draws, on one thread, the same for the same seed.
#pragma once

#include "longhand/lab/recurrence.h"
#include "longhand/lab/sequence_task.h"
#include "longhand/nn/network.h"
#include "longhand/train/optimizer.h"

namespace longhand::lab {

struct SmallModelOptions {
  nn::LstmOptions lstm;
  nn::InitOptions init;
  double radius = 0.0;  ///< spectral radius to which the first layer's recurrent matrices are scaled; 0: as drawn
  train::OptimizerOptions optimizer;
  int64_t rows = 16;     ///< sequences per update
  int64_t truncate = 0;  ///< steps after which back-propagation is cut off, of texts; 0: never
  uint64_t seed = 1;
};

/// How good the answers to some sequences are.
struct SmallScore {
  double loss = 0.0;      ///< mean: nats, or squared error
  double accuracy = 0.0;  ///< per cent right; of numbers, within 0.1
};

class SmallModel {
 public:
  /// The task must outlive it.
  SmallModel(const SmallModelOptions& options, const SequenceTask& task);

  /// One update. Returns the mean loss before it. Where that or its gradient is not finite, nothing is updated: the
  /// training has diverged.
  double update();
  int64_t updates() const { return updates_; }
  /// Norm of the last update's gradient, before any clipping.
  double gradient_norm() const { return gradient_norm_; }

  /// The score on sequences that were not trained on: the same ones for the same number. `of`: another task with the
  /// same symbols; null: its own.
  SmallScore evaluate(int64_t rows, uint64_t number = 0, const SequenceTask* of = nullptr);

  /// The mean loss over a batch, and its gradients, which parameters() then have.
  double compute_gradients(const SequenceBatch& batch);
  /// Norms of the gradients of the layers' biases over held-out sequences, the lowest layer first. Such a gradient is
  /// the sum over time of those by the pre-activations (29): what reached the layer, whatever its input.
  std::vector<double> bias_gradient_norms();

  const SmallModelOptions& options() const { return options_; }
  const SequenceTask& task() const { return task_; }
  const ParameterArena& parameters() const { return network_.parameters(); }
  /// The first layer, in double.
  Recurrence layer() const;
  /// The gradient, in double, of the loss of the answer number `index` of a batch by the last layer's h there.
  Vector output_gradient(const Vector& h, const SequenceBatch& batch, size_t index) const;

 private:
  const float* forward(const SequenceBatch& batch, nn::Pass pass);
  double add_gradients(const SequenceBatch& batch, int64_t predicted, bool first);
  nn::NetworkInput input_of(const SequenceBatch& batch) const;
  nn::OutputRows rows_of(const SequenceBatch& batch, const float* output) const;
  void scale_recurrent_weights();

  SmallModelOptions options_;
  const SequenceTask& task_;
  kernels::Context context_{1};
  nn::Network network_;
  nn::NetworkWorkspace workspace_;
  train::Optimizer optimizer_;
  Buffer<float> d_output_, losses_, answers_, d_answers_;
  std::vector<int32_t> targets_;
  int64_t updates_ = 0;
  double gradient_norm_ = 0.0;
};

}  // namespace longhand::lab
