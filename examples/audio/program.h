// What the programs beside this file do before and after their own work.
#pragma once

#include <longhand/base/error.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>

namespace sound {

/// Reads the command line, runs the program, and returns its exit code: that of an error, which is printed with what to
/// do, or 2 for a wrong command line.
inline int run_program(CLI::App& app, int argc, char** argv, const std::function<void()>& run) try {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // 0: --help
  }
  run();
  return 0;
} catch (const longhand::Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}

}  // namespace sound
