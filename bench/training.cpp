// Whole training steps (pack, forward, loss, backward, norm, update) of six models on random data, one step after
// another: the other half of bench/pytorch.py, which sends a line "workload precision threads seconds" and reads the
// milliseconds of a step.
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "training_step.h"

namespace longhand::bench {
namespace {

// As bench/pytorch.py has them.
const std::map<std::string, Workload>& workloads() {
  static const std::map<std::string, Workload> all = {{"characters", {28, 0, 256, 1, 32, 35, 28, "sgd"}},
                                                      {"words", {8293, 512, 512, 1, 128, 48, 8293, "adam"}},
                                                      {"ptb-small", {10000, 200, 200, 2, 20, 20, 10000, "sgd"}},
                                                      {"ptb-medium", {10000, 650, 650, 2, 20, 35, 10000, "sgd", 0.5}},
                                                      {"deep", {100, 256, 256, 4, 16, 64, 100, "adam"}},
                                                      {"tagger", {20000, 100, 200, 1, 32, 30, 17, "adam", 0.0, true}}};
  return all;
}

double milliseconds_of_a_step(Training& training, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double taken = 0.0;
  int steps = 0;
  while (taken < seconds) {
    training.step();
    ++steps;
    taken = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return 1e3 * taken / steps;
}

}  // namespace
}  // namespace longhand::bench

int main() {
  using namespace longhand::bench;
  std::string name;
  std::string precision;
  std::string current;
  int threads = 0;
  double seconds = 0.0;
  std::unique_ptr<Training> training;
  while (std::cin >> name >> precision >> threads >> seconds) {
    const std::string wanted = fmt::format("{} {} {}", name, precision, threads);
    if (wanted != current) {
      training = std::make_unique<Training>(
          workloads().at(name),
          precision == "bf16" ? longhand::kernels::Precision::kBf16 : longhand::kernels::Precision::kFloat, threads);
      training->step();
      current = wanted;
    }
    fmt::print("{}\n", milliseconds_of_a_step(*training, seconds));
    std::fflush(stdout);
  }
}
