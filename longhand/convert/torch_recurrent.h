// Recurrent layers as modules of PyTorch: its own, or a class that is written out where it has none.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/torch_functions.h"
#include "longhand/convert/torch_program.h"

namespace longhand::convert {

/// Layers of a node, whatever its type: what they are, and their arrays by PyTorch's names.
struct TorchLayers {
  struct Function {
    std::string name;
    TorchConstants constants;
  };

  std::string cell = "lstm";  ///< lstm, gru or rnn
  int64_t inputs = 0, units = 0, projection = 0, layers = 1, directions = 1;
  bool bias = true;
  std::vector<Function> functions{};  ///< of gates, candidate and output (of rnn: one); empty: the usual ones
  bool reset_after = true, coupled = false, peepholes = false, normalised = false, residual = false;
  double gate_clip = 0.0, cell_clip = 0.0;
  double zoneout = 0.0, zoneout_cell = 0.0;  ///< expectations

  bool is_lstm() const { return cell == "lstm"; }
  int64_t gates() const { return is_lstm() ? 4 : cell == "gru" ? 3 : 1; }
  int64_t outputs() const { return projection > 0 ? projection : units; }
  /// Whether nn.LSTM, nn.GRU or nn.RNN has this cell.
  bool is_plain() const;
};

/// "_l0", "_l0_reverse", "_l1", ...
std::vector<std::string> torch_suffixes(int64_t layers, int64_t directions);

/// Reads `activations`, `activation_alpha`, `activation_beta` and `activation` of the node into layers.functions.
/// Refuses functions that PyTorch does not have, and directions that differ.
void read_torch_functions(const TorchNode& node, TorchLayers& layers);

/// The expression that makes the module: nn.LSTM(...), or that of a class that is written for it.
std::string torch_layers_module(TorchProgram& program, const TorchLayers& layers, bool batch_first);

}  // namespace longhand::convert
