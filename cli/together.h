// A command that several processes run together, where mpirun or the like has started them.
#pragma once

#include <functional>

#include "longhand/distributed/communicator.h"

namespace longhand::cli {

/// Joins the other processes, if there are any, and runs the command on all. The first alone prints. An error of one of
/// them ends all, and is printed once, by the one that had it. Returns the exit code.
int run_together(const std::function<int(distributed::Communicator& ranks)>& command);

/// Waits a second in all processes but the first, for an error that each finds by itself: a launcher ends all of them
/// when one has failed, and the first alone prints.
void let_first_rank_print();

/// Throws a usage error where a launcher has started several processes of a command that only one can run.
void check_single_process(const std::string& command);

}  // namespace longhand::cli
