// How a stack of LSTM layers is used: states carried, gradients cut, masks at training time and expectations otherwise.
// That its engines agree on every option is the lattice's business (tests/lab).
#include "tests/nn/tested_stack.h"

#include <set>

#include "longhand/nn/lstm_stack_parts.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

constexpr Engine kEngines[] = {Engine::kFused, Engine::kReference, Engine::kAutograd};

// A stack of doubles or floats with its parameters, and random input for T steps of B rows.
template <class T>
struct Stack {
  explicit Stack(const LstmOptions& lstm, int64_t inputs = 4)
      : stack({.lstm = lstm, .inputs = inputs, .one_hot = false, .init = {}}, arena), I(inputs) {
    arena.allocate();
    arena.initialise(3);
    values.resize(static_cast<int64_t>(arena.values().size()));
    for (int64_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(arena.values()[static_cast<size_t>(i)]);
    gradients.resize(values.size());
    x = testing::aligned(testing::random_rows<T>(kSteps * B, I, padded(I), 1.0, 1));
  }

  StackInput<T> input(int64_t begin, int64_t steps, uint64_t step = 0) const {
    return {.steps = steps,
            .batch = B,
            .lengths = lengths.empty() ? nullptr : lengths.data(),
            .x = x.data() + begin * B * padded(I),
            .x_stride = padded(I),
            .symbols = nullptr,
            .masks = {1, step, 0}};
  }
  std::vector<T> forward(const StackInput<T>& in, Pass pass, Engine engine) {
    const T* y = stack.forward(in, pass, engine, values.data(), context);
    return {y, y + in.steps * B * padded(stack.options().lstm.outputs())};
  }
  // The gradient of the sum of the outputs, and of this times the penalties.
  std::vector<T> backward(const StackInput<T>& in, Engine engine, bool states = false, T penalty_scale = T(0)) {
    const int64_t width = stack.options().lstm.outputs();
    Buffer<T> ones(in.steps * B * padded(width));
    for (int64_t i = 0; i < in.steps * B * width; ++i) ones[i / width * padded(width) + i % width] = T(1);
    gradients.fill(T(0));
    stack.backward(in, {.d_output = ones.data(), .states = states, .penalty_scale = penalty_scale}, engine,
                   gradients.data(), context);
    return {gradients.span().begin(), gradients.span().end()};
  }

  static constexpr int64_t kSteps = 8, B = 3;
  ParameterArena arena;
  TestedStack<T> stack;
  int64_t I;
  Buffer<T> values, gradients, x;
  std::vector<int32_t> lengths;
  kernels::Context context{1};
};

const LstmOptions kEverything{.hidden = 9,
                              .layers = 3,
                              .proj = 5,
                              .layer_norm = true,
                              .residual = true,
                              .train_initial_state = true,
                              .dropout = 0.2,
                              .variational = true,
                              .dropout_recurrent = 0.2,
                              .weight_drop = 0.2,
                              .zoneout = 0.2,
                              .zoneout_cell = 0.2};

// A sequence read in two windows gives what it gives in one: the state carries over.
TEST(LstmStack, CarriesItsState) {
  for (const Pass pass : {Pass::kInference, Pass::kGradients}) {
    for (const Engine engine : kEngines) {
      Stack<float> s(kEverything);
      s.stack.reset_state(s.B);
      const std::vector<float> whole = s.forward(s.input(0, 8), pass, engine);
      s.stack.reset_state(s.B);
      std::vector<float> parts = s.forward(s.input(0, 3), pass, engine);
      const std::vector<float> rest = s.forward(s.input(3, 5), pass, engine);
      parts.insert(parts.end(), rest.begin(), rest.end());
      EXPECT_EQ(whole, parts);
    }
  }
}

// Back-propagation is truncated at a carried state: the gradient of a window's loss is the derivative with that state
// held fixed, and not that of the whole sequence.
TEST(LstmStack, CutsTheGradientAtTheCarriedState) {
  for (const Engine engine : {Engine::kReference, Engine::kAutograd}) {
    Stack<double> s({.hidden = 5, .layers = 2});
    s.stack.reset_state(s.B);
    s.forward(s.input(0, 4), Pass::kTraining, engine);
    std::vector<std::vector<double>> carried;
    for (const Buffer<double>* state : s.stack.state.arrays()) {
      carried.emplace_back(state->span().begin(), state->span().end());
    }
    s.forward(s.input(4, 4), Pass::kTraining, engine);
    const std::vector<double> cut = s.backward(s.input(4, 4), engine);
    const auto loss = [&](bool hold) {
      s.stack.reset_state(s.B);
      if (hold) {
        for (size_t i = 0; i < carried.size(); ++i) {
          std::copy(carried[i].begin(), carried[i].end(), s.stack.state.arrays()[i]->data());
        }
      } else {
        s.forward(s.input(0, 4), Pass::kTraining, engine);
      }
      double sum = 0.0;
      for (const double y : s.forward(s.input(4, 4), Pass::kTraining, engine)) sum += y;
      return sum;
    };
    double farthest_from_whole = 0.0;
    for (int64_t i = 0; i < s.values.size(); i += 7) {
      constexpr double kStep = 1e-5;
      const auto difference = [&](bool hold) {
        const double saved = s.values[i];
        s.values[i] = saved + kStep;
        const double above = loss(hold);
        s.values[i] = saved - kStep;
        const double below = loss(hold);
        s.values[i] = saved;
        return (above - below) / (2 * kStep);
      };
      const double gradient = cut[static_cast<size_t>(i)];
      EXPECT_NEAR(gradient, difference(true), 1e-8) << i;
      farthest_from_whole = std::max(farthest_from_whole, std::abs(gradient - difference(false)));
    }
    EXPECT_GT(farthest_from_whole, 1e-3);  // the two are not the same thing
  }
}

// The gradient after two windows is bit for bit that of a stack that was given the second one's initial state.
TEST(LstmStack, GradientStopsAtTheCarriedState) {
  for (const Engine engine : kEngines) {
    Stack<float> a(kEverything), b(kEverything);
    a.stack.reset_state(a.B);
    a.forward(a.input(0, 4), Pass::kTraining, engine);
    b.stack.reset_state(b.B);
    b.forward(b.input(2, 1), Pass::kTraining, engine);  // something else, after which its trained state is used up
    for (size_t i = 0; i < a.stack.state.arrays().size(); ++i) {
      std::copy_n(a.stack.state.arrays()[i]->data(), a.stack.state.arrays()[i]->size(),
                  b.stack.state.arrays()[i]->data());
    }
    a.forward(a.input(4, 4, 1), Pass::kTraining, engine);
    b.forward(b.input(4, 4, 1), Pass::kTraining, engine);
    EXPECT_EQ(a.backward(a.input(4, 4, 1), engine), b.backward(b.input(4, 4, 1), engine));
  }
}

// A row that is reset goes on as one that has just begun; the others as if nothing had been.
TEST(LstmStack, ResetsRowsAlone) {
  const std::vector<uint8_t> resets = {1, 0, 1};
  for (const Pass pass : {Pass::kInference, Pass::kGradients}) {
    for (const Engine engine : kEngines) {
      Stack<float> s(kEverything);
      for (int64_t i = 0; i < s.values.size(); ++i) s.values[i] += 0.01F;  // initial states that are not zero
      s.stack.reset_state(s.B);
      const std::vector<float> begun = s.forward(s.input(3, 5), pass, engine);
      s.stack.reset_state(s.B);
      s.forward(s.input(0, 3), pass, engine);
      const std::vector<float> carried = s.forward(s.input(3, 5), pass, engine);
      s.stack.reset_state(s.B);
      s.forward(s.input(0, 3), pass, engine);
      s.stack.state.reset_rows(resets);
      const std::vector<float> mixed = s.forward(s.input(3, 5), pass, engine);
      const auto stride = static_cast<size_t>(padded(kEverything.proj));
      ASSERT_NE(begun, carried);
      for (size_t row = 0; row < mixed.size() / stride; ++row) {
        const std::vector<float>& expected = resets[row % resets.size()] != 0 ? begun : carried;
        for (size_t j = 0; j < stride; ++j) EXPECT_EQ(mixed[row * stride + j], expected[row * stride + j]) << row;
      }
    }
  }
}

// The trained initial state has the gradient of the rows that began with it, and of those alone.
TEST(LstmStack, TrainsTheInitialStateOfRowsThatWereReset) {
  const std::vector<uint8_t> resets = {0, 1, 0};
  for (const Engine engine : {Engine::kReference, Engine::kAutograd}) {
    Stack<double> s({.hidden = 5, .layers = 2, .train_initial_state = true});
    s.stack.reset_state(s.B);
    s.forward(s.input(0, 4), Pass::kTraining, engine);
    std::vector<std::vector<double>> carried;
    for (const Buffer<double>* state : s.stack.state.arrays()) {
      carried.emplace_back(state->span().begin(), state->span().end());
    }
    s.stack.state.reset_rows(resets);
    s.forward(s.input(4, 4), Pass::kTraining, engine);
    const std::vector<double> gradient = s.backward(s.input(4, 4), engine);
    const auto loss = [&] {
      s.stack.reset_state(s.B);
      for (size_t i = 0; i < carried.size(); ++i) {
        std::copy(carried[i].begin(), carried[i].end(), s.stack.state.arrays()[i]->data());
      }
      s.stack.state.reset_rows(resets);
      double sum = 0.0;
      for (const double y : s.forward(s.input(4, 4), Pass::kTraining, engine)) sum += y;
      return sum;
    };
    double largest = 0.0;
    for (const Parameter& p : s.arena.parameters()) {
      if (p.name.find("_0_l") == std::string::npos) continue;
      for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
        constexpr double kStep = 1e-5;
        const double saved = s.values[i];
        s.values[i] = saved + kStep;
        const double above = loss();
        s.values[i] = saved - kStep;
        const double below = loss();
        s.values[i] = saved;
        EXPECT_NEAR(gradient[static_cast<size_t>(i)], (above - below) / (2 * kStep), 1e-8) << p.name;
        largest = std::max(largest, std::abs(gradient[static_cast<size_t>(i)]));
      }
    }
    EXPECT_GT(largest, 1e-2);
  }
}

