// Where Keras's files keep the arrays of a layer.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
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

// The arrays of vars/0, vars/1, ... of a group and of the groups within, in Keras's order.
void collect_variables(const Hdf5Node& group, const std::string& where, KerasArrays& out, std::string within = "") {
  const Hdf5Node* own = group.find("vars");
  for (size_t i = 0; own != nullptr && i < own->children.size(); ++i) {
    const Hdf5Node* variable = own->find(std::to_string(i));
    if (variable == nullptr) throw input_error(where + ": expected vars/0, vars/1, ..., found others", "it is damaged");
    out.emplace_back(within, dataset_array(*variable, where));
  }
  for (const char* part : {"forward_layer", "backward_layer", "layer", "cell"}) {
    const Hdf5Node* inner = group.find(part);
    if (inner == nullptr || !inner->is_group) continue;
    const std::string side = part == std::string_view("cell") || part == std::string_view("layer") ? within : part;
    collect_variables(*inner, where + "/" + part, out, side);
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

KerasWeights read_archive_weights(const Hdf5Node& root, const KerasConfig& config, const std::string& path) {
  const Hdf5Node* layers = root.find("layers");
  if (layers == nullptr) layers = root.find("_layer_checkpoint_dependencies");
  if (layers == nullptr) throw input_error(path + ": expected a group 'layers', found none", "save it with Keras 3");
  KerasWeights out;
  std::map<std::string, int> counts;
  std::set<std::string> used;
  for (const KerasLayer& layer : config.layers) {
    const std::string type = snake_case(layer.type);
    const int count = counts[type]++;
    const std::string by_type = count == 0 ? type : fmt::format("{}_{}", type, count);
    const Hdf5Node* group = layers->find(by_type);
    if (group == nullptr) continue;
    used.insert(by_type);
    KerasArrays& arrays = out[layer.name];
    collect_variables(*group, path + ": layers/" + by_type, arrays);
    if (count_variables(*group) != arrays.size()) {
      throw input_error(fmt::format("{}: layer '{}': expected {} arrays, found {}", path, visible(layer.name),
                                    arrays.size(), count_variables(*group)),
                        "it has parts that are not known");
    }
  }
  for (const Hdf5Node& child : layers->children) {
    if (count_variables(child) > 0 && !used.contains(child.name)) {
      throw input_error(fmt::format("{}: layers/{}: expected a layer of the configuration, found none of it", path,
                                    visible(child.name)),
                        "the file is damaged, or of another version");
    }
  }
  return out;
}

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
    const auto named = [&](size_t i, std::string_view what) {
      return i < arrays.size() && arrays[i].first.find(what) != std::string::npos;
    };
    const graph::Array& first = arrays[0].second;
    if (arrays.size() >= 2 && named(1, "recurrent_kernel")) {
      const int64_t H = arrays[1].second.dims.empty() ? 1 : std::max<int64_t>(arrays[1].second.dims[0], 1);
      const int64_t gates = arrays[1].second.dims.size() == 2 ? arrays[1].second.dims[1] / H : 0;
      const char* type = gates == 4 ? "LSTM" : gates == 3 ? "GRU" : "SimpleRNN";
      bool cudnn = false;
      NetworkBuilder::Weights by_role;
      add_keras_cell(builder, layer, keras_cell(builder, layer, type, arrays, cudnn), "_l0", by_role);
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
