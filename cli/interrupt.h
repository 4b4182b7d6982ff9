// Ctrl-C, SIGTERM and a closed terminal as a question that loops ask.
#pragma once

namespace longhand::cli {

/// From now on the first signal only answers `interrupted`; the handler is then gone, and a second ends the process.
void stop_on_interrupt();
bool interrupted();

}  // namespace longhand::cli
