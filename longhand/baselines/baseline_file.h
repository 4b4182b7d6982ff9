// The file of a fitted baseline, `baseline.safetensors` in a run's folder, whatever its kind: a name to show, and
// arrays of numbers and texts. Each kind of baseline writes and reads its own arrays.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/safetensors.h"

namespace longhand::baselines {

/// The name that safetensors have for numbers of this type.
template <class T>
constexpr const char* dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, int32_t>);
  if constexpr (std::is_same_v<T, float>) return "F32";
  if constexpr (std::is_same_v<T, double>) return "F64";
  return "I32";
}

/// Gathers what a baseline consists of, and writes it. It keeps copies.
class BaselineWriter {
 public:
  /// `kind` says which baseline it is: "ngram", ...
  explicit BaselineWriter(const std::string& kind);

  /// A text, such as an option's value.
  void add(const std::string& key, const std::string& text) { metadata_[key] = text; }
  template <class T>
  void add_numbers(const std::string& name, std::span<const T> values) {
    add_bytes(name, dtype_of<T>(), static_cast<int64_t>(values.size()),
              std::string(reinterpret_cast<const char*>(values.data()), values.size_bytes()));
  }
  template <class T>
  void add_numbers(const std::string& name, const std::vector<T>& values) {
    add_numbers(name, std::span<const T>(values));
  }
  /// Texts of any bytes: two arrays, `name`.bytes and `name`.lengths. Throws an input error for more than 2 GiB in one
  /// text.
  void add_texts(const std::string& name, const std::vector<std::string>& texts);

  /// Writes the file atomically, as io::write_file does.
  void write(const std::string& path) const;

 private:
  struct Array {
    std::string name, dtype;
    int64_t count = 0;
    std::string bytes;
  };
  void add_bytes(const std::string& name, const std::string& dtype, int64_t count, std::string bytes);

  std::map<std::string, std::string> metadata_;
  std::vector<Array> arrays_;
};

/// A baseline's file that was read. What is missing, or not as it has to be, is an input error that names the file.
class BaselineFile {
 public:
  static BaselineFile read(const std::string& path);
  /// The same for the contents of a file, which `name` stands for in errors.
  static BaselineFile parse(const std::string& name, std::string contents);

  const std::string& kind() const { return kind_; }
  const std::string& path() const { return file_.path(); }
  const std::string& text(const std::string& key) const { return file_.text(key); }
  /// A whole number from `min` to `max` that is a text of the file.
  int64_t number(const std::string& key, int64_t min, int64_t max) const;
  /// All numbers of an array, which are finite.
  template <class T>
  std::vector<T> numbers(const std::string& name) const {
    const std::string_view bytes = array(name, dtype_of<T>());
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    if constexpr (std::is_floating_point_v<T>) {
      for (const T x : out) expect(std::isfinite(x), "finite numbers in '" + name + "'");
    }
    return out;
  }
  /// The same for an array that has to have `count` of them.
  template <class T>
  std::vector<T> numbers(const std::string& name, size_t count) const {
    std::vector<T> out = numbers<T>(name);
    expect(out.size() == count, std::to_string(count) + " numbers in '" + name + "'");
    return out;
  }
  std::vector<std::string> texts(const std::string& name) const;
  /// Whether there is an array of this name.
  bool has(const std::string& name) const { return file_.tensors().contains(name); }

  /// Throws that the file is damaged unless this is so.
  void expect(bool good, const std::string& what) const;

 private:
  explicit BaselineFile(io::Safetensors file);
  std::string_view array(const std::string& name, const std::string& dtype) const;

  io::Safetensors file_;
  std::string kind_;
};

}  // namespace longhand::baselines
