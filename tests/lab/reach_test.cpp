// The gradients that `longhand lab` measures: against the kernels' reference, and against central differences.
#include "longhand/lab/reach.h"

#include <gtest/gtest.h>

#include <cmath>

#include "longhand/base/buffer.h"
#include "longhand/kernels/reference_lstm.h"
#include "longhand/lab/cells.h"
#include "longhand/lab/small_model.h"

namespace longhand::lab {
namespace {

constexpr int64_t kHidden = 7;

SmallModel small(const LabCell& cell, const SequenceTask& task) {
  return SmallModel({.lstm = cell.options(kHidden), .init = cell.init(), .rows = 4, .seed = 5}, task);
}

class EachCell : public ::testing::TestWithParam<std::string> {
 protected:
  LabCell cell_ = parse_cells(GetParam())[0];
  std::unique_ptr<SequenceTask> task_ = memory_task("recall", 12);
};

std::string name_of(const ::testing::TestParamInfo<std::string>& info) {
  std::string out = info.param;
  for (char& c : out) c = c == '-' ? '_' : c;
  return out;
}

std::vector<std::string> cell_names() {
  std::vector<std::string> out;
  for (const LabCell& cell : lab_cells()) out.push_back(cell.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Reach, EachCell, ::testing::ValuesIn(cell_names()), name_of);

// The loss of a row's answer, as a function of a disturbed state before step `from`.
struct DisturbedLoss {
  const SmallModel& model;
  const Recurrence layer;
  const SequenceBatch batch;

  double operator()(int64_t from, const LayerState& disturbance) const {
    LayerState state = layer.zero_state();
    for (int64_t t = 0; t < batch.steps; ++t) {
      if (t == from) add_to(state, disturbance);
      state = layer.forward(state, layer.input_part(batch.symbols[static_cast<size_t>(t * batch.rows)])).after;
    }
    return loss_of(state.h);
  }
  // -log softmax, from its own weights and not from output_gradient.
  double loss_of(const Vector& h) const {
    Vector logits;
    const ParameterArena& arena = model.parameters();
    const auto read = [&arena](const std::string& name) {
      for (const Parameter& p : arena.parameters()) {
        if (p.name == name) return arena.values().data() + p.offset;
      }
      return static_cast<const float*>(nullptr);
    };
    double sum = 0.0;
    for (int64_t k = 0; k < model.task().outputs(); ++k) {
      double y = static_cast<double>(read("output.bias")[k]);
      for (int64_t j = 0; j < kHidden; ++j) y += static_cast<double>(read("output.weight")[k * kHidden + j]) * h[j];
      logits.push_back(y);
      sum += std::exp(y);
    }
    return std::log(sum) - logits[static_cast<size_t>(batch.targets[0])];
  }
};

TEST_P(EachCell, GradientsByEarlierStatesAgreeWithCentralDifferences) {
  SmallModel model = small(cell_, *task_);
  for (int update = 0; update < 3; ++update) model.update();
  const int64_t steps = 10;
  const Reach reach = measure_reach(model, {.steps = steps, .sequences = 1});
  const DisturbedLoss loss{model, model.layer(), task_->draw_ends(1, steps, CounterRng(0, 0, RngPlace::kHeldOut))};
  LayerState at_end = loss.layer.zero_state();
  for (int64_t t = 0; t < loss.batch.steps; ++t) {
    at_end = loss.layer.forward(at_end, loss.layer.input_part(loss.batch.symbols[static_cast<size_t>(t)])).after;
  }
  const double start = norm(model.output_gradient(at_end.h, loss.batch, 0));
  for (int64_t k = 1; k <= steps; ++k) {
    double h = 0.0, c = 0.0;
    LayerState unit = loss.layer.zero_state();
    for (Vector* part : {&unit.h, &unit.c}) {
      for (double& element : *part) {
        constexpr double kStep = 1e-4;
        const auto at = [&](double by) {
          element = by;
          const double value = loss(loss.batch.steps - k, unit);
          element = 0.0;
          return value;
        };
        const double d = (8.0 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12.0 * kStep);
        (part == &unit.h ? h : c) += d * d;
      }
    }
    EXPECT_NEAR(reach.h[static_cast<size_t>(k)].median, std::sqrt(h) / start, 1e-9) << k;
    if (loss.layer.weights().has_cell()) {
      EXPECT_NEAR(reach.c[static_cast<size_t>(k)].median, std::sqrt(c) / start, 1e-9) << k;
    }
  }
}

TEST_P(EachCell, RoadsAddUpToTheWhole) {
  SmallModel model = small(cell_, *task_);
  for (int update = 0; update < 3; ++update) model.update();
  const Reach reach = measure_reach(model, {.steps = 50, .sequences = 8});
  if (cell_.cell == "rnn" || cell_.cell == "rnn-relu") {
    EXPECT_TRUE(reach.parts.empty());
    return;
  }
  ASSERT_EQ(reach.parts.size(), 6U);
  for (const RoadParts& parts : reach.parts) {
    double sum = 0.0;
    for (const double share : parts.shares) sum += share;
    EXPECT_NEAR(sum, 1.0, 1e-12) << parts.k;
    EXPECT_LT(parts.unexplained, 1e-12) << parts.k;
  }
}

TEST_P(EachCell, NoGradientExceedsTheBound) {
  SmallModel model = small(cell_, *task_);
  const Reach reach = measure_reach(model, {.steps = 40, .sequences = 2});
  ASSERT_EQ(reach.measured.size(), reach.bound.size());
  for (size_t k = 0; k < reach.measured.size(); ++k) EXPECT_LE(reach.measured[k], reach.bound[k] * (1.0 + 1e-6)) << k;
  EXPECT_GE(reach.singular, reach.radius * (1.0 - 1e-3));
}

TEST_P(EachCell, StatesAgreeWithTheNetwork) {
  SmallModel model = small(cell_, *task_);
  for (int update = 0; update < 2; ++update) model.update();
  // What a whole evaluation gives in float, computed once more in double, row by row.
  const SequenceBatch batch = task_->draw(64, CounterRng(3, 0, RngPlace::kHeldOut), true);
  const Recurrence layer = model.layer();
  double loss = 0.0;
  for (int64_t row = 0; row < batch.rows; ++row) {
    LayerState state = layer.zero_state();
    for (int64_t t = 0; t < batch.steps; ++t) {
      state = layer.forward(state, layer.input_part(batch.symbols[static_cast<size_t>(t * batch.rows + row)])).after;
    }
    SequenceBatch one = batch;
    one.targets = {batch.targets[static_cast<size_t>(row)]};
    loss += DisturbedLoss{model, layer, one}.loss_of(state.h) / 64.0;
  }
  EXPECT_NEAR(model.evaluate(64, 3).loss, loss, 1e-5);
}

// One step of the LSTM, with and without normalisation: the same gradients as the specification of the kernels.
TEST(Recurrence, AgreesWithTheReferenceLayer) {
  const auto task = memory_task("recall", 12);
  for (const char* name : {"lstm-1", "lstm-1-norm"}) {
    SmallModel model = small(parse_cells(name)[0], *task);
    for (int update = 0; update < 3; ++update) model.update();
    const Recurrence layer = model.layer();
    const LayerWeights& w = layer.weights();
    const int64_t Hp = padded(kHidden);
    LayerState before = layer.zero_state(), after = before;
    for (size_t k = 0; k < kHidden; ++k) {
      before.h[k] = std::sin(static_cast<double>(k));
      before.c[k] = std::cos(static_cast<double>(2 * k));
      after.h[k] = std::cos(static_cast<double>(3 * k));
      after.c[k] = std::sin(static_cast<double>(5 * k));
    }
    const LayerStep step = layer.forward(before, layer.input_part(int32_t{2}));
    Vector h(2 * Hp), c(2 * Hp), gates(4 * Hp), norm_hh(4 * Hp), norm_c(Hp), rstd(3), d_all(w.w_hh.size() + 999);
    Vector dh(Hp), dh_last(Hp), dc_last(Hp), dh_first(Hp), dc_first(Hp);
    std::copy(before.h.begin(), before.h.end(), h.begin());
    std::copy(before.c.begin(), before.c.end(), c.begin());
    std::copy(after.h.begin(), after.h.end(), dh_last.begin());
    std::copy(after.c.begin(), after.c.end(), dc_last.begin());
    const int32_t symbol = 2;
    const bool normalised = w.normalised();
    const auto or_null = [normalised](auto* p) { return normalised ? p : nullptr; };
    const kernels::LstmShape shape{.steps = 1, .batch = 1, .inputs = w.inputs, .hidden = kHidden};
    const kernels::LstmWeights<double> weights{w.w_ih.data(),
                                               w.w_hh.data(),
                                               w.bias.data(),
                                               nullptr,
                                               or_null(w.gain_ih.data()),
                                               or_null(w.gain_hh.data()),
                                               or_null(w.gain_c.data()),
                                               or_null(w.bias_c.data())};
    const kernels::LstmCache<double> cache{.gates = gates.data(),
                                           .norm_hh = or_null(norm_hh.data()),
                                           .norm_c = or_null(norm_c.data()),
                                           .rstd = or_null(rstd.data())};
    kernels::reference::lstm_forward<kernels::reference::NotRounded, double>({.shape = shape,
                                                                              .weights = weights,
                                                                              .input = {nullptr, 0, &symbol},
                                                                              .h = h.data(),
                                                                              .c = c.data(),
                                                                              .cache = cache});
    Vector dw_ih(w.w_ih.size()), dw_hh(w.w_hh.size()), db(w.bias.size()), dg1(4 * kHidden), dg2(4 * kHidden),
        dg3(kHidden), db3(kHidden);
    kernels::reference::lstm_backward<kernels::reference::NotRounded, double>(
        {.shape = shape,
         .weights = weights,
         .input = {nullptr, 0, &symbol},
         .h = h.data(),
         .c = c.data(),
         .cache = cache,
         .dh = dh.data(),
         .dh_last = dh_last.data(),
         .dc_last = dc_last.data(),
         .gradients = {dw_ih.data(), dw_hh.data(), db.data(), nullptr, dg1.data(), dg2.data(), dg3.data(), db3.data()},
         .dh_first = dh_first.data(),
         .dc_first = dc_first.data()});
    const LayerState d = layer.back(step, after);
    for (size_t k = 0; k < kHidden; ++k) {
      EXPECT_NEAR(step.after.h[k], h[static_cast<size_t>(Hp) + k], 1e-14) << name;
      EXPECT_NEAR(step.after.c[k], c[static_cast<size_t>(Hp) + k], 1e-14) << name;
      EXPECT_NEAR(d.h[k], dh_first[k], 1e-13) << name;
      EXPECT_NEAR(d.c[k], dc_first[k], 1e-13) << name;
    }
  }
}

TEST(Matrices, HaveTheSpectralRadiusAndSingularValueThatTheyMust) {
  // A rotation by 1 in a plane, times 0.9, and 0.3 on the axis: complex eigenvalues of modulus 0.9.
  const Vector rotation = {
      0.9 * std::cos(1.0), -0.9 * std::sin(1.0), 0.0, 0.9 * std::sin(1.0), 0.9 * std::cos(1.0), 0.0, 0.0, 0.0, 0.3};
  EXPECT_NEAR(spectral_radius(rotation, 3), 0.9, 1e-3);
  EXPECT_NEAR(largest_singular_value(rotation, 3), 0.9, 1e-9);
  // Far from normal: eigenvalues 0.5 alone, but one direction that grows fourfold in a step.
  const Vector sheared = {0.5, 4.0, 0.0, 0.5};
  EXPECT_NEAR(spectral_radius(sheared, 2), 0.5, 2e-3);
  EXPECT_NEAR(largest_singular_value(sheared, 2), 4.0616, 1e-3);
  EXPECT_EQ(spectral_radius({0.0, 1.0, 0.0, 0.0}, 2), 0.0);  // nilpotent
}

TEST(SmallModel, ScalesRecurrentWeightsToARadius) {
  const auto task = memory_task("recall", 5);
  const LabCell cell = parse_cells("rnn")[0];
  const SmallModel model({.lstm = cell.options(16), .init = cell.init(), .radius = 1.3}, *task);
  EXPECT_NEAR(spectral_radius(model.layer().weights().w_hh, 16), 1.3, 1e-3);
}

}  // namespace
}  // namespace longhand::lab
