#include "longhand/distributed/mpi.h"

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <fmt/core.h>
#include <mpi.h>
#include <sched.h>
#ifdef __linux__
#include <sys/prctl.h>

#include <csignal>
#endif

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <thread>
#include <vector>

#include "longhand/base/error.h"

namespace longhand::distributed {
namespace {

constexpr int kTag = 1;

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
#ifdef __linux__
    // A rank ends when its launcher ends, even if that was killed.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    // Open MPI's own choice for long messages over TCP uses one direction of the network at a time, and asks the
    // receiver first. What the user has set stays.
    ::setenv("OMPI_MCA_btl_tcp_flags", "send", 0);
    for (const char* limit : {"eager_limit", "rndv_eager_limit", "max_send_size"}) {
      ::setenv(fmt::format("OMPI_MCA_btl_tcp_{}", limit).c_str(), "1048576", 0);
    }
    int provided = 0;
    // One thread computes while another sends; they never call MPI at the same time.
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    if (provided < MPI_THREAD_SERIALIZED) {
      throw input_error("MPI: expected one that several threads may use in turn (MPI_THREAD_SERIALIZED), found less",
                        "use an MPI library that was built with support for threads");
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    if (const int expected = launched_ranks(); expected != size_) {
      throw input_error(fmt::format("MPI: expected {} processes, as the launcher says, found {}", expected, size_),
                        "use the launcher of the MPI library that `longhand info` names (with Slurm: srun --mpi=pmix)");
    }
    char name[MPI_MAX_PROCESSOR_NAME] = {};
    int length = 0;
    MPI_Get_processor_name(name, &length);
    std::vector<char> all(static_cast<size_t>(size_) * MPI_MAX_PROCESSOR_NAME);
    MPI_Allgather(name, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, MPI_COMM_WORLD);
    for (int r = 0; r < size_; ++r) hosts_.emplace_back(all.data() + static_cast<size_t>(r) * MPI_MAX_PROCESSOR_NAME);
  }

  // MPI's own end waits for the slowest rank, and would keep its processor busy while it does.
  ~MpiCommunicator() override {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    wait(std::span(&request, 1));
    MPI_Finalize();
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& host(int rank) const override { return hosts_[static_cast<size_t>(rank)]; }

  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override {
    requests_.clear();
    for (const Incoming& message : in) {
      in_pieces(message.bytes, [&](std::byte* data, int n) {
        MPI_Irecv(data, n, MPI_BYTE, message.from, kTag, MPI_COMM_WORLD, &requests_.emplace_back());
      });
    }
    for (const Outgoing& message : out) {
      in_pieces(message.bytes, [&](const std::byte* data, int n) {
        MPI_Isend(data, n, MPI_BYTE, message.to, kTag, MPI_COMM_WORLD, &requests_.emplace_back());
      });
    }
    wait(requests_);
  }

  int waiting() override {
    int found = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &found, &status);
    return found != 0 ? status.MPI_SOURCE : -1;
  }

  void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  // MPI counts bytes in an int.
  template <class Bytes, class Send>
  static void in_pieces(Bytes bytes, const Send& send) {
    constexpr size_t kLargest = size_t{1} << 30U;
    for (size_t at = 0; at < bytes.size(); at += kLargest) {
      send(bytes.data() + at, static_cast<int>(std::min(kLargest, bytes.size() - at)));
    }
  }

  // MPI's own wait takes a whole processor, which other threads can use better: it is asked again and again, at first
  // at once, since most answers come soon, then with pauses that grow.
  static void wait(std::span<MPI_Request> requests) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kBusy = std::chrono::microseconds(100);
    constexpr auto kLongest = std::chrono::microseconds(500);
    const auto start = Clock::now();
    auto pause = std::chrono::microseconds(20);
    for (;;) {
      int done = 0;
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
      if (done != 0) return;
      if (Clock::now() - start < kBusy) {
        ::sched_yield();
      } else {
        std::this_thread::sleep_for(pause);
        if (Clock::now() - start > 100 * pause) pause = std::min(2 * pause, kLongest);
      }
    }
  }

  int rank_ = 0, size_ = 1;
  std::vector<std::string> hosts_;
  std::vector<MPI_Request> requests_;
};

}  // namespace

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  // Open MPI says "Open MPI v4.1.4, package: ..."
  const std::string all(text);
  return all.substr(0, std::min(all.find(','), all.find('\n')));
}

std::unique_ptr<Communicator> join_ranks() {
  if (launched_ranks() == 0) return std::make_unique<Alone>();
  return std::make_unique<MpiCommunicator>();
}

}  // namespace longhand::distributed
