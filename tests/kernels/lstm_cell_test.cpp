// The variants of the LSTM's cell: reference against central differences, fused against reference, steps against whole
// sequences, and numbers known from elsewhere.
#include "longhand/kernels/lstm_cell.h"

#include "longhand/kernels/lstm_step.h"
#include "tests/kernels/lstm_layer.h"

namespace longhand::kernels {
namespace {

using Kind = ActivationKind;

// Every function, with constants that are not the usual ones. Kinks are where random sums are on both sides of them.
const std::vector<Activation>& activations() {
  static const std::vector<Activation> all = {{Kind::kSigmoid},
                                              {Kind::kTanh},
                                              {Kind::kRelu},
                                              {Kind::kAffine, 0.7, 0.1},
                                              {Kind::kLeakyRelu, 0.2},
                                              {Kind::kThresholdedRelu, 0.3},
                                              {Kind::kScaledTanh, 1.2, 0.6},
                                              {Kind::kHardSigmoid, 0.9, 0.4},
                                              {Kind::kElu, 0.6},
                                              {Kind::kSoftsign},
                                              {Kind::kSoftplus}};
  return all;
}

Options with(const LstmCell& cell, bool peepholes = false) { return {.peepholes = peepholes, .cell = cell}; }

// Each variant alone, and each pair of them.
std::vector<Options> variants() {
  std::vector<Options> all;
  for (const Activation& f : activations()) {
    if (f.kind != Kind::kSigmoid) all.push_back(with({.gate = f}));
    if (f.kind != Kind::kTanh) all.push_back(with({.candidate = f}));
    if (f.kind != Kind::kTanh) all.push_back(with({.output = f}));
  }
  constexpr Activation kHard{Kind::kHardSigmoid, 0.9, 0.4}, kElu{Kind::kElu, 0.6}, kSoft{Kind::kSoftsign};
  for (uint32_t set = 1; set < 1U << 7U; ++set) {
    if (std::popcount(set) > 2 && set != (1U << 7U) - 1) continue;
    const auto on = [set](uint32_t i) { return (set >> i & 1U) != 0; };
    LstmCell cell{.coupled = on(0), .gate_clip = on(1) ? 0.6 : 0.0, .cell_clip = on(2) ? 0.4 : 0.0};
    if (on(3)) cell.gate = kHard;
    if (on(4)) cell.candidate = kElu;
    if (on(5)) cell.output = kSoft;
    all.push_back(with(cell, on(6)));
  }
  return all;
}

Options among_all(Options o) {
  o.projection = 19;
  o.reverse = o.recurrent_mask = o.zone_h = o.zone_c = true;
  o.normalised = !o.cell.coupled;
  return o;
}

TEST(LstmCellReference, GradientsAgreeWithCentralDifferences) {
  for (const Options& o : variants()) {
    expect_central_differences({4, 3, 3, 5, false, true, o});
    Options more = among_all(o);
    more.projection = 2;
    expect_central_differences({3, 2, 3, 4, false, false, more});
    if (::testing::Test::HasFailure()) FAIL() << ::testing::PrintToString(Case{4, 3, 3, 5, false, true, o});
  }
}

// A central difference of one function, away from its kinks; and what it is there.
TEST(LstmCellReference, SlopesAreThoseOfTheFunctions) {
  for (const Activation& f : activations()) {
    for (double x = -3.03; x < 3.0; x += 0.1) {
      constexpr double kStep = 1e-6;
      const double numeric = (reference::activate(f, x + kStep) - reference::activate(f, x - kStep)) / (2 * kStep);
      EXPECT_NEAR(reference::activate_backward(f, x, reference::activate(f, x), 2.0), 2.0 * numeric, 1e-8)
          << static_cast<int>(f.kind) << " at " << x;
    }
  }
  const auto at = [](const Activation& f, double x) { return reference::activate(f, x); };
  EXPECT_EQ(at({Kind::kThresholdedRelu, 1.0}, 1.0), 1.0);
  EXPECT_EQ(at({Kind::kThresholdedRelu, 1.0}, 0.99), 0.0);
  EXPECT_EQ(at({Kind::kHardSigmoid, 0.2, 0.5}, 1.0), 0.7);
  EXPECT_EQ(at({Kind::kHardSigmoid, 0.2, 0.5}, -9.0), 0.0);
  EXPECT_EQ(at({Kind::kAffine, 3.0, 1.0}, 2.0), 7.0);
  EXPECT_EQ(at({Kind::kSoftsign}, -3.0), -0.75);
  EXPECT_NEAR(at({Kind::kSoftplus}, 100.0), 100.0, 1e-12);
  EXPECT_NEAR(at({Kind::kElu, 2.0}, -1.0), 2.0 * (std::exp(-1.0) - 1.0), 1e-15);
  EXPECT_NEAR(at({Kind::kScaledTanh, 2.0, 0.5}, 1.0), 2.0 * std::tanh(0.5), 1e-15);
}

TEST(LstmCell, AgreesWithTheReferenceOnEveryTarget) {
  for (const Options& o : variants()) {
    for (const Case& c : {Case{4, 3, 5, 17, false, true, o}, Case{3, 2, 3, 5, true, false, o},
                          Case{3, 4, 6, 33, false, true, among_all(o)}}) {
      SCOPED_TRACE(::testing::PrintToString(c));
      expect_the_reference_on_every_target(c);
      expect_inference_to_equal_training(c);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(LstmCell, AgreesWithTheReferenceInBf16OnEveryTarget) {
  for (const Options& o : variants()) {
    const Case c{3, 3, 5, 17, false, true, o};
    SCOPED_TRACE(::testing::PrintToString(c));
    expect_the_reference_in_bf16(c);
    if (::testing::Test::HasFailure()) return;
  }
}

// Rows shared by threads, and steps: also those of cells whose padding would not be zero by itself.
TEST(LstmCell, IsBitIdenticalOnAnyNumberOfThreads) {
  for (const Options& o : variants()) {
    for (const Case& c : {Case{7, 1, 9, 130, false, false, o}, Case{5, 11, 9, 70, true, true, o},
                          Case{4, 3, 6, 33, false, true, among_all(o)}}) {
      SCOPED_TRACE(::testing::PrintToString(c));
      expect_the_same_on_any_number_of_threads(c, true);
      expect_the_same_on_any_number_of_threads(c, false, Precision::kBf16);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

// The case test_lstm_with_peepholes of ONNX's own tests: one step, all weights and peepholes 0.1, no bias.
TEST(LstmCell, HasTheOutputsOfOnnxForPeepholes) {
  Case c{1, 2, 4, 3, false, false, with({}, true)};
  const auto fill = [](auto& layer) {
    for (auto& array : layer.parameters) std::fill(array.begin(), array.end(), 0.1F);
    std::fill(layer.parameters[2].begin(), layer.parameters[2].end(), 0.0F);
    layer.h.fill(0);
    layer.c_states.fill(0);
    for (int64_t i = 0; i < 8; ++i) layer.x[i / 4 * padded(4) + i % 4] = static_cast<float>(i + 1);
  };
  const auto expect = [](const auto& h) {
    for (int64_t i = 0; i < 6; ++i) {
      EXPECT_NEAR(static_cast<double>(h[(2 + i / 3) * padded(3) + i % 3]), i < 3 ? 0.37506911 : 0.68013090, 1e-7) << i;
    }
  };
  Layer<double> textbook(c);
  fill(textbook);
  reference::lstm_forward(textbook.forward());
  expect(textbook.h);
  testing::on_every_target([&] {
    Layer<float> layer(c);
    fill(layer);
    Context context(1);
    PackedLstm packed;
    pack_lstm(layer.shape(), layer.weights(), true, PackFor::kTraining, packed, context);
    lstm_forward(layer.forward(), packed, context);
    expect(layer.h);
  });
}

// A broken weight must not pass for a working model, whatever functions hold it within bounds.
TEST(LstmCell, CarriesNanThroughOnEveryTarget) {
  testing::on_every_target([&] {
    for (const Options& o : variants()) {
      const Case c{2, 3, 5, 20, false, false, o};
      for (const int64_t broken : {0, 40, 60}) {  // a row of i, of g, of o
        Layer<float> layer(c);
        for (int64_t j = 0; j < 20; ++j) layer.parameters[1][static_cast<size_t>(broken * 20 + j)] = std::nanf("");
        Context context(1);
        PackedLstm packed;
        pack_lstm(layer.shape(), layer.weights(), true, PackFor::kTraining, packed, context);
        lstm_forward(layer.forward(), packed, context);
        ASSERT_TRUE(std::isnan(layer.h[c.batch * padded(c.hidden)])) << ::testing::PrintToString(c) << broken;
      }
    }
  });
}

// One sequence, step by step and several at once.
void expect_steps_to_equal_the_sequence(const Case& c, WeightType type, bool fast) {
  Layer<float> layer(c);
  const LstmShape shape = layer.shape();
  const int64_t Hp = padded(c.hidden), Rp = padded(shape.outputs()), Ip = padded(c.inputs);
  Context context(1);
  Buffer<float> zone_h(Rp), zone_c(Hp);
  std::fill_n(zone_h.data(), shape.outputs(), 0.1F);
  std::fill_n(zone_c.data(), c.hidden, 0.3F);
  PackedLstm packed;
  pack_lstm(shape, layer.weights(), !c.one_hot, PackFor::kInference, packed, context);
  LstmForward<float> forward = layer.forward();
  forward.cache = {};
  forward.c_last = nullptr;
  forward.masks = {};
  if (c.options.zone_c) forward.masks = {.zone_h = zone_h.data(), .zone_c = zone_c.data()};
  lstm_forward(forward, packed, context);
  PackedLstmStep step_packed;
  pack_lstm_step(shape, c.options.cell, layer.weights(), !c.one_hot, type, step_packed, context);
  for (const int64_t together : {int64_t{1}, c.steps}) {
    Layer<float> fresh(c);
    Buffer<float> scratch(step_scratch(step_packed, together));
    for (int64_t t = 0; t < c.steps; t += together) {
      lstm_step(step_packed, {.steps = together,
                              .x = fresh.x.data() + t * Ip,
                              .x_stride = Ip,
                              .symbols = fresh.symbols.data() + t,
                              .h = fresh.h.data() + t * Rp,
                              .c = fresh.c_states.data(),
                              .zone_h = c.options.zone_c ? zone_h.data() : nullptr,
                              .zone_c = c.options.zone_c ? zone_c.data() : nullptr,
                              .scratch = scratch.data(),
                              .fast = fast});
    }
    const double tolerance = fast ? 2e-4 : type == WeightType::kInt8 ? 0.05 : 0.0;
    for (int64_t i = 0; i < (c.steps + 1) * Rp; ++i) ASSERT_NEAR(fresh.h[i], layer.h[i], tolerance) << i;
    for (int64_t i = 0; i < Hp; ++i) ASSERT_NEAR(fresh.c_states[i], layer.c_states[i], tolerance) << i;
  }
}

TEST(LstmCell, StepsHaveTheBitsOfTheSequence) {
  testing::on_every_target([&] {
    for (Options o : variants()) {
      for (const int64_t hidden : {3, 16, 45}) {
        for (const bool one_hot : {false, true}) {
          for (const bool normalised : {false, true}) {
            if (normalised && o.cell.coupled) continue;
            o.normalised = o.zone_c = normalised;
            o.projection = one_hot ? (hidden + 1) / 2 : 0;
            const Case c{4, 1, 5, hidden, one_hot, false, o};
            SCOPED_TRACE(::testing::PrintToString(c));
            expect_steps_to_equal_the_sequence(c, WeightType::kFloat, false);
            if (!normalised) expect_steps_to_equal_the_sequence(c, WeightType::kInt8, false);
            if (!normalised) expect_steps_to_equal_the_sequence(c, WeightType::kFloat, true);
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace longhand::kernels
