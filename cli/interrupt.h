// Ctrl-C, SIGTERM and a closed terminal as a question that loops ask.
#pragma once

#include <string>

namespace longhand::cli {

/// From now on the first signal only answers `interrupted`, so that what is being done can be brought to a good end. A
/// second signal, or twenty seconds after the first, ends the process. Signals that are ignored, as nohup ignores
/// SIGHUP, stay so.
void stop_on_interrupt();
bool interrupted();
/// From now on a signal ends the process at once again.
void end_on_interrupt();
/// From now on a signal writes these texts and ends the process with the exit code of an interruption. For a result
/// that is complete, during work that cannot be stopped. What was printed before goes first.
void print_on_interrupt(const std::string& to_output, const std::string& to_error);

/// Installs a SIGBUS handler: if another program truncates a mapped file, it prints an error with the path and exits
/// with 1.
void explain_lost_file();

}  // namespace longhand::cli
