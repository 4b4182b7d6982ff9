#include "longhand/base/arena.h"

#include "longhand/base/error.h"

namespace longhand {

size_t ParameterArena::declare(std::string name, std::vector<int64_t> shape, Initialiser initialise) {
  LONGHAND_CHECK(values_.size() == 0);
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  parameters_.push_back({std::move(name), std::move(shape), std::move(initialise), extent_, size});
  extent_ += padded(size);
  return parameters_.size() - 1;
}

void ParameterArena::allocate() { values_.resize(extent_); }

void ParameterArena::initialise(uint64_t seed) {
  values_.fill(0.0F);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const CounterRng rng(seed, 0, RngPlace::kParameter, static_cast<uint32_t>(i));
    parameters_[i].initialise({value(i), static_cast<size_t>(parameters_[i].size)}, rng);
  }
}

int64_t ParameterArena::count() const {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.size;
  return total;
}

}  // namespace longhand
