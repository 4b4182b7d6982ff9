#include "longhand/lab/jobs.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "longhand/base/threads.h"

namespace longhand::lab {
namespace {

// What all jobs have done together.
class SharedProgress {
 public:
  SharedProgress(double total, const Watcher& watcher) : total_(total), watcher_(watcher) {}

  bool advance(double work) {
    const std::lock_guard lock(mutex_);
    done_ = std::min(done_ + work, total_);
    if (watcher_.on_progress) watcher_.on_progress(done_, total_);
    if (watcher_.should_stop && watcher_.should_stop()) stopped_ = true;
    return !stopped_;
  }
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

 private:
  std::mutex mutex_;
  double done_ = 0.0;
  double total_;
  const Watcher& watcher_;
  std::atomic<bool> stopped_{false};
};

}  // namespace

bool run_jobs(const std::vector<Job>& jobs, int64_t threads, const Watcher& watcher) {
  double total = 0.0;
  for (const Job& job : jobs) total += job.work;
  SharedProgress all(total, watcher);
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    const FlushDenormals flush;
    for (size_t at = next++; at < jobs.size() && !all.stopped(); at = next++) {
      try {
        double left = jobs[at].work;  // a job that says too much, or too little, does not spoil the sum
        const Advance advance = [&all, &left](double done) {
          done = std::min(done, left);
          left -= done;
          return all.advance(done);
        };
        jobs[at].run(advance);
        if (!all.stopped()) advance(left);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        all.stop();
      }
    }
  };
  const auto wanted = static_cast<size_t>(threads > 0 ? threads : available_threads());
  std::vector<std::thread> others;
  try {
    for (size_t i = 1; i < std::min(wanted, jobs.size()); ++i) others.emplace_back(work);
  } catch (const std::system_error&) {
    // As many as the system gives: which thread does a job changes nothing.
  }
  work();
  for (std::thread& other : others) other.join();
  if (error) std::rethrow_exception(error);
  return !all.stopped();
}

}  // namespace longhand::lab
