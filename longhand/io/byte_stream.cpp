#include "longhand/io/byte_stream.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::io {
namespace {

std::string system_reason() { return std::strerror(errno); }

bool is_null_device(const struct stat& status) {
  struct stat null {};
  return ::stat("/dev/null", &null) == 0 && null.st_rdev == status.st_rdev;
}

Error unreadable(const std::string& name, const std::string& remedy) {
  return input_error(name + ": cannot be read: " + system_reason(),
                     name == "standard input" ? "name a file, or send data through a pipe" : remedy);
}

Error unwritable(const std::string& name) {
  return input_error(name + ": cannot be written: " + system_reason(),
                     "free some space, choose another place, or check what reads the pipe");
}

void write_at(int file, uint64_t position, std::string_view bytes, const std::string& name) {
  const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(position));
  if (written != static_cast<ssize_t>(bytes.size())) throw unwritable(name);
}

void read_at(int file, uint64_t position, std::span<char> out, const std::string& name) {
  while (!out.empty()) {
    const ssize_t got = ::pread(file, out.data(), out.size(), static_cast<off_t>(position));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw unreadable(name, "check the disk, and try again");
    position += static_cast<uint64_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
}

}  // namespace

InputStream::InputStream(const std::string& path) : name_(path == "-" ? "standard input" : path) {
  if (path != "-" && is_folder(path)) {
    throw input_error(path + ": expected a file, found a folder", "name the file inside it");
  }
  file_ = path == "-" ? ::dup(0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) {
    throw unreadable(name_, errno == ENOENT ? "check the name; relative names start at the current folder"
                                            : "check its permissions");
  }
  struct stat status {};
  const bool known = ::fstat(file_, &status) == 0;
  const bool regular = known && S_ISREG(status.st_mode);
  // A pipe, a terminal, or nothing at all; other devices have no end.
  const bool stream = known && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
                                (S_ISCHR(status.st_mode) && (::isatty(file_) == 1 || is_null_device(status))));
  if (regular) size_ = static_cast<uint64_t>(status.st_size);
  if (regular || stream) return;
  const Error error =
      known ? input_error(name_ + ": expected a file or a pipe, found a folder or a device", "name a file")
            : unreadable(name_, "check the disk");
  ::close(file_);
  throw error;
}

InputStream::InputStream(std::string name, std::string_view bytes)
    : name_(std::move(name)), memory_(bytes), size_(bytes.size()) {}

InputStream::~InputStream() {
  if (file_ >= 0) ::close(file_);
}

size_t InputStream::read_some(std::span<char> out) {
  if (file_ < 0) {
    const size_t got = memory_.copy(out.data(), out.size());
    memory_.remove_prefix(got);
    position_ += got;
    return got;
  }
  for (;;) {
    const ssize_t got = ::read(file_, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw unreadable(name_, "check the disk, and try again");
    position_ += static_cast<uint64_t>(got);
    return static_cast<size_t>(got);
  }
}

size_t InputStream::read(std::span<char> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    const size_t got = read_some(out.subspan(filled));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

void InputStream::read_all_of(std::span<char> out, const std::string& what) {
  const size_t got = read(out);
  if (got == out.size()) return;
  throw input_error(fmt::format("{}: {}: expected {} bytes, found {} before the end", name_, what, out.size(), got),
                    "the file is truncated; use an intact copy");
}

uint64_t InputStream::skip(uint64_t bytes) {
  char chunk[1 << 14];
  uint64_t skipped = 0;
  while (skipped < bytes) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(bytes - skipped, sizeof(chunk)));
    const size_t got = read_some({chunk, wanted});
    if (got == 0) break;
    skipped += got;
  }
  return skipped;
}

ScratchFile::ScratchFile(const std::string& beside) : name_(beside) {
  const std::string path = temporary_beside(beside + ".scratch");
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file_ < 0) throw unwritable(name_);
  ::unlink(path.c_str());
}

ScratchFile::~ScratchFile() { ::close(file_); }

void ScratchFile::write(std::string_view bytes) {
  if (!write_all(file_, bytes)) throw unwritable(name_);
  position_ += bytes.size();
}

void ScratchFile::rewrite(uint64_t position, std::string_view bytes) {
  LONGHAND_CHECK(position + bytes.size() <= position_);
  write_at(file_, position, bytes, name_);
}

void ScratchFile::read_back(uint64_t position, std::span<char> out) const {
  LONGHAND_CHECK(position + out.size() <= position_);
  read_at(file_, position, out, name_);
}

std::string ScratchFile::path() const { return fmt::format("/proc/self/fd/{}", file_); }

OutputStream::OutputStream(std::string path) : path_(std::move(path)), name_(path_ == "-" ? "standard output" : path_) {
  struct stat status {};
  const bool in_place = path_ == "-" || (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode));
  if (path_ == "-") {
    file_ = ::dup(1);
  } else if (in_place) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    remove_stale_temporaries(path_);
    temporary_ = temporary_beside(path_);
    file_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  }
  if (file_ < 0) throw unwritable(name_);
}

OutputStream::~OutputStream() {
  if (file_ < 0) return;
  ::close(file_);
  if (can_rewrite()) ::unlink(temporary_.c_str());
}

void OutputStream::write(std::string_view bytes) {
  LONGHAND_CHECK(file_ >= 0);
  if (!write_all(file_, bytes)) {
    reader_ended_ = errno == EPIPE;
    throw unwritable(name_);
  }
  position_ += bytes.size();
}

void OutputStream::rewrite(uint64_t position, std::string_view bytes) {
  LONGHAND_CHECK(can_rewrite() && position + bytes.size() <= position_);
  write_at(file_, position, bytes, name_);
}

void OutputStream::read_back(uint64_t position, std::span<char> out) const {
  LONGHAND_CHECK(can_rewrite() && position + out.size() <= position_);
  read_at(file_, position, out, name_);
}

void OutputStream::finish() {
  LONGHAND_CHECK(file_ >= 0);
  if (!can_rewrite()) {
    ::close(file_);
    file_ = -1;
    return;
  }
  if (::fsync(file_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) throw unwritable(name_);
  ::close(file_);
  file_ = -1;
}

}  // namespace longhand::io
