// Parses, runs, catches, prints. The library neither prints nor exits.
#include <csignal>
#include <cstdio>
#include <string>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/error.h"

namespace {

// What is wrong in a long line is in its beginning.
std::string shown(const std::string& text) {
  constexpr size_t kLongest = 2000;
  std::string out = longhand::visible(text);
  if (out.size() <= kLongest) return out;
  size_t end = kLongest;
  while ((static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80) --end;  // within a character
  return out.substr(0, end) + "...";
}

}  // namespace

int main(int argc, char** argv) {
  using longhand::cli::say;
  using longhand::cli::with_dashes;
  longhand::cli::prepare_standard_streams();
  // Past a limit on file sizes a write should fail, and be reported, rather than end the process.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = longhand::cli::run_command_line(argc, argv);
    longhand::cli::flush_output();
    return code;
  } catch (const longhand::cli::OutputEnded&) {
    return 0;
  } catch (const longhand::Error& e) {
    std::fflush(stdout);
    say("error: {}\n  {}\n", shown(with_dashes(e.what())), shown(with_dashes(e.advice())));
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    std::fflush(stdout);
    say("error: {}\n  this is a defect of longhand; please report it with the command line\n", shown(e.what()));
  }
  return static_cast<int>(longhand::ExitCode::kInput);
}
