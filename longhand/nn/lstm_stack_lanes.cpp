// How the work of a stack is shared out among threads, and what is between its layers. docs/parallelism.md draws it.
#include <type_traits>

#include "longhand/kernels/gemm.h"
#include "longhand/nn/lstm_stack_parts.h"

namespace longhand::nn {

// (44) y = x * mask for a part of an array [T, B, width]; dx = dy * mask likewise.
template <class T>
void StackWorkspace<T>::apply_mask(const StackInput<T>& input, const Area& area, const Buffer<T>& mask, int64_t width,
                                   const T* x, int64_t x_stride, T* y, int64_t y_stride, ThreadPool& pool) const {
  const bool all_rows = area.rows.size() == input.batch;
  for (int64_t t = area.steps.begin; t < area.steps.end; t += all_rows ? area.steps.size() : 1) {
    const int64_t first = t * input.batch + area.rows.begin;
    const int64_t rows = all_rows ? area.steps.size() * input.batch : area.rows.size();
    const bool variational = options().lstm.variational;
    const int64_t column = area.columns.begin;
    multiply_mask<T>({.x = x + first * x_stride + column,
                      .x_stride = x_stride,
                      .mask = mask.data() + (variational ? area.rows.begin : first) * padded(width) + column,
                      .mask_rows = variational ? area.rows.size() : rows,
                      .mask_stride = padded(width),
                      .y = y + first * y_stride + column,
                      .y_stride = y_stride,
                      .rows = rows,
                      .width = area.columns.size()},
                     pool);
  }
}

// The layer's input through its mask.
template <class T>
void StackWorkspace<T>::enter(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool) {
  if (!drops(layer)) return;
  apply_mask(input, area, layer.mask, layer.inputs, layer.x, layer.x_stride, layer.dropped.data(), padded(layer.inputs),
             pool);
}

// The layer's output: its directions side by side, plus its input where it is residual.
template <class T>
void StackWorkspace<T>::join(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool) {
  if (layer.directions.size() == 1 && !layer.residual) return;
  const int64_t B = input.batch, R = options().lstm.state(), Rp = padded(R), stride = padded(options().lstm.outputs());
  const auto join_rows = [&](int64_t t) {
    for (int64_t row = t * B + area.rows.begin; row < t * B + area.rows.end; ++row) {
      T* y = layer.y.data() + row * stride;
      for (const Direction& d : layer.directions) {
        const T* h = d.h.data() + (shape(d, input).next_slot(0) * B + row) * Rp;
        const Range from = layer.directions.size() > 1 ? Range{0, R} : area.columns;
        std::copy(h + from.begin, h + from.end, y + from.begin + (d.reverse ? R : 0));
      }
      for (int64_t j = area.columns.begin; layer.residual && j < area.columns.end; ++j) {
        y[j] += layer.x[row * layer.x_stride + j];  // (42)
      }
    }
  };
  pool.run(
      [&](int part, int parts) {
        const Range steps = split(area.steps.size(), parts, part);
        for (int64_t t = steps.begin; t < steps.end; ++t) join_rows(area.steps.begin + t);
      },
      area.steps.size() * area.rows.size() * stride / kCopyOfAThread);
}

template <class T>
typename StackWorkspace<T>::Area StackWorkspace<T>::whole(const StackInput<T>& input, int64_t width) const {
  return {{0, input.steps}, {0, input.batch}, {0, width}};
}

// The direction whose pieces a lane has: of a stack of single directions, counted from `first` upwards or downwards; or
// of the one layer `first`.
template <class T>
typename StackWorkspace<T>::Direction& StackWorkspace<T>::lane_direction(size_t first, int step, int lane) {
  std::vector<Direction>& directions = layers_[first].directions;
  if (directions.size() > 1) return directions[static_cast<size_t>(lane)];
  return layers_[static_cast<size_t>(static_cast<int>(first) + step * lane)].directions[0];
}

// Some layers of one direction, one above the other; or one layer, in both directions. Single directions go through
// masks and joins with each piece. Of two, all threads join the outputs when both are done.
template <class T>
void StackWorkspace<T>::forward_lanes(size_t first, size_t count, const StackWeights<T>& weights,
                                      const StackInput<T>& input, kernels::Context& context) {
  if constexpr (std::is_same_v<T, float>) {
    const size_t directions = layers_[first].directions.size();
    const auto lanes = static_cast<int>(count * directions);
    const auto direction = [&](int lane) -> Direction& { return lane_direction(first, 1, lane); };
    plan_.make({.shape = shape(direction(0), input),
                .gates = options().lstm.gates(),
                .layers = lanes,
                .stacked = count > 1,
                .may_share_steps = direction(0).may_share_steps(false)},
               false, context);
    enter(layers_[first], input, whole(input, layers_[first].inputs), context.pool);
    for (int lane = 0; lane < lanes; ++lane) {
      Direction& d = direction(lane);
      d.begin_forward(packed(weights, d), plan_.shares_steps(), context);
    }
    const int64_t width = options().lstm.outputs();
    plan_.run(context, [&](const kernels::LstmLane& lane, const kernels::LstmPiece& piece, kernels::Context& alone) {
      Direction& d = direction(lane.layer);
      if (lane.stage != kernels::LstmLane::Stage::kSteps) {
        d.forward_inputs(packed(weights, d), piece, alone);
      }
      if (lane.stage == kernels::LstmLane::Stage::kInputs) return;
      d.forward_steps(packed(weights, d), piece, alone);
      if (directions > 1) return;
      const size_t layer = first + static_cast<size_t>(lane.layer);
      const Area area{piece.steps, piece.rows, kernels::columns_of(width, piece.member, piece.members)};
      join(layers_[layer], input, area, alone.pool);
      if (layer + 1 < first + count) enter(layers_[layer + 1], input, area, alone.pool);
    });
    if (directions > 1) join(layers_[first], input, whole(input, width), context.pool);
  }
}

// The gradient of the layer's input, as its directions have it, through the mask; and past the layer, if it is
// residual.
template <class T>
void StackWorkspace<T>::leave(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool) {
  T* dx = layer.dx;
  const int64_t B = input.batch;
  if (dx != nullptr && drops(layer)) {
    apply_mask(input, area, layer.mask, layer.inputs, dx, layer.dx_stride, dx, layer.dx_stride, pool);
  }
  if (!layer.residual || dx == nullptr) return;
  const int64_t stride = padded(options().lstm.outputs());
  for (int64_t t = area.steps.begin; t < area.steps.end; ++t) {
    for (int64_t row = t * B + area.rows.begin; row < t * B + area.rows.end; ++row) {
      const int64_t end = row * stride + area.columns.end;
      for (int64_t i = row * stride + area.columns.begin; i < end; ++i) dx[i] += layer.dy[i];  // (42)
    }
  }
}

// The mirror of forward_lanes: layers from `last` downwards. The gradient of a layer's input comes with each piece,
// unless it has two directions, or is normalised: then only when all steps are done. Finishes each layer once it has
// the gradients of its weights.
template <class T>
void StackWorkspace<T>::backward_lanes(size_t last, size_t count, const StackWeights<T>& weights,
                                       const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients,
                                       kernels::Context& context) {
  if constexpr (std::is_same_v<T, float>) {
    const size_t directions = layers_[last].directions.size();
    const auto lanes = static_cast<int>(count * directions);
    const auto direction = [&](int lane) -> Direction& { return lane_direction(last, -1, lane); };
    const bool in_pieces = directions == 1 && !options().lstm.layer_norm;
    plan_.make({.shape = shape(direction(0), input),
                .gates = options().lstm.gates(),
                .layers = lanes,
                .stacked = count > 1,
                .may_share_steps = direction(0).may_share_steps(true)},
               true, context);
    for (int lane = 0; lane < lanes; ++lane) direction(lane).begin_backward();
    plan_.run(context, [&](const kernels::LstmLane& lane, const kernels::LstmPiece& piece, kernels::Context& alone) {
      Direction& d = direction(lane.layer);
      if (lane.stage != kernels::LstmLane::Stage::kInputs) {
        d.backward_steps(packed(weights, d), piece, alone);
      }
      if (!in_pieces || lane.stage == kernels::LstmLane::Stage::kSteps) return;
      d.backward_inputs(packed(weights, d), piece, alone);
      Layer& layer = layers_[last - static_cast<size_t>(lane.layer)];
      const Range steps = shape(d, input).times_back(piece.steps);
      leave(layer, input, {steps, piece.rows, kernels::columns_of(layer.inputs, piece.member, piece.members)},
            alone.pool);
    });
    for (int lane = 0; lane < lanes; ++lane) {
      Direction& d = direction(lane);
      d.backward_weights(packed(weights, d), !in_pieces, context);
      if (directions == 1) finish_layer(last - static_cast<size_t>(lane), input, gradient, gradients);
    }
    if (directions > 1) finish_layer(last, input, gradient, gradients);
    if (!in_pieces) leave(layers_[last], input, whole(input, layers_[last].inputs), context.pool);
  }
}

template void StackWorkspace<float>::apply_mask(const StackInput<float>&, const Area&, const Buffer<float>&, int64_t,
                                                const float*, int64_t, float*, int64_t, ThreadPool&) const;
template void StackWorkspace<double>::apply_mask(const StackInput<double>&, const Area&, const Buffer<double>&, int64_t,
                                                 const double*, int64_t, double*, int64_t, ThreadPool&) const;
template void StackWorkspace<float>::enter(Layer&, const StackInput<float>&, const Area&, ThreadPool&);
template void StackWorkspace<double>::enter(Layer&, const StackInput<double>&, const Area&, ThreadPool&);
template void StackWorkspace<float>::join(Layer&, const StackInput<float>&, const Area&, ThreadPool&);
template void StackWorkspace<double>::join(Layer&, const StackInput<double>&, const Area&, ThreadPool&);
template StackWorkspace<float>::Area StackWorkspace<float>::whole(const StackInput<float>&, int64_t) const;
template StackWorkspace<double>::Area StackWorkspace<double>::whole(const StackInput<double>&, int64_t) const;
template void StackWorkspace<float>::forward_lanes(size_t, size_t, const StackWeights<float>&, const StackInput<float>&,
                                                   kernels::Context&);
template void StackWorkspace<double>::forward_lanes(size_t, size_t, const StackWeights<double>&,
                                                    const StackInput<double>&, kernels::Context&);
template void StackWorkspace<float>::leave(Layer&, const StackInput<float>&, const Area&, ThreadPool&);
template void StackWorkspace<double>::leave(Layer&, const StackInput<double>&, const Area&, ThreadPool&);
template void StackWorkspace<float>::backward_lanes(size_t, size_t, const StackWeights<float>&,
                                                    const StackInput<float>&, const StackGradient<float>&, float*,
                                                    kernels::Context&);
template void StackWorkspace<double>::backward_lanes(size_t, size_t, const StackWeights<double>&,
                                                     const StackInput<double>&, const StackGradient<double>&, double*,
                                                     kernels::Context&);

}  // namespace longhand::nn