// Only a sequence that began with the trained initial state teaches it anything.
TEST(LstmStack, TrainsTheInitialStateWhereSequencesBegin) {
  for (const Engine engine : kEngines) {
    Stack<float> s({.hidden = 5, .train_initial_state = true});
    const auto largest = [&s](const std::vector<float>& gradients) {
      float max = 0.0F;
      for (const Parameter& p : s.arena.parameters()) {
        if (p.name.find("_0_l") == std::string::npos) continue;
        for (int64_t i = 0; i < p.size; ++i) {
          max = std::max(max, std::abs(gradients[static_cast<size_t>(p.offset + i)]));
        }
      }
      return max;
    };
    s.stack.reset_state(s.B);
    s.forward(s.input(0, 4), Pass::kTraining, engine);
    EXPECT_GT(largest(s.backward(s.input(0, 4), engine)), 0.01F);
    s.forward(s.input(4, 4), Pass::kTraining, engine);
    EXPECT_EQ(largest(s.backward(s.input(4, 4), engine)), 0.0F);
  }
}

// In evaluation every mask is replaced by what it is on average, and the gradients are those of that model.
TEST(LstmStack, EvaluatesWithExpectations) {
  LstmOptions with = kEverything, without = kEverything;
  without.dropout = without.dropout_recurrent = without.weight_drop = 0.0;
  for (const Engine engine : kEngines) {
    Stack<float> a(with), b(without);
    a.stack.reset_state(a.B);
    b.stack.reset_state(b.B);
    const std::vector<float> y = a.forward(a.input(0, 8), Pass::kGradients, engine);
    EXPECT_EQ(y, b.forward(b.input(0, 8), Pass::kGradients, engine));
    EXPECT_EQ(a.backward(a.input(0, 8), engine), b.backward(b.input(0, 8), engine));
    a.stack.reset_state(a.B);
    EXPECT_EQ(y, a.forward(a.input(0, 8), Pass::kInference, engine));
  }
  // A unit that stays with probability z moves, on average, the part 1 - z of the way.
  Stack<double> s({.hidden = 3, .zoneout = 0.25, .zoneout_cell = 0.5}), plain({.hidden = 3});
  s.stack.reset_state(s.B);
  plain.stack.reset_state(s.B);
  const std::vector<double> zoned = s.forward(s.input(0, 1), Pass::kInference, Engine::kReference);
  const std::vector<double> full = plain.forward(plain.input(0, 1), Pass::kInference, Engine::kReference);
  for (size_t i = 0; i < zoned.size(); ++i) EXPECT_DOUBLE_EQ(zoned[i], 0.75 * full[i]);
  for (int64_t i = 0; i < s.B * padded(3); ++i) {
    EXPECT_DOUBLE_EQ((*s.stack.state.arrays()[1])[i], 0.5 * (*plain.stack.state.arrays()[1])[i]);
  }
}

