#include "longhand/base/threads.h"

#include <sched.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "longhand/base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace longhand {
namespace {

// Kernels follow one another within microseconds; a sleeping thread takes longer than that to wake. So a thread that
// waits first looks this many times, and only then sleeps.
constexpr int kSpins = 4000;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class T>
void wait_while(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

Range split(int64_t n, int parts, int part, int64_t grain) {
  const int64_t grains = (n + grain - 1) / grain;
  return {std::min(n, grains * part / parts * grain), std::min(n, grains * (part + 1) / parts * grain)};
}

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__x86_64__)
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(static_cast<uint32_t>(saved_) | 0x8040);  // flush-to-zero, denormals-are-zero
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(static_cast<uint32_t>(saved_)); }
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" ::"r"(saved_ | (uint64_t{1} << 24)));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
#else
FlushDenormals::FlushDenormals() : saved_(0) {}
FlushDenormals::~FlushDenormals() = default;
#endif

ThreadPool::ThreadPool(Threads threads)
    : host_(threads.executor), size_(threads.count > 0 ? threads.count : available_threads()) {
  if (threads.count < 0) {
    throw usage_error("expected 0 or more threads, found " + std::to_string(threads.count), "correct the number");
  }
  if (host_ != nullptr) size_ = std::max(host_->size(), 1);
  errors_.resize(static_cast<size_t>(size_));
  if (host_ != nullptr) return;
  try {
    for (int part = 1; part < size_; ++part) workers_.emplace_back([this, part] { worker(part); });
  } catch (const std::system_error& e) {
    stop();
    throw input_error("cannot start " + std::to_string(size_) + " threads: " + e.what(), "use a smaller `threads`");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& thread : workers_) thread.join();
}

void ThreadPool::call(int part) {
  try {
    work_.call(work_.object, part, parts_);
  } catch (...) {
    errors_[static_cast<size_t>(part)] = std::current_exception();
  }
}

void ThreadPool::worker(int part) {
  const FlushDenormals flush;
  uint32_t seen = 0;
  for (;;) {
    wait_while(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    if (part < parts_) call(part);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }
}

void ThreadPool::run_erased(ErasedWork work, int64_t useful_parts) {
  const FlushDenormals flush;
  parts_ = static_cast<int>(std::clamp<int64_t>(useful_parts, 1, size_));
  if (parts_ == 1) {
    work.call(work.object, 0, 1);
    return;
  }
  work_ = work;
  if (host_ != nullptr) {
    run_by_host();
    return;
  }
  pending_.store(size_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  call(0);
  for (int left = pending_.load(std::memory_order_acquire); left != 0;
       left = pending_.load(std::memory_order_acquire)) {
    wait_while(pending_, left);
  }
  rethrow();
}

void ThreadPool::run_by_host() {
  host_->run(
      parts_,
      [](void* pool, int part) {
        const FlushDenormals flush;
        static_cast<ThreadPool*>(pool)->call(part);
      },
      this);
  rethrow();
}

// The exception of the first part that threw one.
void ThreadPool::rethrow() {
  std::exception_ptr first;
  for (std::exception_ptr& error : errors_) {
    if (!first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace longhand
