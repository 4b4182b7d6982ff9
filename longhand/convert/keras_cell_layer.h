// A recurrent layer of Keras in one direction, or a cell of a stack: its weights and its functions.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/keras_site.h"

namespace longhand::convert {

/// One layer in one direction, or a cell of a stack, as it will be a node.
struct CellLayer {
  std::string type;  // LSTM, GRU or SimpleRNN
  KerasCell cell;
  bool reset_after = false;
  std::string gates, candidate;  // functions, as Keras calls them
  int64_t units = 0;

  bool is_lstm() const { return type == "LSTM"; }
  bool is_gru() const { return type == "GRU"; }
  size_t states() const { return is_lstm() ? 2 : 1; }
};

/// LSTM, GRU, SimpleRNN, and CuDNN's.
bool is_cell_layer(const std::string& type);

/// Reads a layer of such a type from its configuration and arrays. Throws an input error that names the site's layer.
CellLayer read_cell_layer(const KerasSite& site, const std::string& type, const nlohmann::json& config,
                          const KerasArrays& arrays);

/// The functions of gates, input and output of the cell, where they are not the usual ones, of one layer or two alike.
void add_cell_functions(const KerasSite& site, const std::vector<CellLayer>& layers,
                        NetworkBuilder::Attributes& attributes);

}  // namespace longhand::convert
