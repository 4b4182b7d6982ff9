// A network as a model of Keras 3: a .keras file.
#pragma once

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// A Sequential model, for networks whose layers follow one another: Embedding, LSTM, GRU, SimpleRNN, Bidirectional,
/// Dense, Conv1D, pooling, LayerNormalization, BatchNormalization, Dropout, PReLU, LeakyReLU, ELU, Rescaling and
/// activations. Throws an input error that names the layer which does not fit.
Exported export_keras(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::convert