// The mean over many masks comes close to the expectation, for the masks whose effect on one step is linear.
TEST(LstmStack, TrainsAroundTheExpectation) {
  Stack<double> s({.hidden = 3, .dropout = 0.4, .zoneout = 0.3});
  s.stack.reset_state(s.B);
  const std::vector<double> expected = s.forward(s.input(0, 1), Pass::kInference, Engine::kReference);
  std::vector<double> mean(expected.size());
  constexpr int kDraws = 4000;
  LstmOptions output_alone = s.stack.options().lstm;
  output_alone.dropout_input = 0.0;
  Stack<double> drawn(output_alone);
  for (int i = 0; i < kDraws; ++i) {
    drawn.stack.reset_state(s.B);
    const auto y = drawn.forward(drawn.input(0, 1, static_cast<uint64_t>(i)), Pass::kTraining, Engine::kReference);
    for (size_t k = 0; k < y.size(); ++k) mean[k] += y[k] / kDraws;
  }
  for (size_t k = 0; k < mean.size(); ++k) EXPECT_NEAR(mean[k], expected[k], 0.06 * std::abs(expected[k]));
}

TEST(LstmStack, VariationalMasksStayForAllSteps) {
  const auto zeros_by_step = [](bool variational) {
    Stack<float> s({.hidden = 40, .dropout = 0.5, .variational = variational});
    s.stack.reset_state(s.B);
    const std::vector<float> y = s.forward(s.input(0, 8), Pass::kTraining, Engine::kFused);
    std::vector<std::vector<bool>> zeros;
    for (int64_t t = 0; t < 8; ++t) {
      zeros.emplace_back();
      for (int64_t i = 0; i < s.B * 40; ++i) {
        zeros.back().push_back(y[static_cast<size_t>((t * s.B + i / 40) * padded(40) + i % 40)] == 0.0F);
      }
    }
    return zeros;
  };
  const auto steady = zeros_by_step(true), changing = zeros_by_step(false);
  for (size_t t = 1; t < 8; ++t) {
    EXPECT_EQ(steady[t], steady[0]);
    EXPECT_NE(changing[t], changing[0]);
  }
}

