// The last layer of every model: linear, from the recurrent layers' outputs to scores, logits or predictions. Its
// weights may be those of an embedding (Press and Wolf 2017; Inan et al. 2017); where that has another width than the
// outputs, a linear layer without a bias comes before.
//
// N rows, S inputs, K outputs.
#pragma once

#include <optional>

#include "longhand/base/arena.h"
#include "longhand/kernels/lstm_step.h"
#include "longhand/kernels/softmax.h"
#include "longhand/nn/engine.h"
#include "longhand/nn/initialisers.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::nn {

/// The rows that a linear layer reads.
struct OutputRows {
  int64_t n = 0;                  ///< N
  const float* x = nullptr;       ///< [*, padded(S)]
  const int32_t* rows = nullptr;  ///< [N] or null: row i is row rows[i] of x, and of its gradient
};

/// Memory, engine and threads of one user of a model's layers.
struct OutputWorkspace {
  OutputWorkspace(Engine used, kernels::Context& of_user) : engine(used), context(of_user) {}

  Engine engine;
  kernels::Context& context;
  Buffer<float> projected, d_projected;
  Buffer<int32_t> targets;
};

/// y = W x + b, with W and b in an arena, which must outlive it.
class LinearLayer {
 public:
  /// W [outputs, inputs] and b are the parameters with these indices; no `bias`: zeros.
  LinearLayer(int64_t inputs, int64_t outputs, size_t weight, std::optional<size_t> bias, ParameterArena& arena)
      : inputs_(inputs), outputs_(outputs), weight_(weight), bias_(bias), arena_(arena) {}

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  void pack(bool training, kernels::Context& context);
  void pack_step(kernels::WeightType type, kernels::PackedLinearStep& packed) const;
  const kernels::PackedLinear& packed() const { return packed_; }

  /// What the kernels take, without a place for y.
  kernels::LinearForward<float> arguments(const OutputRows& in) const;
  /// Writes y [N, outputs], whose rows are `y_stride` apart.
  void forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const;
  /// From dy [N, outputs]: adds to the parameters' gradients, and writes the named rows of dx [*, padded(inputs)].
  void backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx, OutputWorkspace& workspace);

  /// From dy [N, outputs]: writes dx [N, inputs], in plain loops.
  void backward_input(int64_t n, const float* dy, int64_t dy_stride, float* dx, int64_t dx_stride) const;

  float* weight_gradient() { return arena_.gradient(weight_); }
  float* bias_gradient() { return bias_ ? arena_.gradient(*bias_) : nullptr; }

 private:
  int64_t inputs_, outputs_;
  size_t weight_;
  std::optional<size_t> bias_;
  ParameterArena& arena_;
  kernels::PackedLinear packed_;
};

struct OutputLayerOptions {
  int64_t inputs = 0;   ///< S
  int64_t outputs = 0;  ///< K
  int64_t hidden = 0;   ///< units of the recurrent layers, for the initialisers
  struct Tied {
    size_t embedding;  ///< index of the parameter [K, width]
    int64_t width;
  };
  std::optional<Tied> tied{};  ///< no weights of its own
  InitOptions init;
};

class OutputLayer {
 public:
  /// Declares `output.projection.weight`, `output.weight` and `output.bias`, as far as they are called for. The arena
  /// must outlive the layer.
  OutputLayer(const OutputLayerOptions& options, ParameterArena& arena);

  int64_t outputs() const { return linear_->outputs(); }
  bool is_tied() const { return tied_; }
  void parameters_changed() { packed_for_.clear(); }
  /// Packs the weights for fused passes of this kind, unless that is done.
  void pack(Pass pass, kernels::Context& context);
  /// Packs the layer for single rows. Returns whether there is a projection before it.
  bool pack_steps(kernels::WeightType type, kernels::PackedLinearStep& projection,
                  kernels::PackedLinearStep& output) const;

  /// Writes y [N, K], whose rows are `y_stride` apart.
  void forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const;
  /// From dy [N, K]: adds to the parameters' gradients, and writes the rows of dx [*, padded(S)]. Not for tied weights.
  void backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx, OutputWorkspace& workspace);

  /// From dy [N, K]: writes dx [N, padded(S)], and computes no gradient of a parameter. Plain loops: for a few rows.
  void backward_input(int64_t n, const float* dy, int64_t dy_stride, float* dx) const;

  struct Softmax {
    const int32_t* targets = nullptr;  ///< of each row of x
    float* losses = nullptr;           ///< [N] written: cross-entropies in nats
    const float* weights = nullptr;    ///< [K] of the classes, which multiply gradients; null: ones
    float scale = 0.0F;                ///< of the losses whose gradients are wanted
    double smoothing = 0.0;            ///< GradientPass::label_smoothing
    float* dx = nullptr;               ///< the named rows of [*, padded(S)] written
  };
  /// Returns the sum of the losses, and adds to the parameters' gradients.
  double softmax(const OutputRows& in, const Softmax& softmax, OutputWorkspace& workspace);
  /// The losses alone.
  double softmax_loss(const OutputRows& in, const int32_t* targets, float* losses, OutputWorkspace& workspace) const;

 private:
  OutputRows project(const OutputRows& in, OutputWorkspace& workspace) const;
  kernels::SoftmaxCrossEntropy<float> head(const OutputRows& in, const int32_t* targets, float* losses,
                                           OutputWorkspace& workspace) const;
  double run(const kernels::SoftmaxCrossEntropy<float>& head, OutputWorkspace& workspace) const;
  void check_packed(const OutputWorkspace& workspace) const;

  std::optional<LinearLayer> projection_;
  std::optional<LinearLayer> linear_;  // always there; made when its parameters are declared
  bool tied_ = false;
  Packed packed_for_;
};

}  // namespace longhand::nn
