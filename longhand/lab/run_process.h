// Child processes for the runs of a comparison. A child ends when its parent ends, even if that was killed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

struct rusage;

namespace longhand::lab {

/// Starts a process that calls `what` and ends with the exit code that it returns. It has a process group of its own,
/// so that a Ctrl-C reaches it through its parent alone. Throws an input error where none can be started.
pid_t start_process(const std::function<int()>& what);

/// Waits for it, and passes an interruption on. Returns its status, as waitpid gives it.
int wait_for_process(pid_t child, const std::function<bool()>& interrupted);

/// Why a process of `folder` with this status has no result; empty where it has one.
std::string failure_of(int status, const std::string& folder);

}  // namespace longhand::lab
