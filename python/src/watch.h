// Handles Ctrl-C and Python callbacks during a long call that runs without the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <exception>
#include <string>

namespace longhand::python {

namespace nb = nanobind;

/// Checks for Python signals at most every 50 ms. Stores Python exceptions, so that the call can stop cleanly first;
/// `rethrow` then throws them. Use only on the thread that called into the module.
class Watch {
 public:
  /// Whether Ctrl-C was pressed, or a callback raised an exception or returned true. Acquires the GIL if needed.
  bool should_stop() {
    if (stop_) return true;
    if (is_due(asked_)) {
      const nb::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() != 0) keep_python_error();
    }
    return stop_;
  }

  /// Acquires the GIL and calls a Python function, unless an exception is stored. If the function returns a true value,
  /// `should_stop` returns true from then on.
  template <class... Arguments>
  void call(const nb::callable& function, const Arguments&... arguments) {
    const nb::gil_scoped_acquire acquire;
    if (error_) return;
    try {
      const nb::object answer = function(arguments...);
      const int truth = PyObject_IsTrue(answer.ptr());
      if (truth < 0) throw nb::python_error();
      stop_ = stop_ || truth == 1;
    } catch (...) {
      keep();
    }
  }
  /// Whether 100 ms have passed since the last call that returned true.
  bool is_step_due() { return is_due(shown_, 100); }

  /// Throws the stored exception, if any.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }
  bool has_error() const { return error_ != nullptr; }

 private:
  using Clock = std::chrono::steady_clock;

  static bool is_due(Clock::time_point& last, int milliseconds = 50) {
    const Clock::time_point now = Clock::now();
    if (now - last < std::chrono::milliseconds(milliseconds)) return false;
    last = now;
    return true;
  }
  void keep_python_error() {
    try {
      throw nb::python_error();
    } catch (...) {
      keep();
    }
  }
  void keep() {
    error_ = std::current_exception();
    stop_ = true;
  }

  bool stop_ = false;
  std::exception_ptr error_;
  Clock::time_point asked_{}, shown_{};
};

}  // namespace longhand::python
