// A computation on a tape whose gradients can be compared with central differences in double.
#pragma once

#include <functional>

#include "longhand/autograd/tape.h"
#include "tests/testing.h"

namespace longhand::autograd {

using Vars = std::vector<Var<double>>;

/// A leaf with random values between `least` and `most`.
struct Input {
  int64_t rows, columns;
  double min = -1.0, max = 1.0;
};

using Build = std::function<Vars(Tape<double>& tape, const Vars& inputs)>;

/// The sum of all outputs of `build` against fixed random weights, and its gradients.
class Problem {
 public:
  Problem(const std::vector<Input>& inputs, Build build) : inputs_(inputs), build_(std::move(build)) {
    for (const Input& input : inputs) {
      std::vector<double> values = testing::random_vector<double>(input.rows * input.columns, 0.5, place_++);
      for (double& value : values) value = input.min + (value + 0.5) * (input.max - input.min);
      values_.push_back(values);
    }
  }

  double loss() {
    record();
    double loss = 0.0;
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const std::span<const double> y = outputs_[k].value();
      for (size_t i = 0; i < y.size(); ++i) loss += y[i] * weights(k)[i];
    }
    return loss;
  }

  std::vector<std::vector<double>> gradients() {
    record();
    for (size_t k = 0; k < outputs_.size(); ++k) tape_.seed(outputs_[k], weights(k).data());
    tape_.backward();
    std::vector<std::vector<double>> all;
    for (const Var<double>& leaf : leaves_) all.emplace_back(leaf.gradient().begin(), leaf.gradient().end());
    return all;
  }

  void expect_gradients_are_central_differences() {
    const std::vector<std::vector<double>> expected = gradients();
    double largest = 0.0;
    for (size_t k = 0; k < inputs_.size(); ++k) {
      ASSERT_EQ(expected[k].size(), static_cast<size_t>(inputs_[k].rows * inputs_[k].columns));
      for (size_t i = 0; i < expected[k].size(); ++i) {
        const double difference = central_difference(values_[k][i]);
        // 1e-16 / kStep of rounding times a loss of order 10, and kStep^4 times a fifth derivative.
        EXPECT_NEAR(expected[k][i], difference, 2e-10) << "input " << k << ", element " << i;
        largest = std::max(largest, std::abs(expected[k][i]));
      }
    }
    EXPECT_GT(largest, 1e-3) << "nothing was tested";
  }

  /// Output `k` as of the last loss().
  std::vector<double> output(size_t k) const { return {outputs_[k].value().begin(), outputs_[k].value().end()}; }
  const std::vector<double>& input(size_t k) const { return values_[k]; }
  int64_t bytes_held() { return tape_.pool().bytes_held(); }

 private:
  // Two central differences, combined so that the third derivative cancels: layer normalisation has large ones.
  double central_difference(double& value) {
    const double saved = value;
    const auto at = [&](double offset) {
      value = saved + offset;
      const double result = loss();
      value = saved;
      return result;
    };
    return (8.0 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12.0 * kStep);
  }

  void record() {
    tape_.clear();
    leaves_.clear();
    for (size_t k = 0; k < inputs_.size(); ++k) {
      leaves_.push_back(tape_.variable(inputs_[k].rows, inputs_[k].columns, values_[k].data()));
    }
    outputs_ = build_(tape_, leaves_);
  }

  std::vector<double>& weights(size_t output) {
    if (weights_.size() <= output) weights_.resize(output + 1);
    if (weights_[output].empty()) {
      weights_[output] = testing::random_vector<double>(outputs_[output].matrix().size(), 1.0, place_++);
    }
    return weights_[output];
  }

  static constexpr double kStep = 1e-4;

  std::vector<Input> inputs_;
  Build build_;
  uint32_t place_ = 100;
  Tape<double> tape_;
  Vars leaves_, outputs_;
  std::vector<std::vector<double>> values_, weights_;
};

}  // namespace longhand::autograd
