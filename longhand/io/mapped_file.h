// A file whose bytes are read where the system keeps them, without a copy.
#pragma once

#include <string>
#include <string_view>

namespace longhand::io {

/// Maps a whole file for reading. The mapping keeps its contents when the file is replaced or removed. If another
/// program truncates the file, reading the missing part raises SIGBUS.
class MappedFile {
 public:
  /// Throws an input error that says why it cannot be read: missing, not a file, no permission.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  /// Begins where a page does.
  std::string_view bytes() const { return bytes_; }

 private:
  std::string path_;
  std::string_view bytes_;
};

/// Returns the path of the file mapped at `address`, or null. Safe in a signal handler.
const char* file_mapped_at(const void* address) noexcept;

}  // namespace longhand::io
