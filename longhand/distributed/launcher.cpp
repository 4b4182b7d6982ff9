// What launchers tell their processes, with or without MPI.
#include <cstdlib>

#include "longhand/distributed/mpi.h"

namespace longhand::distributed {

int launched_ranks() {
  // Of Open MPI; of MPICH and its relatives, which Slurm's own launcher follows; of MVAPICH.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"}) {
    const char* text = std::getenv(name);
    const int size = text != nullptr ? std::atoi(text) : 0;
    if (size > 0) return size;
  }
  return 0;
}

}  // namespace longhand::distributed
