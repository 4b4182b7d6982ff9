// What ONNX's LSTM, GRU and RNN have in common: inputs, directions, layouts, states and lengths.
#pragma once

#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/lstm.h"

namespace longhand::graph {

/// X [T, B, I] (or [B, T, I] with layout 1), W [D, G H, I], R [D, G H, H], B [D, 2 G H]; outputs Y [T, D, B, H] (or
/// [B, T, D, H]), Y_h [D, B, H] (or [B, D, H]). The trained arrays are known before a run.
struct OnnxRecurrent {
  OnnxRecurrent(NodeBuild& node, int64_t gates, bool has_cell, const Value* w = nullptr, const Value* r = nullptr);

  int64_t steps = 0, batch = 0, inputs = 0, hidden = 0, gates = 0, directions = 1;
  bool first_reverse = false;  ///< the only direction is the reverse one
  bool batch_first = false;
  bool keeps = false;                                    ///< `keep_state`: a run goes on where the one before ended
  const float *w = nullptr, *r = nullptr, *b = nullptr;  ///< b may be null
  bool shareable = false;                                ///< these are the network's own arrays
  const float* x = nullptr;                              ///< [T, B, I] in each run
  int32_t* lengths = nullptr;                            ///< [B] in each run; null: all T

  bool reverse(int64_t direction) const { return direction == 1 || first_reverse; }
  /// One direction's arrays with their blocks of H rows in another order: block k is ONNX's block order[k].
  std::vector<float> w_of(int64_t direction, const std::vector<int64_t>& order) const;
  std::vector<float> r_of(int64_t direction, const std::vector<int64_t>& order) const;
  /// Bias `which`, 0 of the input and 1 of the recurrence; zeros where there are none.
  std::vector<float> b_of(int64_t direction, int64_t which, const std::vector<int64_t>& order) const;
  kernels::LstmShape shape(int64_t direction) const;

  /// Adds a step that copies the initial state into rows [B, padded(H)] of each direction: input `input`, or zeros.
  /// With keep_state, once, at the beginning of sequences.
  void add_initial(NodeBuild& node, size_t input, const char* called, const std::vector<float*>& rows) const;
  /// Adds Y from h [T, B, padded(H)] of each direction, and the last states from rows [B, padded(H)].
  void add_y(NodeBuild& node, const std::vector<const float*>& h) const;
  void add_last(NodeBuild& node, size_t output, const std::vector<const float*>& rows) const;
};

}  // namespace longhand::graph
