#include "longhand/nn/output_layer.h"

#include <algorithm>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"

namespace longhand::nn {

void LinearLayer::pack(bool training, kernels::Context& context) {
  kernels::pack_linear(arena_.value(weight_), outputs_, inputs_, training, packed_, context);
}

void LinearLayer::pack_step(kernels::WeightType type, kernels::PackedLinearStep& packed) const {
  kernels::pack_linear_step(arena_.value(weight_), bias_ ? arena_.value(*bias_) : nullptr, outputs_, inputs_, type,
                            packed);
}

kernels::LinearForward<float> LinearLayer::arguments(const OutputRows& in) const {
  return {.inputs = inputs_,
          .outputs = outputs_,
          .n = in.n,
          .rows = in.rows,
          .x = in.x,
          .x_stride = padded(inputs_),
          .w = arena_.value(weight_),
          .bias = bias_ ? arena_.value(*bias_) : nullptr};
}

void LinearLayer::forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const {
  kernels::LinearForward<float> args = arguments(in);
  args.y = y;
  args.y_stride = y_stride;
  linear_forward(args, packed_, workspace.engine, workspace.context);
}

void LinearLayer::backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx,
                           OutputWorkspace& workspace) {
  linear_backward({.inputs = inputs_,
                   .outputs = outputs_,
                   .n = in.n,
                   .rows = in.rows,
                   .x = in.x,
                   .x_stride = padded(inputs_),
                   .w = arena_.value(weight_),
                   .dy = dy,
                   .dy_stride = dy_stride,
                   .dx = dx,
                   .dx_stride = padded(inputs_),
                   .dw = weight_gradient(),
                   .dbias = bias_gradient()},
                  packed_, workspace.engine, workspace.context);
}

void LinearLayer::backward_input(int64_t n, const float* dy, int64_t dy_stride, float* dx, int64_t dx_stride) const {
  const float* w = arena_.value(weight_);
  std::vector<double> sums(static_cast<size_t>(inputs_));
  for (int64_t row = 0; row < n; ++row) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t k = 0; k < outputs_; ++k) {
      const auto d = static_cast<double>(dy[row * dy_stride + k]);
      for (int64_t j = 0; j < inputs_; ++j) sums[static_cast<size_t>(j)] += d * static_cast<double>(w[k * inputs_ + j]);
    }
    for (int64_t j = 0; j < inputs_; ++j) dx[row * dx_stride + j] = static_cast<float>(sums[static_cast<size_t>(j)]);
  }
}

OutputLayer::OutputLayer(const OutputLayerOptions& options, ParameterArena& arena) : tied_(options.tied) {
  const auto declare = [&](const char* name, int64_t n_in, int64_t n_out) {
    return arena.declare(
        name, {n_out, n_in},
        weights(options.init, Part::kOutput, {.n_in = n_in, .n_out = n_out, .hidden = options.hidden}));
  };
  const int64_t width = tied_ ? options.tied->width : options.inputs;
  if (width != options.inputs) {
    const size_t weight = declare("output.projection.weight", options.inputs, width);
    projection_.emplace(options.inputs, width, weight, std::nullopt, arena);
  }
  const size_t weight = tied_ ? options.tied->embedding : declare("output.weight", width, options.outputs);
  const size_t bias = arena.declare("output.bias", {options.outputs}, nn::bias(options.init, options.hidden));
  linear_.emplace(width, options.outputs, weight, bias, arena);
}

void OutputLayer::pack(Pass pass, kernels::Context& context) {
  const bool training = pass != Pass::kInference;
  if (packed_for_.serves(pass)) return;
  linear_->pack(training, context);
  if (projection_) projection_->pack(training, context);
  packed_for_.set(pass, context.precision);
}

bool OutputLayer::pack_steps(kernels::WeightType type, kernels::PackedLinearStep& projection,
                             kernels::PackedLinearStep& output) const {
  if (projection_) projection_->pack_step(type, projection);
  linear_->pack_step(type, output);
  return projection_.has_value();
}

void OutputLayer::check_packed(const OutputWorkspace& workspace) const {
  LONGHAND_CHECK(workspace.engine != Engine::kFused || packed_for_.anything());
}

// The rows as wide as the embedding, side by side; or as they are.
OutputRows OutputLayer::project(const OutputRows& in, OutputWorkspace& workspace) const {
  if (!projection_) return in;
  const int64_t stride = padded(projection_->outputs());
  workspace.projected.resize(in.n * stride);
  projection_->forward(in, workspace.projected.data(), stride, workspace);
  return {.n = in.n, .x = workspace.projected.data()};
}

void OutputLayer::forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const {
  check_packed(workspace);
  linear_->forward(project(in, workspace), y, y_stride, workspace);
}

void OutputLayer::backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx,
                           OutputWorkspace& workspace) {
  LONGHAND_CHECK(!tied_);
  linear_->backward(in, dy, dy_stride, dx, workspace);
}

void OutputLayer::backward_input(int64_t n, const float* dy, int64_t dy_stride, float* dx) const {
  if (!projection_) {
    linear_->backward_input(n, dy, dy_stride, dx, padded(linear_->inputs()));
    return;
  }
  const int64_t stride = padded(projection_->outputs());
  std::vector<float> d_projected(static_cast<size_t>(n * stride));
  linear_->backward_input(n, dy, dy_stride, d_projected.data(), stride);
  projection_->backward_input(n, d_projected.data(), stride, dx, padded(projection_->inputs()));
}

kernels::SoftmaxCrossEntropy<float> OutputLayer::head(const OutputRows& in, const int32_t* targets, float* losses,
                                                      OutputWorkspace& workspace) const {
  check_packed(workspace);
  if (projection_) {  // of the picked rows alone; so their targets, too, must stand together
    workspace.targets.resize(in.n);
    for (int64_t i = 0; i < in.n; ++i) workspace.targets[i] = targets[in.rows != nullptr ? in.rows[i] : i];
    targets = workspace.targets.data();
  }
  return {.output = linear_->arguments(project(in, workspace)), .targets = targets, .loss = losses};
}

double OutputLayer::run(const kernels::SoftmaxCrossEntropy<float>& head, OutputWorkspace& workspace) const {
  softmax_cross_entropy(head, linear_->packed(), workspace.engine, workspace.context);
  double nats = 0.0;
  for (int64_t i = 0; i < head.output.n; ++i) nats += static_cast<double>(head.loss[i]);
  return nats;
}

double OutputLayer::softmax_loss(const OutputRows& in, const int32_t* targets, float* losses,
                                 OutputWorkspace& workspace) const {
  return run(head(in, targets, losses, workspace), workspace);
}

double OutputLayer::softmax(const OutputRows& in, const Softmax& softmax, OutputWorkspace& workspace) {
  kernels::SoftmaxCrossEntropy<float> args = head(in, softmax.targets, softmax.losses, workspace);
  args.scale = softmax.scale;
  args.weights = softmax.weights;
  args.smoothing = static_cast<float>(softmax.smoothing);
  args.dx = softmax.dx;
  args.dx_stride = args.output.x_stride;
  args.dw = linear_->weight_gradient();
  args.dbias = linear_->bias_gradient();
  if (!projection_) return run(args, workspace);
  workspace.d_projected.resize(in.n * args.dx_stride);
  args.dx = workspace.d_projected.data();
  const double nats = run(args, workspace);
  projection_->backward(in, args.dx, args.dx_stride, softmax.dx, workspace);
  return nats;
}

}  // namespace longhand::nn
