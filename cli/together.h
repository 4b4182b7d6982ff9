// A command that several processes run together, where mpirun or the like has started them.
#pragma once

#include <functional>

#include "longhand/distributed/communicator.h"

namespace longhand::cli {

/// Runs the command on all processes that the launcher has started, or on this one alone. Only the first process
/// prints. An error of one process ends all; that process prints it. Returns the exit code.
int run_together(const std::function<int(distributed::Communicator& ranks)>& command);

/// Sleeps for one second, except in the first process. For errors that every process finds, such as an unknown option:
/// only the first prints, and a launcher ends all processes as soon as one has failed.
void let_first_rank_print();

/// Throws a usage error where a launcher has started several processes of a command that only one can run.
void check_single_process(const std::string& command);

}  // namespace longhand::cli
