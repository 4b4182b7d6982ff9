// Exports audio networks to the formats of audio plug-ins: RTNeural's JSON and Neural Amp Modeler's .nam.
#pragma once

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// Returns RTNeural's JSON. It supports dense, causal conv1d, LSTM and GRU layers, batch normalisation, PReLU, tanh,
/// relu, sigmoid, softmax and elu. Throws an input error that names a layer that RTNeural does not support.
Exported export_rtneural(const ExportModel& model, const ExportOptions& options);

/// Returns a .nam file of the architecture LSTM: LSTM layers of equal hidden size on one input channel, and a linear
/// layer with one output. Throws an input error that names a layer that does not fit.
Exported export_nam(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::exporters
