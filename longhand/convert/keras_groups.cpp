// Where .keras and .weights.h5 files keep the arrays of a layer: in groups that are called by types.
#include <fmt/core.h>

#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
namespace {

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
    out.emplace_back(prefix + std::to_string(i), keras_array(*variable, where));
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

// The arrays of a layer, and of those that it is made of, in Keras's order.
void collect_layer(const Hdf5Node& group, const nlohmann::json& layer, const std::string& where,
                   const std::string& prefix, KerasArrays& out) {
  const nlohmann::json& config = keras_member(layer, "config");
  const std::string type = text_of(layer, "class_name", "", where);
  collect_own(group, where, prefix, out);
  const auto part = [&](const char* name, const nlohmann::json& inner) {
    const Hdf5Node* found = group.find(name);
    if (found == nullptr || !found->is_group) return;
    const bool side = std::string_view(name).ends_with("_layer");
    collect_layer(*found, inner, where + "/" + name, prefix + (side ? std::string(name) + "/" : ""), out);
  };
  if (type == "Bidirectional") {
    part("forward_layer", keras_member(config, "layer"));
    part("backward_layer",
         config.contains("backward_layer") ? keras_member(config, "backward_layer") : keras_member(config, "layer"));
  } else if (type == "TimeDistributed") {
    part("layer", keras_member(config, "layer"));
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
    part("cell", keras_member(config, "cell"));
  }
}

const Hdf5Node& layers_group(const Hdf5Node& root, const std::string& where) {
  const Hdf5Node* layers = root.find("layers");
  if (layers == nullptr) layers = root.find("_layer_checkpoint_dependencies");
  if (layers == nullptr) throw input_error(where + ": expected a group 'layers', found none", "save it with Keras 3");
  return *layers;
}

void expect_all(const Hdf5Node& group, size_t count, const std::string& where) {
  if (count_keras_arrays(group) == count) return;
  throw input_error(fmt::format("{}: expected {} arrays, found {}", where, count, count_keras_arrays(group)),
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
      if (inner != nullptr && count_keras_arrays(*inner) > 0) collect_model(*inner, *layer.model, path, key + "/", out);
      continue;
    }
    KerasArrays& arrays = out[key];
    collect_layer(*group, {{"class_name", layer.type}, {"config", layer.config}}, where, "", arrays);
    expect_all(*group, arrays.size(), where);
  }
  for (const Hdf5Node& child : layers.children) {
    if (count_keras_arrays(child) > 0 && !used.contains(child.name)) {
      throw input_error(fmt::format("{}: layers/{}: expected a layer of the configuration, found none of it", path,
                                    visible(child.name)),
                        "the file is damaged, or of another version");
    }
  }
}

}  // namespace

KerasWeights read_archive_weights(const Hdf5Node& root, const KerasConfig& config, const std::string& path) {
  KerasWeights out;
  collect_model(root, config.model, path, "", out);
  return out;
}

KerasWeights read_group_weights(const Hdf5Node& root, const std::string& path) {
  KerasWeights out;
  for (const Hdf5Node& group : layers_group(root, path).children) {
    if (!group.is_group || count_keras_arrays(group) == 0) continue;
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

}  // namespace longhand::convert
