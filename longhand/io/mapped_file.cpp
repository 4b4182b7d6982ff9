#include "longhand/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "longhand/base/error.h"

namespace longhand::io {
namespace {

Error not_mapped(const std::string& path) {
  return input_error(path + ": cannot be read: " + std::strerror(errno), "check the name and the permissions");
}

// Up to 64 of the files that are mapped now. Without a lock, since a signal handler reads this.
std::array<std::atomic<const MappedFile*>, 64> mapped;

void change(const MappedFile* from, const MappedFile* to) {
  for (std::atomic<const MappedFile*>& place : mapped) {
    const MappedFile* expected = from;
    if (place.compare_exchange_strong(expected, to)) return;
  }
}

}  // namespace

const char* file_mapped_at(const void* address) noexcept {
  for (const std::atomic<const MappedFile*>& place : mapped) {
    const MappedFile* file = place.load();
    if (file == nullptr) continue;
    const auto at = reinterpret_cast<uintptr_t>(address), begin = reinterpret_cast<uintptr_t>(file->bytes().data());
    if (at >= begin && at - begin < file->bytes().size()) return file->path().c_str();
  }
  return nullptr;
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw not_mapped(path);
  struct stat status {};
  const bool known = ::fstat(file, &status) == 0;
  if (known && !S_ISREG(status.st_mode)) {
    ::close(file);
    throw input_error(path + ": expected a file, found a folder, a pipe or a device", "name a file");
  }
  const auto size = static_cast<size_t>(status.st_size);
  void* at = known && size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0) : nullptr;
  const Error error = not_mapped(path);
  ::close(file);
  if (!known || at == MAP_FAILED) throw error;
  if (size == 0) return;
  bytes_ = {static_cast<const char*>(at), size};
  change(nullptr, this);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  change(this, nullptr);
  ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace longhand::io