// The reverse direction of a bidirectional layer begins at each row's own end.
TEST(LstmStack, PaddingChangesNothing) {
  for (const Engine engine : kEngines) {
    Stack<float> padded_rows({.hidden = 6, .layers = 2, .bidirectional = true}),
        exact({.hidden = 6, .layers = 2, .bidirectional = true});
    padded_rows.lengths = {5, 5, 5};
    padded_rows.stack.reset_state(3);
    exact.stack.reset_state(3);
    const std::vector<float> a = padded_rows.forward(padded_rows.input(0, 8), Pass::kTraining, engine);
    const std::vector<float> b = exact.forward(exact.input(0, 5), Pass::kTraining, engine);
    const size_t used = b.size();
    EXPECT_EQ(std::vector<float>(a.begin(), a.begin() + static_cast<int64_t>(used)), b);
    for (size_t i = used; i < a.size(); ++i) EXPECT_EQ(a[i], 0.0F);
    for (size_t i = 0; i < exact.stack.state.arrays().size(); ++i) {
      const auto lhs = padded_rows.stack.state.arrays()[i]->span(), rhs = exact.stack.state.arrays()[i]->span();
      EXPECT_TRUE(std::equal(lhs.begin(), lhs.end(), rhs.begin()));
    }
    const std::vector<float> da = padded_rows.backward(padded_rows.input(0, 8), engine);
    const std::vector<float> db = exact.backward(exact.input(0, 5), engine);
    testing::expect_close(da, db, static_cast<int64_t>(da.size()), 1e-6, "gradients");
  }
}

LstmOptions penalised(LstmOptions lstm) {
  lstm.activation_reg = 0.7;
  lstm.temporal_reg = 0.9;
  return lstm;
}
// Rows that end at different steps, one of them after the first, where there is no change to be penalised.
const std::vector<int32_t> kRagged = {8, 1, 5};

