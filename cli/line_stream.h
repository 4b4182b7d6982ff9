// Lines from a file or standard input, as they come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace longhand::cli {

class LineStream {
 public:
  /// Opens a file, or standard input where `source` is "-". Throws an input error where that fails.
  explicit LineStream(const std::string& source, size_t longest_line = size_t{4} << 20);
  ~LineStream();
  LineStream(const LineStream&) = delete;
  LineStream& operator=(const LineStream&) = delete;

  /// The next line, without its end (LF, CR LF or CR); nothing at the end of the stream. Waits for it. Throws an input
  /// error where reading fails, and for a line of more than `longest_line` bytes.
  std::optional<std::string> next();
  /// What ended the last line: LF, CR LF, CR, or nothing where the stream ended with it.
  const std::string& line_end() const { return line_end_; }
  /// Whether `next` would wait: for a person, or another program, who may be waiting for what was read so far.
  bool would_wait();

 private:
  bool read_more();
  void end_line(size_t end);
  std::string source_;
  int file_;
  std::string buffer_;
  size_t begin_ = 0;  // of the next line in the buffer
  bool ended_ = false;
  bool after_return_ = false;  // the last line ended in CR, to which LF may belong
  int64_t number_ = 0;         // of the last line
  std::string line_end_;
  size_t longest_;
};

/// The first lines of a file, by which it is recognised: up to 64 KiB. No value of standard input ("-") and of pipes,
/// which can be read once.
std::optional<std::string> first_lines(const std::string& source);

}  // namespace longhand::cli
