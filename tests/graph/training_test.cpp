// Derivatives of networks of layers: against central differences in double precision, between engines, and the forward
// pass against the network as it is run.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "longhand/graph/training_pass.h"

namespace longhand::graph {
namespace {

constexpr int64_t kSteps = 7, kBatch = 3;

Graph network_of(const std::string& text) {
  return with_drawn_weights(read_description(text, "net.toml"), 3, "net.toml");
}

std::string before(int64_t size) {
  return "[[inputs]]\nsize = " + std::to_string(size) +
         "\n[[layers]]\ntype = \"linear\"\nname = \"first\"\nunits = 6\n";
}

double noise(uint64_t i, uint64_t of = 0) { return CounterRng(5, of, RngPlace::kSample).normal(i); }

// A batch of random numbers or symbols, with sequences of different length where `ragged`.
template <class T>
struct RandomBatch {
  RandomBatch(const TrainableNetwork& network, bool ragged, int64_t steps = kSteps, int64_t batch = kBatch) {
    input.steps = steps;
    input.batch = batch;
    for (int64_t b = 0; b < batch; ++b) lengths.push_back(static_cast<int32_t>(ragged ? steps - 2 * b : steps));
    if (ragged) input.lengths = lengths.data();
    floats.resize(network.graph().inputs.size());
    symbols.resize(floats.size());
    for (size_t k = 0; k < floats.size(); ++k) {
      const int64_t width = network.width(k), stride = padded(width);
      input.floats.push_back(nullptr);
      input.symbols.push_back(nullptr);
      if (network.symbols(k) > 0) {
        symbols[k].resize(steps * batch);
        for (int64_t n = 0; n < steps * batch; ++n) {
          symbols[k][n] = static_cast<int32_t>((7 * n + n * n) % network.symbols(k));
        }
        input.symbols[k] = symbols[k].data();
        continue;
      }
      floats[k].resize(steps * batch * stride);
      for (int64_t n = 0; n < steps * batch; ++n) {
        for (int64_t j = 0; j < width; ++j) {
          floats[k][n * stride + j] = static_cast<T>(noise(static_cast<uint64_t>(n * width + j), k));
        }
      }
      input.floats[k] = floats[k].data();
    }
  }

  TrainInput<T> input;
  std::vector<int32_t> lengths;
  std::vector<Buffer<T>> floats;
  std::vector<Buffer<int32_t>> symbols;
};

// sum of c y over what counts, with constants c, and its gradient by y.
template <class T>
double weighted_sum(TrainValue<T>& y, bool gradient) {
  double sum = 0.0;
  if (gradient) y.gradient.fill(T(0));
  for (int64_t t = 0; t < y.steps; ++t) {
    for (int64_t b = 0; b < y.batch; ++b) {
      if (y.over_time && t >= y.length(b)) continue;
      for (int64_t j = 0; j < y.width; ++j) {
        const double c = noise(static_cast<uint64_t>((t * y.batch + b) * y.width + j), 9);
        sum += c * static_cast<double>(y.data[y.at(t, b) + j]);
        if (gradient) y.gradient[y.at(t, b) + j] = static_cast<T>(c);
      }
    }
  }
  return sum;
}

template <class T>
struct Trial {
  Trial(const TrainableNetwork& network, nn::Engine engine, bool ragged, int threads = 1)
      : context(threads), pass(network, engine, context), state(pass.new_state()), batch(network, ragged) {}

  double forward(const std::vector<T>& values, nn::Pass kind = nn::Pass::kGradients, bool gradient = false) {
    pass.set_values(values.data());
    state.reset(batch.input.batch);
    TrainValue<T>& y = pass.forward(batch.input, state, kind);
    return weighted_sum(y, gradient);
  }
  std::vector<T> gradients(const std::vector<T>& values, nn::Pass kind = nn::Pass::kGradients) {
    std::vector<T> out(values.size());
    forward(values, kind, true);
    pass.backward(out.data());
    return out;
  }

