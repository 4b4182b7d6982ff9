// Threads and scratch memory for the LSTM layers that PyTorch calls, shared by all of the process.
#pragma once

#include <memory>

#include "longhand/kernels/context.h"

namespace longhand::python {

/// A context of `threads` threads for one call. Idle contexts are used again, so that a process that calls from one
/// thread has one set of threads, however many layers it has. Those of another number of threads are freed first.
class BorrowedContext {
 public:
  /// Throws what ThreadPool throws.
  explicit BorrowedContext(int threads);
  ~BorrowedContext();
  BorrowedContext(const BorrowedContext&) = delete;
  BorrowedContext& operator=(const BorrowedContext&) = delete;

  kernels::Context& operator*() const { return *context_; }

 private:
  std::unique_ptr<kernels::Context> context_;
};

}  // namespace longhand::python
