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

/// The rows that the layer reads.
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

class OutputLayer {
 public:
  /// Declares `output.projection.weight`, `output.weight` and `output.bias`, as far as they are called for. The arena
  /// must outlive the layer.
  OutputLayer(const OutputLayerOptions& options, ParameterArena& arena);

  int64_t outputs() const { return options_.outputs; }
  void parameters_changed() { packed_for_ = Packed::kNothing; }
  /// Packs the weights for fused passes of this kind, unless that is done.
  void pack(Pass pass, kernels::Context& context);

  /// Writes y [N, K], whose rows are `y_stride` apart.
  void forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const;
  /// From dy [N, K]: adds to the parameters' gradients, and writes the rows of dx [*, padded(S)]. Not for tied weights.
  void backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx, OutputWorkspace& workspace);

  /// Packs the layer for single rows. Returns whether there is a projection before it.
  bool pack_steps(kernels::PackedLinearStep& projection, kernels::PackedLinearStep& output) const;

  struct Softmax {
    const int32_t* targets = nullptr;  ///< of each row of x
    float* losses = nullptr;           ///< [N] written: cross-entropies in nats
    const float* weights = nullptr;    ///< [K] of the classes, which multiply gradients; null: ones
    float scale = 0.0F;                ///< of the losses whose gradients are wanted
    double smoothing = 0.0;            ///< GradientPass::label_smoothing
    float* dx = nullptr;               ///< the named rows of [*, padded(S)] written; null: no gradients at all
  };
  /// Returns the sum of the losses; adds to the parameters' gradients where these are wanted.
  double softmax(const OutputRows& in, const Softmax& softmax, OutputWorkspace& workspace);
  double softmax_loss(const OutputRows& in, const int32_t* targets, float* losses, OutputWorkspace& workspace) const;

 private:
  bool projects() const { return projection_.has_value(); }
  /// Width of what the weights multiply.
  int64_t width() const { return options_.tied ? options_.tied->width : options_.inputs; }
  OutputRows project(const OutputRows& in, OutputWorkspace& workspace) const;
  kernels::SoftmaxCrossEntropy<float> head(const OutputRows& in, const int32_t* targets, float* losses,
                                           OutputWorkspace& workspace) const;
  double run(const kernels::SoftmaxCrossEntropy<float>& head, OutputWorkspace& workspace) const;

  OutputLayerOptions options_;
  ParameterArena& arena_;
  std::optional<size_t> projection_;
  size_t weight_ = 0, bias_ = 0;
  Packed packed_for_ = Packed::kNothing;
  kernels::PackedLinear packed_, packed_projection_;
};

}  // namespace longhand::nn
