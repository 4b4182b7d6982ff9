// What training on several machines costs by the model of docs/scaling.md: `longhand_scaling [--help]`. The computation
// of a step is measured here and now, on random data; the network is what the options say (longhand_message measures
// one).
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "training_step.h"

namespace longhand::bench {
namespace {

struct Network {
  double mbit = 10000.0, ms = 0.05;
  double message_us = 5.0;  // of a processor, to send or receive a message
  double latencies = 1.0;   // until a message has begun; 3 where sender and receiver first agree on it
  double add_gbytes = 5.0;  // per second, of received gradients that are added
  // Of a packet of 1,500 bytes, TCP leaves 1,448 to a message.
  double bytes_per_second() const { return mbit * 1e6 / 8.0 * 1448.0 / 1500.0; }
};

struct Step {
  int64_t parameters = 0, output_parameters = 0;
  StepTimes times;     // of one shard, on one machine
  int64_t shards = 1;  // on each machine, one after the other
  double computation() const { return times.gradients * static_cast<double>(shards); }
  double one_machine() const { return computation() + times.update - times.gradients; }
};

// The time until one of `hosts` machines has exchanged its share of so many floats with all others, in pieces.
double exchange_seconds(int64_t floats, int64_t pieces, int64_t hosts, const Network& network) {
  const double others = static_cast<double>(hosts - 1);
  const double bytes = 4.0 * static_cast<double>(floats) * others / static_cast<double>(hosts);
  const double start = 1e-3 * network.latencies * network.ms + 1e-6 * network.message_us * others;
  return static_cast<double>(pieces) * start + bytes / network.bytes_per_second();
}

// Floats of a piece of the gradients, as in longhand/train/gradient_exchange.cpp.
int64_t piece_size(int64_t hosts) { return std::max<int64_t>(64 * 4096, 8 * 4096 * hosts); }

struct Prediction {
  double hidden = 0.0;     // seconds in which gradients travel while others are computed
  double gradients = 0.0;  // seconds in which all wait for gradients
  double agreement = 0.0;  // on the norm
  double update = 0.0;
  double parameters = 0.0;  // seconds in which they travel
  double step = 0.0;
};

Prediction predict(const Step& step, int64_t hosts, const Network& network) {
  const int64_t piece = piece_size(hosts);
  const auto pieces = [&](int64_t floats) { return (floats + piece - 1) / piece; };
  const auto send = [&](int64_t floats) {
    const double others = static_cast<double>(hosts - 1) / static_cast<double>(hosts);
    return exchange_seconds(floats, pieces(floats), hosts, network) +
           4e-9 * static_cast<double>(floats) * others / network.add_gbytes;
  };
  // Pieces in which there is nothing but the output layer.
  const int64_t below = std::min(step.parameters, pieces(step.parameters - step.output_parameters) * piece);
  Prediction p;
  const double backward = step.times.gradients - step.times.output;
  const double output = send(step.parameters - below);
  p.hidden = std::min(backward, output);
  p.gradients = output - p.hidden + send(below);
  // Lengths, then loss and squares, as short messages.
  p.agreement = 2.0 * (1e-3 * network.ms + 1e-6 * network.message_us * static_cast<double>(hosts - 1));
  p.update = (step.times.update - step.times.gradients) / static_cast<double>(hosts);
  // All at once, but in as many messages.
  const auto more = static_cast<double>((pieces(step.parameters) - 1) * (hosts - 1));
  p.parameters = exchange_seconds(step.parameters, 1, hosts, network) + 1e-6 * network.message_us * more;
  p.step = step.computation() + p.gradients + p.agreement + p.update + p.parameters;
  return p;
}

const std::map<std::string, Workload>& models() {
  static const std::map<std::string, Workload> all = {{"characters-512", {100, 0, 512, 1, 0, 64, 100, "adam"}},
                                                      {"characters-1024", {100, 0, 1024, 1, 0, 64, 100, "adam"}},
                                                      {"ptb-small", {10000, 200, 200, 2, 0, 20, 10000, "sgd"}},
                                                      {"ptb-medium", {10000, 650, 650, 2, 0, 35, 10000, "sgd", 0.5}},
                                                      {"tagger", {20000, 100, 200, 1, 0, 30, 17, "adam", 0.0, true}}};
  return all;
}

// The median of a second's steps, and at least of three.
Step measure(Workload workload, int64_t rows, int64_t shards, int threads, double speed) {
  workload.rows = std::max<int64_t>(1, rows / shards);
  Training training(workload, kernels::Precision::kFloat, threads);
  training.step();
  std::vector<StepTimes> all;
  double seconds = 0.0;
  while (seconds < 1.0 || all.size() < 3) {
    all.push_back(training.step());
    seconds += all.back().update;
  }
  std::sort(all.begin(), all.end(), [](const StepTimes& a, const StepTimes& b) { return a.update < b.update; });
  StepTimes median = all[all.size() / 2];
  median.output /= speed;
  median.gradients /= speed;
  median.update /= speed;
  return {training.parameters(), training.output_parameters(), median, shards};
}

struct Options {
  std::vector<std::string> names = {"characters-512", "characters-1024", "ptb-small", "ptb-medium", "tagger"};
  std::vector<int64_t> rows = {8, 32, 128}, hosts = {8, 32, 256};
  std::vector<double> mbit = {10000.0, 13600.0, 100000.0};
  Network network;
  int64_t shards = 1;
  int threads = 2;
  double speed = 1.0;
  bool parts = false;
};

void print_efficiencies(const Options& options, const std::map<std::string, Workload>& workloads) {
  fmt::print("| model | parameters | rows | alone |");
  for (const double mbit : options.mbit) {
    for (const int64_t hosts : options.hosts) fmt::print(" {:.3g} Gbit/s, {} |", mbit * 1e-3, hosts);
  }
  fmt::print("\n|---|---|---|---|");
  for (size_t i = 0; i < options.mbit.size() * options.hosts.size(); ++i) fmt::print("---|");
  for (const auto& [name, workload] : workloads) {
    for (const int64_t rows : options.rows) {
      const Step step = measure(workload, rows, options.shards, options.threads, options.speed);
      fmt::print("\n| {} | {:.2f} M | {} | {:.3g} ms |", name, 1e-6 * static_cast<double>(step.parameters), rows,
                 1e3 * step.one_machine());
      for (const double mbit : options.mbit) {
        Network network = options.network;
        network.mbit = mbit;
        for (const int64_t hosts : options.hosts) {
          fmt::print(" {:.0f} % |", 100.0 * step.one_machine() / predict(step, hosts, network).step);
        }
      }
    }
  }
  fmt::print("\n");
}

void print_parts(const Options& options, const std::map<std::string, Workload>& workloads) {
  fmt::print(
      "model rows hosts mbit: milliseconds of computation, gradients (hidden), agreement, update, parameters, step\n");
  for (const auto& [name, workload] : workloads) {
    for (const int64_t rows : options.rows) {
      const Step step = measure(workload, rows, options.shards, options.threads, options.speed);
      for (const int64_t hosts : options.hosts) {
        for (const double mbit : options.mbit) {
          Network network = options.network;
          network.mbit = mbit;
          const Prediction p = predict(step, hosts, network);
          fmt::print("{} {} {} {}: {:.1f}, {:.1f} ({:.1f}), {:.1f}, {:.1f}, {:.1f}, {:.1f}\n", name, rows, hosts, mbit,
                     1e3 * step.computation(), 1e3 * p.gradients, 1e3 * p.hidden, 1e3 * p.agreement, 1e3 * p.update,
                     1e3 * p.parameters, 1e3 * p.step);
        }
      }
    }
  }
}

int run(int argc, char** argv) {
  Options options;
  std::map<std::string, int64_t> sizes;
  CLI::App app("Predicts the efficiency of training on several machines: the speed of each there, times one alone");
  app.add_option("--models", options.names, "Models: characters-512, characters-1024, ptb-small, ptb-medium, tagger")
      ->delimiter(',');
  for (const char* size : {"symbols", "embed", "hidden", "layers", "steps", "outputs"}) {
    app.add_option_function<int64_t>(
        fmt::format("--{}", size), [&sizes, size](int64_t value) { sizes[size] = value; },
        "In place of the models' own");
  }
  app.add_option("--rows", options.rows, "Rows of the batch on each machine")->delimiter(',');
  app.add_option("--shards", options.shards, "Shards on each machine that divide these rows");
  app.add_option("--hosts", options.hosts, "Numbers of machines")->delimiter(',');
  app.add_option("--mbit", options.mbit, "Bandwidths in Mbit/s")->delimiter(',');
  app.add_option("--ms", options.network.ms, "Latency in milliseconds, one way")->capture_default_str();
  app.add_option("--message-us", options.network.message_us, "Microseconds to send a message")->capture_default_str();
  app.add_option("--latencies", options.network.latencies, "Latencies before a long message has begun")
      ->capture_default_str();
  app.add_option("--add-gbytes", options.network.add_gbytes, "GB/s of gradients that a machine adds up")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of each machine")->capture_default_str();
  app.add_option("--speed", options.speed, "Speed of a machine, times this one's")->capture_default_str();
  app.add_flag("--parts", options.parts, "Print the parts of a step");
  CLI11_PARSE(app, argc, argv);
  std::map<std::string, Workload> workloads;
  for (const std::string& name : options.names) {
    if (!models().contains(name)) {
      fmt::print(stderr, "longhand_scaling: no model {}; --help lists them\n", name);
      return 2;
    }
    Workload w = models().at(name);
    for (const auto& [size, value] : sizes) {
      (size == "symbols"  ? w.symbols
       : size == "embed"  ? w.embed
       : size == "hidden" ? w.hidden
       : size == "layers" ? w.layers
       : size == "steps"  ? w.steps
                          : w.outputs) = value;
    }
    workloads.emplace(name, w);
  }
  options.parts ? print_parts(options, workloads) : print_efficiencies(options, workloads);
  return 0;
}

}  // namespace
}  // namespace longhand::bench

int main(int argc, char** argv) { return longhand::bench::run(argc, argv); }
