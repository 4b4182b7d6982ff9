// Networks for audio in the formats of its plug-ins: RTNeural's JSON and Neural Amp Modeler's .nam.
#pragma once

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// RTNeural's JSON: dense, causal conv1d, LSTM and GRU layers, batch normalisation, PReLU, and tanh, relu, sigmoid,
/// softmax and elu. Throws an input error that names the layer which it does not have.
Exported export_rtneural(const ExportModel& model, const ExportOptions& options);

/// A .nam of the architecture LSTM: LSTM layers of one size on one channel, and a linear layer with one output. Throws
/// an input error that names the layer which does not fit.
Exported export_nam(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::convert
