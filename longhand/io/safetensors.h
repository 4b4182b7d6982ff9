// The safetensors format: named arrays and text metadata in one file that nothing has to be executed to read.
//
// Layout: the header's length (8 bytes, little-endian), the header (JSON: name -> dtype, shape, data_offsets; and
// __metadata__, texts by name), the arrays' bytes, gapless and in the order of their offsets.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhand::io {

/// One array to be written. The data must outlive the call.
struct TensorToWrite {
  TensorToWrite(std::string called, std::vector<int64_t> of_shape, std::span<const float> floats)
      : name(std::move(called)),
        shape(std::move(of_shape)),
        dtype("F32"),
        bytes(reinterpret_cast<const char*>(floats.data()), floats.size_bytes()) {}
  TensorToWrite(std::string called, std::vector<int64_t> of_shape, std::string of_dtype, std::string_view data)
      : name(std::move(called)), shape(std::move(of_shape)), dtype(std::move(of_dtype)), bytes(data) {}

  std::string name;
  std::vector<int64_t> shape;
  std::string dtype;
  std::string_view bytes;
};

/// Writes a file atomically (see write_file). Throws an input error where the disk does not take it.
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorToWrite>& tensors);

/// A file in memory, with everything about its structure checked.
class Safetensors {
 public:
  struct Tensor {
    std::string dtype;
    std::vector<int64_t> shape;
    std::string_view bytes;
  };

  Safetensors(Safetensors&&) = default;
  Safetensors(const Safetensors&) = delete;  // the arrays are views of this object's memory
  Safetensors& operator=(const Safetensors&) = delete;

  /// Throws an input error for a file that is missing, truncated, tampered with or not safetensors at all.
  static Safetensors read(const std::string& path);
  /// The same for the contents of a file, which `name` stands for in errors.
  static Safetensors parse(const std::string& name, std::string contents);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

  /// The metadata text of that name. Throws an input error if there is none.
  const std::string& text(const std::string& name) const;
  /// Throws an input error if there is no float array of that name and exactly that shape.
  void check_floats(const std::string& name, const std::vector<int64_t>& shape) const;
  /// Copies such an array. Throws the same.
  void copy_floats(const std::string& name, const std::vector<int64_t>& shape, std::span<float> out) const;

 private:
  Safetensors() = default;

  std::string path_;
  std::string contents_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace longhand::io
