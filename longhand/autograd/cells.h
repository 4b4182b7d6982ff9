// Recurrent cells and layers as their forward equations alone: the tape does the rest. Made to check other
// implementations, to try variants and to compare cells, not for speed. In shapes B is the batch, I the inputs, H the
// hidden units, and R the width of h: H, or P where h is projected.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "longhand/autograd/operations.h"

namespace longhand::autograd {

/// (v - mean(v)) / sqrt(var(v) + 1e-5) of each row, with the biased variance. v [m,n] -> [m,n].
template <class T>
Var<T> normalise(Var<T> v);

/// How a cell differs from the standard LSTM's; a function that is empty is that one's.
template <class T>
struct LstmVariant {
  using Function = std::function<Var<T>(Var<T>)>;
  Function gate{}, candidate{}, output{};  ///< for the sigmoid of i f o, the tanh of g, and that of the cell
  bool coupled = false;                    ///< f = 1 - i
  T gate_clip = T(0);                      ///< bound of what the first two are applied to; 0: none
  T cell_clip = T(0);                      ///< bound of the new cell; 0: none
};

/// An LSTM's weights, gates stacked in the order i f g o. Optional are a projection (Sak et al. 2014) and, all four or
/// none, the gains and the bias of layer normalisation (Ba et al. 2016).
template <class T>
struct LstmVars {
  Var<T> w_ih;                                 ///< [4H,I]
  Var<T> w_hh;                                 ///< [4H,R]
  Var<T> bias;                                 ///< [1,4H]
  std::optional<Var<T>> w_hr{};                ///< [P,H]
  std::optional<Var<T>> gain_ih{}, gain_hh{};  ///< [1,4H]
  std::optional<Var<T>> gain_c{}, bias_c{};    ///< [1,H]
  std::optional<Var<T>> peepholes{};           ///< [1,3H], of i f o; i and f see the cell before, o the new one
  const LstmVariant<T>* variant = nullptr;     ///< null: the standard cell
};

/// Constants that multiply. `recurrent` is dropout on h on its way into W_hh, already scaled; `zone_h` and `zone_c` are
/// zoneout (Krueger et al. 2017): the share of the old state that is kept, 0 or 1 in training, the rate in evaluation.
template <class T>
struct LstmMasks {
  std::optional<Var<T>> recurrent{}, zone_h{};  ///< [B,R]
  std::optional<Var<T>> zone_c{};               ///< [B,H]
};

template <class T>
struct LstmState {
  Var<T> h;  ///< [B,R]
  Var<T> c;  ///< [B,H]
};

/// One step from `prev`, given u = W_ih x_t [B,4H].
template <class T>
LstmState<T> lstm_step(const LstmVars<T>& vars, Var<T> u, const LstmState<T>& prev, const LstmMasks<T>& masks = {});

/// What a layer in one direction reads: either `x` or `symbols`.
template <class T>
struct SequenceInput {
  int64_t steps = 0;
  std::vector<Var<T>> x{};           ///< `steps` of [B,I]; finite beyond the ends of ragged rows, too
  const int32_t* symbols = nullptr;  ///< [steps,B], one-hot inputs; ignored beyond the ends of ragged rows
  const int32_t* lengths = nullptr;  ///< [B], each 0 .. steps; null: all rows are `steps` long
  bool reverse = false;              ///< each row's last step, lengths[b] - 1, comes first
};

/// What a layer gives; `State` is LstmState, or Var where h is all there is.
template <class T, class State>
struct SequenceOutputs {
  std::vector<Var<T>> h;  ///< `steps` of [B,R], by index t in either direction; zeros where t >= lengths[b]
  State last;             ///< each row's state after its own last step; its initial one where its length is 0
};

template <class T>
struct LstmSequence {
  LstmVars<T> vars;
  SequenceInput<T> input;
  LstmState<T> initial{};                  ///< h0, c0
  std::optional<Var<T>> recurrent_mask{};  ///< [B,R], the same at every step
  std::vector<Var<T>> zone_h{}, zone_c{};  ///< as in LstmMasks: `steps` of them, by index t; or one for all; or none
};

template <class T>
using LstmOutputs = SequenceOutputs<T, LstmState<T>>;

template <class T>
LstmOutputs<T> lstm_sequence(const LstmSequence<T>& sequence);

enum class Activation { kTanh, kRelu, kSigmoid };

/// h_t = activation(u + W_hh h_prev + b), given u = W_ih x_t [B,H]. w_hh [H,H], bias [1,H], h_prev [B,H] -> [B,H].
template <class T>
Var<T> rnn_step(Var<T> w_hh, Var<T> bias, Var<T> u, Var<T> h_prev, Activation activation);

template <class T>
struct RnnVars {
  Var<T> w_ih;  ///< [H,I]
  Var<T> w_hh;  ///< [H,H]
  Var<T> bias;  ///< [1,H]
};

/// A layer of that cell (Elman 1990) from h_0 [B,H].
template <class T>
SequenceOutputs<T, Var<T>> rnn_sequence(const RnnVars<T>& vars, const SequenceInput<T>& input, Var<T> h_0,
                                        Activation activation);

/// PyTorch's gated recurrent unit (Cho et al. 2014, with the reset gate after the product), gates stacked in the order
/// r z n.
template <class T>
struct GruVars {
  Var<T> w_ih;     ///< [3H,I]
  Var<T> w_hh;     ///< [3H,H]
  Var<T> bias_ih;  ///< [1,3H]
  Var<T> bias_hh;  ///< [1,3H]
};

/// One step from h_prev [B,H], given u = W_ih x_t [B,3H] -> [B,H].
template <class T>
Var<T> gru_step(const GruVars<T>& vars, Var<T> u, Var<T> h_prev);

/// A layer of that cell from h_0 [B,H].
template <class T>
SequenceOutputs<T, Var<T>> gru_sequence(const GruVars<T>& vars, const SequenceInput<T>& input, Var<T> h_0);

}  // namespace longhand::autograd
