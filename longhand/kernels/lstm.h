// The LSTM layer over a whole sequence: forward for training, forward for inference, and the hand-derived backward
// pass. The argument structs are templates so that the reference (reference.h) fills the same ones, in float or double.
//
// T steps, B rows (sequences) in the batch, I inputs, H hidden units, Hp = padded(H). Gates are in the order i f g o.
// For one step (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
//
//   a = W_ih x_t + W_hh h_{t-1} + b
//   i = sigmoid(a_i)  f = sigmoid(a_f)  g = tanh(a_g)  o = sigmoid(a_o)
//   c_t = f * c_{t-1} + i * g           h_t = o * tanh(c_t)
//
// Row b is `lengths[b]` steps long, in any order, 0 included. Beyond its end its outputs are zero, and no work is done.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

struct LstmShape {
  int64_t steps = 0;                 ///< T
  int64_t batch = 0;                 ///< B
  int64_t inputs = 0;                ///< I
  int64_t hidden = 0;                ///< H
  const int32_t* lengths = nullptr;  ///< [B], each 0 .. T; null: all T
};

template <class T>
struct LstmWeights {
  const T* w_ih = nullptr;  ///< [4H, I]
  const T* w_hh = nullptr;  ///< [4H, H]
  const T* bias = nullptr;  ///< [4H]
};

/// The input: either dense rows, or one symbol a row, which stands for a one-hot row of I and is multiplied by picking
/// one column of w_ih. Symbols must be 0 .. I-1.
template <class T>
struct LstmInput {
  const T* x = nullptr;  ///< [T, B, I]
  int64_t x_stride = 0;
  const int32_t* symbols = nullptr;  ///< [T, B]; used where x is null
};

/// `h` and `c` have T+1 slots; slot 0 is the initial state, slot t+1 what step t makes of slot t.
template <class T>
struct LstmForward {
  LstmShape shape;
  LstmWeights<T> weights;
  LstmInput<T> input;
  T* h = nullptr;  ///< [T+1, B, Hp] slot 0 read, the others written
  T* c = nullptr;  ///< [T+1, B, Hp] likewise; where `gates` is null, [B, Hp]: read, then overwritten by the final state
  T* gates = nullptr;   ///< [T, B, 4, Hp] i f g o after their activation, written; null for inference
  T* h_last = nullptr;  ///< [B, Hp] written: each row's h after its own last step; may be null
  T* c_last = nullptr;  ///< [B, Hp] likewise; null for inference, where `c` is that
};

/// Gradients are those of a scalar loss. All weight gradients are added to.
template <class T>
struct LstmBackward {
  LstmShape shape;
  LstmWeights<T> weights;
  LstmInput<T> input;
  const T* h = nullptr;        ///< [T+1, B, Hp] as the forward pass left it
  const T* c = nullptr;        ///< [T+1, B, Hp] likewise
  T* gates = nullptr;          ///< [T, B, 4, Hp] likewise; overwritten by the gradient of the pre-activations a
  const T* dh = nullptr;       ///< [T, B, Hp] gradient of the outputs (slots 1 .. T of h)
  const T* dh_last = nullptr;  ///< [B, Hp] gradient of h_last; null: zero
  const T* dc_last = nullptr;  ///< [B, Hp] gradient of c_last; null: zero
  T* dx = nullptr;             ///< [T, B, I] written, zero in the padding; null: not wanted
  int64_t dx_stride = 0;
  T* dw_ih = nullptr;     ///< [4H, I] added to
  T* dw_hh = nullptr;     ///< [4H, H] added to
  T* dbias = nullptr;     ///< [4H] added to
  T* dh_first = nullptr;  ///< [B, Hp] written: gradient of the initial h; null: not wanted
  T* dc_first = nullptr;  ///< [B, Hp] written: gradient of the initial c; null: not wanted
};

/// The layer's weights as the fused kernels read them.
struct PackedLstm {
  PackedMatrix input;           ///< W_ih' [I, 4Hp]; empty for symbols
  PackedMatrix recurrent;       ///< W_hh' [H, 4H], the four gates of a vector of units side by side
  PackedMatrix input_back;      ///< W_ih [4Hp, I]
  PackedMatrix recurrent_back;  ///< W_hh [4Hp, H]
  Buffer<float> bias;           ///< [4, Hp]
};

/// What a caller needs of a PackedLstm: forward alone, or backward too.
enum class PackFor { kInference, kTraining };

/// Packs the weights; repeat it whenever they have changed. `dense` says that the input is x, not symbols.
void pack_lstm(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackFor purpose,
               PackedLstm& packed, Context& context);

void lstm_forward(const LstmForward<float>& args, const PackedLstm& packed, Context& context);
void lstm_backward(const LstmBackward<float>& args, const PackedLstm& packed, Context& context);

}  // namespace longhand::kernels
