// What a model costs that reads a sequence in real time: microseconds for a step of one sequence, beside the time in
// which its weights can be read once from the cache that holds them, with smaller weights, and with fast activations;
// and many sequences together, beside one at a time.
// `longhand_steps [--threads N]`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "longhand/base/threads.h"
#include "longhand/kernels/target.h"
#include "longhand/stream.h"
#include "longhand/tasks/regressor.h"

namespace {

using namespace longhand;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A model with random weights: one layer, and one number out at each step.
std::shared_ptr<const Model> model_of(int64_t inputs, int64_t hidden,
                                      kernels::WeightType type = kernels::WeightType::kFloat) {
  tasks::RegressorOptions options;
  options.lstm.hidden = hidden;
  options.series.window = 1;
  options.series.horizon = 0;
  tasks::Columns columns{.inputs = {}, .targets = {"y"}, .input_scales = {}, .target_scales = {{}}};
  for (int64_t i = 0; i < inputs; ++i) columns.inputs.push_back(fmt::format("x{}", i));
  options.series.inputs = fmt::format("{}", fmt::join(columns.inputs, ","));
  options.series.target = columns.targets.front();
  columns.input_scales.resize(columns.inputs.size());
  tasks::Regressor regressor(options, columns);
  regressor.initialise(1);
  const std::string path = fmt::format("/tmp/longhand-steps-{}.safetensors", ::getpid());
  regressor.save(path, regressor.parameters().values());
  if (type != kernels::WeightType::kFloat) tasks::ModelFile::read(path).write_quantised(path, type);
  std::shared_ptr<const Model> model = Model::load(path);
  ::unlink(path.c_str());
  return model;
}

// The shortest of several measurements of `repetitions` calls, in seconds a call.
template <class Call>
double fastest(int64_t repetitions, const Call& call) {
  double best = 1e9;
  for (int attempt = 0; attempt < 25; ++attempt) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < repetitions; ++i) call();
    best = std::min(best, seconds_since(start) / static_cast<double>(repetitions));
  }
  return best;
}

// Seconds for a step of a model, in calls of 256 steps.
double step_seconds(int64_t inputs, int64_t hidden, int64_t weights, kernels::WeightType type, bool fast) {
  Stream stream(model_of(inputs, hidden, type));
  stream.use_fast_activations(fast);
  constexpr int64_t kSteps = 256;
  std::vector<float> x(static_cast<size_t>(kSteps * inputs)), y(kSteps);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  return fastest(std::clamp<int64_t>(20'000'000 / weights / kSteps, 1, 80),
                 [&] { stream.process(x.data(), y.data(), kSteps); }) /
         static_cast<double>(kSteps);
}

void measure_step(int64_t inputs, int64_t hidden) {
  using kernels::WeightType;
  const int64_t weights = 4 * hidden * (inputs + hidden + 1) + hidden + 1;
  const auto seconds = [&](WeightType type, bool fast) { return step_seconds(inputs, hidden, weights, type, fast); };
  const double exact = seconds(WeightType::kFloat, false), read = kernels::measure_read_seconds(weights);
  fmt::print("{:6} {:6} {:10.3f} {:10.3f} {:8.2f} {:10.3f} {:10.3f} {:10.3f}\n", inputs, hidden, 1e6 * exact,
             1e6 * read, exact / read, 1e6 * seconds(WeightType::kFloat, true), 1e6 * seconds(WeightType::kBf16, false),
             1e6 * seconds(WeightType::kInt8, false));
}

void measure_streams(int threads) {
  constexpr int64_t kStreams = 10000, kInputs = 1, kHidden = 128, kOne = 2000;
  const std::shared_ptr<const Model> model = model_of(kInputs, kHidden);
  Streams streams(model, kStreams, threads);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < kStreams; ++i) all.push_back(streams.open());
  std::vector<float> x(kStreams), y(kStreams);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  std::vector<double> together, ratios;
  Stream alone(model);
  for (int round = 0; round < 7; ++round) {
    const double one = fastest(1, [&] { alone.process(x.data(), y.data(), kOne); }) / static_cast<double>(kOne);
    const double step = fastest(1, [&] { streams.step(all, x.data(), y.data()); });
    together.push_back(static_cast<double>(kStreams) / step);
    ratios.push_back(together.back() * one);
  }
  std::sort(together.begin(), together.end());
  std::sort(ratios.begin(), ratios.end());
  fmt::print("{:7} {:14.0f} {:12.2f} {:12}\n", threads, together[3], ratios[3],
             static_cast<int64_t>(sizeof(float)) * streams.state_size());
}

}  // namespace

int main(int argc, char** argv) {
  int most_threads = available_threads();
  if (argc == 3 && std::string_view(argv[1]) == "--threads") most_threads = std::max(1, std::atoi(argv[2]));
  fmt::print(
      "One step of one sequence on one thread, one LSTM layer and one output, {}: microseconds, in calls of 256\n"
      "steps, the shortest of 25 rounds. To read: the time to read the weights once. Fast: with fast activations.\n"
      "Peak of multiply-adds: {:.1f} GFLOP/s.\n\n",
      kernels::simd_target(), kernels::measure_peak_gflops());
  fmt::print("{:>6} {:>6} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}\n", "inputs", "hidden", "us", "to read", "ratio",
             "fast", "bf16", "int8");
  for (const int64_t hidden : {8, 16, 20, 32, 40, 64}) measure_step(1, hidden);
  for (const int64_t hidden : {128, 256, 512, 1024}) measure_step(64, hidden);
  fmt::print(
      "\n10,000 sequences of a model with 1 input and 128 units, all advanced together; medians of 7 rounds.\n\n");
  fmt::print("{:>7} {:>14} {:>12} {:>12}\n", "threads", "steps a second", "of one alone", "state, bytes");
  for (int threads = 1; threads <= most_threads; threads *= 2) measure_streams(threads);
}
