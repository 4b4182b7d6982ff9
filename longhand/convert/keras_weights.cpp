// Where .h5 files of Keras keep the arrays of a layer.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
size_t count_keras_arrays(const Hdf5Node& node) {
  size_t out = node.is_group ? 0 : 1;
  for (const Hdf5Node& child : node.children) {
    if (child.name != "seed_generator" && child.name != "seed_generator_state") out += count_keras_arrays(child);
  }
  return out;
}

graph::Array keras_array(const Hdf5Node& node, const std::string& where) {
  if (node.is_group || node.data.kind != Hdf5Data::Kind::kArray) {
    throw input_error(where + ": expected an array of numbers, found something else", "the file is damaged");
  }
  return to_graph_array(node.data.array, where);
}

const nlohmann::json& keras_member(const nlohmann::json& config, const char* key) {
  static const nlohmann::json kNothing = nlohmann::json::object();
  return config.is_object() && config.contains(key) && config[key].is_object() ? config[key] : kNothing;
}

namespace {

std::vector<std::string> texts_of(const Hdf5Node& node, const char* attribute) {
  const Hdf5Data* found = node.attribute(attribute);
  if (found == nullptr || found->kind != Hdf5Data::Kind::kTexts) return {};
  return found->texts;
}

}  // namespace

KerasWeights read_h5_weights(const Hdf5Node& root, const std::string& path) {
  const Hdf5Node* within = root.find("model_weights");
  const Hdf5Node& all = within == nullptr ? root : *within;
  const std::vector<std::string> layers = texts_of(all, "layer_names");
  if (layers.empty()) {
    throw input_error(path + ": expected weights of Keras (an attribute layer_names), found none",
                      "it is an HDF5 file of another program");
  }
  KerasWeights out;
  std::set<std::string> taken;
  for (const std::string& layer : layers) {
    const Hdf5Node* group = all.find(layer);
    if (group == nullptr) continue;  // a layer without weights, in some versions
    KerasArrays& arrays = out[layer];
    for (const std::string& name : texts_of(*group, "weight_names")) {
      const Hdf5Node* node = group->find(name);
      const std::string where = fmt::format("{}: {}/{}", path, visible(layer), visible(name));
      if (node == nullptr) throw input_error(where + ": expected an array, found none", "the file is damaged");
      arrays.emplace_back(name, keras_array(*node, where));
    }
    if (count_keras_arrays(*group) != arrays.size()) {
      throw input_error(fmt::format("{}: layer '{}': expected {} arrays, as weight_names says, found {}", path,
                                    visible(layer), arrays.size(), count_keras_arrays(*group)),
                        "the file is damaged");
    }
  }
  return out;
}

namespace {

// Own names of layers that are no models, in a model and those within it, and where they are.
void list_layers(const KerasModel& model, const std::string& within, std::multimap<std::string, std::string>& out) {
  for (const KerasLayer& layer : model.layers) {
    if (layer.model != nullptr) {
      list_layers(*layer.model, within + layer.name + "/", out);
    } else {
      out.emplace(layer.name, within + layer.name);
      // Arrays of a wrapped layer may be called by its own name.
      const nlohmann::json& inner = keras_member(keras_member(layer.config, "layer"), "config");
      const auto own = inner.find("name");
      if (own != inner.end() && own->is_string() && *own != layer.name) {
        out.emplace(own->get<std::string>(), within + layer.name);
      }
    }
  }
}

// Which of the layers an array belongs to: the one whose name is nearest to its end ("model/lstm/lstm_cell/kernel:0").
std::string layer_of_array(const std::string& array, const std::multimap<std::string, std::string>& layers) {
  for (size_t end = array.rfind('/'); end != std::string::npos && end > 0;) {
    const size_t slash = array.rfind('/', end - 1), begin = slash == std::string::npos ? 0 : slash + 1;
    const auto [first, last] = layers.equal_range(array.substr(begin, end - begin));
    if (first != last) return std::next(first) == last ? first->second : "";
    end = slash;
  }
  return "";
}

}  // namespace

void give_to_inner_layers(const KerasModel& model, KerasWeights& weights, const std::string& path) {
  for (const KerasLayer& layer : model.layers) {
    const auto found = weights.find(layer.name);
    if (layer.model == nullptr || found == weights.end()) continue;
    std::multimap<std::string, std::string> layers;
    list_layers(*layer.model, layer.name + "/", layers);
    for (auto& [name, array] : found->second) {
      const std::string to = layer_of_array(name, layers);
      if (to.empty()) {
        throw input_error(fmt::format("{}: layer '{}': array '{}' does not say which of the layers within it is", path,
                                      visible(layer.name), visible(name)),
                          "save the model as .keras, or give its layers names of their own");
      }
      weights[to].emplace_back(name, std::move(array));
    }
    weights.erase(layer.name);
  }
}

