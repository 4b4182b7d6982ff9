// The LSTM layer over a whole sequence, in one direction: forward for training, forward for inference, and the
// hand-derived backward pass. The argument structs are templates so that the reference (reference_lstm.h) fills the
// same ones, in float or double. Layers above and beside one another are the business of nn/lstm_stack.h.
//
// T steps, B rows (sequences) in the batch, I inputs, H hidden units, R outputs: the projection's size P, or H without
// one. Hp = padded(H), Rp = padded(R). Gates are in the order i f g o. One step, with every option
// (docs/derivatives.md has these equations with their numbers, and what follows from them):
//
//   r  = recurrent_mask * h_{t-1}
//   a  = W_ih x_t + W_hh r + b       or, normalised,  a = gain_ih * N(W_ih x_t) + gain_hh * N(W_hh r) + b
//   i = sigmoid(a_i)  f = sigmoid(a_f)  g = tanh(a_g)  o = sigmoid(a_o)
//   c~ = f * c_{t-1} + i * g         s = c~   or, normalised,  s = gain_c * N(c~) + bias_c
//   m  = o * tanh(s)                 h~ = m   or, projected,   h~ = W_hr m
//   h_t = zone_h * h_{t-1} + (1 - zone_h) * h~
//   c_t = zone_c * c_{t-1} + (1 - zone_c) * c~
//
// Sources: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; projection: Sak et al. 2014;
// layer normalisation: Ba et al. 2016; mask on the recurrent state: Gal and Ghahramani 2016; zoneout: Krueger et al.
// 2017. LstmCell (lstm_cell.h) has the variants of the cell: other activations, bounds, coupled gates, and here
// peepholes (Gers and Schmidhuber 2000), by which i and f see c_{t-1}, and o sees c~. N(v) = (v - mean(v)) /
// sqrt(variance(v) + kNormEpsilon) is taken over the four gates together, and over the units of the cell.
//
// Row b is `lengths[b]` steps long, in any order, 0 included. Beyond its end its outputs are zero, and no work is done.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"
#include "longhand/kernels/lstm_cell.h"

namespace longhand::kernels {

inline constexpr double kNormEpsilon = 1e-5;

/// State arrays have T+1 slots. Forward in time, slot 0 is the initial state and slot t+1 what step t makes of slot t.
/// In reverse, slot T is the initial state, and step t puts its result in slot t.
struct LstmShape {
  int64_t steps = 0;                 ///< T
  int64_t batch = 0;                 ///< B
  int64_t inputs = 0;                ///< I
  int64_t hidden = 0;                ///< H
  const int32_t* lengths = nullptr;  ///< [B], each 0 .. T; null: all T
  int64_t projection = 0;            ///< P; 0: none
  bool reverse = false;              ///< each row begins at its own last step

  int64_t outputs() const { return projection > 0 ? projection : hidden; }  ///< R
  int64_t length(int64_t b) const { return lengths != nullptr ? lengths[b] : steps; }
  int64_t initial_slot() const { return reverse ? steps : 0; }
  int64_t next_slot(int64_t t) const { return reverse ? t : t + 1; }
  int64_t prev_slot(int64_t t, int64_t b) const { return !reverse ? t : t + 1 == length(b) ? steps : t + 1; }
  int64_t last_slot(int64_t b) const { return !reverse ? length(b) : length(b) > 0 ? 0 : steps; }
  /// The time step that is the s-th in the order of work.
  int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  /// The time steps of some in the order of work, forward and backward.
  Range times(Range work) const { return reverse ? Range{steps - work.end, steps - work.begin} : work; }
  Range times_back(Range work) const { return times({steps - work.end, steps - work.begin}); }
};

template <class T>
struct LstmParameters {
  T* w_ih = nullptr;       ///< [4H, I]
  T* w_hh = nullptr;       ///< [4H, R]
  T* bias = nullptr;       ///< [4H]
  T* w_hr = nullptr;       ///< [P, H] of a projected layer
  T* gain_ih = nullptr;    ///< [4H] of a normalised layer, which has all four; otherwise null
  T* gain_hh = nullptr;    ///< [4H]
  T* gain_c = nullptr;     ///< [H]
  T* bias_c = nullptr;     ///< [H]
  T* peepholes = nullptr;  ///< [3, H] of i f o: diagonal matrices; null: none
};
template <class T>
using LstmWeights = LstmParameters<const T>;
template <class T>
using LstmGradients = LstmParameters<T>;

/// The input: either dense rows, or one symbol a row, which stands for a one-hot row of I and is multiplied by picking
/// one column of w_ih. Symbols must be 0 .. I-1.
template <class T>
struct LstmInput {
  const T* x = nullptr;  ///< [T, B, I]
  int64_t x_stride = 0;
  const int32_t* symbols = nullptr;  ///< [T, B]; used where x is null
};

/// Constants that multiply states. A stride of 0 repeats one row for all: an expectation instead of a draw.
template <class T>
struct LstmMasks {
  const T* recurrent = nullptr;  ///< [B, Rp] on h_{t-1} in the recurrent product; null: ones
  const T* zone_h = nullptr;     ///< [T, B, Rp] the part of h_{t-1} that stays; null: zeros
  int64_t zone_h_stride = 0;
  const T* zone_c = nullptr;  ///< [T, B, Hp] the part of c_{t-1} that stays; null: zeros
  int64_t zone_c_stride = 0;