const LstmOptions kPenalised[] = {
    penalised({.hidden = 5}), penalised({.hidden = 5, .layers = 2, .bidirectional = true, .dropout = 0.3}),
    penalised({.hidden = 6, .layers = 2, .proj = 4, .residual = true, .dropout_output = 0.4, .variational = true}),
    penalised(
        {.hidden = 5, .train_initial_state = true, .dropout_recurrent = 0.2, .weight_drop = 0.2, .zoneout = 0.2})};

// The penalties are sums over the outputs of rows that have not ended: of squares after dropout, of changes before it.
TEST(LstmStack, PenaltiesAreThoseOfTheOutputs) {
  for (const LstmOptions& lstm : kPenalised) {
    for (const Engine engine : {Engine::kReference, Engine::kAutograd}) {
      LstmOptions without_dropout = lstm;
      without_dropout.dropout_output = 0.0;
      Stack<double> s(lstm), raw(without_dropout);
      for (Stack<double>* stack : {&s, &raw}) {
        stack->lengths = kRagged;
        stack->stack.reset_state(s.B);
      }
      const std::vector<double> y = s.forward(s.input(0, 8, 1), Pass::kTraining, engine);
      const std::vector<double> before = raw.forward(raw.input(0, 8, 1), Pass::kTraining, engine);
      EXPECT_EQ(y != before, lstm.output_dropout() > 0.0);
      const int64_t width = lstm.outputs(), stride = padded(width);
      double squares = 0.0, changes = 0.0;
      for (int64_t b = 0; b < s.B; ++b) {
        for (int64_t t = 0; t < kRagged[static_cast<size_t>(b)]; ++t) {
          for (int64_t j = 0; j < width; ++j) {
            const auto at = static_cast<size_t>((t * s.B + b) * stride + j);
            squares += y[at] * y[at];
            if (t > 0) changes += std::pow(before[at] - before[at - static_cast<size_t>(s.B * stride)], 2);
          }
        }
      }
      const double expected = (0.7 * squares + 0.9 * changes) / static_cast<double>(width);
      EXPECT_NEAR(s.stack.workspace.penalty(s.input(0, 8, 1)), expected, 1e-12 * expected);
      EXPECT_GT(changes, 0.01 * squares);  // both count
      s.stack.reset_state(s.B);
      s.forward(s.input(0, 8, 1), Pass::kGradients, engine);
      EXPECT_EQ(s.stack.workspace.penalty(s.input(0, 8, 1)), 0.0);  // outside of training there is none
    }
  }
}

TEST(LstmStack, PenaltyGradientsAgreeWithCentralDifferences) {
  constexpr double kScale = 0.4;
  for (const LstmOptions& lstm : kPenalised) {
    for (const Engine engine : {Engine::kReference, Engine::kAutograd}) {
      Stack<double> s(lstm);
      s.lengths = kRagged;
      const auto loss = [&] {
        s.stack.reset_state(s.B);
        double sum = 0.0;
        for (const double y : s.forward(s.input(0, 8, 1), Pass::kTraining, engine)) sum += y;
        return sum + kScale * s.stack.workspace.penalty(s.input(0, 8, 1));
      };
      loss();
      const std::vector<double> gradient = s.backward(s.input(0, 8, 1), engine, false, kScale);
      loss();
      const std::vector<double> without = s.backward(s.input(0, 8, 1), engine);
      double penalty_part = 0.0;
      for (const Parameter& p : s.arena.parameters()) {
        for (int64_t k = 0; k < p.size; k += 3) {
          const int64_t i = p.offset + k;
          constexpr double kStep = 1e-5;
          const double saved = s.values[i];
          s.values[i] = saved + kStep;
          const double above = loss();
          s.values[i] = saved - kStep;
          const double below = loss();
          s.values[i] = saved;
          const auto at = static_cast<size_t>(i);
          EXPECT_NEAR(gradient[at], (above - below) / (2 * kStep), 1e-8) << p.name << " " << k;
          penalty_part = std::max(penalty_part, std::abs(gradient[at] - without[at]));
        }
      }
      EXPECT_GT(penalty_part, 1e-3);
    }
  }
}

