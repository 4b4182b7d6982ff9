// The parts of a StackWorkspace, for its own sources alone: lstm_stack.cpp runs them on kernels, which
// lstm_stack_cells.cpp chooses by the cell, and lstm_stack_tape.cpp on a tape.
#pragma once

#include <optional>

#include "longhand/autograd/cells.h"
#include "longhand/base/error.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::nn {

/// Masks of a model differ by their place. Dropout on activations counts from 0, by layer and then the output;
/// the masks inside a direction of a layer are four from here on: recurrent, weights, h, c.
inline constexpr uint32_t kMaskKinds = 4;
constexpr uint32_t mask_place(size_t layer, bool reverse) {
  return 256 + kMaskKinds * (2 * static_cast<uint32_t>(layer) + (reverse ? 1 : 0));
}

/// Elements whose copying is worth a thread.
inline constexpr int64_t kCopyOfAThread = 1 << 14;

/// Which of the kernels' cells without a cell state it is; none: the LSTM.
constexpr std::optional<kernels::RecurrentCell> recurrent_cell(Cell cell) {
  switch (cell) {
    case Cell::kLstm: return std::nullopt;
    case Cell::kGru: return kernels::RecurrentCell::kGru;
    case Cell::kRnn: return kernels::RecurrentCell::kTanh;
    case Cell::kRnnRelu: return kernels::RecurrentCell::kRelu;
  }
  LONGHAND_CHECK(false);
}

/// Packs one direction's weights, with `w_hh` for its own.
void pack_direction(const LstmStack& stack, const LstmStack::Direction& direction, const float* values,
                    const float* w_hh, bool dense, kernels::PackFor purpose, PackedLayer& packed,
                    kernels::Context& context);

/// One layer in one direction.
template <class T>
struct StackWorkspace<T>::Direction : LstmStack::Direction {
  size_t part = 0;                             // of the stack's
  std::optional<kernels::RecurrentCell> cell;  // none: the LSTM
  PackedLayer dropped;                         // with dropped weights, for one batch
  Buffer<T> dh_state, dc_state;                // [B, Rp], [B, Hp]
  Buffer<T> h, c;                              // [T+1, B, Rp], [T+1, B, Hp] of the last forward
  // LstmCache; gates are RecurrentForward's cache, too
  Buffer<T> gates, masked_h, m, norm_ih, norm_hh, norm_c, rstd, sums;
  Buffer<T> recurrent_mask, zone_h, zone_c;  // LstmMasks, or the expectations [Rp], [Hp]
  int64_t zone_h_stride = 0, zone_c_stride = 0;
  Buffer<T> weight_mask, dropped_w_hh, d_dropped_w_hh;  // [4H, R], or of as many gates as the cell has
  Buffer<T> dy;                                         // [T, B, Rp] of one of two directions
  // The passes over the batch: those of the LSTM, or those of the other cells.
  kernels::LstmForward<T> forward;
  kernels::LstmBackward<T> backward;
  kernels::RecurrentForward<T> recurrent_forward;
  kernels::RecurrentBackward<T> recurrent_backward;
  kernels::LstmMemory memory;

  // The whole passes by the reference.
  void run_reference_forward();
  void run_reference_backward();
  // Their pieces by the fused kernels, as lstm.h has them.
  bool may_share_steps(bool going_back) const;
  void begin_forward(const PackedLayer& packed, bool shared, kernels::Context& context);
  void forward_inputs(const PackedLayer& packed, const kernels::LstmPiece& piece, kernels::Context& context);
  void forward_steps(const PackedLayer& packed, const kernels::LstmPiece& piece, kernels::Context& context);
  void begin_backward();
  void backward_steps(const PackedLayer& packed, const kernels::LstmPiece& piece, kernels::Context& context);
  void backward_inputs(const PackedLayer& packed, const kernels::LstmPiece& piece, kernels::Context& context);
  void backward_weights(const PackedLayer& packed, bool dx_too, kernels::Context& context);
};

template <class T>
struct StackWorkspace<T>::Layer {
  int64_t inputs = 0;
  bool residual = false;
  std::vector<Direction> directions;
  const T* x = nullptr;  // [T, B, inputs] what the layer below gives, before any mask; null: symbols
  int64_t x_stride = 0;
  double drop = 0.0;        // of x
  Buffer<T> mask, dropped;  // [T, B, inputs], or [B, inputs] where variational; and their product
  Buffer<T> y;              // [T, B, padded(D R)] where it is not h itself
  const T* dy = nullptr;    // [T, B, padded(D R)] gradient of the layer's output
  Buffer<T> dx_memory;      // [T, B, padded(inputs)], of layers above the first
  T* dx = nullptr;          // [T, B, inputs]; null: not wanted
  int64_t dx_stride = 0;
};

/// Some steps, some rows of the batch, and some of an array's columns.
template <class T>
struct StackWorkspace<T>::Area {
  Range steps, rows, columns;
};

/// A forward pass on the tape.
template <class T>
struct StackWorkspace<T>::Recording {
  struct Part {
    std::vector<std::pair<autograd::Var<T>, int64_t>> parameters;  // leaves, and where they are in the arena
    autograd::Var<T> h_first{}, h_last{};
    std::optional<autograd::Var<T>> c_first{}, c_last{};  // where the cell has a c
  };
  autograd::Tape<T> tape;
  std::vector<Part> parts;                  // by layer and direction
  std::vector<autograd::Var<T>> x, raw, y;  // raw: before the last mask
};

}  // namespace longhand::nn
