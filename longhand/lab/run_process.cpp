#include "longhand/lab/run_process.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/lab/compared_run.h"

extern char** environ;

namespace longhand::lab {
namespace {

// What a launcher of MPI says is for the process that it started.
void forget_launcher() {
  std::vector<std::string> names;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view entry(*each);
    for (const std::string_view start : {"OMPI_", "PMIX_", "PMI_", "MV2_"}) {
      if (entry.starts_with(start)) names.emplace_back(entry.substr(0, entry.find('=')));
    }
  }
  for (const std::string& name : names) ::unsetenv(name.c_str());
}

}  // namespace

pid_t start_process(const std::function<int()>& what) {
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would leave nothing to wait for
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    throw input_error(std::string("cannot start a process: ") + std::strerror(errno),
                      "end some other processes, or use fewer `jobs`");
  }
  if (child > 0) return child;
  ::setpgid(0, 0);
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  forget_launcher();
  int code = kRunFailed;
  try {
    if (::getppid() == parent) code = what();
  } catch (const std::exception&) {  // not even the reason could be written
  }
  std::fflush(nullptr);
  std::_Exit(code);
}

// Waiting without an end would miss a signal that comes just before.
int wait_for_process(pid_t child, const std::function<bool()>& interrupted) {
  int status = 0;
  bool told = false;
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    LONGHAND_CHECK(ended == 0 || errno == EINTR);
    const bool stop = interrupted && interrupted();
    if (stop && !told) ::kill(child, SIGTERM);
    told = stop;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string failure_of(int status, const std::string& folder) {
  if (WIFSIGNALED(status)) return fmt::format("ended by signal {}", WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0: return "";
    case static_cast<int>(ExitCode::kInterrupted): return "interrupted";
    default: return io::exists(failure_path(folder)) ? io::read_file(failure_path(folder)) : "it gave no reason";
  }
}

}  // namespace longhand::lab