// The fused engine has the gradients of the reference, in single precision.
TEST(LstmStack, EnginesAgreeOnThePenalties) {
  for (const LstmOptions& lstm : kPenalised) {
    Stack<double> expected(lstm);
    Stack<float> actual(lstm);
    expected.lengths = actual.lengths = kRagged;
    expected.stack.reset_state(expected.B);
    expected.forward(expected.input(0, 8, 1), Pass::kTraining, Engine::kReference);
    const double penalty = expected.stack.workspace.penalty(expected.input(0, 8, 1));
    const std::vector<double> gradient = expected.backward(expected.input(0, 8, 1), Engine::kReference, false, 0.4);
    testing::on_every_target([&] {
      actual.stack.parameters_changed();
      actual.stack.reset_state(actual.B);
      actual.forward(actual.input(0, 8, 1), Pass::kTraining, Engine::kFused);
      // Sums of up to 24 rows of what 8 steps of 14 products each have rounded.
      const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(8.0 * 14.0 * 2.0 + 24.0));
      EXPECT_NEAR(actual.stack.workspace.penalty(actual.input(0, 8, 1)) / penalty, 1.0, tolerance);
      testing::expect_close(actual.backward(actual.input(0, 8, 1), Engine::kFused, false, 0.4F), gradient,
                            static_cast<int64_t>(gradient.size()), tolerance, "gradients");
    });
  }
}

// Dropped weights are good for one batch: what follows sees the whole ones, and the next batch others.
TEST(LstmStack, PacksDroppedWeightsForOneBatchAlone) {
  const LstmOptions lstm{.hidden = 20, .weight_drop = 0.5};
  Stack<float> one(lstm);
  const auto fresh = [&lstm](Pass pass, uint64_t step) {
    Stack<float> s(lstm);
    s.stack.reset_state(s.B);
    return s.forward(s.input(0, 8, step), pass, Engine::kFused);
  };
  const std::pair<Pass, uint64_t> passes[] = {{Pass::kTraining, 1}, {Pass::kInference, 1}, {Pass::kTraining, 2},
                                              {Pass::kTraining, 3}, {Pass::kGradients, 3}, {Pass::kInference, 3}};
  for (const auto& [pass, step] : passes) {
    one.stack.reset_state(one.B);
    EXPECT_EQ(one.forward(one.input(0, 8, step), pass, Engine::kFused), fresh(pass, step)) << step;
  }
}

// No two masks of the largest model are drawn from the same numbers.
TEST(LstmStack, MasksDifferByPlaceAndStep) {
  constexpr uint32_t kMaxLayers = 64;
  std::set<uint32_t> places;
  for (uint32_t l = 0; l <= kMaxLayers; ++l) places.insert(l);  // activations, and the output's
  for (uint32_t l = 0; l < kMaxLayers; ++l) {
    for (const bool reverse : {false, true}) {
      for (uint32_t kind = 0; kind < kMaskKinds; ++kind) places.insert(mask_place(l, reverse) + kind);
    }
  }
  EXPECT_EQ(places.size(), kMaxLayers + 1 + kMaxLayers * 2 * kMaskKinds);
  // And they are used: with the same weights, two directions of a layer are still dropped out differently.
  Stack<float> s({.hidden = 40, .bidirectional = true, .zoneout = 0.5});
  for (const Parameter& p : s.arena.parameters()) {
    for (int64_t i = 0; i < p.size; ++i) s.values[p.offset + i] = 0.01F * static_cast<float>(i % 7 + 1);
  }
  s.stack.reset_state(s.B);
  const std::vector<float> y = s.forward(s.input(0, 1), Pass::kTraining, Engine::kFused);
  EXPECT_NE(std::vector<float>(y.begin(), y.begin() + 40), std::vector<float>(y.begin() + 40, y.begin() + 80));
}

TEST(LstmStack, RefusesBackwardOnAnotherEngineThanForward) {
  Stack<float> s({.hidden = 3});
  s.stack.reset_state(s.B);
  s.forward(s.input(0, 2), Pass::kTraining, Engine::kFused);
  EXPECT_THROW(s.backward(s.input(0, 2), Engine::kAutograd), std::logic_error);
}

TEST(LstmStack, RefusesBackwardAfterInference) {
  Stack<float> s({.hidden = 3});
  s.stack.reset_state(s.B);
  s.forward(s.input(0, 2), Pass::kInference, Engine::kFused);
  EXPECT_THROW(s.backward(s.input(0, 2), Engine::kFused), std::logic_error);
}

}  // namespace
}  // namespace longhand::nn
