// Models of Keras, made with numbers by a formula.
#pragma once

#include <fmt/core.h>

#include <cmath>
#include <string>
#include <vector>

#include "longhand/convert/keras_graph.h"
#include "tests/convert/compose_hdf5.h"

namespace longhand::convert {

// Numbers of array k of a file, or of an input.
inline std::vector<float> formula(size_t k, int64_t n) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) {
    out.push_back(static_cast<float>(static_cast<double>((7 * i + 11 * static_cast<int64_t>(k)) % 17 - 8) * 0.06));
  }
  return out;
}
inline std::vector<float> input_formula(int64_t n) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<float>(static_cast<double>((5 * i) % 11 - 5) * 0.2));
  return out;
}

inline void write_texts(hid_t where, const char* name, const std::vector<std::string>& texts, bool scalar = false) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  const hsize_t n = texts.size();
  const hid_t space = scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, nullptr);
  longhand::testing::write_attribute(where, name, type, space, pointers.data());
  H5Tclose(type);
}

struct LayerArrays {
  std::string layer;
  std::vector<std::vector<hsize_t>> shapes;
  std::vector<std::string> names = {};  // "array_K" where there are none
};

// A file with these arrays, filled by the formula in order. `positive` is the index of one that is a variance.
inline std::string keras_file(const std::string& config, const std::string& version,
                              const std::vector<LayerArrays>& layers, size_t positive = 1000) {
  return longhand::testing::hdf5_bytes([&](hid_t file) {
    if (!config.empty()) write_texts(file, "model_config", {config}, true);
    const hid_t all = H5Gcreate2(file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (!version.empty()) write_texts(all, "keras_version", {version}, true);
    std::vector<std::string> names;
    size_t k = 0;
    for (const LayerArrays& layer : layers) {
      names.push_back(layer.layer);
      const hid_t group = H5Gcreate2(all, layer.layer.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      std::vector<std::string> weights;
      for (const auto& shape : layer.shapes) {
        int64_t n = 1;
        for (const hsize_t extent : shape) n *= static_cast<int64_t>(extent);
        std::vector<float> values = formula(k, n);
        if (k == positive) {
          for (float& v : values) v = std::abs(v) + 0.5F;
        }
        const size_t own = weights.size();
        weights.push_back(own < layer.names.size() ? layer.names[own] : fmt::format("array_{}", k));
        ++k;
        longhand::testing::write_hdf5(group, weights.back().c_str(), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shape,
                                      values.data());
      }
      write_texts(group, "weight_names", weights);
      H5Gclose(group);
    }
    write_texts(all, "layer_names", names);
    H5Gclose(all);
    const hid_t optimizer = H5Gcreate2(file, "optimizer_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(optimizer);
  });
}

inline std::string sequential(const std::string& type, const std::string& config, int inputs) {
  return fmt::format(R"({{"class_name": "Sequential", "config": {{"name": "m", "layers": [
    {{"class_name": "{}", "config": {{"name": "a", "batch_input_shape": [null, null, {}], {}}}}}]}}}})",
                     type, inputs, config);
}

inline Imported import_bytes(const std::string& bytes) { return keras_h5_to_graph(read_hdf5("m.h5", bytes), "m.h5"); }

}  // namespace longhand::convert
