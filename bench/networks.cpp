// What a step of an imported network costs: microseconds of one `Stream::step` on one thread, with random inputs.
//
//   longhand_networks MODEL...        medians, shortest and longest of 15 rounds
//   longhand_networks                 the other half of bench/onnx_runtime.py, which sends lines "seconds model" and
//                                     reads the microseconds of a step
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/stream.h"

namespace {

using namespace longhand;

class Network {
 public:
  explicit Network(const std::string& path) : stream_(Model::load(path)), y_(static_cast<size_t>(stream_.outputs())) {
    if (stream_.inputs() == 0) throw input_error(path + ": reads symbols", "give a network that reads numbers");
    x_.resize(static_cast<size_t>(kFrames * stream_.inputs()));
    const CounterRng rng(1, 0, RngPlace::kSample, 1);
    for (size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<float>(rng.uniform(i) - 0.5);
    run();
  }

  const Stream& stream() const { return stream_; }

  double microseconds(double seconds) {
    using Clock = std::chrono::steady_clock;
    run();  // what other programs pushed out of the caches comes back
    const auto start = Clock::now();
    double taken = 0.0;
    int64_t steps = 0;
    for (; taken < seconds; steps += kFrames) {
      run();
      taken = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return 1e6 * taken / static_cast<double>(steps);
  }

 private:
  static constexpr int64_t kFrames = 64;

  void run() {
    for (int64_t t = 0; t < kFrames; ++t) stream_.step(x_.data() + t * stream_.inputs(), y_.data());
  }

  Stream stream_;
  std::vector<float> x_, y_;
};

void print_table(int paths, char** path) {
  fmt::print("microseconds of a step on one thread, 15 rounds of 0.2 s\n{:>7} {:>7} {:>8} {:>8} {:>8}  {}\n", "inputs",
             "outputs", "median", "shortest", "longest", "model");
  for (int i = 0; i < paths; ++i) {
    Network network(path[i]);
    std::vector<double> times;
    for (int round = 0; round < 15; ++round) times.push_back(network.microseconds(0.2));
    std::sort(times.begin(), times.end());
    fmt::print("{:7} {:7} {:8.2f} {:8.2f} {:8.2f}  {}\n", network.stream().inputs(), network.stream().outputs(),
               times[7], times.front(), times.back(), path[i]);
  }
}

void serve() {
  std::string current, path;
  double seconds = 0.0;
  std::unique_ptr<Network> network;
  while (std::cin >> seconds && std::getline(std::cin >> std::ws, path)) {
    if (path != current) network = std::make_unique<Network>(path);
    current = path;
    fmt::print("{}\n", network->microseconds(seconds));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1) {
    print_table(argc - 1, argv + 1);
  } else {
    serve();
  }
} catch (const Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}
