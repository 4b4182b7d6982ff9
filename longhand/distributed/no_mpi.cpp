// A binary without MPI.
#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/distributed/mpi.h"

namespace longhand::distributed {

std::string mpi_version() { return ""; }

std::unique_ptr<Communicator> join_ranks() {
  if (const int ranks = launched_ranks(); ranks > 1) {
    throw usage_error(fmt::format("expected one process, found {}: this binary was built without MPI", ranks),
                      "build it where MPI is installed (`longhand info` says), or start it without mpirun");
  }
  return std::make_unique<Alone>();
}

}  // namespace longhand::distributed
