#include "longhand/nn/initialisers.h"

#include <algorithm>
#include <cmath>

namespace longhand::nn {

void InitOptions::add_to(OptionTable& table) {
  table.add("init", init, "distribution of the initial weights",
            one_of({"standard-uniform", "xavier-uniform", "xavier-normal", "uniform", "normal"}));
  table.add("init-scale", scale, "bound of --init uniform, standard deviation of --init normal", more_than(0.0));
  table.add("forget-bias", forget_bias, "initial bias of the LSTM's forget gate", between(-10.0, 10.0));
}

Initialiser uniform(double bound) {
  return [bound](std::span<float> values, const CounterRng& rng) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(bound * (2.0 * static_cast<double>(rng.uniform(i)) - 1.0));
    }
  };
}

Initialiser normal(double deviation) {
  return [deviation](std::span<float> values, const CounterRng& rng) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(deviation * rng.normal(i));
  };
}

Initialiser zeros() {
  return [](std::span<float>, const CounterRng&) {};
}

Initialiser weights(const InitOptions& options, int64_t n_in, int64_t n_out, int64_t hidden) {
  const auto fans = static_cast<double>(n_in + n_out);
  if (options.init == "xavier-uniform") return uniform(std::sqrt(6.0 / fans));
  if (options.init == "xavier-normal") return normal(std::sqrt(2.0 / fans));
  if (options.init == "uniform") return uniform(options.scale);
  if (options.init == "normal") return normal(options.scale);
  return uniform(1.0 / std::sqrt(static_cast<double>(hidden)));
}

Initialiser lstm_bias(const InitOptions& options, int64_t hidden) {
  const auto bias = static_cast<float>(options.forget_bias);
  return [bias, hidden](std::span<float> values, const CounterRng&) {
    std::fill_n(values.begin() + hidden, hidden, bias);
  };
}

}  // namespace longhand::nn
