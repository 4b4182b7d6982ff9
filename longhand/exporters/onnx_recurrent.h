// Writes recurrent layers as ONNX: as LSTM, GRU or RNN operators if these can hold the layer, otherwise as a Scan over
// the time steps.
//
// T steps, B sequences, I inputs, H hidden size, R = P (with projection) or H outputs, D directions, G gates of H rows
// in the weights.
#pragma once

#include <string>
#include <vector>

#include "longhand/exporters/onnx_site.h"

namespace longhand::exporters {

/// One layer of a recurrent node.
struct OnnxLayer {
  std::string cell;   ///< lstm, gru or rnn
  size_t number = 0;  ///< index of the layer in the node
  int64_t hidden = 0, state = 0, inputs = 0;
  int64_t directions = 1;
  std::vector<OnnxActivation> functions;  ///< per direction: 3 for an LSTM, 2 for a GRU, 1 for a plain RNN
  double gate_clip = 0.0, cell_clip = 0.0, zone_h = 0.0, zone_c = 0.0;
  bool coupled = false;
  bool reset_after = true;

  int64_t gates() const { return cell == "lstm" ? 4 : cell == "gru" ? 3 : 1; }
  bool has_cell() const { return cell == "lstm"; }
  const OnnxActivation& function(int64_t direction, size_t which) const {
    return functions[static_cast<size_t>(direction) * (functions.size() / static_cast<size_t>(directions)) + which];
  }
  /// Returns the role of a weight, such as "weight_ih_l1_reverse".
  std::string role(const std::string& name, int64_t direction) const;
};

/// Whether an activation function has the constant alpha (`beta` false) or beta (`beta` true).
bool has_constant(const std::string& function, bool beta);
/// Stacks arrays of equal shape, one per direction, along a new first axis.
graph::Array stacked(const std::vector<graph::Array>& parts);
OnnxLayer read_onnx_layer(OnnxSite& site, size_t number);

/// The inputs of a layer. The time axis comes first.
struct OnnxLayerInput {
  std::string x;          ///< [T, B, I]
  std::string lengths{};  ///< [B] int32, for operators; empty: all sequences have T steps
  std::string mask{};     ///< [T, B, 1] 1.0 or 0.0, for a Scan; empty: no mask
  bool masked_zeros = true;
  std::string h_0{}, c_0{};  ///< [D, B, R], [D, B, H]; empty: zeros
};
struct OnnxLayerOutput {
  std::string y;         ///< [T, B, D R]
  std::string h_n, c_n;  ///< [D, B, R], [D, B, H]
};

/// Whether ONNX's LSTM, GRU or RNN operator can hold the layer, and our importer can read it back.
bool has_operator(const OnnxSite& site, const OnnxLayer& layer);
OnnxLayerOutput write_operator(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input);
OnnxLayerOutput write_scan(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input);

}  // namespace longhand::exporters
