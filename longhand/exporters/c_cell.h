// C code for one direction of a recurrent layer.
#pragma once

#include <string>
#include <vector>

#include "longhand/exporters/c_site.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::exporters {

struct CActivation {
  kernels::Function function = kernels::Function::kTanh;
  float alpha = 0.0F, beta = 0.0F;
  bool operator==(const CActivation&) const = default;
};

/// Options and weights of one direction. Rows of the weights are grouped by gate: i f g o for an LSTM, r z n for a GRU.
struct CCell {
  enum class Kind { kLstm, kGru, kGruResetFirst, kPlain };
  Kind kind = Kind::kLstm;
  int64_t inputs = 0, hidden = 0, projection = 0;
  bool symbols = false;  ///< x holds symbol indices [T] instead of floats [T, I]
  CActivation gate{kernels::Function::kSigmoid}, candidate{}, output{};
  bool coupled = false;                                 ///< f = 1 - i
  float zone_h = 0.0F, zone_c = 0.0F;                   ///< zoneout: fraction of h and c kept from the previous step
  float gate_clip = 0.0F, cell_clip = 0.0F;             ///< 0: none
  std::vector<float> w_ih, w_hh;                        ///< [G H, I], [G H, R]
  std::vector<float> bias;                              ///< [G H] added to W_ih x + W_hh h
  std::vector<float> bias_hh;                           ///< [G H] added to W_hh h (GRU)
  std::vector<float> peepholes;                         ///< [3 H] in the order i f o; empty: none
  std::vector<float> gain_ih, gain_hh, gain_c, bias_c;  ///< layer normalisation; empty: none
  std::vector<float> w_hr;                              ///< [R, H]; empty: none

  int64_t gates() const { return kind == Kind::kLstm ? 4 : kind == Kind::kPlain ? 1 : 3; }
  int64_t state() const { return projection > 0 ? projection : hidden; }
  bool has_cell() const { return kind == Kind::kLstm; }
};

/// Name, sequence layout and buffers of the C function of one layer.
struct CLayerPlaces {
  std::string label, comment;
  int64_t steps = 1;
  int64_t frames = 1;      ///< number of sequences in x, each read from zero states; above 1, y is required
  bool only_last = false;  ///< y holds only the last output of each frame
  bool reverse = false;    ///< processes the time steps from last to first
  int mask = -1;           ///< [T] int, 0 for a masked step; -1: no mask
  bool mask_zeros = true;  ///< output of a masked step: zeros, otherwise the unchanged h
  int x = -1;              ///< [T, I], or symbol indices [T]
  int h = -1, c = -1;      ///< [R], [H]: initial states on entry, states after the last step on return
  int y = -1;              ///< output of step t is written at t y_stride + y_offset; -1: only h is written
  int64_t y_stride = 0, y_offset = 0;
  bool y_in_order_of_work = false;  ///< with reverse: y starts with the output of the last time step
};

/// Adds an operation that runs the layer over all T steps of each frame.
void add_c_layer(CProgram& program, const CCell& cell, const CLayerPlaces& places);

}  // namespace longhand::exporters