  const T* zone_h_row(int64_t row) const { return zone_h == nullptr ? nullptr : zone_h + row * zone_h_stride; }
  const T* zone_c_row(int64_t row) const { return zone_c == nullptr ? nullptr : zone_c + row * zone_c_stride; }
};

/// What the forward pass writes for the backward pass. For inference all are null.
template <class T>
struct LstmCache {
  T* gates = nullptr;     ///< [T, B, 4, Hp] i f g o after their activation
  T* masked_h = nullptr;  ///< [T, B, Rp] r; with a recurrent mask
  T* m = nullptr;         ///< [T, B, Hp]; with a projection
  T* norm_ih = nullptr;   ///< [T, B, 4, Hp] N(W_ih x); with normalisation and dense input
  T* norm_hh = nullptr;   ///< [T, B, 4, Hp] N(W_hh r); with normalisation
  T* norm_c = nullptr;    ///< [T, B, Hp] N(c~); with normalisation
  T* rstd = nullptr;      ///< [T, B, 3] 1 / sqrt(variance + epsilon) of these three; with normalisation
  T* sums = nullptr;      ///< [T, B, 4, Hp] what the activations of i f g o are of, unclipped; where LstmCell keeps it
};

template <class T>
struct LstmForward {
  LstmShape shape;
  LstmCell cell;
  LstmWeights<T> weights;
  LstmInput<T> input;
  LstmMasks<T> masks;
  T* h = nullptr;  ///< [T+1, B, Rp] the initial slot read, the others written
  T* c = nullptr;  ///< [T+1, B, Hp] likewise; for inference [B, Hp]: read, then overwritten by the final state
  LstmCache<T> cache;
  T* h_last = nullptr;  ///< [B, Rp] written: each row's h after its own last step; may be null
  T* c_last = nullptr;  ///< [B, Hp] likewise; null for inference, where it is in `c`

