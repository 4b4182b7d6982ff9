// What messages between two ranks of MPI cost, as JSON: `mpirun -n 2 longhand_message [BYTES]`, or `bench/hosts.sh
// longhand_message` over an emulated network. These are the figures that the cost model of docs/scaling.md needs: the
// latency (of 8 bytes), the time for each of many short messages that are under way at once, and
// the bandwidth in each direction while both ranks send. The longest messages have so many bytes, 16 MiB by default.
#include <fmt/core.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr double kSecondsPerSize = 0.2;

// The time of an action that both ranks do, in seconds, the first not counted: the median of nine means, since single
// times say little where the ranks take turns in waiting for each other.
template <class Action>
double seconds_of(const Action& action) {
  action();
  double start = MPI_Wtime();
  action();
  int repetitions = 2 * std::clamp(static_cast<int>(kSecondsPerSize / 18.0 / (MPI_Wtime() - start)), 1, 50);
  MPI_Bcast(&repetitions, 1, MPI_INT, 0, MPI_COMM_WORLD);
  std::array<double, 9> seconds;
  for (double& mean : seconds) {
    start = MPI_Wtime();
    for (int i = 0; i < repetitions; ++i) action();
    mean = (MPI_Wtime() - start) / repetitions;
  }
  std::nth_element(seconds.begin(), seconds.begin() + 4, seconds.end());
  return seconds[4];
}

// Sends and receives so many bytes.
void exchange(int rank, const std::vector<char>& out, std::vector<char>& in, int bytes) {
  MPI_Sendrecv(out.data(), bytes, MPI_CHAR, 1 - rank, 0, in.data(), bytes, MPI_CHAR, 1 - rank, 0, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE);
}

// Many short messages at once, in both directions.
void burst(int rank, int messages) {
  static std::vector<double> out(4096), in(4096);
  std::vector<MPI_Request> requests(static_cast<size_t>(2 * messages));
  for (int i = 0; i < messages; ++i) {
    MPI_Irecv(&in[static_cast<size_t>(i)], 1, MPI_DOUBLE, 1 - rank, 0, MPI_COMM_WORLD,
              &requests[static_cast<size_t>(2 * i)]);
    MPI_Isend(&out[static_cast<size_t>(i)], 1, MPI_DOUBLE, 1 - rank, 0, MPI_COMM_WORLD,
              &requests[static_cast<size_t>(2 * i + 1)]);
  }
  MPI_Waitall(2 * messages, requests.data(), MPI_STATUSES_IGNORE);
}

struct Exchange {
  int bytes;
  double seconds;
};

std::vector<std::string> names_of_hosts() {
  char name[2][256] = {};
  char own[256] = {};
  gethostname(own, sizeof own - 1);
  MPI_Gather(own, sizeof own, MPI_CHAR, name, sizeof own, MPI_CHAR, 0, MPI_COMM_WORLD);
  return {name[0], name[1]};
}

void measure(int rank, int max_bytes) {
  const std::vector<std::string> hosts = names_of_hosts();
  std::vector<char> out(static_cast<size_t>(max_bytes), 1), in(out.size());
  const double latency = seconds_of([&] { exchange(rank, out, in, 8); });
  const double few = seconds_of([&] { burst(rank, 256); }), many = seconds_of([&] { burst(rank, 4096); });
  std::vector<Exchange> exchanges;
  for (int shift = 14; shift >= 0; shift -= 2) {
    const int bytes = max_bytes >> shift;
    exchanges.push_back({bytes, seconds_of([&] { exchange(rank, out, in, bytes); })});
  }
  if (rank != 0) return;
  // What more bytes take longer, so that latency and agreement on a long message are left out.
  const Exchange &a = exchanges[exchanges.size() - 2], &b = exchanges.back();
  fmt::print(
      "{{\"hosts\": [\"{}\", \"{}\"], \"latency_s\": {:.4g}, \"message_s\": {:.4g}, \"bandwidth_bytes_per_s\": "
      "{:.4g},\n \"exchanges\": [",
      hosts[0], hosts[1], latency, (many - few) / (4096 - 256), (b.bytes - a.bytes) / (b.seconds - a.seconds));
  for (const Exchange& e : exchanges) {
    fmt::print("{}{{\"bytes\": {}, \"seconds\": {:.4g}}}", e.bytes == exchanges[0].bytes ? "" : ",\n  ", e.bytes,
               e.seconds);
  }
  fmt::print("]}}\n");
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks == 2) {
    measure(rank, argc > 1 ? std::clamp(std::atoi(argv[1]), 1 << 14, 1 << 30) : 16 << 20);
  } else if (rank == 0) {
    fmt::print(stderr, "longhand_message measures between two ranks, and there are {}: use mpirun -n 2\n", ranks);
  }
  MPI_Finalize();
  return ranks == 2 ? 0 : 2;
}
