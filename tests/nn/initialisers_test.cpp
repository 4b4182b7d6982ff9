// Where training starts: every distribution's spread, what its fans are, and which part of a model has which.
#include "longhand/nn/initialisers.h"

#include <algorithm>
#include <map>

#include "longhand/nn/lstm_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

const CounterRng kRng(1, 0, RngPlace::kParameter);

std::vector<float> drawn(const Initialiser& initialiser, int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  initialiser(values, kRng);
  return values;
}

double deviation_of(const std::vector<float>& values) {
  double square = 0.0;
  for (const float v : values) square += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(square / static_cast<double>(values.size()));
}

double mean_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float v : values) sum += static_cast<double>(v);
  return sum / static_cast<double>(values.size());
}

double largest_of(const std::vector<float>& values) {
  double max = 0.0;
  for (const float v : values) max = std::max(max, std::abs(static_cast<double>(v)));
  return max;
}

// The four gates of an LSTM of 64 units: of n_out not 400, but 100.
constexpr WeightShape kGates{.n_in = 80, .n_out = 100, .hidden = 64, .blocks = 4};
constexpr int64_t kCount = 4 * 100 * 80;

TEST(Initialisers, HaveTheSpreadOfOneGate) {
  const double n = static_cast<double>(kCount);
  for (const auto& [name, bound] : {std::pair("uniform", 0.2),
                                    {"standard-uniform", 1.0 / 8.0},
                                    {"xavier-uniform", std::sqrt(6.0 / (80 + 100))},
                                    {"he-uniform", std::sqrt(6.0 / 80)}}) {
    const std::vector<float> values = drawn(weights({.init = name, .scale = 0.2}, Part::kInput, kGates), kCount);
    const double deviation = bound / std::sqrt(3.0);
    // Five standard errors: of a mean, and of the deviation of what has a fourth moment of 1.8 times the variance's
    // square.
    EXPECT_NEAR(mean_of(values), 0.0, 5.0 * deviation / std::sqrt(n)) << name;
    EXPECT_NEAR(deviation_of(values) / deviation, 1.0, 5.0 * std::sqrt(0.8 / 4.0 / n)) << name;
    EXPECT_LE(largest_of(values), bound * (1.0 + 1e-7)) << name;
    EXPECT_GE(largest_of(values), 0.999 * bound) << name;
  }
  for (const auto& [name, deviation] : {std::pair("normal", 0.2),
                                        {"standard-normal", 1.0},
                                        {"xavier-normal", std::sqrt(2.0 / (80 + 100))},
                                        {"he-normal", std::sqrt(2.0 / 80)}}) {
    const std::vector<float> values = drawn(weights({.init = name, .scale = 0.2}, Part::kInput, kGates), kCount);
    EXPECT_NEAR(mean_of(values), 0.0, 5.0 * deviation / std::sqrt(n)) << name;
    EXPECT_NEAR(deviation_of(values) / deviation, 1.0, 5.0 / std::sqrt(2.0 * n)) << name;
    EXPECT_GE(largest_of(values), 3.0 * deviation) << name;  // it has tails
  }
}

TEST(Initialisers, ZerosAndConstantsAreExact) {
  EXPECT_EQ(drawn(weights({.init = "zeros", .scale = 0.2}, Part::kInput, kGates), 100), std::vector<float>(100, 0.0F));
  EXPECT_EQ(drawn(weights({.init = "constant", .scale = 0.2}, Part::kInput, kGates), 100),
            std::vector<float>(100, 0.2F));
}

// Rows or columns, whichever are fewer, have products of 0 with each other and of 1 with themselves.
void expect_orthonormal(const std::vector<float>& block, int64_t rows, int64_t columns) {
  const bool wide = rows <= columns;
  const int64_t count = std::min(rows, columns), length = std::max(rows, columns);
  const auto at = [&](int64_t i, int64_t j) {
    return static_cast<double>(block[static_cast<size_t>(wide ? i * columns + j : j * columns + i)]);
  };
  for (int64_t a = 0; a < count; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      double product = 0.0;
      for (int64_t j = 0; j < length; ++j) product += at(a, j) * at(b, j);
      EXPECT_NEAR(product, a == b ? 1.0 : 0.0, 1e-6) << rows << " x " << columns << ": " << a << ", " << b;
    }
  }
}

TEST(Initialisers, OrthogonalGatesAreEachOrthonormal) {
  for (const auto& [n_in, n_out] :
       {std::pair<int64_t, int64_t>{20, 12}, {12, 20}, {16, 16}, {1, 1}, {1, 7}, {7, 1}, {60, 61}}) {
    const std::vector<float> all = drawn(
        weights({.init = "orthogonal"}, Part::kRecurrent, {.n_in = n_in, .n_out = n_out, .hidden = 9, .blocks = 4}),
        4 * n_in * n_out);
    std::vector<std::vector<float>> blocks;
    for (int64_t k = 0; k < 4; ++k) {
      blocks.emplace_back(all.begin() + k * n_in * n_out, all.begin() + (k + 1) * n_in * n_out);
      expect_orthonormal(blocks.back(), n_out, n_in);
      for (int64_t other = 0; other < k && n_in * n_out > 1; ++other) {
        EXPECT_NE(blocks[static_cast<size_t>(other)], blocks.back());
      }
    }
  }
}

