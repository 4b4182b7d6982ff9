// Layers whose cells have h alone for a state: the gated recurrent unit and the plain recurrent layer, over a whole
// sequence in one direction. Like lstm.h, whose shapes, inputs and pieces they share: the argument structs are
// templates that the reference (reference_recurrent.h) fills, too. They have no projection, no masks and no
// normalisation.
//
// T steps, B rows (sequences) in the batch, I inputs, H hidden units, G blocks of H rows in the weights: 3 of a GRU, in
// the order r z n, and 1 of a plain layer. Hp = padded(H). One step (docs/derivatives.md has these equations with their
// numbers):
//
//   GRU     u = W_ih x_t + b_ih          v = W_hh h_{t-1} + b_hh
//           r = sigmoid(u_r + v_r)       z = sigmoid(u_z + v_z)      n = tanh(u_n + r * v_n)
//           h_t = (1 - z) * n + z * h_{t-1}
//   plain   h_t = activation(W_ih x_t + W_hh h_{t-1} + b)
//
// Sources: Cho et al. 2014, with the reset gate after the product, as PyTorch and cuDNN have it; Elman 1990.
//
// Row b is `lengths[b]` steps long, in any order, 0 included. Beyond its end its outputs are zero, and no work is done.
#pragma once

#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

enum class RecurrentCell { kGru, kTanh, kRelu };

/// G: how many blocks of H rows the weights have.
constexpr int64_t gates_of(RecurrentCell cell) { return cell == RecurrentCell::kGru ? 3 : 1; }
/// How many blocks of Hp a row of the cache has: a GRU keeps one more, since the reset gate needs v_n apart.
constexpr int64_t cached_of(RecurrentCell cell) { return cell == RecurrentCell::kGru ? 4 : 1; }

template <class T>
struct RecurrentParameters {
  T* w_ih = nullptr;     ///< [G H, I]
  T* w_hh = nullptr;     ///< [G H, H]
  T* bias_ih = nullptr;  ///< [G H]
  T* bias_hh = nullptr;  ///< [G H] of a GRU; null: a plain layer, which has one bias
};
template <class T>
using RecurrentWeights = RecurrentParameters<const T>;
template <class T>
using RecurrentGradients = RecurrentParameters<T>;

template <class T>
struct RecurrentForward {
  RecurrentCell cell = RecurrentCell::kGru;
  LstmShape shape;
  RecurrentWeights<T> weights;
  LstmInput<T> input;
  T* h = nullptr;  ///< [T+1, B, Hp] the initial slot read, the others written
  /// [T, B, 4, Hp] written: r z n of a GRU after their activation, and v_n; [T, B, Hp] of a plain layer: what its
  /// activation is of. Null for inference.
  T* cache = nullptr;
  T* h_last = nullptr;  ///< [B, Hp] written: each row's h after its own last step; may be null

  bool keeps() const { return cache != nullptr; }
};

/// Gradients are those of a scalar loss. All weight gradients are added to.
template <class T>
struct RecurrentBackward {
  RecurrentCell cell = RecurrentCell::kGru;
  LstmShape shape;
  RecurrentWeights<T> weights;
  LstmInput<T> input;
  const T* h = nullptr;        ///< [T+1, B, Hp] as the forward pass left it
  T* cache = nullptr;          ///< likewise; becomes the gradients of u (and of v_n), or of the activation's argument
  const T* dh = nullptr;       ///< [T, B, Hp] gradient of the outputs
  const T* dh_last = nullptr;  ///< [B, Hp] gradient of h_last; null: zero
  T* dx = nullptr;             ///< [T, B, I] written, zero in the padding; null: not wanted
  int64_t dx_stride = 0;
  bool add_to_dx = false;  ///< dx is added to instead
  RecurrentGradients<T> gradients;
  T* dh_first = nullptr;  ///< [B, Hp] written: gradient of the initial h; null: not wanted
};

/// The layer's weights as the fused kernels read them.
struct PackedRecurrent {
  PackedMatrix input;              ///< W_ih' [I, G Hp]; empty for symbols
  Buffer<float> columns;           ///< W_ih' [I, G, Hp] for symbols, in inference; otherwise empty
  PackedMatrix recurrent[3];       ///< W_hh' [H, H] of each gate
  PackedMatrix input_back;         ///< W_ih [G Hp, I]
  PackedMatrix recurrent_back[2];  ///< W_hh [2 Hp, H] of r and z, and [Hp, H] of n; of a plain layer the first alone
  Buffer<float> bias;              ///< [G, Hp] all that is added to W_ih x: without b_hn
  Buffer<float> bias_hn;           ///< [Hp] of a GRU
};

/// Packs the weights; repeat it whenever they have changed. `dense` says that the input is x, not symbols.
void pack_recurrent(RecurrentCell cell, const LstmShape& shape, const RecurrentWeights<float>& weights, bool dense,
                    PackFor purpose, PackedRecurrent& packed, Context& context);

/// The whole pass, on all threads of the context, which share the rows of the batch.
void recurrent_forward(const RecurrentForward<float>& args, const PackedRecurrent& packed, Context& context);
void recurrent_backward(const RecurrentBackward<float>& args, const PackedRecurrent& packed, Context& context);

/// The same in pieces that have one member each: see lstm_forward_begin and its neighbours in lstm.h.
void recurrent_forward_begin(const RecurrentForward<float>& args, const PackedRecurrent& packed, LstmMemory& memory,
                             Context& context);
void recurrent_forward_inputs(const RecurrentForward<float>& args, const PackedRecurrent& packed,
                              const LstmPiece& piece, Context& context);
void recurrent_forward_steps(const RecurrentForward<float>& args, const PackedRecurrent& packed, const LstmPiece& piece,
                             LstmMemory& memory, Context& context);
void recurrent_backward_begin(const RecurrentBackward<float>& args, LstmMemory& memory);
void recurrent_backward_steps(const RecurrentBackward<float>& args, const PackedRecurrent& packed,
                              const LstmPiece& piece, LstmMemory& memory, Context& context);
void recurrent_backward_inputs(const RecurrentBackward<float>& args, const PackedRecurrent& packed,
                               const LstmPiece& piece, Context& context);
/// `inputs` says that the gradient of the input is still wanted.
void recurrent_backward_weights(const RecurrentBackward<float>& args, const PackedRecurrent& packed, bool inputs,
                                Context& context);

}  // namespace longhand::kernels
