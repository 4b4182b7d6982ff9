// Keras's layers over windows of time steps: convolution and pooling.
#pragma once

#include <string>

#include "longhand/convert/keras_recurrent.h"

namespace longhand::convert {

/// A layer, and where it is for errors.
struct KerasLayerPlace {
  const std::string& layer;
  const std::string& type;
  const nlohmann::json& config;
  std::string where;
};

/// Conv1D (Convolution1D of version 1), without its activation. Throws an input error for what cannot be run.
KerasValue add_keras_convolution(NetworkBuilder& builder, const KerasLayerPlace& place, const KerasValue& x,
                                 const KerasArrays& arrays);
/// MaxPooling1D, AveragePooling1D, and the global ones.
KerasValue add_keras_pooling(NetworkBuilder& builder, const KerasLayerPlace& place, const KerasValue& x);

}  // namespace longhand::convert
