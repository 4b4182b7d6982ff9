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

/// What is said of the losses after a cold start: "2.41 nats per symbol after 1 to 5 symbols, ..."; empty where
/// `metrics` have none.
std::string describe_cold(const std::vector<tasks::Metric>& metrics);
/// Says on standard error where a model predicts much worse after a cold start than within a text, and what to do.
void print_cold_warning(const std::vector<tasks::Metric>& metrics, double warm_nats);
/// "1:02:03" or "4:05"
std::string format_duration(double seconds);
/// "1,234,567"
std::string format_count(double count);
/// "1 epoch", "1,234 epochs"
std::string format_count(int64_t count, const std::string& noun);

}  // namespace longhand::cli
