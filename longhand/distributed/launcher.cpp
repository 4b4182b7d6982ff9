// What launchers tell their processes, with or without MPI.
#include <algorithm>
#include <cstdlib>
#include <initializer_list>

#include "longhand/distributed/mpi.h"

namespace longhand::distributed {

namespace {

// The first of these variables of the environment that is a number above 0; else 0.
int number_in(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    const int number = text != nullptr ? std::atoi(text) : 0;
    if (number > 0) return number;
  }
  return 0;
}

}  // namespace

// Reads the variables of Open MPI, MPICH and its derivatives, MVAPICH, and Slurm (with PMIx).
int launched_ranks() {
  const int size = number_in({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"});
  if (size > 0 || std::getenv("PMIX_NAMESPACE") == nullptr) return size;
  return number_in({"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"});
}

int launched_here() {
  return std::max(1, number_in({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE"}));
}

int launched_rank() { return number_in({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "PMIX_RANK"}); }

}  // namespace longhand::distributed
