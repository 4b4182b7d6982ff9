#include "longhand/nn/lstm_stack.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/kernels/reference.h"

namespace longhand::nn {

LstmStack::LstmStack(const LstmStackOptions& options, ParameterArena& arena)
    : options_(options), layers_(static_cast<size_t>(options.layers)) {
  const int64_t H = options.hidden;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    const std::string suffix = "_l" + std::to_string(l);
    layer.inputs = l == 0 ? options.inputs : H;
    layer.w_ih =
        arena.declare("lstm.weight_ih" + suffix, {4 * H, layer.inputs}, nn::weights(options.init, layer.inputs, H, H));
    layer.w_hh = arena.declare("lstm.weight_hh" + suffix, {4 * H, H}, nn::weights(options.init, H, H, H));
    layer.bias = arena.declare("lstm.bias_ih" + suffix, {4 * H}, lstm_bias(options.init, H));
  }
}

void LstmStack::reset_state(int64_t batch) {
  for (Buffer<float>* state : state()) {
    state->resize(batch * padded(options_.hidden));
    state->fill(0.0F);
  }
}

std::vector<Buffer<float>*> LstmStack::state() {
  std::vector<Buffer<float>*> out;
  for (Layer& layer : layers_) {
    out.push_back(&layer.h0);
    out.push_back(&layer.c0);
  }
  return out;
}

kernels::LstmShape LstmStack::shape(const Layer& layer, const StackInput& input) const {
  return {input.steps, input.batch, layer.inputs, options_.hidden, input.lengths};
}

kernels::LstmInput<float> LstmStack::layer_input(size_t index, const StackInput& input, bool training) const {
  if (index == 0) return {options_.one_hot ? nullptr : input.x, input.x_stride, input.symbols};
  const int64_t Hp = padded(options_.hidden);
  if (training && options_.dropout > 0.0) return {layers_[index].dropped.data(), Hp, nullptr};
  return {layers_[index - 1].h.data() + input.batch * Hp, Hp, nullptr};
}

kernels::LstmWeights<float> LstmStack::weights(const Layer& layer, const ParameterArena& arena) const {
  return {arena.value(layer.w_ih), arena.value(layer.w_hh), arena.value(layer.bias)};
}

void LstmStack::pack(bool training, const ParameterArena& arena, kernels::Context& context) {
  const Packed wanted = training ? Packed::kTraining : Packed::kInference;
  if (packed_ >= wanted) return;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    kernels::pack_lstm({0, 0, layer.inputs, options_.hidden, nullptr}, weights(layer, arena),
                       l > 0 || !options_.one_hot,
                       training ? kernels::PackFor::kTraining : kernels::PackFor::kInference, layer.packed, context);
  }
  packed_ = wanted;
}

const float* LstmStack::forward(const StackInput& input, bool training, Engine engine, const ParameterArena& arena,
                                kernels::Context& context) {
  const int64_t B = input.batch, H = options_.hidden, Hp = padded(H), rows = input.steps * B;
  if (engine == Engine::kFused) pack(training, arena, context);
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    LONGHAND_CHECK(layer.h0.size() == B * Hp);
    layer.h.resize((rows + B) * Hp);
    std::copy_n(layer.h0.data(), B * Hp, layer.h.data());
    if (training) {
      layer.c.resize((rows + B) * Hp);
      layer.gates.resize(rows * 4 * Hp);
      std::copy_n(layer.c0.data(), B * Hp, layer.c.data());
      if (l > 0 && options_.dropout > 0.0) {
        layer.dropped.resize(rows * Hp);
        DropoutKey key = input.dropout;
        key.place += static_cast<uint32_t>(l);
        dropout(key, options_.dropout, layers_[l - 1].h.data() + B * Hp, layer.dropped.data(), rows, H, Hp,
                context.pool);
      }
    }
    const kernels::LstmForward<float> args{.shape = shape(layer, input),
                                           .weights = weights(layer, arena),
                                           .input = layer_input(l, input, training),
                                           .h = layer.h.data(),
                                           .c = training ? layer.c.data() : layer.c0.data(),
                                           .gates = training ? layer.gates.data() : nullptr,
                                           .h_last = layer.h0.data(),
                                           .c_last = training ? layer.c0.data() : nullptr};
    if (engine == Engine::kFused) {
      kernels::lstm_forward(args, layer.packed, context);
    } else {
      kernels::reference::lstm_forward(args);
    }
  }
  return layers_.back().h.data() + B * Hp;
}

void LstmStack::backward(const StackInput& input, float* d_output, float* dx, int64_t dx_stride, Engine engine,
                         ParameterArena& arena, kernels::Context& context) {
  const int64_t H = options_.hidden, Hp = padded(H), rows = input.steps * input.batch;
  if (layers_.size() > 1) d_below_.resize(rows * Hp);
  float* dh = d_output;
  for (size_t l = layers_.size(); l-- > 0;) {
    Layer& layer = layers_[l];
    // Two arrays take turns: what reaches this layer's outputs, and what it passes to those of the layer below.
    float* below = dh == d_output ? d_below_.data() : d_output;
    const kernels::LstmBackward<float> args{.shape = shape(layer, input),
                                            .weights = weights(layer, arena),
                                            .input = layer_input(l, input, true),
                                            .h = layer.h.data(),
                                            .c = layer.c.data(),
                                            .gates = layer.gates.data(),
                                            .dh = dh,
                                            .dx = l > 0 ? below : dx,
                                            .dx_stride = l > 0 ? Hp : dx_stride,
                                            .dw_ih = arena.gradient(layer.w_ih),
                                            .dw_hh = arena.gradient(layer.w_hh),
                                            .dbias = arena.gradient(layer.bias)};
    if (engine == Engine::kFused) {
      kernels::lstm_backward(args, layer.packed, context);
    } else {
      kernels::reference::lstm_backward(args);
    }
    if (l > 0 && options_.dropout > 0.0) {
      DropoutKey key = input.dropout;
      key.place += static_cast<uint32_t>(l);
      dropout(key, options_.dropout, below, below, rows, H, Hp, context.pool);
    }
    dh = below;
  }
}

}  // namespace longhand::nn
