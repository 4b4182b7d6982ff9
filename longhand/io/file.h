// Whole files in, whole files out: a file that is written appears complete or not at all.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::io {

/// The contents of a file, or of standard input where `path` is "-". Throws an input error that says why not: missing,
/// a folder, no permission, unreadable.
std::string read_file(const std::string& path);

/// Writes the chunks, one after the other, to a temporary file beside `path`, flushes it to the disk and renames it
/// over `path`. After a crash at any moment `path` holds the old contents or the new. Throws an input error (disk full,
/// no permission), and then leaves no temporary file.
void write_file(const std::string& path, std::span<const std::string_view> chunks);
void write_file(const std::string& path, std::string_view contents);

/// Makes a folder and those above it. Throws an input error where that fails or a file is in the way.
void make_folder(const std::string& path);

bool exists(const std::string& path);
bool is_folder(const std::string& path);

/// A text file that grows by whole lines.
class LineWriter {
 public:
  /// Keeps the first `keep_bytes` of what is there (or all of it, if that is less) and appends after them.
  LineWriter(std::string path, size_t keep_bytes);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Appends the line and a newline in one write. Throws an input error where the disk is full.
  void write(const std::string& line);
  /// Waits until what was written is on the disk.
  void flush();

 private:
  std::string path_;
  int file_;
};

}  // namespace longhand::io
