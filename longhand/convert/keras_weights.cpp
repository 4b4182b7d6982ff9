// Where Keras's files keep the arrays of a layer.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
namespace {

graph::Array dataset_array(const Hdf5Node& node, const std::string& where) {
  if (node.is_group || node.data.kind != Hdf5Data::Kind::kArray) {
    throw input_error(where + ": expected an array of numbers, found something else", "the file is damaged");
  }
  return to_graph_array(node.data.array, where);
}

std::vector<std::string> texts_of(const Hdf5Node& node, const char* attribute) {
  const Hdf5Data* found = node.attribute(attribute);
  if (found == nullptr || found->kind != Hdf5Data::Kind::kTexts) return {};
  return found->texts;
}

// "MaxPooling1D" -> "max_pooling1d", as Keras does.
std::string snake_case(const std::string& name) {
  std::string out;
  const auto is = [&](size_t i, char first, char last) {
    return i < name.size() && name[i] >= first && name[i] <= last;
  };
  for (size_t i = 0; i < name.size(); ++i) {
    const bool upper = is(i, 'A', 'Z');
    const bool after_small = i > 0 && (is(i - 1, 'a', 'z') || is(i - 1, '0', '9'));
    const bool begins_word = i > 0 && upper && (is(i + 1, 'a', 'z') || after_small) && !(i == 0);
    const bool digit_before = i > 0 && is(i - 1, '0', '9') && !is(i + 1, 'a', 'z');
    if (begins_word && !digit_before) out += '_';
    out += upper ? static_cast<char>(name[i] + 32) : name[i];
  }
  return out;
}

// The arrays of vars/0, vars/1, ... of a group.
void collect_own(const Hdf5Node& group, const std::string& where, const std::string& prefix, KerasArrays& out) {
  const Hdf5Node* own = group.find("vars");
  for (size_t i = 0; own != nullptr && i < own->children.size(); ++i) {
    const Hdf5Node* variable = own->find(std::to_string(i));
    if (variable == nullptr) throw input_error(where + ": expected vars/0, vars/1, ..., found others", "it is damaged");
    out.emplace_back(prefix + std::to_string(i), dataset_array(*variable, where));
  }
}

// "lstm", "lstm_1", ...: the groups of what is in a list, by types.
class GroupNames {
 public:
  std::string next(const std::string& type) {
    const std::string name = snake_case(type);
    const int count = counts_[name]++;
    return count == 0 ? name : fmt::format("{}_{}", name, count);
  }

 private:
  std::map<std::string, int> counts_;
};

const nlohmann::json& inner_of(const nlohmann::json& config, const char* key) {
  static const nlohmann::json kNothing = nlohmann::json::object();
  return config.is_object() && config.contains(key) && config[key].is_object() ? config[key] : kNothing;
}

// The arrays of a layer, and of those that it is made of, in Keras's order.
void collect_layer(const Hdf5Node& group, const nlohmann::json& layer, const std::string& where,
                   const std::string& prefix, KerasArrays& out) {
  const nlohmann::json& config = inner_of(layer, "config");
  const std::string type = text_of(layer, "class_name", "", where);
  collect_own(group, where, prefix, out);
  const auto part = [&](const char* name, const nlohmann::json& inner) {
    const Hdf5Node* found = group.find(name);
    if (found == nullptr || !found->is_group) return;
    const bool side = std::string_view(name).ends_with("_layer");
    collect_layer(*found, inner, where + "/" + name, prefix + (side ? std::string(name) + "/" : ""), out);
  };
  if (type == "Bidirectional") {
    part("forward_layer", inner_of(config, "layer"));
    part("backward_layer",
         config.contains("backward_layer") ? inner_of(config, "backward_layer") : inner_of(config, "layer"));
  } else if (type == "TimeDistributed") {
    part("layer", inner_of(config, "layer"));
  } else if (type == "MultiHeadAttention") {
    for (const char* name : {"query_dense", "key_dense", "value_dense", "output_dense"}) {
      const bool old = group.find(name) == nullptr;
      part((old ? "_" + std::string(name) : name).c_str(), {});
    }
  } else if (type == "SeparableConv1D") {
    return;
  } else if (const Hdf5Node* cells = group.find("cells"); type == "StackedRNNCells" && cells != nullptr) {
    GroupNames names;
    for (const nlohmann::json& cell : member(config, "cells", where)) {
      const Hdf5Node* found = cells->find(names.next(text_of(cell, "class_name", "", where)));
      if (found != nullptr) collect_layer(*found, cell, where + "/cells", prefix, out);
    }
  } else {
    part("cell", inner_of(config, "cell"));
  }
}

size_t count_variables(const Hdf5Node& node) {
  size_t out = node.is_group ? 0 : 1;
  for (const Hdf5Node& child : node.children) {
    if (child.name != "seed_generator" && child.name != "seed_generator_state") out += count_variables(child);
  }
  return out;
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
      arrays.emplace_back(name, dataset_array(*node, where));
    }
    if (count_variables(*group) != arrays.size()) {
      throw input_error(fmt::format("{}: layer '{}': expected {} arrays, as weight_names says, found {}", path,
                                    visible(layer), arrays.size(), count_variables(*group)),
                        "the file is damaged");
    }
  }
  return out;
}

