// Ranks that an MPI launcher such as mpirun or srun has started.
#pragma once

#include <memory>
#include <string>

#include "longhand/distributed/communicator.h"

namespace longhand::distributed {

/// "Open MPI 4.1.4", or empty where this binary was built without MPI.
std::string mpi_version();
/// How many ranks a launcher says that it has started, of which this process is one; 0: no launcher started it. Does
/// not start MPI.
int launched_ranks();
/// The number that a launcher has given this process; 0 without one.
int launched_rank();
/// How many of the ranks are on this machine; 1 where a launcher does not say.
int launched_here();

/// Joins the other ranks; once in a process. One process by itself where no launcher started it. When the communicator
/// is destroyed, the process waits for the others. Throws a usage error where a launcher started several processes of a
/// binary without MPI.
std::unique_ptr<Communicator> join_ranks();

}  // namespace longhand::distributed
