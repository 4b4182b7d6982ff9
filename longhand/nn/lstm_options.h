// What a user may choose of a stack of recurrent layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/kernels/lstm_cell.h"

namespace longhand::nn {

/// What a layer is made of.
enum class Cell {
  kLstm,
  kGru,      ///< as PyTorch has it: the reset gate after the product (Cho et al. 2014)
  kRnn,      ///< h = tanh(W_ih x + W_hh h_prev + b) (Elman 1990)
  kRnnRelu,  ///< the same with max(0, ...) for tanh
};

/// L layers of D directions (1, or 2 where bidirectional), each of H units.
struct LstmOptions {
  std::string cell = "lstm";         ///< or "gru", "rnn", "rnn-relu"
  int64_t hidden = 256;              ///< H
  int64_t layers = 1;                ///< L
  bool bidirectional = false;        ///< outputs are the forward direction's and the reverse one's side by side
  int64_t proj = 0;                  ///< size P of the projected state (Sak et al. 2014); 0: none
  bool layer_norm = false;           ///< of the gates and the cell (Ba et al. 2016)
  bool residual = false;             ///< from the second layer on, add a layer's input to its output
  bool train_initial_state = false;  ///< learn where sequences begin, instead of zeros

  // Variants of the LSTM's cell: kernels/lstm_cell.h says what they are.
  bool peepholes = false;                     ///< gates see the cell (Gers and Schmidhuber 2000)
  bool coupled_gates = false;                 ///< the forget gate is 1 - the input gate (Greff et al. 2017)
  double gate_clip = 0.0;                     ///< bound of what gates and candidate are functions of; 0: none
  double cell_clip = 0.0;                     ///< bound of the cell; 0: none
  std::string gate_activation = "sigmoid";    ///< of input, forget and output gate, as activation_text.h has them
  std::string candidate_activation = "tanh";  ///< of the candidate
  std::string output_activation = "tanh";     ///< of the cell on its way into h

  // Regularisers. All are off outside of training; zoneout then takes expectations.
  double dropout = 0.0;            ///< between the layers
  double dropout_input = -1.0;     ///< on what the first layer reads, unless that is one-hot; -1: as `dropout`
  double dropout_output = -1.0;    ///< on what the last layer writes; -1: as `dropout`
  bool variational = false;        ///< these three with one mask for all steps of a batch (Gal and Ghahramani 2016)
  double dropout_recurrent = 0.0;  ///< on the state in the recurrent product, one mask for all steps (ditto)
  double weight_drop = 0.0;        ///< on weight_hh, one mask a batch (Merity et al. 2018)
  double zoneout = 0.0;            ///< probability that a unit of h keeps its value for a step (Krueger et al. 2017)
  double zoneout_cell = 0.0;       ///< the same for c
  double activation_reg = 0.0;     ///< of the mean squared output, added to the loss (Merity et al. 2017, "AR")
  double temporal_reg = 0.0;       ///< of its squared changes from step to step, per symbol (ditto, "TAR")

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// The first option that is on though the cell has no place for it (proj, layer_norm, dropout_recurrent, zoneout,
  /// zoneout_cell and the variants of the cell are the LSTM's alone); empty: none.
  std::string misplaced() const;
  /// What was asked for and changes nothing, as sentences for the user.
  std::vector<std::string> without_effect() const;

  double input_dropout() const { return dropout_input < 0.0 ? dropout : dropout_input; }
  double output_dropout() const { return dropout_output < 0.0 ? dropout : dropout_output; }

  Cell kind() const;
  bool is_lstm() const { return kind() == Cell::kLstm; }
  /// Its variants but for peepholes, which are parameters. Throws a usage error for what is no activation function.
  kernels::LstmCell lstm_cell() const;
  /// What PyTorch calls such layers, and parameters begin with: lstm, gru, or rnn for both plain layers.
  std::string layer_name() const;
  /// How many blocks of H rows the weights have.
  int64_t gates() const;
  int64_t directions() const { return bidirectional ? 2 : 1; }
  /// R: the width of one direction's state and output.
  int64_t state() const { return proj > 0 ? proj : hidden; }
  /// D R: the width of a layer's output.
  int64_t outputs() const { return directions() * state(); }

 private:
  void add_variants_to(OptionTable& table);
};

}  // namespace longhand::nn
