// Whose threads do the work: Longhand's own, or those of the program that it is part of.
#pragma once

#include "longhand/base/export.h"

namespace longhand {

/// Threads of the host. An object of this class outlives all that was made with it. It may be called from several
/// threads at the same time.
class LONGHAND_API Executor {
 public:
  virtual ~Executor() = default;
  /// Calls that may run at the same time, at least 1; always the same.
  virtual int size() const noexcept = 0;
  /// Calls work(context, part) for part 0 to `parts` - 1, each once, on any threads in any order, and returns when all
  /// have returned. `parts` is at most size(). The calls do not throw, and do not wait for one another, so that the
  /// caller may make them all itself: a pool whose own thread calls must not wait for that thread. Results do not
  /// depend on which thread makes which call.
  virtual void run(int parts, void (*work)(void* context, int part), void* context) noexcept = 0;
};

/// Which threads work within a call: as many of Longhand's own as are named, of which the caller is one (0: as many as
/// the process has processors); or the host's.
struct Threads {
  Threads(int of_its_own = 1) : count(of_its_own) {}            // NOLINT: a number is enough
  Threads(Executor& of_host) : count(1), executor(&of_host) {}  // NOLINT: and so are these

  int count;
  Executor* executor = nullptr;
};

}  // namespace longhand
