// Ranks that are threads of one process, for tests without MPI.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "longhand/distributed/communicator.h"

namespace longhand::distributed::testing {

/// Messages that were sent and not received yet, by sender and receiver.
struct Mailboxes {
  std::mutex mutex;
  std::condition_variable arrived;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> messages;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(int rank, int size, Mailboxes& mail) : rank_(rank), size_(size), mail_(mail) {
    for (int r = 0; r < size; ++r) hosts_.push_back(std::string("host-") + static_cast<char>('a' + r));
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& host(int rank) const override { return hosts_[static_cast<size_t>(rank)]; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    std::unique_lock lock(mail_.mutex);
    for (const Outgoing& message : out) {
      mail_.messages[{rank_, message.to}].emplace_back(message.bytes.begin(), message.bytes.end());
    }
    mail_.arrived.notify_all();
    for (const Incoming& message : in) {
      auto& box = mail_.messages[{message.from, rank_}];
      mail_.arrived.wait(lock, [&] { return !box.empty(); });
      if (box.front().size() != message.bytes.size()) throw std::logic_error("a message of another size");
      std::copy(box.front().begin(), box.front().end(), message.bytes.begin());
      box.pop_front();
    }
  }
  int waiting() override {
    const std::lock_guard lock(mail_.mutex);
    for (int from = 0; from < size_; ++from) {
      if (!mail_.messages[{from, rank_}].empty()) return from;
    }
    return -1;
  }
  void abort(int code) override { std::_Exit(code); }

 private:
  int rank_, size_;
  Mailboxes& mail_;
  std::vector<std::string> hosts_;
};

/// Runs work(ranks) on `size` ranks. Rethrows what the lowest rank that fails has thrown, once all have ended.
inline void on_ranks(int size, const std::function<void(Communicator& ranks)>& work) {
  Mailboxes mail;
  std::vector<std::exception_ptr> errors(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      ThreadRank rank(r, size, mail);
      try {
        work(rank);
      } catch (...) {
        errors[static_cast<size_t>(r)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace longhand::distributed::testing