  kernels::Context context;
  TrainingPass<T> pass;
  NetworkState<T> state;
  RandomBatch<T> batch;
};

void check_derivatives(const std::string& text, bool ragged, nn::Pass kind = nn::Pass::kGradients) {
  SCOPED_TRACE(text);
  const TrainableNetwork network(network_of(text), "net.toml", false);
  const auto stored = network.parameters().values();
  std::vector<double> values(stored.begin(), stored.end());
  Trial<double> trial(network, nn::Engine::kReference, ragged);
  const std::vector<double> gradients = trial.gradients(values, kind);
  int checked = 0;
  for (const Parameter& p : network.parameters().parameters()) {
    // A bias that the description does without stays zero.
    if (text.find("bias = false") != std::string::npos && p.name.find("lstm.bias") != std::string::npos) {
      for (int64_t i = p.offset; i < p.offset + p.size; ++i) EXPECT_EQ(gradients[static_cast<size_t>(i)], 0.0);
      continue;
    }
    for (int64_t i = p.offset; i < p.offset + p.size; i += std::max<int64_t>(1, p.size / 40)) {
      constexpr double kStep = 1e-5;
      const auto at = static_cast<size_t>(i);
      const double value = values[at];
      values[at] = value + kStep;
      const double above = trial.forward(values, kind);
      values[at] = value - kStep;
      const double below = trial.forward(values, kind);
      values[at] = value;
      const double expected = (above - below) / (2.0 * kStep);
      EXPECT_NEAR(gradients[at], expected, 2e-6 * std::max(1.0, std::abs(expected))) << p.name << " " << i - p.offset;
      ++checked;
    }
  }
  EXPECT_GT(checked, 5);
  // The fused engine, on floats.
  std::vector<float> floats(stored.begin(), stored.end());
  Trial<float> fused(network, nn::Engine::kFused, ragged, 2);
  const std::vector<float> own = fused.gradients(floats, kind);
  if (kind == nn::Pass::kTraining) return;  // other random numbers
  for (size_t i = 0; i < own.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(own[i]), gradients[i], 2e-3 * std::max(1.0, std::abs(gradients[i]))) << i;
  }
}

// What the network makes as it is run, one sequence at a time, and in training's forward pass.
void check_forward(const std::string& text) {
  SCOPED_TRACE(text);
  const TrainableNetwork network(network_of(text), "net.toml", false);
  Trial<float> trial(network, nn::Engine::kFused, true);
  const auto stored = network.parameters().values();
  const std::vector<float> values(stored.begin(), stored.end());
  trial.forward(values, nn::Pass::kInference);
  const TrainValue<float>& y =
      trial.pass.forward(trial.batch.input, (trial.state.reset(kBatch), trial.state), nn::Pass::kInference);
  const auto shared = std::make_shared<const Network>(network.with_values(values), "net.toml");
  for (int64_t b = 0; b < kBatch; ++b) {
    const int64_t steps = trial.batch.lengths[static_cast<size_t>(b)];
    Plan plan(shared, {.steps = steps});
    for (size_t k = 0; k < plan.inputs().size(); ++k) {
      const Plan::View& view = plan.inputs()[k];
      const int64_t width = network.width(k);
      for (int64_t t = 0; t < steps; ++t) {
        if (view.type == ElementType::kInt) view.ints[t] = trial.batch.symbols[k][t * kBatch + b];
        for (int64_t j = 0; view.type == ElementType::kFloat && j < width; ++j) {
          view.floats[t * width + j] = trial.batch.floats[k][(t * kBatch + b) * padded(width) + j];
        }
      }
    }
    ASSERT_TRUE(plan.run());
    const Plan::View& out = plan.outputs().front();
    const int64_t rows = network.answers_once() ? 1 : y.length(b);
    ASSERT_EQ(count(out.dims), rows * y.width);
    for (int64_t t = 0; t < rows; ++t) {
      for (int64_t j = 0; j < y.width; ++j) {
        EXPECT_NEAR(out.floats[t * y.width + j], y.data[y.at(t, b) + j], 2e-5) << b << " " << t << " " << j;
      }
    }
  }
}

std::vector<std::string> networks() {
  const std::string after = "[[layers]]\ntype = \"linear\"\nname = \"last\"\nunits = 2\n";
  std::vector<std::string> out;
  for (const char* layer : {
           "type = \"lstm\"\nunits = 5\nlayers = 2\n",
           "type = \"lstm\"\nunits = 5\nprojection = 3\n",
           "type = \"lstm\"\nunits = 5\nbidirectional = true\n",
           "type = \"lstm\"\nunits = 5\nbidirectional = true\nmerge = \"mul\"\n",
           "type = \"lstm\"\nunits = 5\nbidirectional = true\nmerge = \"ave\"\nreturn = \"last\"\n",
           "type = \"lstm\"\nunits = 5\nreturn = \"last\"\n",
           "type = \"lstm\"\nunits = 5\ngo_backwards = true\n",
           "type = \"lstm\"\nunits = 6\nlayer_norm = true\n",
           "type = \"lstm\"\nunits = 6\ninitial_state = true\n",
           "type = \"lstm\"\nunits = 6\nlayers = 2\nresidual = true\n",
           "type = \"lstm\"\nunits = 5\nbias = false\n",
           "type = \"gru\"\nunits = 5\n",
           "type = \"rnn\"\nunits = 5\n",
           "type = \"rnn\"\nunits = 5\nactivation = \"relu\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 3\npadding = \"causal\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 2\ndilation = 2\ngroups = 2\npadding = \"causal\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 3\npadding = \"same\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 3\npadding = [1, 1]\nmode = \"replicate\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 3\npadding = 1\nmode = \"reflect\"\n",
           "type = \"conv1d\"\nunits = 4\nkernel = 2\nstride = 2\n",
           "type = \"pad\"\nleft = 2\nright = 1\nmode = \"replicate\"\n",
           "type = \"layer-norm\"\n",
           "type = \"batch-norm\"\n",
           "type = \"scale\"\nscale = 2.0\nshift = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n",
           "type = \"pool\"\n",
           "type = \"pool\"\nkind = \"mean\"\n",
           "type = \"pool\"\nkind = \"max\"\n",
           "type = \"pool\"\nkind = \"attention\"\n",
           "type = \"context\"\nsize = 2\n",
           "type = \"magnitude\"\n",
           "type = \"slice\"\nstart = 1\nend = -2\n",
           "type = \"reverse\"\n",
           "type = \"dropout\"\nrate = 0.5\n",
           "type = \"softmax\"\n",
           "type = \"log-softmax\"\n",
           "type = \"sigmoid\"\n[[layers]]\ntype = \"add\"\nfrom = [\"sigmoid_1\", \"first\"]\n",
           "type = \"tanh\"\n[[layers]]\ntype = \"multiply\"\nfrom = [\"tanh_1\", \"first\"]\n",
           "type = \"tanh\"\n[[layers]]\ntype = \"subtract\"\nfrom = [\"tanh_1\", \"first\"]\n",
           "type = \"silu\"\n[[layers]]\ntype = \"max\"\nfrom = [\"silu_1\", \"first\"]\n",
           "type = \"gelu\"\n[[layers]]\ntype = \"concat\"\nfrom = [\"gelu_1\", \"first\"]\n",
           "type = \"reshape\"\nshape = [3, 2]\n[[layers]]\ntype = \"conv1d\"\nunits = 3\nkernel = 2\npadding = "
           "1\n[[layers]]\ntype = \"transpose\"\n[[layers]]\ntype = \"flatten\"\n",
           "type = \"reshape\"\nshape = [3, 2]\n[[layers]]\ntype = \"pool\"\nkind = \"max\"\n",
           "type = \"reshape\"\nshape = [3, 2]\n[[layers]]\ntype = \"pad\"\nleft = 1\nmode = "
           "\"reflect\"\n[[layers]]\ntype "
           "= \"pool\"\nkind = \"mean\"\n",
       }) {
    out.push_back(before(2) + "[[layers]]\n" + layer + after);
  }
  for (const char* symbols : {"[[layers]]\ntype = \"embedding\"\nsymbols = 9\nunits = 4\n",
                              "[[layers]]\ntype = \"one-hot\"\nclasses = 9\n"}) {
    out.push_back(std::string("[[inputs]]\nsymbols = 9\n") + symbols + "[[layers]]\ntype = \"lstm\"\nunits = 5\n" +
                  after);
  }
  out.push_back(
      "[[inputs]]\nname = \"a\"\nsize = 2\n[[inputs]]\nname = \"b\"\nsize = 3\n[[layers]]\ntype = \"concat\"\n"
      "from = [\"a\", \"b\"]\n" +
      after);
  return out;
}

TEST(Training, DerivativesAreThoseOfCentralDifferences) {
  for (const std::string& text : networks()) check_derivatives(text, false);
}

TEST(Training, DerivativesOfSequencesOfDifferentLength) {
  for (const std::string& text : networks()) check_derivatives(text, true);
}

TEST(Training, DerivativesUnderDropout) {
  check_derivatives(before(2) + "[[layers]]\ntype = \"dropout\"\nrate = 0.4\n[[layers]]\ntype = \"lstm\"\nunits = 4\n",
                    true, nn::Pass::kTraining);
}

TEST(Training, DerivativesOfFunctions) {
  for (const char* layer : {"relu",     "leaky-relu",   "thresholded-relu", "elu",  "celu", "selu", "gelu",
                            "sigmoid",  "hard-sigmoid", "hard-swish",       "silu", "mish", "tanh", "scaled-tanh",
                            "softsign", "softplus",     "affine",           "exp",  "abs",  "neg"}) {
    check_derivatives(before(2) + "[[layers]]\ntype = \"" + layer + "\"\n", false);
    check_forward(before(2) + "[[layers]]\ntype = \"" + layer + "\"\n");
  }
  check_derivatives(before(2) + "[[layers]]\ntype = \"clip\"\nmin = -0.5\nmax = 0.4\n", false);
  check_derivatives(before(2) + "[[layers]]\ntype = \"gelu\"\napproximate = \"tanh\"\n", false);
  const std::string positive = before(2) + "[[layers]]\ntype = \"softplus\"\n[[layers]]\ntype = \"";
  for (const char* layer : {"log", "sqrt", "reciprocal"}) check_derivatives(positive + layer + "\"\n", false);
}

TEST(Training, ForwardIsWhatTheNetworkMakes) {
  for (const std::string& text : networks()) check_forward(text);
}

TEST(Training, StatesAreCarriedFromPassToPass) {
  for (const std::string& text : networks()) {
    SCOPED_TRACE(text);
    const TrainableNetwork network(network_of(text), "net.toml", false);
    if (!network.why_whole().empty() || network.answers_once()) continue;
    Trial<float> whole(network, nn::Engine::kFused, false);
    const auto stored = network.parameters().values();
    const std::vector<float> values(stored.begin(), stored.end());
    whole.forward(values, nn::Pass::kInference);
    whole.state.reset(kBatch);
    const TrainValue<float>& y = whole.pass.forward(whole.batch.input, whole.state, nn::Pass::kInference);
    Trial<float> parts(network, nn::Engine::kFused, false);
    parts.pass.set_values(values.data());
    parts.state.reset(kBatch);
    for (int64_t first = 0; first < kSteps; first += 3) {
      TrainInput<float> input = whole.batch.input;
      input.steps = std::min<int64_t>(3, kSteps - first);
      for (size_t k = 0; k < input.floats.size(); ++k) {
        if (input.floats[k] != nullptr) input.floats[k] += first * kBatch * padded(network.width(k));
        if (input.symbols[k] != nullptr) input.symbols[k] += first * kBatch;
      }
      const TrainValue<float>& z = parts.pass.forward(input, parts.state, nn::Pass::kInference);
      for (int64_t t = 0; t < input.steps; ++t) {
        for (int64_t b = 0; b < kBatch; ++b) {
          for (int64_t j = 0; j < y.width; ++j) {
            EXPECT_NEAR(y.data[y.at(first + t, b) + j], z.data[z.at(t, b) + j], 1e-6);
          }
        }
      }
    }
  }
}

TEST(Training, TheSameBitsOnAnyNumberOfThreads) {
  for (const std::string& text : networks()) {
    SCOPED_TRACE(text);
    const TrainableNetwork network(network_of(text), "net.toml", false);
    const auto stored = network.parameters().values();
    const std::vector<float> values(stored.begin(), stored.end());
    const std::vector<float> one = Trial<float>(network, nn::Engine::kFused, true, 1).gradients(values);
    EXPECT_EQ(one, Trial<float>(network, nn::Engine::kFused, true, 3).gradients(values));
  }
}

TEST(Training, ANetworkWithNewValuesHasThem) {
  const TrainableNetwork network(network_of(before(2) + "[[layers]]\ntype = \"lstm\"\nunits = 4\n"), "net.toml", false);
  std::vector<float> values(network.parameters().values().begin(), network.parameters().values().end());
  for (float& value : values) value += 1.0F;
  const TrainableNetwork again(network.with_values(values), "net.toml", false);
  for (const Parameter& p : network.parameters().parameters()) {
    for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
      EXPECT_EQ(again.parameters().values()[static_cast<size_t>(i)], values[static_cast<size_t>(i)]) << p.name;
    }
  }
}

