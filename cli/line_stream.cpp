#include "cli/line_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/sources.h"
#include "longhand/base/error.h"

namespace longhand::cli {

LineStream::LineStream(const std::string& source, size_t longest_line)
    : source_(source),
      file_(source == "-" ? STDIN_FILENO : ::open(source.c_str(), O_RDONLY | O_CLOEXEC)),
      longest_(longest_line) {
  if (file_ < 0) {
    throw input_error(source + ": cannot be opened: " + std::strerror(errno), "check the name and its permissions");
  }
}

LineStream::~LineStream() {
  if (file_ != STDIN_FILENO) ::close(file_);
}

bool LineStream::read_more() {
  if (ended_) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  constexpr size_t kPiece = 65536;
  const size_t before = buffer_.size();
  buffer_.resize(before + kPiece);
  ssize_t n = 0;
  do {
    n = ::read(file_, buffer_.data() + before, kPiece);
  } while (n < 0 && errno == EINTR);
  buffer_.resize(before + (n > 0 ? static_cast<size_t>(n) : 0));
  if (n < 0) {
    throw input_error(
        shown_name(source_) + ": cannot be read: " + std::strerror(errno),
        file_ == STDIN_FILENO ? "name a file, or send data through a pipe" : "check the file and the disk");
  }
  ended_ = n == 0;
  return n > 0;
}

// Goes on after the line end at `end`. Whether LF follows CR is seen at once only if that takes no waiting.
void LineStream::end_line(size_t end) {
  after_return_ = buffer_[end] == '\r';
  begin_ = end + 1;
  ++number_;
  if (!after_return_) {
    line_end_ = "\n";
    return;
  }
  if (begin_ == buffer_.size()) {
    pollfd ready{file_, POLLIN, 0};
    if (::poll(&ready, 1, 0) == 1) read_more();
  }
  const bool known = begin_ < buffer_.size();
  if (known) {
    line_end_ = buffer_[begin_] == '\n' ? "\r\n" : "\r";
  } else if (line_end_.empty() || line_end_ == "\n") {
    line_end_ = "\r";
  }
}

std::optional<std::string> LineStream::next() {
  size_t searched = begin_;
  for (;;) {
    if (after_return_ && begin_ < buffer_.size()) {  // the second half of a line end
      if (buffer_[begin_] == '\n') ++begin_;
      searched = std::max(searched, begin_);
      after_return_ = false;
    }
    const size_t end = buffer_.find_first_of("\r\n", searched);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(begin_, end - begin_);
      end_line(end);
      return line;
    }
    if (buffer_.size() - begin_ > longest_) {
      throw input_error(fmt::format("{}:{}: expected lines of at most {} MiB, found a longer one", shown_name(source_),
                                    number_ + 1, longest_ >> 20),
                        "give a text file with line ends");
    }
    searched = buffer_.size() - begin_;  // read_more moves the line's beginning to 0
    if (!read_more()) break;
  }
  if (begin_ == buffer_.size()) return std::nullopt;
  std::string last = buffer_.substr(begin_);
  begin_ = buffer_.size();
  ++number_;
  line_end_.clear();
  return last;
}

bool LineStream::would_wait() {
  if (ended_) return false;
  const size_t begin = begin_ + (after_return_ && begin_ < buffer_.size() && buffer_[begin_] == '\n' ? 1 : 0);
  if (buffer_.find_first_of("\r\n", begin) != std::string::npos) return false;
  pollfd ready{file_, POLLIN, 0};
  return ::poll(&ready, 1, 0) == 0;
}

std::optional<std::string> first_lines(const std::string& source) {
  constexpr size_t kMost = 1 << 16;
  if (source == "-" || !std::filesystem::is_regular_file(source)) return std::nullopt;
  std::string out(kMost, '\0');
  std::ifstream file(source, std::ios::binary);
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(file.gcount()));
  if (out.size() == kMost && out.rfind('\n') != std::string::npos) out.resize(out.rfind('\n') + 1);
  return out;
}

}  // namespace longhand::cli
