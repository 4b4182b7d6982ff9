#include "longhand/nn/output_layer.h"

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"

namespace longhand::nn {

OutputLayer::OutputLayer(const OutputLayerOptions& options, ParameterArena& arena) : options_(options), arena_(arena) {
  const auto declare = [&](const char* name, int64_t n_in, int64_t n_out) {
    return arena.declare(
        name, {n_out, n_in},
        weights(options.init, Part::kOutput, {.n_in = n_in, .n_out = n_out, .hidden = options.hidden}));
  };
  if (options.tied && options.tied->width != options.inputs) {
    projection_ = declare("output.projection.weight", options.inputs, options.tied->width);
  }
  weight_ = options.tied ? options.tied->embedding : declare("output.weight", options.inputs, options.outputs);
  bias_ = arena.declare("output.bias", {options.outputs}, nn::bias(options.init, options.hidden));
}

void OutputLayer::pack(Pass pass, kernels::Context& context) {
  const bool training = pass != Pass::kInference;
  const Packed wanted = training ? Packed::kTraining : Packed::kInference;
  if (packed_for_ >= wanted) return;
  kernels::pack_linear(arena_.value(weight_), outputs(), width(), training, packed_, context);
  if (projects()) {
    kernels::pack_linear(arena_.value(*projection_), width(), options_.inputs, training, packed_projection_, context);
  }
  packed_for_ = wanted;
}

// The rows as wide as the embedding, side by side.
OutputRows OutputLayer::project(const OutputRows& in, OutputWorkspace& workspace) const {
  workspace.projected.resize(in.n * padded(width()));
  linear_forward({.inputs = options_.inputs,
                  .outputs = width(),
                  .n = in.n,
                  .rows = in.rows,
                  .x = in.x,
                  .x_stride = padded(options_.inputs),
                  .w = arena_.value(*projection_),
                  .y = workspace.projected.data(),
                  .y_stride = padded(width())},
                 packed_projection_, workspace.engine, workspace.context);
  return {.n = in.n, .x = workspace.projected.data()};
}

void OutputLayer::forward(const OutputRows& in, float* y, int64_t y_stride, OutputWorkspace& workspace) const {
  LONGHAND_CHECK(workspace.engine != Engine::kFused || packed_for_ != Packed::kNothing);
  const OutputRows x = projects() ? project(in, workspace) : in;
  linear_forward({.inputs = width(),
                  .outputs = outputs(),
                  .n = x.n,
                  .rows = x.rows,
                  .x = x.x,
                  .x_stride = padded(width()),
                  .w = arena_.value(weight_),
                  .bias = arena_.value(bias_),
                  .y = y,
                  .y_stride = y_stride},
                 packed_, workspace.engine, workspace.context);
}

void OutputLayer::backward(const OutputRows& in, const float* dy, int64_t dy_stride, float* dx,
                           OutputWorkspace& workspace) {
  LONGHAND_CHECK(!options_.tied);
  linear_backward({.inputs = width(),
                   .outputs = outputs(),
                   .n = in.n,
                   .rows = in.rows,
                   .x = in.x,
                   .x_stride = padded(width()),
                   .w = arena_.value(weight_),
                   .dy = dy,
                   .dy_stride = dy_stride,
                   .dx = dx,
                   .dx_stride = padded(width()),
                   .dw = arena_.gradient(weight_),
                   .dbias = arena_.gradient(bias_)},
                  packed_, workspace.engine, workspace.context);
}

bool OutputLayer::pack_steps(kernels::PackedLinearStep& projection, kernels::PackedLinearStep& output) const {
  if (projects()) {
    kernels::pack_linear_step(arena_.value(*projection_), nullptr, width(), options_.inputs, projection);
  }
  kernels::pack_linear_step(arena_.value(weight_), arena_.value(bias_), outputs(), width(), output);
  return projects();
}

kernels::SoftmaxCrossEntropy<float> OutputLayer::head(const OutputRows& in, const int32_t* targets, float* losses,
                                                      OutputWorkspace& workspace) const {
  LONGHAND_CHECK(workspace.engine != Engine::kFused || packed_for_ != Packed::kNothing);
  OutputRows x = in;
  if (projects()) {  // of the picked rows alone; so their targets, too, must stand together
    x = project(in, workspace);
    workspace.targets.resize(in.n);
    for (int64_t i = 0; i < in.n; ++i) workspace.targets[i] = targets[in.rows != nullptr ? in.rows[i] : i];
    targets = workspace.targets.data();
  }
  return {.output = {.inputs = width(),
                     .outputs = outputs(),
                     .n = x.n,
                     .rows = x.rows,
                     .x = x.x,
                     .x_stride = padded(width()),
                     .w = arena_.value(weight_),
                     .bias = arena_.value(bias_)},
          .targets = targets,
          .loss = losses};
}

double OutputLayer::run(const kernels::SoftmaxCrossEntropy<float>& head, OutputWorkspace& workspace) const {
  softmax_cross_entropy(head, packed_, workspace.engine, workspace.context);
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
  args.dx_stride = padded(width());
  args.dw = arena_.gradient(weight_);
  args.dbias = arena_.gradient(bias_);
  if (projects()) {
    workspace.d_projected.resize(in.n * padded(width()));
    args.dx = workspace.d_projected.data();
  }
  const double nats = run(args, workspace);
  if (!projects()) return nats;
  linear_backward({.inputs = options_.inputs,
                   .outputs = width(),
                   .n = in.n,
                   .rows = in.rows,
                   .x = in.x,
                   .x_stride = padded(options_.inputs),
                   .w = arena_.value(*projection_),
                   .dy = workspace.d_projected.data(),
                   .dy_stride = padded(width()),
                   .dx = softmax.dx,
                   .dx_stride = padded(options_.inputs),
                   .dw = arena_.gradient(*projection_)},
                  packed_projection_, workspace.engine, workspace.context);
  return nats;
}

}  // namespace longhand::nn