void expect_refused(const std::string& text, const std::string& what) {
  try {
    const TrainableNetwork network(network_of(text), "net.toml", false);
    FAIL() << text;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    EXPECT_FALSE(e.advice().empty());
  }
}

TEST(Training, WhatCannotBeTrainedIsRefusedByName) {
  expect_refused(before(2) + "[[layers]]\ntype = \"max-pool1d\"\nname = \"pooled\"\nkernel = 2\n", "pooled");
  expect_refused(before(2) + "[[layers]]\ntype = \"gru\"\nname = \"odd\"\nunits = 3\nreset_after = false\n", "odd");
  expect_refused("outputs = [\"first\", \"second\"]\n" + before(2) +
                     "[[layers]]\ntype = \"linear\"\nname = \"second\"\n"
                     "units = 2\n",
                 "one output");
  expect_refused("[[inputs]]\nsize = 2\n[[layers]]\ntype = \"relu\"\n", "layers with weights");
}

TEST(Training, ASoftmaxAtTheOutputIsLeftToTheLoss) {
  const std::string text = before(2) + "[[layers]]\ntype = \"softmax\"\n";
  EXPECT_TRUE(TrainableNetwork(network_of(text), "net.toml", true).leaves_softmax());
  EXPECT_FALSE(TrainableNetwork(network_of(text), "net.toml", false).leaves_softmax());
}

}  // namespace
}  // namespace longhand::graph
