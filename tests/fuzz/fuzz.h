// What a fuzz target is: a reader, and inputs to begin with. tests/fuzz/driver.cpp gives it to libFuzzer.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace longhand::fuzz {

/// Inputs that the reader accepts, from which the fuzzer goes on.
std::vector<std::string> seeds();
/// Reads the bytes. An input error (longhand::Error) is a good answer; a crash, another exception or many seconds are
/// not.
void read(std::string_view bytes);

/// A file in memory, for readers that take a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace longhand::fuzz
