#include "cli/interrupt.h"

#include <csignal>

namespace longhand::cli {
namespace {
volatile std::sig_atomic_t signalled = 0;
}

void stop_on_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { signalled = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);  // a terminal that was closed
}

bool interrupted() { return signalled != 0; }

}  // namespace longhand::cli
