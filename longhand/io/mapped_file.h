// A file whose bytes are read where the system keeps them, without a copy.
#pragma once

#include <string>
#include <string_view>

namespace longhand::io {

/// Maps a whole file for reading. It stays what it was when it is replaced or removed; a file that another program cuts
/// short while it is mapped ends this process where the missing part is read.
class MappedFile {
 public:
  /// Throws an input error that says why it cannot be read: missing, not a file, no permission.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Begins where a page does.
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace longhand::io
