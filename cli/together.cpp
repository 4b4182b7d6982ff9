#include "cli/together.h"

#include <fmt/core.h>

#include <chrono>
#include <thread>

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

// All ranks have this one. It is printed before they part: a launcher ends all when the first of them has failed.
int end_together(const Error& e) {
  say_error(with_dashes(e.what()), with_dashes(e.advice()));
  return static_cast<int>(e.code());
}

}  // namespace

int run_together(const std::function<int(distributed::Communicator& ranks)>& command) {
  const std::unique_ptr<distributed::Communicator> ranks = distributed::join_ranks();
  if (ranks->size() == 1) return command(*ranks);
  be_silent(!ranks->is_first());
  try {
    const int code = command(*ranks);
    flush_output();
    return code;
  } catch (const OutputEnded&) {
    return 0;
  } catch (const distributed::AgreedError& e) {
    return end_together(e);
  } catch (const train::Divergence& e) {
    return end_together(e);
  } catch (const Error& e) {
    return end_all(*ranks, with_dashes(e.what()), with_dashes(e.advice()), e.code());
  } catch (const std::bad_alloc&) {
    return end_all(*ranks, "out of memory", "use a smaller model or batch, or more machines", ExitCode::kInput);
  } catch (const std::exception& e) {
    return end_all(*ranks, e.what(), "this is a defect of longhand; please report it with the command line",
                   ExitCode::kInput);
  }
}

void let_first_rank_print() {
  if (distributed::launched_rank() > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
}

void check_single_process(const std::string& command) {
  const int ranks = distributed::launched_ranks();
  if (ranks <= 1) return;
  throw usage_error(fmt::format("{}: expected one process, found {}", command, ranks),
                    "start it without mpirun; `longhand train` and `longhand compare` can use several processes");
}

}  // namespace longhand::cli
