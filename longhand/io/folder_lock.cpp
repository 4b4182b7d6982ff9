#include "longhand/io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::io {

namespace {

// What processes that were killed left half-written.
void remove_temporary_files(const std::string& folder) {
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (io::is_temporary(entry.path().filename().string())) found.push_back(entry.path());
  }
  for (const std::filesystem::path& path : found) std::filesystem::remove(path, ignored);
}

}  // namespace

FolderLock::FolderLock(const std::string& folder)
    : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_ < 0) {
    throw input_error(folder + ": cannot be opened: " + std::strerror(errno), "name a folder that can be read");
  }
  // Without locks in the file system, the run continues unlocked.
  if (::flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder_);
    throw input_error(folder + ": another process is writing in it", "wait until it ends, or name another folder");
  }
  remove_temporary_files(folder);
}

FolderLock::~FolderLock() { ::close(folder_); }

}  // namespace longhand::io
