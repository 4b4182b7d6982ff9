// Bytes in order, from and to files, pipes and the standard streams, for formats that are read and written in blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace longhand::io {

/// A file, a pipe, standard input where `path` is "-", or bytes in memory.
class InputStream {
 public:
  /// Throws an input error that says why it cannot be read: missing, a folder, a device without end, no permission.
  explicit InputStream(const std::string& path);
  /// Bytes that outlive the stream; `name` stands for them in errors.
  InputStream(std::string name, std::string_view bytes);
  ~InputStream();
  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;

  /// Fills `out`, or reads to the end where that comes before. Returns the bytes read. Throws an input error where the
  /// system cannot read.
  size_t read(std::span<char> out);
  /// Waits for at least one byte and returns what there is, as a pipe gives it. 0: the end.
  size_t read_some(std::span<char> out);
  /// Fills `out`. Throws an input error that names `what` (as in "the header") where the end comes before.
  void read_all_of(std::span<char> out, const std::string& what);
  /// Leaves out up to `bytes` bytes. Returns those there were.
  uint64_t skip(uint64_t bytes);

  /// For errors: the path, or "standard input".
  const std::string& name() const { return name_; }
  /// Bytes of the whole file; nothing for what has no size, as a pipe.
  std::optional<uint64_t> size() const { return size_; }
  /// Bytes that were read or left out.
  uint64_t position() const { return position_; }

 private:
  std::string name_;
  int file_ = -1;            // -1: in memory
  std::string_view memory_;  // what is left
  std::optional<uint64_t> size_;
  uint64_t position_ = 0;
};

/// An unnamed temporary file in the folder of a path. The system removes it when it is closed or the process ends.
class ScratchFile {
 public:
  /// Throws an input error if the file cannot be created.
  explicit ScratchFile(const std::string& beside);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  /// Appends. Throws an input error if the disk is full.
  void write(std::string_view bytes);
  /// Overwrites bytes that were written before.
  void rewrite(uint64_t position, std::string_view bytes);
  /// Reads `out.size()` bytes from `position` on into `out`.
  void read_back(uint64_t position, std::span<char> out) const;
  /// A path through which this process can open the file, while it is open here.
  std::string path() const;

 private:
  std::string name_;
  int file_ = -1;
  uint64_t position_ = 0;
};

/// A file, a pipe, or standard output where `path` is "-". A file is written beside its place and put there by
/// finish(): a program that fails before leaves the old file. A pipe or a device receives the bytes at once.
class OutputStream {
 public:
  explicit OutputStream(std::string path);
  ~OutputStream();
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;

  /// Throws an input error where the disk is full or nobody reads the pipe any more.
  void write(std::string_view bytes);
  /// Whether what was written can be changed.
  bool can_rewrite() const { return !temporary_.empty(); }
  /// Changes bytes that were written before.
  void rewrite(uint64_t position, std::string_view bytes);
  /// Reads bytes that were written before, where they can be changed.
  void read_back(uint64_t position, std::span<char> out) const;
  /// Flushes, and puts a file in its place. Nothing can be written afterwards.
  void finish();

  const std::string& name() const { return name_; }
  uint64_t position() const { return position_; }
  /// Whether a write failed because nobody reads the pipe any more.
  bool reader_ended() const { return reader_ended_; }

 private:
  std::string path_, name_;
  std::string temporary_;  // empty: written in place
  int file_ = -1;
  uint64_t position_ = 0;
  bool reader_ended_ = false;
};

}  // namespace longhand::io
