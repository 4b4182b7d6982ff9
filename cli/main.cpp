// Parses, runs, catches, prints. The library neither prints nor exits.
#include <csignal>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/together.h"
#include "longhand/base/error.h"
#include "longhand/distributed/mpi.h"

int main(int argc, char** argv) {
  using longhand::cli::with_dashes;
  longhand::cli::prepare_standard_streams();
  longhand::cli::explain_lost_file();
  if (longhand::distributed::launched_rank() > 0) longhand::cli::be_silent(true);
  // Past a limit on file sizes a write should fail, and be reported, rather than end the process.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = longhand::cli::run_command_line(argc, argv);
    longhand::cli::flush_output();
    return code;
  } catch (const longhand::cli::OutputEnded&) {
    return 0;
  } catch (const longhand::Error& e) {
    longhand::cli::let_first_rank_print();
    longhand::cli::say_error(with_dashes(e.what()), with_dashes(e.advice()));
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    longhand::cli::say_error(e.what(), "this is a defect of longhand; please report it with the command line");
  }
  return static_cast<int>(longhand::ExitCode::kInput);
}