namespace {

const Hdf5Node& layers_group(const Hdf5Node& root, const std::string& where) {
  const Hdf5Node* layers = root.find("layers");
  if (layers == nullptr) layers = root.find("_layer_checkpoint_dependencies");
  if (layers == nullptr) throw input_error(where + ": expected a group 'layers', found none", "save it with Keras 3");
  return *layers;
}

void expect_all(const Hdf5Node& group, size_t count, const std::string& where) {
  if (count_variables(group) == count) return;
  throw input_error(fmt::format("{}: expected {} arrays, found {}", where, count, count_variables(group)),
                    "it has parts that are not known");
}

void collect_model(const Hdf5Node& root, const KerasModel& model, const std::string& path, const std::string& within,
                   KerasWeights& out) {
  const Hdf5Node& layers = layers_group(root, path);
  GroupNames names;
  std::set<std::string> used;
  for (const KerasLayer& layer : model.layers) {
    const std::string by_type = names.next(layer.type);
    const Hdf5Node* group = layers.find(by_type);
    if (group == nullptr) continue;
    used.insert(by_type);
    const std::string key = within + layer.name, where = fmt::format("{}: layers/{}", path, visible(by_type));
    if (layer.model != nullptr) {
      const Hdf5Node* inner = layer.type == "TimeDistributed" ? group->find("layer") : group;
      if (inner != nullptr && count_variables(*inner) > 0) collect_model(*inner, *layer.model, path, key + "/", out);
      continue;
    }
    KerasArrays& arrays = out[key];
    collect_layer(*group, {{"class_name", layer.type}, {"config", layer.config}}, where, "", arrays);
    expect_all(*group, arrays.size(), where);
  }
  for (const Hdf5Node& child : layers.children) {
    if (count_variables(child) > 0 && !used.contains(child.name)) {
      throw input_error(fmt::format("{}: layers/{}: expected a layer of the configuration, found none of it", path,
                                    visible(child.name)),
                        "the file is damaged, or of another version");
    }
  }
}

// Own names of layers that are no models, in a model and those within it, and where they are.
void list_layers(const KerasModel& model, const std::string& within, std::multimap<std::string, std::string>& out) {
  for (const KerasLayer& layer : model.layers) {
    if (layer.model != nullptr) {
      list_layers(*layer.model, within + layer.name + "/", out);
    } else {
      out.emplace(layer.name, within + layer.name);
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
        if (layers.contains(name.substr(0, end))) to = name.substr(0, end);
      }
      out[to.empty() ? group : to].emplace_back(name, std::move(array));
    }
  }
  weights = std::move(out);
}

KerasWeights read_archive_weights(const Hdf5Node& root, const KerasConfig& config, const std::string& path) {
  KerasWeights out;
  collect_model(root, config.model, path, "", out);
  return out;
}

KerasWeights read_group_weights(const Hdf5Node& root, const std::string& path) {
  KerasWeights out;
  for (const Hdf5Node& group : layers_group(root, path).children) {
    if (!group.is_group || count_variables(group) == 0) continue;
    const std::string where = fmt::format("{}: layers/{}", path, visible(group.name));
    KerasArrays& arrays = out[group.name];
    const bool both = group.find("forward_layer") != nullptr;
    collect_layer(group, {{"class_name", both ? "Bidirectional" : ""}}, where, "", arrays);
    expect_all(group, arrays.size(), where);
    // Roles by the kind of group, as files with names have them.
    const bool cell = both || group.find("cell") != nullptr, table = group.name.starts_with("embedding");
    const bool kernel = group.name.starts_with("dense") || group.name.starts_with("conv1d");
    const size_t each = both ? arrays.size() / 2 : arrays.size();
    for (size_t i = 0; i < arrays.size(); ++i) {
      const char* const roles[] = {"kernel", "recurrent_kernel", "bias"};
      if (cell && i % each < 3) arrays[i].first = roles[i % each];
      if (table) arrays[i].first = "embeddings";
      if (kernel) arrays[i].first = i == 0 ? "kernel" : "bias";
    }
  }
  return out;
}

namespace {

// Of a recurrent layer by its arrays, in one direction or both: how many gates it has; 0: it is none.
int64_t gates_of_cell(const KerasArrays& arrays) {
  const auto named = [&](size_t i, std::string_view what) {
    return i < arrays.size() && arrays[i].first.find(what) != std::string::npos;
  };
  if (arrays.size() == 12 && named(0, "_W_i")) return 4;  // version 1
  if (arrays.size() == 9 && named(0, "_W_z")) return 3;
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
    } else if (named(0, "kernel") && first.dims.size() == 2) {
      put("weight", transposed(first));
    } else if (named(0, "kernel") && first.dims.size() == 3) {
      put("weight", keras_kernel(first));
    } else if (named(0, "embeddings")) {
      put("weight", first);
    } else {
      const char* const roles[] = {"weight", "bias", "running_mean", "running_var"};
      for (size_t i = 0; i < arrays.size() && i < 4; ++i) put(roles[i], arrays[i].second);
      continue;
    }
    if (arrays.size() == 2 && named(1, "bias")) put("bias", arrays[1].second);
  }
  return out;
}

}  // namespace longhand::convert
