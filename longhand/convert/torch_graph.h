// State dicts of PyTorch as networks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// Tensors by name, in the order of the file.
using NamedTensors = std::vector<std::pair<std::string, graph::Array>>;

/// Builds a network from the names and shapes of a state dict: an embedding, if there is one; LSTM, GRU or plain
/// recurrent layers, one module after the other; a linear layer at each position.
///
/// A state dict does not say what stands between several linear layers. This function does not guess: such networks,
/// and other layers, need options.description. Every tensor is used, except BatchNorm's num_batches_tracked, which has
/// no effect. Throws an input error that names `file` and the tensor that has no place.
Imported state_dict_to_graph(NamedTensors tensors, const std::string& file, const ImportOptions& options);

}  // namespace longhand::convert
