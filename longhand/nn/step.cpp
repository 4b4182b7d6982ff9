#include "longhand/nn/step.h"

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::nn {
namespace {

Buffer<float> padded_copy(const float* values, int64_t size) {
  Buffer<float> out(padded(size));
  if (values != nullptr) std::copy_n(values, size, out.data());
  return out;
}

Buffer<float> padded_constant(double value, int64_t size) {
  if (value == 0.0) return {};
  Buffer<float> out(padded(size));
  std::fill_n(out.data(), size, static_cast<float>(value));
  return out;
}

}  // namespace

StepWeights::StepWeights(const Network& network) {
  const NetworkOptions& options = network.options();
  const LstmOptions& lstm = options.lstm;
  LONGHAND_CHECK(!lstm.bidirectional && lstm.is_lstm() && network.words() == nullptr);
  embed_ = options.symbols > 0 ? options.embed : 0;
  width_ = network.width();
  const float* values = network.parameters().values().data();
  if (embed_ > 0) {
    embedding_.resize(options.symbols * padded(embed_));
    for (int64_t s = 0; s < options.symbols; ++s) {
      std::copy_n(network.embedding() + s * embed_, embed_, embedding_.data() + s * padded(embed_));
    }
  }
  kernels::Context context(1);
  for (const LstmStack::Layer& from : network.stack().layers()) {
    const LstmStack::Direction& direction = from.directions.front();
    const LstmOffsets& at = direction.offsets;
    const bool dense = !layers_.empty() || !network.stack().options().one_hot;
    Layer& layer = layers_.emplace_back();
    layer.residual = from.residual;
    kernels::pack_lstm_step(network.stack().shape(direction, 1, 1, nullptr), network.stack().cell(), at.view(values),
                            dense, network.weight_type(), layer.lstm, context);
    layer.h_0 = padded_copy(at.h_0 < 0 ? nullptr : values + at.h_0, lstm.state());
    layer.c_0 = padded_copy(at.c_0 < 0 ? nullptr : values + at.c_0, lstm.hidden);
    layer.zone_h = padded_constant(lstm.zoneout, lstm.state());
    layer.zone_c = padded_constant(lstm.zoneout_cell, lstm.hidden);
  }
  projects_ = network.output().pack_steps(network.weight_type(), projection_, output_);
}

Stepper::Stepper(const StepWeights& weights) : weights_(weights) {
  int64_t scratch = 0;
  for (const StepWeights::Layer& from : weights.layers_) {
    Layer& layer = layers_.emplace_back();
    layer.h.resize((kMostSteps + 1) * from.h_0.size());
    layer.c.resize(from.c_0.size());
    if (from.residual) layer.y.resize(kMostSteps * padded(weights.width_));
    state_size_ += from.lstm.hidden + (from.lstm.projection > 0 ? from.lstm.projection : from.lstm.hidden);
    scratch = std::max(scratch, kernels::step_scratch(from.lstm, kMostSteps));
  }
  scratch_.resize(scratch);
  if (weights.projects_) projected_.resize(kMostSteps * padded(weights.projection_.w.outputs));
  embedded_.resize(kMostSteps * padded(weights.embed_));
  reset();
}

void Stepper::reset() noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const StepWeights::Layer& weights = weights_.layers_[l];
    std::copy_n(weights.h_0.data(), weights.h_0.size(), layers_[l].h.data());
    std::copy_n(weights.c_0.data(), weights.c_0.size(), layers_[l].c.data());
  }
}

void Stepper::get_state(float* to) const noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const kernels::PackedLstmStep& lstm = weights_.layers_[l].lstm;
    to = std::copy_n(layers_[l].h.data(), lstm.projection > 0 ? lstm.projection : lstm.hidden, to);
    to = std::copy_n(layers_[l].c.data(), lstm.hidden, to);
  }
}

void Stepper::set_state(const float* from) noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const kernels::PackedLstmStep& lstm = weights_.layers_[l].lstm;
    const int64_t R = lstm.projection > 0 ? lstm.projection : lstm.hidden;
    std::copy_n(from, R, layers_[l].h.data());
    std::copy_n(from + R, lstm.hidden, layers_[l].c.data());
    from += R + lstm.hidden;
  }
}

void Stepper::step(int64_t steps, const float* x, int64_t x_stride, float* y) noexcept {
  run(steps, x, x_stride, nullptr, y);
}

void Stepper::step(int64_t steps, const int32_t* symbols, float* y) noexcept {
  const int64_t stride = padded(weights_.embed_);
  for (int64_t t = 0; weights_.embed_ > 0 && t < steps; ++t) {
    std::copy_n(weights_.embedding_.data() + symbols[t] * stride, stride, embedded_.data() + t * stride);
  }
  run(steps, embedded_.data(), stride, symbols, y);
}

// Layer by layer.
void Stepper::run(int64_t steps, const float* x, int64_t x_stride, const int32_t* symbols, float* y) noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const StepWeights::Layer& weights = weights_.layers_[l];
    Layer& layer = layers_[l];
    const int64_t stride = weights.h_0.size();  // Rp
    kernels::lstm_step(weights.lstm, {.steps = steps,
                                      .x = x,
                                      .x_stride = x_stride,
                                      .symbols = symbols,
                                      .h = layer.h.data(),
                                      .c = layer.c.data(),
                                      .zone_h = weights.zone_h.size() > 0 ? weights.zone_h.data() : nullptr,
                                      .zone_c = weights.zone_c.size() > 0 ? weights.zone_c.data() : nullptr,
                                      .scratch = scratch_.data(),
                                      .fast = fast_});
    const float* outputs = layer.h.data() + stride;
    if (weights.residual) {
      for (int64_t t = 0; t < steps; ++t) {
        float* sum = layer.y.data() + t * stride;
        for (int64_t j = 0; j < weights_.width_; ++j) sum[j] = outputs[t * stride + j] + x[t * x_stride + j];  // (42)
      }
      outputs = layer.y.data();
    }
    x = outputs;
    x_stride = stride;
  }
  if (weights_.projects_) {
    const int64_t stride = padded(weights_.projection_.w.outputs);
    kernels::linear_step(weights_.projection_, steps, x, x_stride, projected_.data(), stride);
    x = projected_.data();
    x_stride = stride;
  }
  kernels::linear_step(weights_.output_, steps, x, x_stride, y, weights_.output_.w.outputs);
  for (size_t l = 0; l < layers_.size(); ++l) {  // what comes next follows the last step
    const int64_t stride = weights_.layers_[l].h_0.size();
    float* h = layers_[l].h.data();
    std::copy_n(h + steps * stride, stride, h);
  }
}

}  // namespace longhand::nn
