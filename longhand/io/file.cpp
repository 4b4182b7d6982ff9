#include "longhand/io/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"
#include "longhand/io/byte_stream.h"

namespace longhand::io {
namespace {

std::string reason() { return std::strerror(errno); }

// A file descriptor that is closed on the way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

constexpr std::string_view kTemporary = ".tmp-";  // followed by the machine mark and the process id

constexpr size_t kMark = 8;

// A hash (8 hexadecimal digits) of the host name and of the namespace of process ids.
const std::string& machine_mark() {
  static const std::string mark = [] {
    char name[256] = "", space[64] = "";
    ::gethostname(name, sizeof(name) - 1);
    if (::readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0) space[0] = '\0';
    const std::string both = std::string(name) + " " + space;
    return fmt::format("{:08x}", crc32c(both));
  }();
  return mark;
}

constexpr size_t kMaxOfAStream = size_t{1} << 31;

std::string folder_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Error cannot_write(const std::string& path, const std::string& why) {
  return input_error(path + ": cannot be written: " + why,
                     is_folder(folder_of(path))
                         ? "free some space or choose another place; what was saved before is intact"
                         : "make the folder first, or choose another");
}

}  // namespace

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::string read_file(const std::string& path) {
  InputStream file(path);
  std::string contents;
  if (file.size()) contents.reserve(*file.size());
  char chunk[1 << 16];
  for (;;) {
    const size_t got = file.read_some(chunk);
    if (got == 0) return contents;
    if (!file.size() && contents.size() > kMaxOfAStream) {
      throw input_error(file.name() + ": expected at most 2 GiB from a stream, found more", "write it to a file first");
    }
    contents.append(chunk, got);
  }
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::string temporary_beside(const std::string& path) {
  return fmt::format("{}{}{}-{}", path, kTemporary, machine_mark(), ::getpid());
}

void remove_stale_temporaries(const std::string& path) {
  const std::string own = std::filesystem::path(path).filename().string() + std::string(kTemporary) + machine_mark();
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(path), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(own + "-") || !is_temporary(name)) continue;
    const long process = std::strtol(name.c_str() + own.size() + 1, nullptr, 10);
    if (process > 0 && ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) stale.push_back(entry.path());
  }
  for (const std::filesystem::path& file : stale) std::filesystem::remove(file, ignored);
}

bool is_temporary(std::string_view name) {
  const size_t at = name.rfind(kTemporary);
  if (at == std::string_view::npos || at == 0 || at + kTemporary.size() == name.size()) return false;
  std::string_view rest = name.substr(at + kTemporary.size());
  // Earlier versions wrote only the process id.
  if (rest.size() > kMark + 1 && rest[kMark] == '-' &&
      rest.substr(0, kMark).find_first_not_of("0123456789abcdef") == std::string_view::npos) {
    rest.remove_prefix(kMark + 1);
  }
  return rest.find_first_not_of("0123456789") == std::string_view::npos;
}

void write_file(const std::string& path, std::span<const std::string_view> chunks) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    // Write to a pipe or a device directly: renaming would replace it.
    const Descriptor file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    bool good = file.fd >= 0;
    for (const std::string_view chunk : chunks) good = good && write_all(file.fd, chunk);
    if (!good) throw cannot_write(path, reason());
    return;
  }
  const std::string temporary = temporary_beside(path);
  {
    const Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (file.fd < 0) throw cannot_write(path, reason());
    bool good = true;
    for (const std::string_view chunk : chunks) good = good && write_all(file.fd, chunk);
    good = good && ::fsync(file.fd) == 0;
    if (!good) {
      const std::string why = reason();
      ::unlink(temporary.c_str());
      throw cannot_write(path, why);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string why = reason();
    ::unlink(temporary.c_str());
    throw cannot_write(path, why);
  }
  // The rename itself is on the disk once the folder is; where that cannot be asked for, the rename still holds.
  const Descriptor folder{::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd >= 0) ::fsync(folder.fd);
}

void write_file(const std::string& path, std::string_view contents) { write_file(path, std::span(&contents, 1)); }

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !is_folder(path)) {
    throw input_error(path + ": cannot create this folder: " + (error ? error.message() : "a file is in the way"),
                      "choose another place, or check the permissions");
  }
}

AppendFile::AppendFile(std::string path, size_t keep_bytes)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0) throw cannot_write(path_, reason());
  // A file that is shorter already (deleted, or lost in a crash) is not filled up with zeros.
  struct stat status {};
  bool good = ::fstat(file_, &status) == 0;
  bytes_ = std::min(static_cast<size_t>(status.st_size), keep_bytes);
  good = good && ::ftruncate(file_, static_cast<off_t>(bytes_)) == 0;
  if (!good) {
    const std::string why = reason();
    ::close(file_);
    throw cannot_write(path_, why);
  }
}

AppendFile::~AppendFile() { ::close(file_); }

void AppendFile::append(std::string_view bytes) {
  if (!write_all(file_, bytes)) {
    const Error error = cannot_write(path_, reason());
    // Half a piece at the end would spoil those after it. Where it cannot be cut off, the error is still the first one.
    [[maybe_unused]] const int ignored = ::ftruncate(file_, static_cast<off_t>(bytes_));
    throw error;
  }
  bytes_ += bytes.size();
}

void AppendFile::flush() {
  if (::fsync(file_) != 0 && errno != EINVAL) throw cannot_write(path_, reason());
}

}  // namespace longhand::io
