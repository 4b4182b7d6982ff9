#include "cli/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/io/mapped_file.h"

namespace longhand::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr unsigned kPatienceSeconds = 20;

volatile std::sig_atomic_t signalled = 0;
bool on_terminal = false;

// What a signal handler may do: nothing but system calls on memory that is there.
struct LastWords {
  std::string to_output, to_error;

  static void write(int file, const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = ::write(file, text.data() + at, text.size() - at);
      if (n <= 0 && errno != EINTR) return;
      at += n > 0 ? static_cast<size_t>(n) : 0;
    }
  }
};
const LastWords* last_words = nullptr;

void set_action(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void stop_on_interrupt() {
  on_terminal = ::isatty(STDERR_FILENO) == 1;
  set_action(
      SIGALRM, [](int) { ::_exit(static_cast<int>(ExitCode::kInterrupted)); }, 0);
  for (const int signal : kSignals) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    set_action(
        signal,
        [](int) {
          constexpr char kNote[] = "\nstopping after this step; a second Ctrl-C stops immediately\n";
          if (on_terminal && ::write(STDERR_FILENO, kNote, sizeof(kNote) - 1) < 0) on_terminal = false;
          signalled = 1;
          ::alarm(kPatienceSeconds);
        },
        static_cast<int>(SA_RESETHAND));
  }
}

bool interrupted() { return signalled != 0; }

void end_on_interrupt() {
  for (const int signal : kSignals) {
    struct sigaction now {};
    ::sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_IGN) set_action(signal, SIG_DFL, 0);
  }
}

void print_on_interrupt(const std::string& to_output, const std::string& to_error) {
  static LastWords words;
  std::fflush(stdout);  // the handler writes past the buffer
  end_on_interrupt();   // while the texts change
  words = {to_output, to_error};
  last_words = &words;
  for (const int signal : kSignals) {
    struct sigaction now {};
    ::sigaction(signal, nullptr, &now);
    if (now.sa_handler == SIG_IGN) continue;
    set_action(
        signal,
        [](int) {
          LastWords::write(STDOUT_FILENO, last_words->to_output);
          LastWords::write(STDERR_FILENO, last_words->to_error);
          ::_exit(static_cast<int>(ExitCode::kInterrupted));
        },
        static_cast<int>(SA_RESETHAND));
  }
}

void explain_lost_file() {
  struct sigaction action {};
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_RESETHAND);
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    const char* path = io::file_mapped_at(info->si_addr);
    if (path == nullptr) return;  // the repeated access ends the process
    for (const char* part : {"error: ", path,
                             ": another program has cut it short, or its disk cannot be read\n"
                             "  use an intact copy, or prepare the text again; what was saved is intact\n"}) {
      if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
    }
    ::_exit(static_cast<int>(ExitCode::kInput));
  };
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace longhand::cli
