#include "cli/run_steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/graph/stepper.h"
#include "longhand/io/safetensors.h"
#include "longhand/stream.h"

namespace longhand::cli {
namespace {

class NetworkSteps : public Steps {
 public:
  NetworkSteps(std::shared_ptr<const graph::Network> network, int64_t block, int threads)
      : stepper_(std::move(network), block, threads) {}

  int64_t process(int64_t n, const float* x, float* y) override { return stepper_.process(n, x, y); }
  int64_t process(int64_t n, const int32_t* symbols, float* y) override { return stepper_.process(n, symbols, y); }
  void reset() override { stepper_.reset(); }
  StateParts state_parts() const override { return stepper_.state_parts(); }
  void get_state(float* to) const override { stepper_.get_state(to); }
  void set_state(const float* from) override { stepper_.set_state(from); }

 private:
  graph::Stepper stepper_;
};

class StreamSteps : public Steps {
 public:
  explicit StreamSteps(std::shared_ptr<const Model> model) : stream_(std::move(model)) {}

  int64_t process(int64_t n, const float* x, float* y) override { return stream_.process(x, y, n) ? n : 0; }
  int64_t process(int64_t n, const int32_t* symbols, float* y) override { return stream_.process(symbols, y, n); }
  void reset() override { stream_.reset(); }
  StateParts state_parts() const override { return {{"state", stream_.state_size()}}; }
  void get_state(float* to) const override { stream_.get_state(to); }
  void set_state(const float* from) override { stream_.set_state(from); }

 private:
  Stream stream_;
};

Error wrong_state(const std::string& path, const std::string& problem) {
  return input_error(path + ": " + problem, "use a state that `longhand run --state-out` wrote for this model");
}

}  // namespace

std::unique_ptr<Steps> Steps::of(std::shared_ptr<const graph::Network> network, int64_t block, int threads) {
  return std::make_unique<NetworkSteps>(std::move(network), block, threads);
}

std::unique_ptr<Steps> Steps::of(std::shared_ptr<const Model> model) {
  return std::make_unique<StreamSteps>(std::move(model));
}

int64_t size_of(const StateParts& parts) {
  int64_t out = 0;
  for (const auto& [name, width] : parts) out += width;
  return out;
}

std::vector<float> read_states(const std::string& path, const StateParts& parts) {
  const io::Safetensors file = io::Safetensors::read(path);
  if (file.tensors().size() != parts.size()) {
    throw wrong_state(path, fmt::format("expected {} arrays, found {}", parts.size(), file.tensors().size()));
  }
  int64_t sequences = -1;
  const int64_t size = size_of(parts);
  std::vector<float> out;
  int64_t at = 0;
  for (const auto& [name, width] : parts) {
    const auto found = file.tensors().find(name);
    std::vector<int64_t> shape = {width};
    if (found != file.tensors().end() && found->second.shape.size() == 2) {
      shape.insert(shape.begin(), found->second.shape.front());
    }
    file.check_floats(name, shape);  // the file has as many bytes
    const int64_t rows = shape.size() == 2 ? shape.front() : 1;
    if (rows < 1) throw wrong_state(path, fmt::format("'{}': expected at least one sequence, found none", name));
    std::vector<float> part(found->second.bytes.size() / sizeof(float));
    file.copy_floats(name, shape, part);
    if (!std::all_of(part.begin(), part.end(), [](float v) { return std::isfinite(v); })) {
      throw wrong_state(path, "expected finite numbers, found others");
    }
    if (sequences < 0) out.resize(static_cast<size_t>(rows * size));
    if (sequences >= 0 && rows != sequences) {
      throw wrong_state(path, fmt::format("expected states of {} sequences in '{}', found {}", sequences, name, rows));
    }
    sequences = rows;
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(part.data() + row * width, width, out.data() + row * size + at);
    }
    at += width;
  }
  return out;
}

void write_states(const std::string& path, const StateParts& parts, const std::vector<float>& states) {
  const int64_t size = size_of(parts);
  const int64_t sequences = size == 0 ? 1 : static_cast<int64_t>(states.size()) / size;
  std::vector<std::vector<float>> kept;
  std::vector<io::TensorToWrite> tensors;
  int64_t at = 0;
  for (const auto& [name, width] : parts) {
    std::vector<float>& part = kept.emplace_back();
    for (int64_t row = 0; row < sequences; ++row) {
      const float* from = states.data() + row * size + at;
      part.insert(part.end(), from, from + width);
    }
    at += width;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<int64_t> shape = {parts[i].second};
    if (sequences > 1) shape.insert(shape.begin(), sequences);
    tensors.emplace_back(parts[i].first, std::move(shape), std::span<const float>(kept[i]));
  }
  io::write_safetensors(path, {}, tensors);
}

}  // namespace longhand::cli
