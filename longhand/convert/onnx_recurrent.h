// Recurrent layers on their way to ONNX: as ONNX's operators where these can hold them, otherwise written out as a Scan
// over the steps.
//
// T steps, B sequences, I inputs, H units, R = P or H outputs, D directions, G blocks of H rows in the weights.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/onnx_site.h"

namespace longhand::convert {

/// One layer of a node.
struct OnnxLayer {
  std::string cell;   ///< lstm, gru or rnn
  size_t number = 0;  ///< among the layers of the node
  int64_t hidden = 0, state = 0, inputs = 0;
  int64_t directions = 1;
  std::vector<OnnxActivation> functions;  ///< of each direction: 3 of an LSTM, 2 of a GRU, 1 of a plain layer
  double gate_clip = 0.0, cell_clip = 0.0, zone_h = 0.0, zone_c = 0.0;
  bool coupled = false;
  bool reset_after = true;

  int64_t gates() const { return cell == "lstm" ? 4 : cell == "gru" ? 3 : 1; }
  bool has_cell() const { return cell == "lstm"; }
  const OnnxActivation& function(int64_t direction, size_t which) const {
    return functions[static_cast<size_t>(direction) * (functions.size() / static_cast<size_t>(directions)) + which];
  }
  /// "weight_ih_l1_reverse"
  std::string role(const std::string& name, int64_t direction) const;
};

/// Whether a function of a cell has alpha, or beta.
bool has_constant(const std::string& function, bool beta);
/// Arrays of each direction, one after the other, with an axis for them.
graph::Array stacked(const std::vector<graph::Array>& parts);
OnnxLayer read_onnx_layer(OnnxSite& site, size_t number);

/// What a layer reads. Steps come first.
struct OnnxLayerInput {
  std::string x;          ///< [T, B, I]
  std::string lengths{};  ///< [B] int32, for operators; empty: all T
  std::string mask{};     ///< [T, B, 1] 1.0 or 0.0, for what is written out; empty: none
  bool masked_zeros = true;
  std::string h_0{}, c_0{};  ///< [D, B, R], [D, B, H]; empty: zeros
};
struct OnnxLayerOutput {
  std::string y;         ///< [T, B, D R]
  std::string h_n, c_n;  ///< [D, B, R], [D, B, H]
};

/// Whether ONNX's LSTM, GRU or RNN can hold it, and our importer reads it.
bool has_operator(const OnnxSite& site, const OnnxLayer& layer);
OnnxLayerOutput write_operator(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input);
OnnxLayerOutput write_scan(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input);

}  // namespace longhand::convert
