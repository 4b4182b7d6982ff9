// Thread pools and scratch memory for longhand.torch.LSTM, shared by all layers of the process.
#pragma once

#include <memory>

#include "longhand/kernels/context.h"

namespace longhand::python {

/// A context with `threads` threads for one call. The destructor returns the context to a process-wide list, and later
/// calls reuse it. A process that calls from one thread therefore needs one thread pool for all its layers. The
/// constructor frees idle contexts with a different number of threads.
class BorrowedContext {
 public:
  /// Throws the exceptions of ThreadPool's constructor.
  explicit BorrowedContext(int threads);
  ~BorrowedContext();
  BorrowedContext(const BorrowedContext&) = delete;
  BorrowedContext& operator=(const BorrowedContext&) = delete;

  kernels::Context& operator*() const { return *context_; }

 private:
  std::unique_ptr<kernels::Context> context_;
};

}  // namespace longhand::python