  bool keeps() const { return cache.gates != nullptr; }
};

/// Gradients are those of a scalar loss. All weight gradients are added to.
template <class T>
struct LstmBackward {
  LstmShape shape;
  LstmCell cell;
  LstmWeights<T> weights;
  LstmInput<T> input;
  LstmMasks<T> masks;
  const T* h = nullptr;        ///< [T+1, B, Rp] as the forward pass left it
  const T* c = nullptr;        ///< [T+1, B, Hp] likewise
  LstmCache<T> cache;          ///< likewise; gates become the gradient of a, norm_ih is overwritten
  const T* dh = nullptr;       ///< [T, B, Rp] gradient of the outputs
  const T* dh_last = nullptr;  ///< [B, Rp] gradient of h_last; null: zero
  const T* dc_last = nullptr;  ///< [B, Hp] gradient of c_last; null: zero
  T* dx = nullptr;             ///< [T, B, I] written, zero in the padding; null: not wanted
  int64_t dx_stride = 0;
  bool add_to_dx = false;  ///< dx is added to instead
  LstmGradients<T> gradients;
  T* dh_first = nullptr;  ///< [B, Rp] written: gradient of the initial h; null: not wanted
  T* dc_first = nullptr;  ///< [B, Hp] written: gradient of the initial c; null: not wanted
};

/// The layer's weights as the fused kernels read them.
struct PackedLstm {
  PackedMatrix input;            ///< W_ih' [I, 4Hp]; empty for symbols
  Buffer<float> columns;         ///< W_ih' [I, 4, Hp] for symbols, in inference; otherwise empty
  PackedMatrix recurrent[4];     ///< W_hh' [R, H] of each gate
  PackedMatrix projection;       ///< W_hr' [H, P]
  PackedMatrix input_back;       ///< W_ih [4Hp, I]
  PackedMatrix recurrent_back;   ///< W_hh [4Hp, R]
  PackedMatrix projection_back;  ///< W_hr [P, H]
  Buffer<float> bias;            ///< [4, Hp]
  Buffer<float> gain_ih;         ///< [4, Hp]
  Buffer<float> gain_hh;         ///< [4, Hp]
  Buffer<float> gain_c;          ///< [Hp]
  Buffer<float> bias_c;          ///< [Hp]
  Buffer<float> peepholes;       ///< [3, Hp]; empty: none
};

/// What a caller needs of a PackedLstm: forward alone, or backward too.
enum class PackFor { kInference, kTraining };

/// Packs the weights; repeat it whenever they have changed. `dense` says that the input is x, not symbols.
void pack_lstm(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackFor purpose,
               PackedLstm& packed, Context& context);

/// Whether it is anything but the standard cell. `args` are those of a pass.
template <class Args>
bool is_variant(const Args& args) {
  return !args.cell.is_standard() || args.weights.peepholes != nullptr;
}

/// The whole pass, on all threads of the context.
void lstm_forward(const LstmForward<float>& args, const PackedLstm& packed, Context& context);
void lstm_backward(const LstmBackward<float>& args, const PackedLstm& packed, Context& context);

/// A part of a pass: some steps of some rows; and of these, where a step is shared by several members, the units of
/// one.
struct LstmPiece {
  Range steps;  ///< in the order of work: backward, 0 is the last step of a forward direction
  Range rows;   ///< of the batch
  int member = 0;
  int members = 1;
};

/// Whether units need of one another no more than their h of the step before. `args` are those of a pass.
template <class Args>
bool units_are_independent(const Args& args) {
  return args.weights.w_hr == nullptr && args.weights.gain_ih == nullptr && args.masks.recurrent == nullptr &&
         args.masks.zone_h == nullptr;
}

/// Whether members may share the steps of a pass: in inference, only where the input's part of the gates of all steps
/// is no large array; backward, only where the gradients of the initial states are not wanted.
template <class T>
bool may_share_steps(const LstmForward<T>& args) {
  constexpr int64_t kMost = int64_t{1} << 24;
  const int64_t gates = args.shape.steps * args.shape.batch * 4 * args.shape.hidden;
  return units_are_independent(args) && (args.keeps() || gates <= kMost);
}
template <class T>
bool may_share_steps(const LstmBackward<T>& args) {
  return units_are_independent(args) && args.dh_first == nullptr && args.dc_first == nullptr;
}

/// The forward pass in pieces, as LstmPlan (lstm_lanes.h) orders them: `begin` once; then of each row, in the order of
/// work, the input's part of the gates for some steps, and these steps. `context` is the calling thread's own, except
/// in `begin`. `shared` says that pieces have members; then the input's part is computed apart from the steps.
void lstm_forward_begin(const LstmForward<float>& args, const PackedLstm& packed, bool shared, LstmMemory& memory,
                        Context& context);
void lstm_forward_inputs(const LstmForward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                         LstmMemory& memory, Context& context);
void lstm_forward_steps(const LstmForward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                        LstmMemory& memory, Context& context);

/// The backward pass likewise: `begin`; the steps, and for each the gradient of its input, which a normalised layer
/// has only in the end; then once the gradients of the weights and, where it is still wanted, of the input, on all
/// threads.
void lstm_backward_begin(const LstmBackward<float>& args, LstmMemory& memory);
void lstm_backward_steps(const LstmBackward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                         LstmMemory& memory, Context& context);
void lstm_backward_inputs(const LstmBackward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                          Context& context);
void lstm_backward_weights(const LstmBackward<float>& args, const PackedLstm& packed, bool inputs, LstmMemory& memory,
                           Context& context);

}  // namespace longhand::kernels
