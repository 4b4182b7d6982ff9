// State dicts of PyTorch as networks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// Tensors by name, in the order of the file.
using NamedTensors = std::vector<std::pair<std::string, graph::Array>>;

/// What a state dict says by its names and shapes: an embedding, if any; LSTM, GRU or plain recurrent layers, one
/// module after the other; a linear layer at each position. What stands between several linear layers it does not say,
/// and nothing is guessed: then, and for other layers, options.description says it. Every tensor is used; throws an
/// input error naming `file` and the tensor that has no place. BatchNorm's num_batches_tracked says nothing and is left
/// out.
Imported state_dict_to_graph(NamedTensors tensors, const std::string& file, const ImportOptions& options);

}  // namespace longhand::convert
