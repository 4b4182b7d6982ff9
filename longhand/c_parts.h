// Shared by the sources of the C interface: the handles, and the conversion of exceptions to status codes.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <vector>

#include "longhand/c.h"
#include "longhand/predict.h"
#include "longhand/stream.h"

namespace longhand {

// Runs work on the host program's threads.
class HostThreads final : public Executor {
 public:
  explicit HostThreads(const longhand_threads& threads) : threads_(threads) {}
  int size() const noexcept override { return threads_.count; }
  void run(int parts, void (*work)(void*, int), void* context) noexcept override {
    threads_.run(threads_.host, parts, work, context);
  }

 private:
  longhand_threads threads_;
};

// The threads that a handle uses. Owns the executor if the host program runs the work.
struct UsedThreads {
  explicit UsedThreads(const longhand_threads* given) {
    if (given == nullptr) return;
    if (given->count < (given->run != nullptr ? 1 : 0)) {
      throw usage_error("threads: expected a count of at least " + std::string(given->run ? "1" : "0") + ", found " +
                            std::to_string(given->count),
                        "correct the count");
    }
    if (given->run != nullptr) host = std::make_unique<HostThreads>(*given);
    threads = host != nullptr ? Threads(*host) : Threads(given->count);
  }

  std::unique_ptr<HostThreads> host;
  Threads threads;
};

}  // namespace longhand

// Each handle holds a C++ object, and the strings that its functions return pointers to.
struct longhand_model {
  std::shared_ptr<const longhand::Model> model;
};
struct longhand_stream {
  longhand::Stream stream;
};
struct longhand_streams {
  longhand::UsedThreads used;
  longhand::Streams streams;
};
struct longhand_tagger {
  longhand::UsedThreads used;
  longhand::Tagger tagger;
};
struct longhand_text {
  std::vector<longhand::TextSentence> sentences;
  std::vector<std::vector<const char*>> words;
};
struct longhand_taggings {
  std::vector<longhand::Tags> best;
};
struct longhand_classifier {
  longhand::UsedThreads used;
  longhand::Classifier classifier;
};
struct longhand_forecaster {
  longhand::UsedThreads used;
  longhand::Forecaster forecaster;
  std::vector<std::string> known, statics;  // names of columns
};
struct longhand_generator {
  longhand::Generator generator;
};
struct longhand_scorer {
  longhand::UsedThreads used;
  longhand::Scorer scorer;
};

namespace longhand::c_interface {

// The last error of this thread: `last_error` points to `made_error`, or to a static text that needs no allocation.
inline thread_local std::string made_error;
inline thread_local const char* last_error = "";

inline longhand_status failed(longhand_status status, const char* what) noexcept {
  last_error = what;
  return status;
}

inline longhand_status failed(longhand_status status, const char* what, const char* advice) noexcept {
  try {
    made_error = std::string(what) + "\n" + advice;
    return failed(status, made_error.c_str());
  } catch (...) {
    return failed(LONGHAND_NO_MEMORY, "there is no memory left\nfree some");
  }
}

// Calls `body` and returns the status of its exception, or LONGHAND_OK. Throws nothing.
template <class Body>
longhand_status guarded(const Body& body) noexcept {
  try {
    body();
    return LONGHAND_OK;
  } catch (const longhand::Error& e) {
    return failed(e.code() == longhand::ExitCode::kUsage ? LONGHAND_USAGE : LONGHAND_INPUT, e.what(),
                  e.advice().c_str());
  } catch (const std::bad_alloc&) {
    return failed(LONGHAND_NO_MEMORY, "there is no memory left\nfree some");
  } catch (const std::exception& e) {
    return failed(LONGHAND_BUG, e.what(), "please report this fault of longhand");
  } catch (...) {
    return failed(LONGHAND_BUG, "an unknown exception\nplease report this fault of longhand");
  }
}

// Returns `pointer`. Throws a usage error for null.
template <class T>
T* given(T* pointer, const char* name) {
  if (pointer == nullptr) {
    throw longhand::usage_error(std::string("expected ") + name + ", found a null pointer", "give one");
  }
  return pointer;
}

inline const char* name_at(const std::vector<std::string>& names, int64_t i) {
  return i >= 0 && i < static_cast<int64_t>(names.size()) ? names[static_cast<size_t>(i)].c_str() : nullptr;
}

}  // namespace longhand::c_interface