void give_to_old_layers(const KerasModel& model, KerasWeights& weights) {
  std::multimap<std::string, std::string> layers;
  list_layers(model, "", layers);
  KerasWeights out;
  for (auto& [group, arrays] : weights) {
    for (auto& [name, array] : arrays) {
      // The longest name that the array's begins with.
      std::string to;
      for (size_t end = name.rfind('_'); !layers.contains(group) && end != std::string::npos && end > 0 && to.empty();
           end = name.rfind('_', end - 1)) {
        const auto layer = layers.find(name.substr(0, end));
        if (layer != layers.end()) to = layer->second.substr(layer->second.rfind('/') + 1);
      }
      out[to.empty() ? group : to].emplace_back(name, std::move(array));
    }
  }
  weights = std::move(out);
}

namespace {

// Of a recurrent layer by its arrays, in one direction or both: how many gates it has; 0: it is none.
int64_t gates_of_cell(const KerasArrays& arrays) {
  const auto named = [&](size_t i, std::string_view what) {
    return i < arrays.size() && arrays[i].first.find(what) != std::string::npos;
  };
  if (arrays.size() == 12 && named(0, "_W_i")) return 4;  // version 1
  if (arrays.size() == 9 && named(0, "_W_z")) return 3;
  if (arrays.size() == 3 && named(0, "_W") && named(1, "_U")) return 1;
  if (!named(1, "recurrent_kernel") || arrays[1].second.dims.size() != 2) return 0;
  const graph::Dims& dims = arrays[1].second.dims;
  return dims[0] < 1 || dims[1] % dims[0] != 0 ? 0 : dims[1] / dims[0];
}

}  // namespace

std::map<std::string, graph::Array> as_torch_arrays(const KerasWeights& weights, const std::string& part,
                                                    const std::string& path) {
  const NetworkBuilder builder(path);
  std::map<std::string, graph::Array> out;
  std::set<std::string> wanted;
  for (size_t at = 0; at < part.size();) {
    const size_t end = std::min(part.find(',', at), part.size());
    wanted.insert(part.substr(at, end - at));
    at = end + 1;
  }
  for (const std::string& name : wanted) {
    if (!weights.contains(name))
      builder.fail(fmt::format("expected a layer '{}', found none", visible(name)), "correct --part");
  }
  for (const auto& [layer, arrays] : weights) {
    if (arrays.empty() || (!wanted.empty() && !wanted.contains(layer))) continue;
    const auto put = [&, name = layer](const std::string& role, graph::Array array) {
      out[name + "." + role] = std::move(array);
    };
    const auto named = [&, &arrays = arrays](size_t i, std::string_view what) {
      return i < arrays.size() && arrays[i].first.find(what) != std::string::npos;
    };
    const graph::Array& first = arrays[0].second;
    if (const int64_t gates = gates_of_cell(arrays); gates > 0) {
      const char* type = gates == 4 ? "LSTM" : gates == 3 ? "GRU" : "SimpleRNN";
      const size_t each = arrays.size() > 3 && arrays.size() < 7 ? arrays.size() / 2 : arrays.size();
      NetworkBuilder::Weights by_role;
      for (size_t begin = 0; begin < arrays.size(); begin += each) {
        const auto from = arrays.begin() + static_cast<std::ptrdiff_t>(begin);
        const KerasArrays own(from, from + static_cast<std::ptrdiff_t>(std::min(each, arrays.size() - begin)));
        const std::string suffix = begin == 0 ? "_l0" : "_l0_reverse";
        bool cudnn = false;
        const KerasCell cell = keras_cell(builder, layer, type, own, cudnn);
        add_keras_cell(builder, layer, cell, suffix, by_role);
        // One bias is that of a layer whose reset gate comes before the product.
        const bool one = static_cast<int64_t>(cell.bias.floats.size()) == 3 * cell.recurrent.dims[0];
        if (gates == 3 && one) by_role.erase("bias_hh" + suffix);
      }
      for (auto& [role, array] : by_role) put(role, std::move(array));
    } else if (named(0, "_W") && first.dims.size() == 2 &&
               (arrays.size() == 2 || named(0, "embedding"))) {  // version 1
      put("weight", named(0, "embedding") ? first : transposed(first));
    } else if (named(0, "kernel") && first.dims.size() == 2) {
      put("weight", transposed(first));
    } else if (named(0, "kernel") && first.dims.size() == 3) {
      put("weight", keras_kernel(first));
    } else if (named(0, "embeddings")) {
      put("weight", first);
    } else {
      const char* const roles[] = {"weight", "bias", "running_mean", "running_var"};
      for (size_t i = 0; i < arrays.size(); ++i) {
        if (i == 4 || arrays[i].second.dims.size() != 1) {
          builder.fail(fmt::format("layer '{}': array '{}' {} is of a layer that is not known", visible(layer),
                                   visible(arrays[i].first), graph::shown(arrays[i].second.dims)),
                       "leave the layer out with --part");
        }
        put(roles[i], arrays[i].second);
      }
      continue;
    }
    if (arrays.size() == 2 && (named(1, "bias") || named(1, "_b"))) put("bias", arrays[1].second);
  }
  return out;
}

}  // namespace longhand::convert
