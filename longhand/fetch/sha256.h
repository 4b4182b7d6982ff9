// Tells one content from another.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace longhand::fetch {

/// SHA-256 (FIPS 180-4) of what was added, piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  /// 64 hexadecimal digits. Nothing can be added afterwards.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);
/// Throws an input error where the file cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace longhand::fetch
