// Models of Keras as networks: .h5 of versions 1, 2 and 3, and .keras.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
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

/// An output of a call of a layer.
struct KerasTensor {
  std::string layer;
  int64_t call = 0, output = 0;

  bool operator<(const KerasTensor& other) const {
    return std::tie(layer, call, output) < std::tie(other.layer, other.call, other.output);
  }
};

/// What a layer is called with: a tensor, or something that the file says itself.
struct KerasArgument {
  std::optional<KerasTensor> tensor;
  nlohmann::json value;
};

struct KerasCall {
  std::vector<KerasArgument> arguments;                     ///< in order, lists of them laid out flat
  std::map<std::string, std::vector<KerasArgument>> named;  ///< that have a name, such as initial_state
};

struct KerasModel;

/// A layer of a configuration.
struct KerasLayer {
  std::string name, type;  ///< its own name; "LSTM"
  nlohmann::json config;
  std::vector<KerasCall> calls;       ///< each time that its model applies it
  std::shared_ptr<KerasModel> model;  ///< of a layer that is a model, or holds one; otherwise null
};

struct KerasModel {
  std::vector<KerasLayer> layers;                ///< in the order of the file
  std::vector<std::pair<size_t, size_t>> order;  ///< layer and call, each after those that it reads
  std::vector<KerasTensor> inputs, outputs;
  bool is_sequential = false;

  const KerasLayer& layer(const std::string& name) const;
};

struct KerasConfig {
  KerasModel model;
  int version = 2;             ///< of Keras: 1, 2 or 3
  bool of_tensorflow = false;  ///< tf.keras, or version 3, which followed it
};

/// Reads a Sequential or functional model, and models within it. `version` is the text that the file has ("2.2.4-tf");
/// empty: 1.
KerasConfig read_keras_config(const nlohmann::json& config, const std::string& version, const std::string& path);

/// Fills model.order: each call after those that it reads; otherwise in the order of the file. Throws an input error
/// for calls that are not there, and for layers that read themselves.
void sort_keras_calls(KerasModel& model, const std::string& path);

/// The arrays of a layer in the order of Keras, and their names.
using KerasArrays = std::vector<std::pair<std::string, graph::Array>>;
/// By layer's name; of a layer within a model, "MODEL/LAYER".
using KerasWeights = std::map<std::string, KerasArrays>;

/// A dataset's numbers. Throws an input error, which begins with `where`, for anything else.
graph::Array keras_array(const Hdf5Node& node, const std::string& where);
/// Datasets of a group and those within it, without the states of random numbers.
size_t count_keras_arrays(const Hdf5Node& node);
/// A member that is an object; otherwise an empty one.
const nlohmann::json& keras_member(const nlohmann::json& config, const char* key);

/// From model_weights, or a file of weights; arrays of a model are together.
KerasWeights read_h5_weights(const Hdf5Node& root, const std::string& path);
/// Gives the arrays of models within the model to their layers, by the arrays' names.
void give_to_inner_layers(const KerasModel& model, KerasWeights& weights, const std::string& path);
/// The same for version 1, whose arrays are called "LAYER_W_i:0" and so on: to layers by their own names.
void give_to_old_layers(const KerasModel& model, KerasWeights& weights);
/// From model.weights.h5 of an archive, whose groups are called by types.
KerasWeights read_archive_weights(const Hdf5Node& root, const KerasConfig& config, const std::string& path);
/// From a file of weights of version 3 (.weights.h5) without a configuration: layers by the groups' names.
KerasWeights read_group_weights(const Hdf5Node& root, const std::string& path);
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
