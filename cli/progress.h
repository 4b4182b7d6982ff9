// Progress of a training run: one live line on a terminal, plain lines elsewhere; always on stderr.
#pragma once

#include <chrono>
#include <string>

#include "longhand/train/trainer.h"

namespace longhand::cli {

class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet);
  /// Removes the live line.
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void on_step(const train::Progress& progress);
  void on_evaluation(const train::Evaluation& evaluation);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void show(const std::string& line);
  bool due(double seconds);

  bool quiet_;
  bool terminal_;
  bool shown_ = false;
  Clock::time_point last_;
  std::string valid_;  // of the last evaluation
};

}  // namespace longhand::cli