TEST(Initialisers, PartsFollowTheCommonSetting) {
  const InitOptions options{.init = "normal", .input = "constant", .recurrent = "zeros", .output = "he-uniform"};
  const auto of = [&](Part part, const InitOptions& o) { return drawn(weights(o, part, kGates), kCount); };
  const auto all = [](const char* name) { return InitOptions{.init = name, .embedding = "same"}; };
  EXPECT_EQ(of(Part::kInput, options), of(Part::kInput, all("constant")));
  EXPECT_EQ(of(Part::kRecurrent, options), of(Part::kRecurrent, all("zeros")));
  EXPECT_EQ(of(Part::kOutput, options), of(Part::kOutput, all("he-uniform")));
  EXPECT_EQ(of(Part::kEmbedding, options), of(Part::kEmbedding, all("standard-normal")));  // that is its default
  InitOptions same = options;
  same.embedding = "same";
  for (const Part part : {Part::kInput, Part::kRecurrent, Part::kOutput, Part::kEmbedding}) {
    EXPECT_EQ(of(part, all("normal")), of(Part::kEmbedding, same));
  }
}

TEST(Initialisers, BiasesHaveTheirOwnAndTheForgetGatesMore) {
  constexpr int64_t kHidden = 10000;
  for (const auto& [name, deviation] : {std::pair("zeros", 0.0),
                                        {"uniform", 0.2 / std::sqrt(3.0)},
                                        {"normal", 0.2},
                                        {"standard-uniform", 0.01 / std::sqrt(3.0)}}) {
    const InitOptions options{.init = "constant", .bias = name, .scale = 0.2, .forget_bias = 1.5};
    const std::vector<float> plain = drawn(bias(options, kHidden), 4 * kHidden);
    EXPECT_NEAR(deviation_of(plain), deviation, 5.0 * deviation / std::sqrt(8.0 * kHidden)) << name;
    std::vector<float> expected = plain;
    for (int64_t j = kHidden; j < 2 * kHidden; ++j) expected[static_cast<size_t>(j)] += 1.5F;
    EXPECT_EQ(drawn(lstm_bias(options, kHidden), 4 * kHidden), expected) << name;
  }
}

// The arrays of a stack by name, initialised.
std::map<std::string, std::vector<float>> stack_arrays(const LstmOptions& lstm, const InitOptions& init) {
  ParameterArena arena;
  const LstmStack stack({.lstm = lstm, .inputs = 7, .one_hot = false, .init = init}, arena);
  arena.allocate();
  arena.initialise(3);
  std::map<std::string, std::vector<float>> out;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const Parameter& p = arena.parameters()[i];
    out[p.name] = {arena.value(i), arena.value(i) + p.size};
  }
  return out;
}

TEST(Initialisers, OfAStackAreThoseOfItsParts) {
  const InitOptions init{.input = "constant", .recurrent = "orthogonal", .scale = 0.25, .forget_bias = 2.0};
  const LstmOptions lstm{.hidden = 6, .layers = 2, .bidirectional = true, .proj = 4};
  int seen = 0;
  for (const auto& [name, values] : stack_arrays(lstm, init)) {
    if (name.find("weight_ih") != std::string::npos) {
      EXPECT_EQ(values, std::vector<float>(values.size(), 0.25F)) << name;
    } else if (name.find("weight_hh") != std::string::npos) {
      for (int64_t gate = 0; gate < 4; ++gate) {
        expect_orthonormal({values.begin() + gate * 24, values.begin() + (gate + 1) * 24}, 6, 4);
      }
    } else if (name.find("weight_hr") != std::string::npos) {
      expect_orthonormal(values, 4, 6);
    } else {
      for (size_t j = 0; j < values.size(); ++j) EXPECT_EQ(values[j], j >= 6 && j < 12 ? 2.0F : 0.0F) << name;
    }
    ++seen;
  }
  EXPECT_EQ(seen, 2 * 2 * 4);
  const auto gru = stack_arrays({.cell = "gru", .hidden = 6}, init);  // which has three gates, and none forgets
  for (int64_t gate = 0; gate < 3; ++gate) {
    const std::vector<float>& values = gru.at("gru.weight_hh_l0");
    expect_orthonormal({values.begin() + gate * 36, values.begin() + (gate + 1) * 36}, 6, 6);
  }
  EXPECT_EQ(gru.at("gru.bias_ih_l0"), std::vector<float>(18, 0.0F));
}

}  // namespace
}  // namespace longhand::nn
