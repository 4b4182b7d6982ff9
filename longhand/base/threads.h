// Threads that share out work. Work is split by arithmetic; each part is done by the thread of its number, or by
// another that is free before that one has begun it. Which thread that was never changes a result: whatever is
// computed, one part computes it wholly, in one order. docs/parallelism.md shows who does what when.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <type_traits>
#include <vector>

#include "longhand/base/executor.h"

namespace longhand {

/// Half-open range of work items.
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

/// Part `part` of `parts` of 0 .. n-1, in whole multiples of `grain` (except where n ends).
Range split(int64_t n, int parts, int part, int64_t grain = 1);

/// The processors this process may use, at least 1.
int available_threads();
/// Those of the machine.
int all_processors();

/// Sets the processor to flush denormal results and operands to zero for as long as it lives, on this thread.
/// Decaying states would otherwise slow the arithmetic a hundredfold.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

/// Looks whether a value has changed from `old`: for some microseconds in a loop, since what it waits for mostly takes
/// no longer, then with the processor offered to others, then asleep until it is notified.
void wait_while(const std::atomic<int>& value, int old);
void wait_while(const std::atomic<uint32_t>& value, uint32_t old);

/// `size()` threads, of which the caller is number 0, or a host's. Not reentrant: one `run` at a time.
class ThreadPool {
 public:
  /// Throws an input error if the system cannot start so many, and a usage error for fewer than none.
  explicit ThreadPool(Threads threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }
  /// Whether parts may wait for what others do: a host's may not.
  bool may_wait() const { return host_ == nullptr; }

  /// Calls work(int part, int parts), or work(int part, int parts, int thread), once for each part, and returns when
  /// all have returned. There are some parts for every thread, so that what one does late another takes; or fewer,
  /// where the caller knows that there is little to do (`useful_parts`). No two calls at the same time have the same
  /// thread, 0 to size() - 1. Denormals are flushed inside. An exception from any part is rethrown here. Allocates
  /// nothing.
  template <class Work>
  void run(const Work& work, int64_t useful_parts = INT64_MAX) {
    run_erased({&work,
                [](const void* w, int part, int parts, [[maybe_unused]] int thread) {
                  if constexpr (std::is_invocable_v<const Work&, int, int, int>) {
                    (*static_cast<const Work*>(w))(part, parts, thread);
                  } else {
                    (*static_cast<const Work*>(w))(part, parts);
                  }
                }},
               useful_parts);
  }

 private:
  struct ErasedWork {
    const void* object;
    void (*call)(const void* object, int part, int parts, int thread);
  };
  void run_erased(ErasedWork work, int64_t useful_parts);
  void worker(int thread);
  void stop();
  void take_parts(int thread);
  void call(int part, int thread);
  void run_by_host();
  void rethrow();

  // A thread that works on a run has entered it. No thread enters before the run is open, and what the run reads stays
  // until it is closed and all have left.
  static constexpr uint32_t kClosed = 1U << 31;

  Executor* host_;
  int size_;
  int parts_ = 1;
  ErasedWork work_{};
  std::atomic<uint32_t> inside_{kClosed};     // threads that have entered
  std::atomic<uint32_t> generation_{0};       // runs begun: what idle threads wait for
  std::atomic<int> left_{0};                  // parts that are not done
  std::vector<std::atomic<uint64_t>> taken_;  // by part: the last run in which it was taken
  uint64_t run_ = 0;
  std::atomic<bool> stopping_{false};
  std::vector<std::exception_ptr> errors_;
  std::vector<std::thread> workers_;
};

}  // namespace longhand
