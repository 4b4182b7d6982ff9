#include "longhand/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "longhand/base/error.h"

namespace longhand::io {
namespace {

Error not_mapped(const std::string& path) {
  return input_error(path + ": cannot be read: " + std::strerror(errno), "check the name and the permissions");
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
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
  if (size > 0) bytes_ = {static_cast<const char*>(at), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace longhand::io
