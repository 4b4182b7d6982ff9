// One recurrent layer of any cell, in double, one sequence at a time: what each step computes, and how a gradient goes
// back through it, as a whole or by one road alone. For measuring, not for speed. The equations are those of
// docs/derivatives.md.
//
// H hidden units, I inputs, G gates (LSTM 4: i f g o; GRU 3: r z n; plain 1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/nn/lstm_options.h"

namespace longhand::lab {

using Vector = std::vector<double>;

/// The weights of a layer in one direction, without projection.
struct LayerWeights {
  nn::Cell cell = nn::Cell::kLstm;
  int64_t inputs = 0;       ///< I
  int64_t hidden = 0;       ///< H
  Vector w_ih;              ///< [G H, I]
  Vector w_hh;              ///< [G H, H]
  Vector bias;              ///< [G H]
  Vector bias_hh;           ///< [3 H] of a GRU
  Vector gain_ih, gain_hh;  ///< [4 H] of a normalised LSTM; otherwise empty
  Vector gain_c, bias_c;    ///< [H] likewise

  int64_t gates() const { return static_cast<int64_t>(bias.size()) / hidden; }
  bool normalised() const { return !gain_ih.empty(); }
  bool has_cell() const { return cell == nn::Cell::kLstm; }
};

/// The first layer of a stack whose parameters are in an arena.
LayerWeights first_layer(const nn::LstmOptions& options, int64_t inputs, const ParameterArena& arena);

/// What a step starts from and hands on: h [H], and of an LSTM c [H]. Also the gradient by these.
struct LayerState {
  Vector h, c;
};

/// One step, with what its backward pass needs.
struct LayerStep {
  LayerState before, after;
  Vector gates;            ///< [G H] after their activation
  Vector seen;             ///< [H] of an LSTM: tanh of what the output gate lets through
  Vector reset;            ///< [H] of a GRU: W_hn h + b_hn, which r multiplies
  Vector norm_hh, norm_c;  ///< [4 H], [H] of a normalised LSTM
  double rstd_hh = 0.0, rstd_c = 0.0;
};

/// The roads by which a gradient goes back through one step: along the state itself (the LSTM's cell times its forget
/// gate (31), the GRU's state times its update gate; a plain cell has none), and through each gate and its recurrent
/// weights. What they bring back adds up to the whole.
struct Roads {
  bool state = true;
  unsigned gates = ~0U;  ///< bit k: gate k

  static constexpr Roads all() { return {}; }
  static constexpr Roads along_state() { return {true, 0}; }
  static constexpr Roads through(int gate) { return {false, 1U << static_cast<unsigned>(gate)}; }
};

/// Names of the gates of a cell, in the order of its weights.
std::vector<std::string> gate_names(nn::Cell cell);

class Recurrence {
 public:
  explicit Recurrence(LayerWeights weights) : w_(std::move(weights)) {}

  const LayerWeights& weights() const { return w_; }
  /// Numbers in a state: H, or 2 H.
  int64_t state_size() const { return w_.has_cell() ? 2 * w_.hidden : w_.hidden; }
  LayerState zero_state() const;

  /// W_ih x for an input of I numbers, and for a one-hot input. [G H]
  Vector input_part(const Vector& x) const;
  Vector input_part(int32_t symbol) const;
  /// One step from `before`, whose input gives `u`.
  LayerStep forward(const LayerState& before, const Vector& u) const;

  /// The gradient by the state before a step from the gradient by the state after it, by these roads: (20) to (25) and
  /// (30).
  LayerState back(const LayerStep& step, const LayerState& after, Roads roads = Roads::all()) const;

  /// The Jacobian of a step, [state_size, state_size] row-major: row j has the derivatives of element j of the state
  /// after the step (h, then c) by the state before it.
  Vector jacobian(const LayerStep& step) const;

 private:
  LayerStep forward_lstm(const LayerState& before, const Vector& u) const;
  LayerStep forward_gru(const LayerState& before, const Vector& u) const;
  LayerState back_lstm(const LayerStep& step, const LayerState& after, Roads roads) const;
  LayerState back_gru(const LayerStep& step, const LayerState& after, Roads roads) const;
  LayerState back_plain(const LayerStep& step, const LayerState& after, Roads roads) const;

  LayerWeights w_;
};

/// The largest singular value of a matrix [n, n], by power iteration on A'A.
double largest_singular_value(const Vector& matrix, int64_t n);
/// The spectral radius of a matrix [n, n]: the limit of |A^k|^(1/k) (Gelfand), at k = 4,096 by repeated squaring.
double spectral_radius(Vector matrix, int64_t n);

/// Euclidean norm.
double norm(const Vector& v);
double norm(const LayerState& s);
double dot(const LayerState& a, const LayerState& b);
void add_to(LayerState& sum, const LayerState& more);

}  // namespace longhand::lab
