// Progress of work that takes time: one live line on a terminal, plain lines elsewhere; always on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "longhand/train/trainer.h"

namespace longhand::cli {

/// A line that is written over the one before it.
class LiveLine {
 public:
  explicit LiveLine(bool quiet);
  /// Removes the line.
  ~LiveLine() { clear(); }
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool quiet() const { return quiet_; }
  /// Whether lines can be written over: standard error is a terminal, and not a dumb one.
  bool terminal() const { return terminal_; }
  /// Whether so many seconds have passed since this was last true.
  bool due(double seconds);
  void show(const std::string& line);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  bool quiet_;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point last_;
};

/// Progress of a training run.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet) : line_(quiet) {}

  void on_step(const train::Progress& progress);
  void on_evaluation(const train::Evaluation& evaluation);
  void clear() { line_.clear(); }

 private:
  LiveLine line_;
  std::string valid_;  // of the last evaluation
};

/// Progress of work that has a known number of parts: "12 of 40 models  0:35 left". Without a noun, in per cent.
class WorkProgress {
 public:
  WorkProgress(std::string noun, bool quiet) : line_(quiet), noun_(std::move(noun)) {}

  /// `done` of `total` parts are done; `total` may change.
  void on_done(double done, double total);
  void clear() { line_.clear(); }

 private:
  using Clock = std::chrono::steady_clock;

  LiveLine line_;
  std::string noun_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace longhand::cli
