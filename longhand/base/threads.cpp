#include "longhand/base/threads.h"

#include <sched.h>
#include <unistd.h>

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
// waits looks this many times in a loop, some ten microseconds; then so many times between others that want its
// processor, if there are any; and then sleeps.
constexpr int kSpins = 1000;
constexpr int kYields = 200;

// Parts of a run for every thread. With more, less is left to wait for at the end; with fewer, less is shared out.
constexpr int kPartsOfAThread = 4;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class T>
void look_then_sleep(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  for (int i = 0; i < kYields; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    sched_yield();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

void wait_while(const std::atomic<int>& value, int old) { look_then_sleep(value, old); }
void wait_while(const std::atomic<uint32_t>& value, uint32_t old) { look_then_sleep(value, old); }

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

int all_processors() { return std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN))); }

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
  errors_.resize(static_cast<size_t>(size_ * kPartsOfAThread));
  taken_ = std::vector<std::atomic<uint64_t>>(errors_.size());
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

void ThreadPool::call(int part, int thread) {
  try {
    work_.call(work_.object, part, parts_, thread);
  } catch (...) {
    errors_[static_cast<size_t>(part)] = std::current_exception();
  }
}

// First the parts that are the thread's own, always the same where a kernel is repeated: their operands may still be in
// its cache. Then those that others have not begun, from the end of what is theirs.
void ThreadPool::take_parts(int thread) {
  const uint64_t run = run_;
  const int begin = thread * parts_ / size_, own = (thread + 1) * parts_ / size_ - begin;
  for (int i = 0; i < parts_; ++i) {
    const int part = i < own ? begin + i : (begin + own - 1 - i + parts_) % parts_;
    if (taken_[static_cast<size_t>(part)].exchange(run, std::memory_order_relaxed) == run) continue;
    call(part, thread);
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
  }
}

void ThreadPool::worker(int thread) {
  const FlushDenormals flush;
  uint32_t seen = 0;
  for (;;) {
    wait_while(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    if ((inside_.fetch_add(1, std::memory_order_acq_rel) & kClosed) == 0) take_parts(thread);
    if (inside_.fetch_sub(1, std::memory_order_acq_rel) == (kClosed | 1)) inside_.notify_one();
  }
}

void ThreadPool::run_erased(ErasedWork work, int64_t useful_parts) {
  const FlushDenormals flush;
  const int most = host_ != nullptr ? size_ : size_ * kPartsOfAThread;
  const int parts = size_ == 1 ? 1 : static_cast<int>(std::clamp<int64_t>(useful_parts, 1, most));
  if (parts == 1) {
    work.call(work.object, 0, 1, 0);
    return;
  }
  parts_ = parts;
  work_ = work;
  if (host_ != nullptr) {
    run_by_host();
    return;
  }
  ++run_;
  left_.store(parts, std::memory_order_relaxed);
  inside_.fetch_and(~kClosed, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_parts(0);
  for (int left = left_.load(std::memory_order_acquire); left != 0; left = left_.load(std::memory_order_acquire)) {
    wait_while(left_, left);
  }
  inside_.fetch_or(kClosed, std::memory_order_acq_rel);
  for (uint32_t inside = inside_.load(std::memory_order_acquire); inside != kClosed;
       inside = inside_.load(std::memory_order_acquire)) {
    wait_while(inside_, inside);
  }
  rethrow();
}

void ThreadPool::run_by_host() {
  host_->run(
      parts_,
      [](void* pool, int part) {
        const FlushDenormals flush;
        static_cast<ThreadPool*>(pool)->call(part, part);
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
