// The recurrent cells that experiments compare, by name.
#pragma once

#include <string>
#include <vector>

#include "longhand/nn/initialisers.h"
#include "longhand/nn/lstm_options.h"

namespace longhand::lab {

/// A cell with what is set of it.
struct LabCell {
  std::string name;   ///< as on the command line: "lstm-1"
  std::string label;  ///< as in a table: "LSTM, forget bias 1"
  std::string cell;   ///< of nn::LstmOptions
  bool layer_norm = false;
  double forget_bias = 1.0;

  /// A layer of that cell, and where its training starts.
  nn::LstmOptions options(int64_t hidden, int64_t layers = 1) const;
  nn::InitOptions init() const;
};

/// Plain tanh and ReLU, GRU, and the LSTM with forget bias 0, 1, 3, each without and with layer normalisation.
const std::vector<LabCell>& lab_cells();
/// The cells of a list such as "rnn,gru,lstm-1". Throws a usage error for a name that is none, or is there twice.
std::vector<LabCell> parse_cells(const std::string& list);
/// Names of these cells, as a list.
std::string names_of(const std::vector<LabCell>& cells);

/// Whole numbers of a list such as "5,10,20", each of `min` to `max`, in rising order and each once. Throws a usage
/// error that begins with `where`.
std::vector<int64_t> parse_counts(const std::string& list, int64_t min, int64_t max, const std::string& where);

}  // namespace longhand::lab
