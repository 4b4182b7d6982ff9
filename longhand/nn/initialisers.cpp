#include "longhand/nn/initialisers.h"

#include <algorithm>
#include <cmath>

namespace longhand::nn {
namespace {

// U(-bound, bound)
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

// With a few partial sums, in an order that does not depend on the compiler.
double dot(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr size_t kSums = 8;
  double sums[kSums] = {};
  const size_t whole = a.size() / kSums * kSums;
  for (size_t i = 0; i < whole; i += kSums) {
    for (size_t k = 0; k < kSums; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  for (size_t i = whole; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

// Normal vectors, orthogonalised one after the other by Gram and Schmidt, twice against rounding: the same distribution
// as that of Q in QR with a positive diagonal of R, which is uniform.
std::vector<std::vector<double>> orthonormal(size_t count, size_t length, const CounterRng& rng, uint64_t first) {
  std::vector<std::vector<double>> vectors(count, std::vector<double>(length));
  for (size_t i = 0; i < count; ++i) {
    std::vector<double>& v = vectors[i];
    for (size_t j = 0; j < length; ++j) v[j] = rng.normal(first + i * length + j);
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t k = 0; k < i; ++k) {
        const double along = dot(v, vectors[k]);
        for (size_t j = 0; j < length; ++j) v[j] -= along * vectors[k][j];
      }
    }
    const double norm = std::sqrt(dot(v, v));
    for (double& x : v) x /= norm;
  }
  return vectors;
}

Initialiser orthogonal(const WeightShape& shape) {
  return [shape](std::span<float> values, const CounterRng& rng) {
    const auto rows = static_cast<size_t>(shape.n_out), columns = static_cast<size_t>(shape.n_in);
    for (size_t block = 0; block < static_cast<size_t>(shape.blocks); ++block) {
      const size_t begin = block * rows * columns;
      const bool wide = rows <= columns;
      const auto vectors = orthonormal(std::min(rows, columns), std::max(rows, columns), rng, begin);
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          values[begin + i * columns + j] = static_cast<float>(wide ? vectors[i][j] : vectors[j][i]);
        }
      }
    }
  };
}

Initialiser named(const std::string& name, double scale, const WeightShape& shape) {
  const auto n_in = static_cast<double>(shape.n_in), n_out = static_cast<double>(shape.n_out);
  if (name == "zeros") return constant(0.0);
  if (name == "constant") return constant(scale);
  if (name == "uniform") return uniform(scale);
  if (name == "normal") return normal(scale);
  if (name == "standard-normal") return normal(1.0);
  if (name == "xavier-uniform") return uniform(std::sqrt(6.0 / (n_in + n_out)));
  if (name == "xavier-normal") return normal(std::sqrt(2.0 / (n_in + n_out)));
  if (name == "he-uniform") return uniform(std::sqrt(6.0 / n_in));
  if (name == "he-normal") return normal(std::sqrt(2.0 / n_in));
  if (name == "orthogonal") return orthogonal(shape);
  return uniform(1.0 / std::sqrt(static_cast<double>(shape.hidden)));
}

}  // namespace

void InitOptions::add_to(OptionTable& table) {
  std::vector<std::string> names = {"zeros",         "constant",        "uniform",         "normal",
                                    "xavier-normal", "xavier-uniform",  "he-normal",       "he-uniform",
                                    "orthogonal",    "standard-normal", "standard-uniform"};
  table.add("init", init, "initial distribution of all weights except the embedding", one_of(names));
  names.insert(names.begin(), "same");
  OptionCheck part = one_of(names);
  part.brief = "same, or one of the distributions of `init`";
  table.add("init-input", input, "initial distribution of the LSTM's input weights", part);
  table.add("init-recurrent", recurrent, "initial distribution of the LSTM's recurrent weights and of its projection",
            part);
  table.add("init-embedding", embedding, "initial distribution of the embedding", part);
  table.add("init-output", output, "initial distribution of the output layer's weights", part);
  table.add("init-bias", bias, "initial distribution of the biases",
            one_of({"zeros", "uniform", "normal", "standard-uniform"}));
  table.add("init-scale", scale,
            "scale of the initial distribution: value of constant, bound of uniform, standard deviation of normal",
            at_least(0.0));
  table.add("forget-bias", forget_bias, "value added to the initial biases of the forget gates", between(-10.0, 10.0));
}

Initialiser constant(double value) {
  return [value](std::span<float> values, const CounterRng&) {
    std::fill(values.begin(), values.end(), static_cast<float>(value));
  };
}

Initialiser weights(const InitOptions& options, Part part, const WeightShape& shape) {
  const std::string* names[] = {&options.input, &options.recurrent, &options.embedding, &options.output};
  const std::string& name = *names[static_cast<size_t>(part)];
  return named(name == "same" ? options.init : name, options.scale, shape);
}

Initialiser bias(const InitOptions& options, int64_t hidden) {
  return named(options.bias, options.scale, {.hidden = hidden});
}

Initialiser lstm_bias(const InitOptions& options, int64_t hidden) {
  return [draw = bias(options, hidden), forget = static_cast<float>(options.forget_bias), hidden](
             std::span<float> values, const CounterRng& rng) {
    draw(values, rng);
    for (int64_t j = hidden; j < 2 * hidden; ++j) values[static_cast<size_t>(j)] += forget;
  };
}

}  // namespace longhand::nn
