#include "cli/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "longhand/base/error.h"

namespace longhand::cli {
namespace {

bool is_silent = false;

// What is wrong in a long line is in its beginning.
std::string shortened(const std::string& text) {
  constexpr size_t kLongest = 2000;
  std::string out = visible(text);
  if (out.size() <= kLongest) return out;
  size_t end = kLongest;
  while ((static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80) --end;  // within a character
  return out.substr(0, end) + "...";
}

[[noreturn]] void fail_output(int error) {
  if (error == EPIPE) throw OutputEnded();
  throw input_error(
      std::string("standard output cannot be written: ") + std::strerror(error),
      error == ENOSPC ? "free some space, or redirect it elsewhere" : "redirect it to a file or a terminal");
}

}  // namespace

void prepare_standard_streams() {
  // Opened the wrong way round: reading or writing fails with EBADF, as it would have.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened >= 0 && opened != fd) ::close(opened);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 ||
           std::string_view("-_./,:=+@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void be_silent(bool silent) { is_silent = silent; }

void say_error(const std::string& problem, const std::string& advice) {
  if (!is_silent) std::fflush(stdout);
  say("error: {}\n  {}\n", shortened(problem), shortened(advice));
}

void write_output(std::string_view text) {
  if (is_silent) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_output(errno);
}

void write_text(std::string_view text) {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  write_output(terminal ? visible_lines(text) : std::string(text));
}

std::string json_line(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == 0x7F || (byte == 0xC2 && next >= 0x80 && next < 0xA0)) {  // the JSON library leaves these as they are
      out += fmt::format("\\u{:04x}", byte == 0x7F ? byte : next);
      i += byte == 0x7F ? 0 : 1;
    } else {
      out += text[i];
    }
  }
  return out + "\n";
}

void write_json(std::string_view text) { write_output(json_line(text)); }

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) fail_output(errno == 0 ? EIO : errno);
}

void write_message(std::string_view text) {
  if (is_silent) return;
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
  std::clearerr(stderr);
}

}  // namespace longhand::cli
