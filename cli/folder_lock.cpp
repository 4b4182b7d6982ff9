#include "cli/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "longhand/base/error.h"

namespace longhand::cli {

FolderLock::FolderLock(const std::string& folder)
    : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (folder_ < 0) {
    throw input_error(folder + ": cannot be opened: " + std::strerror(errno), "name a folder that can be read");
  }
  // Where the file system has no locks, the run goes on without one.
  if (::flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(folder_);
    throw input_error(folder + ": another process is writing in it", "wait until it ends, or name another folder");
  }
}

FolderLock::~FolderLock() { ::close(folder_); }

}  // namespace longhand::cli
