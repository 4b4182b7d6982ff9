// Whole files in, whole files out: a file that is written appears complete or not at all. Others grow by whole pieces.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhand::io {

/// The contents of a file, or of standard input where `path` is "-". Throws an input error that says why not: missing,
/// a folder, no permission, unreadable.
std::string read_file(const std::string& path);

/// Writes the chunks, one after the other, to a temporary file beside `path`, flushes it to the disk and renames it
/// over `path`. After a crash at any moment `path` holds the old contents or the new. Throws an input error (disk full,
/// no permission), and then leaves no temporary file. A process that is killed may leave one. A pipe or a device is
/// written to directly.
void write_file(const std::string& path, std::span<const std::string_view> chunks);
void write_file(const std::string& path, std::string_view contents);
/// The temporary file that `write_file` uses for `path`. The name is unique to this process and machine.
std::string temporary_beside(const std::string& path);
/// Whether a file name is one of `temporary_beside`.
bool is_temporary(std::string_view name);
/// Removes temporary files for `path` that were left by processes of this machine which no longer run.
void remove_stale_temporaries(const std::string& path);
/// Writes every byte to a file descriptor. False, with errno set, where that fails.
bool write_all(int file, std::string_view bytes);

/// Makes a folder and those above it. Throws an input error where that fails or a file is in the way.
void make_folder(const std::string& path);

bool exists(const std::string& path);
bool is_folder(const std::string& path);

/// A file that grows at its end, by whole pieces.
class AppendFile {
 public:
  /// Keeps the first `keep_bytes` of what is there (or all of it, if that is less) and appends after them.
  AppendFile(std::string path, size_t keep_bytes);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Appends the bytes in one write. Throws an input error where the disk is full, and leaves the file as it was.
  void append(std::string_view bytes);
  /// Waits until what was appended is on the disk.
  void flush();
  /// What the file holds: the bytes kept and those appended.
  size_t bytes() const { return bytes_; }

 private:
  std::string path_;
  int file_;
  size_t bytes_ = 0;
};

/// A text file that grows by whole lines; kept, cut back and flushed as an AppendFile is.
class LineWriter {
 public:
  LineWriter(std::string path, size_t keep_bytes) : file_(std::move(path), keep_bytes) {}
  size_t bytes() const { return file_.bytes(); }

  /// Appends the line and a newline.
  void write(const std::string& line) { file_.append(line + "\n"); }
  void flush() { file_.flush(); }

 private:
  AppendFile file_;
};

}  // namespace longhand::io
