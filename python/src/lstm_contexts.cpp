#include "lstm_contexts.h"

#include <pthread.h>

#include <mutex>
#include <vector>

namespace longhand::python {
namespace {

struct IdleContexts {
  std::mutex mutex;
  std::vector<std::unique_ptr<kernels::Context>> contexts;
};

// Never destroyed, since threads must not be joined while the interpreter shuts down.
IdleContexts& idle() {
  static IdleContexts* const contexts = [] {
    // A forked process does not have its parent's threads. It leaks the parent's contexts and creates new ones.
    pthread_atfork([] { idle().mutex.lock(); }, [] { idle().mutex.unlock(); },
                   [] {
                     for (std::unique_ptr<kernels::Context>& context : idle().contexts) (void)context.release();
                     idle().contexts.clear();
                     idle().mutex.unlock();
                   });
    return new IdleContexts;
  }();
  return *contexts;
}

}  // namespace

BorrowedContext::BorrowedContext(int threads) {
  std::vector<std::unique_ptr<kernels::Context>> unfit;  // destroyed after the lock is released
  {
    const std::lock_guard lock(idle().mutex);
    std::vector<std::unique_ptr<kernels::Context>>& contexts = idle().contexts;
    while (!contexts.empty() && context_ == nullptr) {
      const bool fits = contexts.back()->pool.size() == threads;
      (fits ? context_ : unfit.emplace_back()) = std::move(contexts.back());
      contexts.pop_back();
    }
  }
  if (context_ == nullptr) context_ = std::make_unique<kernels::Context>(threads);
}

BorrowedContext::~BorrowedContext() {
  const std::lock_guard lock(idle().mutex);
  idle().contexts.push_back(std::move(context_));
}

}  // namespace longhand::python
