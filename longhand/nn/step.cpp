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
    kernels::pack_lstm_step(network.stack().shape(direction, 1, 1, nullptr), at.view(values), dense,
                            network.weight_type(), layer.lstm, context);
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
    layer.h.resize(2 * from.h_0.size());
    layer.c.resize(from.c_0.size());
    if (from.residual) layer.y.resize(padded(weights.width_));
    state_size_ += from.lstm.hidden + (from.lstm.projection > 0 ? from.lstm.projection : from.lstm.hidden);
    scratch = std::max(scratch, kernels::step_scratch(from.lstm));
  }
  scratch_.resize(scratch);
  if (weights.projects_) projected_.resize(padded(weights.projection_.w.outputs));
  reset();
}

void Stepper::reset() noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const StepWeights::Layer& weights = weights_.layers_[l];
    std::copy_n(weights.h_0.data(), weights.h_0.size(), h_of(layers_[l]));
    std::copy_n(weights.c_0.data(), weights.c_0.size(), layers_[l].c.data());
  }
}

void Stepper::get_state(float* to) const noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const kernels::PackedLstmStep& lstm = weights_.layers_[l].lstm;
    to = std::copy_n(h_of(layers_[l]), lstm.projection > 0 ? lstm.projection : lstm.hidden, to);
    to = std::copy_n(layers_[l].c.data(), lstm.hidden, to);
  }
}

void Stepper::set_state(const float* from) noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const kernels::PackedLstmStep& lstm = weights_.layers_[l].lstm;
    const int64_t R = lstm.projection > 0 ? lstm.projection : lstm.hidden;
    std::copy_n(from, R, h_of(layers_[l]));
    std::copy_n(from + R, lstm.hidden, layers_[l].c.data());
    from += R + lstm.hidden;
  }
}

void Stepper::step(const float* x, float* y) noexcept { run(x, 0, y); }

void Stepper::step(int32_t symbol, float* y) noexcept {
  run(weights_.embed_ > 0 ? weights_.embedding_.data() + symbol * padded(weights_.embed_) : nullptr, symbol, y);
}

void Stepper::run(const float* x, int32_t symbol, float* y) noexcept {
  for (size_t l = 0; l < layers_.size(); ++l) {
    const StepWeights::Layer& weights = weights_.layers_[l];
    Layer& layer = layers_[l];
    float* next = layer.h.data() + (1 - turn_) * layer.h.size() / 2;
    kernels::lstm_step(weights.lstm, {.x = x,
                                      .symbol = symbol,
                                      .h_prev = h_of(layer),
                                      .h = next,
                                      .c = layer.c.data(),
                                      .zone_h = weights.zone_h.size() > 0 ? weights.zone_h.data() : nullptr,
                                      .zone_c = weights.zone_c.size() > 0 ? weights.zone_c.data() : nullptr,
                                      .scratch = scratch_.data(),
                                      .fast = fast_});
    if (weights.residual) {
      for (int64_t j = 0; j < weights_.width_; ++j) layer.y[j] = next[j] + x[j];  // (42)
      next = layer.y.data();
    }
    x = next;
  }
  turn_ = 1 - turn_;
  if (weights_.projects_) {
    kernels::linear_step(weights_.projection_, x, projected_.data());
    x = projected_.data();
  }
  kernels::linear_step(weights_.output_, x, y);
}

}  // namespace longhand::nn
