#include "cli/together.h"

#include <fmt/core.h>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/error.h"
#include "longhand/distributed/collectives.h"
#include "longhand/distributed/mpi.h"
#include "longhand/train/trainer.h"

namespace longhand::cli {
namespace {

// The others wait for what this one will not send.
int end_all(distributed::Communicator& ranks, const std::string& problem, const std::string& advice, ExitCode code) {
  be_silent(false);
  say_error(distributed::describe(ranks, ranks.rank()) + ": " + problem, advice);
  ranks.abort(static_cast<int>(code));
  return static_cast<int>(code);
}

}  // namespace

int run_together(const std::function<int(distributed::Communicator& ranks)>& command) {
  const std::unique_ptr<distributed::Communicator> ranks = distributed::join_ranks();
  if (ranks->size() == 1) return command(*ranks);
  be_silent(!ranks->is_first());
  try {
    return command(*ranks);
  } catch (const distributed::AgreedError&) {
    throw;
  } catch (const train::Divergence&) {
    throw;
  } catch (const OutputEnded&) {
    throw;
  } catch (const Error& e) {
    return end_all(*ranks, with_dashes(e.what()), with_dashes(e.advice()), e.code());
  } catch (const std::bad_alloc&) {
    return end_all(*ranks, "out of memory", "use a smaller model or batch, or more machines", ExitCode::kInput);
  } catch (const std::exception& e) {
    return end_all(*ranks, e.what(), "this is a defect of longhand; please report it with the command line",
                   ExitCode::kInput);
  }
}

void check_single_process(const std::string& command) {
  const int ranks = distributed::launched_ranks();
  if (ranks <= 1) return;
  throw usage_error(fmt::format("{}: expected one process, found {}", command, ranks),
                    "start it without mpirun; `longhand train` and `longhand compare` can use several processes");
}

}  // namespace longhand::cli
