// State dicts of PyTorch as networks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// Tensors by name, in the order of the file.
using NamedTensors = std::vector<std::pair<std::string, graph::Array>>;

/// What the order of tensors tells: that in which the modules were made, as PyTorch saves them; or nothing.
enum class NameOrder { kOfModules, kSorted };

/// Replaces the length and the direction of each weight that weight_norm() was applied to by the weight. Throws an
/// input error for weights that are kept in other parts: pruned ones, other parametrizations.
void join_weight_norms(NamedTensors& tensors, const std::string& file);

/// Builds a network from the names and shapes of a state dict: an embedding, if there is one; LSTM, GRU or plain
/// recurrent layers; a linear layer at each position. Several recurrent modules are one above the other where their
/// names differ in numbers alone (lstm1, lstm2). Weights that weight_norm() keeps as a direction and a length become
/// one.
///
/// A state dict does not say what stands between several linear layers, nor how an encoder and a decoder are connected,
/// nor whether a linear layer that would fit on both sides stands before the recurrent ones. This function does not
/// guess: such networks, and other layers, need options.description. Every tensor is used, except BatchNorm's
/// num_batches_tracked, which has no effect. Throws an input error that names `file` and the tensor that has no place.
Imported state_dict_to_graph(NamedTensors tensors, const std::string& file, const ImportOptions& options,
                             NameOrder order = NameOrder::kOfModules);

}  // namespace longhand::convert
