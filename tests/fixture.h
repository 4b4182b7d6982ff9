// What PyTorch computed for the tests to compare with (tests/fixtures/README.md), by name.
#pragma once

#include <string>
#include <vector>

#include "longhand/io/safetensors.h"

namespace longhand::testing {

class Fixture {
 public:
  explicit Fixture(const std::string& name)
      : file_(io::Safetensors::read(LONGHAND_SOURCE_DIR "/tests/fixtures/" + name + ".safetensors")) {}

  std::vector<float> get(const std::string& name) const {
    const std::vector<int64_t> shape = extents(name);
    int64_t n = 1;
    for (const int64_t extent : shape) n *= extent;
    std::vector<float> out(static_cast<size_t>(n));
    file_.copy_floats(name, shape, out);
    return out;
  }
  std::vector<int64_t> extents(const std::string& name) const { return file_.tensors().at(name).shape; }
  bool has(const std::string& name) const { return file_.tensors().count(name) > 0; }
  bool has_option(const std::string& key) const { return file_.metadata().count(key) > 0; }
  std::string text(const std::string& key) const { return file_.text(key); }
  int64_t number(const std::string& key) const { return std::stoll(text(key)); }
  double real(const std::string& key) const { return std::stod(text(key)); }

 private:
  io::Safetensors file_;
};

}  // namespace longhand::testing
