// Errors that a user can fix, and assertions for our own mistakes.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "longhand/base/export.h"

namespace longhand {

/// What the process should return for an error. The values are a promise to scripts.
enum class ExitCode { kDone = 0, kInput = 1, kUsage = 2, kInterrupted = 130 };

/// A fault of the input or of the command line, thrown once, where it is noticed.
/// `what()` is the first line (what was wrong, where, what was expected and what was found);
/// `advice()` the second (what to do). Neither ends in a newline.
class LONGHAND_API Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& problem, std::string advice)
      : std::runtime_error(problem), code_(code), advice_(std::move(advice)) {}

  ExitCode code() const { return code_; }
  const std::string& advice() const { return advice_; }

 private:
  ExitCode code_;
  std::string advice_;
};

/// The input or the data is at fault (exit code 1).
inline Error input_error(const std::string& problem, std::string advice) {
  return {ExitCode::kInput, problem, std::move(advice)};
}

/// The command line or the configuration is at fault (exit code 2).
inline Error usage_error(const std::string& problem, std::string advice) {
  return {ExitCode::kUsage, problem, std::move(advice)};
}

/// "a, b, c", for error messages: at most `max` names, followed by ", ..." if there are more. "none" for an empty list.
std::string listed(const std::vector<std::string>& names, size_t max = 8);

/// Throws std::logic_error naming the place; called by LONGHAND_CHECK alone.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace longhand

/// An assertion that stays on in release builds. It guards the borders of the kernels, never their loops.
#define LONGHAND_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::longhand::check_failed(#condition, __FILE__, __LINE__))
