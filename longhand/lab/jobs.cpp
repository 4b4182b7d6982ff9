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

class ProgressOfJob : public JobProgress {
 public:
  ProgressOfJob(SharedProgress& all, double work) : all_(all), left_(work) {}

  bool advance(double work) override {
    work = std::min(work, left_);
    left_ -= work;
    return all_.advance(work);
  }
  void finish() { advance(left_); }

 private:
  SharedProgress& all_;
  double left_;
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
        ProgressOfJob progress(all, jobs[at].work);
        jobs[at].run(progress);
        if (!all.stopped()) progress.finish();
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
