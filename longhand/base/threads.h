// A static pool of threads. Work is split by arithmetic, not by whoever is free, so that a result never depends on
// timing.
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

/// `size()` threads, of which the caller is number 0, or a host's. Not reentrant: one `run` at a time.
class ThreadPool {
 public:
  /// Throws an input error if the system cannot start so many, and a usage error for fewer than none.
  explicit ThreadPool(Threads threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  /// Calls work(int part, int parts) once for each part, and returns when all have. `parts` is size(), or fewer where
  /// the caller knows that there is little to do (`useful_parts`). Denormals are flushed inside. An exception from any
  /// part is rethrown here. Allocates nothing.
  template <class Work>
  void run(const Work& work, int64_t useful_parts = INT64_MAX) {
    run_erased({&work, [](const void* w, int part, int parts) { (*static_cast<const Work*>(w))(part, parts); }},
               useful_parts);
  }

 private:
  struct ErasedWork {
    const void* object;
    void (*call)(const void* object, int part, int parts);
  };
  void run_erased(ErasedWork work, int64_t useful_parts);
  void worker(int part);
  void stop();
  void call(int part);
  void run_by_host();
  void rethrow();

  Executor* host_;
  int size_;
  int parts_ = 1;
  ErasedWork work_{};
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> pending_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::exception_ptr> errors_;
  std::vector<std::thread> workers_;
};

}  // namespace longhand
