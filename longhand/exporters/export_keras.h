// Exports a network as a Keras 3 model (.keras).
#pragma once

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// Returns a Sequential model, for networks whose layers form a chain: Embedding, LSTM, GRU, SimpleRNN, Bidirectional,
/// Dense, Conv1D, pooling, LayerNormalization, BatchNormalization, Dropout, PReLU, LeakyReLU, ELU, Rescaling and
/// activations. Throws an input error that names a layer that does not fit.
Exported export_keras(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::exporters
