// A run's folder, held by one process at a time.
#pragma once

#include <string>

namespace longhand::io {

class FolderLock {
 public:
  /// Throws an input error where another process holds the folder. The lock ends with this object, or with the process,
  /// whatever ends that, and leaves nothing in the folder. Temporary files of processes that were killed are removed.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int folder_;
};

}  // namespace longhand::io
