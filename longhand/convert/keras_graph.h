// Models of Keras as networks: .h5 of versions 1, 2 and 3, and .keras.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/imported.h"
#include "longhand/convert/network_builder.h"

namespace longhand::convert {

/// Builds a network from the stored configuration and weights. Skips the groups of optimizers.
///
/// A file of weights alone has no configuration. Then options.description gives the layers, and the arrays have
/// PyTorch's names (LAYER.weight_ih_l0, LAYER.weight). options.part, such as "lstm,dense", selects some of the layers.
/// Every array is used. Throws an input error that names `path` and the layer that is not supported.
Imported keras_h5_to_graph(const Hdf5Node& root, const std::string& path, const ImportOptions& options = {});
Imported keras_archive_to_graph(const std::string& path, std::string bytes, const ImportOptions& options = {});

// Parts, in files of their own.

/// A layer of a configuration.
struct KerasLayer {
  std::string name, type;  ///< its own name; "LSTM"
  nlohmann::json config;
  std::vector<std::string> inputs;  ///< layers
};

struct KerasConfig {
  std::vector<KerasLayer> layers;  ///< each after those that it reads
  std::vector<std::string> outputs;
  int version = 2;  ///< of Keras: 1, 2 or 3
};

/// Reads a Sequential or functional model. `version` is the text that the file has ("2.2.4-tf"); empty: 1.
KerasConfig read_keras_config(const nlohmann::json& config, const std::string& version, const std::string& path);

/// The arrays of a layer in the order of Keras, and their names.
using KerasArrays = std::vector<std::pair<std::string, graph::Array>>;
/// By layer's name.
using KerasWeights = std::map<std::string, KerasArrays>;

/// From model_weights, or a file of weights.
KerasWeights read_h5_weights(const Hdf5Node& root, const std::string& path);
/// From model.weights.h5 of an archive, whose groups are called by types.
KerasWeights read_archive_weights(const Hdf5Node& root, const KerasConfig& config, const std::string& path);
/// The same arrays under PyTorch's names; `part` is a list of layers, or empty for all.
std::map<std::string, graph::Array> as_torch_arrays(const KerasWeights& weights, const std::string& part,
                                                    const std::string& path);

/// A cell from a layer's arrays: in versions 2 and 3 kernel, recurrent kernel and bias; in version 1 one of each for
/// each gate; of CuDNN (told by a bias of twice the size) matrices that lie transposed in memory. `cudnn` is set where
/// they are.
KerasCell keras_cell(const NetworkBuilder& builder, const std::string& layer, const std::string& type,
                     const KerasArrays& arrays, bool& cudnn);

/// A kernel of a convolution, [K, I, O], as here: [O, I, K].
graph::Array keras_kernel(const graph::Array& kernel);

/// Adds the layers to the builder.
Imported build_keras(const KerasConfig& config, KerasWeights weights, const std::string& path);

}  // namespace longhand::convert
