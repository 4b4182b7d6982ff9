// Recurrent layers as PyTorch modules: nn.LSTM, nn.GRU or nn.RNN, or a generated class for other cells.
#pragma once

#include <string>
#include <vector>

#include "longhand/exporters/torch_functions.h"
#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {

/// Options of the recurrent layers of a node, the same for all node types.
struct TorchLayers {
  struct Function {
    std::string name;
    TorchConstants constants;
  };

  std::string cell = "lstm";  ///< lstm, gru or rnn
  int64_t inputs = 0, units = 0, projection = 0, layers = 1, directions = 1;
  bool bias = true;
  std::vector<Function> functions{};  ///< gates, candidate, output (rnn: one); empty: the standard functions
  bool reset_after = true, coupled = false, peepholes = false, normalised = false, residual = false;
  double gate_clip = 0.0, cell_clip = 0.0;
  double zoneout = 0.0, zoneout_cell = 0.0;  ///< probabilities; inference uses the expectation

  bool is_lstm() const { return cell == "lstm"; }
  int64_t gates() const { return is_lstm() ? 4 : cell == "gru" ? 3 : 1; }
  int64_t outputs() const { return projection > 0 ? projection : units; }
  /// Whether nn.LSTM, nn.GRU or nn.RNN computes this cell.
  bool is_plain() const;
};

/// Returns the suffixes of PyTorch's weight names: "_l0", "_l0_reverse", "_l1", ...
std::vector<std::string> torch_suffixes(int64_t layers, int64_t directions);

/// Reads the attributes `activations`, `activation_alpha`, `activation_beta` and `activation` into layers.functions.
/// Throws an input error for unsupported functions, and for two directions with different functions.
void read_torch_functions(const TorchNode& node, TorchLayers& layers);

/// Returns the expression that constructs the module: nn.LSTM(...), or a generated class with its arguments.
std::string torch_layers_module(TorchProgram& program, const TorchLayers& layers, bool batch_first);

}  // namespace longhand::exporters
