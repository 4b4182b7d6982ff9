// How long a comparison still takes, from what its runs have taken so far.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace longhand::lab {

/// What is left of a plan, in seconds of one worker.
struct PlanLoad {
  std::vector<double> running;             ///< what is left of its runs that have begun
  std::vector<double> waiting;             ///< those of the same round that have not
  std::vector<std::vector<double>> later;  ///< rounds that begin when the one before has ended
};

/// Seconds until all is done by `workers` workers, each of which takes the first run of the first plan that has one.
double time_to_finish(const std::vector<PlanLoad>& plans, int64_t workers);

/// Learns what a unit of work takes, for each variant.
class RunSpeeds {
 public:
  /// A run has taken `seconds` for `work`. Later calls with the same `id` replace what this one said.
  void saw(int64_t id, const std::string& variant, double work, double seconds);
  /// Seconds for work of this variant, or of all where nothing is known of it; nothing before anything was seen.
  std::optional<double> seconds_for(const std::string& variant, double work) const;

 private:
  struct Seen {
    double work = 0.0, seconds = 0.0;
    void add(double more_work, double more_seconds) {
      work += more_work;
      seconds += more_seconds;
    }
  };
  std::map<int64_t, Seen> runs_;
  std::map<std::string, Seen> variants_;
  Seen all_;
};

}  // namespace longhand::lab
