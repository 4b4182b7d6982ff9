// Recurrent layers in C: one direction of one layer.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/c_site.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::convert {

struct CActivation {
  kernels::Function function = kernels::Function::kTanh;
  float alpha = 0.0F, beta = 0.0F;
  bool operator==(const CActivation&) const = default;
};

/// Weights are rows, gate after gate: i f g o of an LSTM, r z n of a GRU.
struct CCell {
  enum class Kind { kLstm, kGru, kGruResetFirst, kPlain };
  Kind kind = Kind::kLstm;
  int64_t inputs = 0, hidden = 0, projection = 0;
  bool symbols = false;  ///< reads symbols instead of rows of numbers
  CActivation gate{kernels::Function::kSigmoid}, candidate{}, output{};
  bool coupled = false;                                 ///< f = 1 - i
  float zone_h = 0.0F, zone_c = 0.0F;                   ///< zoneout: the share of h and c that stays in each step
  float gate_clip = 0.0F, cell_clip = 0.0F;             ///< 0: none
  std::vector<float> w_ih, w_hh;                        ///< [G H, I], [G H, R]
  std::vector<float> bias;                              ///< [G H] what is added to the products
  std::vector<float> bias_hh;                           ///< [G H] of a GRU: beside W_hh h
  std::vector<float> peepholes;                         ///< [3 H] of i f o; empty: none
  std::vector<float> gain_ih, gain_hh, gain_c, bias_c;  ///< of layer normalisation; empty: none
  std::vector<float> w_hr;                              ///< [R, H]; empty: none

  int64_t gates() const { return kind == Kind::kLstm ? 4 : kind == Kind::kPlain ? 1 : 3; }
  int64_t state() const { return projection > 0 ? projection : hidden; }
  bool has_cell() const { return kind == Kind::kLstm; }
};

/// What a layer's function is called, and over which memory it runs.
struct CLayerPlaces {
  std::string label, comment;
  int64_t steps = 1;
  int64_t frames = 1;      ///< sequences one after the other, each from zeros; above 1, y is written
  bool only_last = false;  ///< y is one row of each frame
  bool reverse = false;    ///< reads the last step first
  int mask = -1;           ///< [T] whole numbers, 0 for a step that is left out; -1: none are
  bool mask_zeros = true;  ///< the output of such a step: zeros, or h as it is
  int x = -1;              ///< [T, I], or symbols [T]
  int h = -1, c = -1;      ///< [R], [H]: read, and left as they are after the last step
  int y = -1;              ///< step t goes to t y_stride + y_offset; -1: only h is wanted
  int64_t y_stride = 0, y_offset = 0;
  bool y_in_order_of_work = false;  ///< of a layer in reverse: its first output is that of the last step
};

/// Adds the operation.
void add_c_layer(CProgram& program, const CCell& cell, const CLayerPlaces& places);

}  // namespace longhand::convert
