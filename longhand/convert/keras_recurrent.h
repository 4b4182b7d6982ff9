// Keras's recurrent layers as nodes: the part of keras_layers.cpp that has most of the traps.
#pragma once

#include <string>
#include <utility>

#include "longhand/convert/keras_graph.h"

namespace longhand::convert {

/// What flows between layers.
struct KerasValue {
  std::string name;
  int64_t width = 0;
  bool is_sequence = true;  ///< [B, T, width]; otherwise [B, width]
  bool is_symbols = false;
  int64_t steps = -1;  ///< T, where the model fixes it
};

struct KerasRecurrent {
  const std::string& layer;
  const std::string& type;  ///< LSTM, GRU, SimpleRNN, CuDNNLSTM, CuDNNGRU or Bidirectional
  const nlohmann::json& config;
  int version;
  std::string where;  ///< begins errors
};

bool is_keras_recurrent(const std::string& type);

/// alpha and beta of hard_sigmoid(x) = max(0, min(1, alpha x + beta)): 0.2 and 0.5 in versions 1 and 2, 1/6 and 0.5 in
/// version 3.
std::pair<double, double> keras_hard_sigmoid(int version);

KerasValue add_keras_recurrent(NetworkBuilder& builder, const KerasRecurrent& layer, const KerasValue& x,
                               const KerasArrays& arrays);

}  // namespace longhand::convert
