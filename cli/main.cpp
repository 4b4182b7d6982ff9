// Parses, runs, catches, prints. The library neither prints nor exits.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <new>
#include <string>

#include "cli/command_line.h"
#include "longhand/base/error.h"

constexpr const char* kCannotPrint =
    "error: standard output cannot be written\n  free some space, or redirect it elsewhere\n";

// What a file says must not steer a terminal.
static std::string visible(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    const bool second_set = byte == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F
    if (byte < 0x20 || byte == 0x7F || second_set) {
      out += fmt::format("\\x{:02X}", second_set ? next : byte);
      i += second_set ? 1 : 0;
    } else {
      out += text[i];
    }
  }
  return out;
}

int main(int argc, char** argv) {
  // Past a limit on file sizes a write should fail, and be reported, rather than end the process.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = longhand::cli::run_command_line(argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    fmt::print(stderr, kCannotPrint);
  } catch (const longhand::Error& e) {
    std::fflush(stdout);
    fmt::print(stderr, "error: {}\n  {}\n", visible(e.what()), visible(e.advice()));
    return static_cast<int>(e.code());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "error: out of memory\n  use a smaller --hidden, --layers, --batch or --bptt\n");
  } catch (const std::exception& e) {
    if (std::ferror(stdout) != 0) {
      fmt::print(stderr, kCannotPrint);
      return static_cast<int>(longhand::ExitCode::kInput);
    }
    fmt::print(stderr, "error: {}\n  this is a defect of longhand; please report it with the command line\n", e.what());
  }
  return static_cast<int>(longhand::ExitCode::kInput);
}
