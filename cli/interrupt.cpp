#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "longhand/base/error.h"

namespace longhand::cli {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr unsigned kPatienceSeconds = 20;

volatile std::sig_atomic_t signalled = 0;
bool on_terminal = false;

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

}  // namespace longhand::cli
