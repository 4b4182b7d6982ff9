// Models as JSON, as programs for audio and segmentation keep them: RTNeural, state dicts of PyTorch, Neural Amp
// Modeler, ICU.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// RTNeural's (github.com/jatinchowdhury18/RTNeural), with Keras's layers and layouts: dense, time-distributed dense,
/// LSTM, GRU, causal convolution, batch normalisation, PReLU, activations; `in_skip` adds the input to the output.
Imported rtneural_to_graph(const nlohmann::json& json, const std::string& file);

/// `.nam` (github.com/sdatkinson/neural-amp-modeler) with the architecture LSTM: one list of numbers, which has for
/// each layer [4H, I + H], a bias [4H] and the trained initial h and c, and the head in the end.
Imported nam_to_graph(const nlohmann::json& json, const std::string& file);

/// ICU's segmentation models (unicode-org/icu, source/data/brkitr/lstm): code points, an embedding, a bidirectional
/// LSTM and a dense layer, with the table `dic` from texts to symbols; all others are the last symbol.
Imported icu_to_graph(const nlohmann::json& json, const std::string& file);

/// Reads any of these formats, and recognises which by the members of the object. Also reads PyTorch's state dicts
/// ("name": lists of numbers). A state dict may stand alone, or as `state_dict` beside `model_data`. If `model_data`
/// has `skip` = n > 0, the first n numbers of the input are added to the output.
Imported json_to_graph(const std::string& text, const std::string& file, const ImportOptions& options);

}  // namespace longhand::convert
