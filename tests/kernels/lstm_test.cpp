// The fused LSTM layer against the reference, and the reference's gradients against central differences in double.
#include "longhand/kernels/lstm.h"

#include "longhand/kernels/reference.h"
#include "tests/testing.h"

namespace longhand::kernels {
namespace {

using testing::aligned;
using testing::expect_close;
using testing::random_rows;
using testing::random_symbols;
using testing::random_vector;

struct Case {
  int64_t steps, batch, inputs, hidden;
  bool one_hot;
  bool ragged;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << "T" << c.steps << " B" << c.batch << " I" << c.inputs << " H" << c.hidden << (c.one_hot ? " one-hot" : "")
       << (c.ragged ? " ragged" : "");
}

// Every array of a layer's forward and backward pass, filled with random inputs.
template <class T>
struct Layer {
  explicit Layer(const Case& c) : problem(c) {
    const int64_t I = c.inputs, H = c.hidden, Hp = padded(H), rows = c.steps * c.batch;
    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    w_ih = random_vector<T>(4 * H * I, scale, 1);
    w_hh = random_vector<T>(4 * H * H, scale, 2);
    bias = random_vector<T>(4 * H, 0.5, 3);
    x = aligned(random_rows<T>(rows, I, padded(I), 1.0, 4));
    dh = aligned(random_rows<T>(rows, H, Hp, 1.0, 5));
    dh_last = aligned(random_rows<T>(c.batch, H, Hp, 1.0, 6));
    dc_last = aligned(random_rows<T>(c.batch, H, Hp, 1.0, 7));
    h = Buffer<T>((rows + c.batch) * Hp);
    c_states = Buffer<T>((rows + c.batch) * Hp);
    set_initial_states();
    gates = Buffer<T>(rows * 4 * Hp);
    h_last = Buffer<T>(c.batch * Hp);
    c_last = Buffer<T>(c.batch * Hp);
    dx = aligned(random_rows<T>(rows, I, padded(I), 9.0, 10));  // to be overwritten
    dh_first = Buffer<T>(c.batch * Hp);
    dc_first = Buffer<T>(c.batch * Hp);
    dw_ih = random_vector<T>(4 * H * I, 0.1, 11);  // to be added to
    dw_hh = random_vector<T>(4 * H * H, 0.1, 12);
    dbias = random_vector<T>(4 * H, 0.1, 13);
    symbols = random_symbols(rows, I, 14);
    lengths = random_symbols(c.batch, c.steps + 1, 15);
  }

  void set_initial_states() {
    const int64_t H = problem.hidden, Hp = padded(H);
    const auto h0 = random_rows<T>(problem.batch, H, Hp, 0.8, 8);
    const auto c0 = random_rows<T>(problem.batch, H, Hp, 0.8, 9);
    std::copy_n(h0.begin(), problem.batch * Hp, h.data());
    std::copy_n(c0.begin(), problem.batch * Hp, c_states.data());
  }

  LstmShape shape() const {
    return {problem.steps, problem.batch, problem.inputs, problem.hidden, problem.ragged ? lengths.data() : nullptr};
  }
  LstmWeights<T> weights() const { return {w_ih.data(), w_hh.data(), bias.data()}; }
  LstmInput<T> input() const { return {problem.one_hot ? nullptr : x.data(), padded(problem.inputs), symbols.data()}; }

  LstmForward<T> forward() {
    return {shape(), weights(), input(), h.data(), c_states.data(), gates.data(), h_last.data(), c_last.data()};
  }
  LstmBackward<T> backward() {
    return {.shape = shape(),
            .weights = weights(),
            .input = input(),
            .h = h.data(),
            .c = c_states.data(),
            .gates = gates.data(),
            .dh = dh.data(),
            .dh_last = dh_last.data(),
            .dc_last = dc_last.data(),
            .dx = problem.one_hot ? nullptr : dx.data(),
            .dx_stride = padded(problem.inputs),
            .dw_ih = dw_ih.data(),
            .dw_hh = dw_hh.data(),
            .dbias = dbias.data(),
            .dh_first = dh_first.data(),
            .dc_first = dc_first.data()};
  }

  // The scalar whose gradients `backward` computes: outputs and final states against fixed random weights.
  T loss() {
    reference::lstm_forward(forward());
    const int64_t Hp = padded(problem.hidden), B = problem.batch;
    T sum = 0;
    for (int64_t i = 0; i < problem.steps * B * Hp; ++i) sum += h[B * Hp + i] * dh[i];
    for (int64_t i = 0; i < B * Hp; ++i) sum += h_last[i] * dh_last[i] + c_last[i] * dc_last[i];
    return sum;
  }

  Case problem;
  std::vector<T> w_ih, w_hh, bias, dw_ih, dw_hh, dbias;
  Buffer<T> x, dh, dh_last, dc_last, h, c_states, gates, h_last, c_last, dx, dh_first, dc_first;
  std::vector<int32_t> symbols, lengths;
};

class LstmKernel : public ::testing::TestWithParam<Case> {};

TEST_P(LstmKernel, AgreesWithTheReferenceOnEveryTarget) {
  const Case c = GetParam();
  const int64_t H = c.hidden, Hp = padded(H), I = c.inputs, rows = c.steps * c.batch;
  Layer<double> expected(c);
  reference::lstm_forward(expected.forward());
  const Buffer<double> gates_after_forward = [&] {
    Buffer<double> copy(expected.gates.size());
    std::copy_n(expected.gates.data(), copy.size(), copy.data());
    return copy;
  }();
  reference::lstm_backward(expected.backward());
  // A float carries 6e-8; errors of sums of independent terms grow with the square root of their number, and a few
  // steps' worth of them is carried from state to state.
  const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(static_cast<double>(H + I + rows)));
  testing::on_every_target([&] {
    for (const int threads : {1, 3}) {
      Context context(threads);
      Layer<float> actual(c);
      PackedLstm packed;
      pack_lstm(actual.shape(), actual.weights(), !c.one_hot, PackFor::kTraining, packed, context);
      lstm_forward(actual.forward(), packed, context);
      expect_close(actual.h, expected.h, (rows + c.batch) * Hp, tolerance, "h");
      expect_close(actual.c_states, expected.c_states, (rows + c.batch) * Hp, tolerance, "c");
      expect_close(actual.h_last, expected.h_last, c.batch * Hp, tolerance, "h_last");
      expect_close(actual.c_last, expected.c_last, c.batch * Hp, tolerance, "c_last");
      for (int64_t row = 0; row < rows; ++row) {
        if (c.ragged && row / c.batch >= actual.lengths[static_cast<size_t>(row % c.batch)]) continue;
        for (int64_t gate = 0; gate < 4; ++gate) {
          const int64_t at = (row * 4 + gate) * Hp;
          expect_close(actual.gates.data() + at, gates_after_forward.data() + at, H, tolerance, "gates");
        }
      }
      lstm_backward(actual.backward(), packed, context);
      expect_close(actual.dw_ih, expected.dw_ih, 4 * H * I, tolerance, "dw_ih");
      expect_close(actual.dw_hh, expected.dw_hh, 4 * H * H, tolerance, "dw_hh");
      expect_close(actual.dbias, expected.dbias, 4 * H, tolerance, "dbias");
      expect_close(actual.dh_first, expected.dh_first, c.batch * Hp, tolerance, "dh_first");
      expect_close(actual.dc_first, expected.dc_first, c.batch * Hp, tolerance, "dc_first");
      if (!c.one_hot) expect_close(actual.dx, expected.dx, rows * padded(I), tolerance, "dx");
    }
  });
}

TEST_P(LstmKernel, InferenceEqualsTraining) {
  const Case c = GetParam();
  const int64_t Hp = padded(c.hidden), rows = c.steps * c.batch;
  testing::on_every_target([&] {
    Context context(2);
    Layer<float> training(c), inference(c);
    PackedLstm packed;
    pack_lstm(training.shape(), training.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    lstm_forward(training.forward(), packed, context);
    LstmForward<float> args = inference.forward();
    args.gates = nullptr;
    args.c_last = nullptr;
    lstm_forward(args, packed, context);
    for (int64_t i = 0; i < (rows + c.batch) * Hp; ++i) ASSERT_EQ(training.h[i], inference.h[i]);
    for (int64_t i = 0; i < c.batch * Hp; ++i) {
      ASSERT_EQ(training.h_last[i], inference.h_last[i]);
      ASSERT_EQ(training.c_last[i], inference.c_states[i]);
    }
  });
}

TEST_P(LstmKernel, IsBitIdenticalOnAnyNumberOfThreads) {
  const Case c = GetParam();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 5}) {
    Context context(threads);
    Layer<float> layer(c);
    PackedLstm packed;
    pack_lstm(layer.shape(), layer.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    lstm_forward(layer.forward(), packed, context);
    lstm_backward(layer.backward(), packed, context);
    std::vector<float> all = layer.dw_ih;
    all.insert(all.end(), layer.dw_hh.begin(), layer.dw_hh.end());
    all.insert(all.end(), layer.dbias.begin(), layer.dbias.end());
    all.insert(all.end(), layer.dx.span().begin(), layer.dx.span().end());
    all.insert(all.end(), layer.h.span().begin(), layer.h.span().end());
    results.push_back(std::move(all));
  }
  for (const std::vector<float>& result : results) EXPECT_EQ(result, results.front());
}

// Sizes around the vector widths (4, 8, 16), around the tiles' rows (3, 4, 6, 8), 1, and lengths of 0.
INSTANTIATE_TEST_SUITE_P(Sizes, LstmKernel,
                         ::testing::Values(Case{1, 1, 1, 1, false, false}, Case{1, 1, 3, 5, true, false},
                                           Case{3, 2, 4, 15, false, false}, Case{5, 7, 17, 16, false, true},
                                           Case{4, 6, 16, 17, true, true}, Case{2, 13, 33, 31, false, false},
                                           Case{6, 9, 47, 33, false, true}, Case{3, 5, 11, 48, true, false},
                                           Case{9, 17, 64, 64, true, true}, Case{2, 3, 130, 65, false, false},
                                           Case{70, 17, 5, 20, false, true}));

TEST(LstmReference, GradientsAreCentralDifferences) {
  for (const Case& c : {Case{4, 3, 3, 5, false, false}, Case{5, 4, 3, 4, false, true}, Case{4, 3, 4, 3, true, true}}) {
    Layer<double> layer(c);
    std::fill(layer.dw_ih.begin(), layer.dw_ih.end(), 0.0);
    std::fill(layer.dw_hh.begin(), layer.dw_hh.end(), 0.0);
    std::fill(layer.dbias.begin(), layer.dbias.end(), 0.0);
    layer.loss();
    reference::lstm_backward(layer.backward());
    const auto check = [&](double* value, double gradient, const char* what, int64_t i) {
      constexpr double kStep = 1e-5;
      const double saved = *value;
      *value = saved + kStep;
      const double above = layer.loss();
      *value = saved - kStep;
      const double below = layer.loss();
      *value = saved;
      // The differences' own error: kStep^2 of a third derivative of order one, and 1e-16 / kStep of rounding.
      EXPECT_NEAR(gradient, (above - below) / (2 * kStep), 1e-8) << what << " " << i;
    };
    const int64_t I = c.inputs, H = c.hidden, Hp = padded(H);
    for (int64_t i = 0; i < 4 * H * I; ++i) check(&layer.w_ih[i], layer.dw_ih[i], "w_ih", i);
    for (int64_t i = 0; i < 4 * H * H; ++i) check(&layer.w_hh[i], layer.dw_hh[i], "w_hh", i);
    for (int64_t i = 0; i < 4 * H; ++i) check(&layer.bias[i], layer.dbias[i], "bias", i);
    for (int64_t i = 0; i < c.batch * H; ++i) {
      const int64_t at = i / H * Hp + i % H;
      check(&layer.h[at], layer.dh_first[at], "h_0", i);
      check(&layer.c_states[at], layer.dc_first[at], "c_0", i);
    }
    for (int64_t i = 0; !c.one_hot && i < c.steps * c.batch * I; ++i) {
      const int64_t at = i / I * padded(I) + i % I;
      check(&layer.x[at], layer.dx[at], "x", i);
    }
  }
}

TEST(LstmReference, OneHotSymbolsEqualDenseOneHotRows) {
  const Case c{4, 3, 6, 5, true, false};
  Layer<double> symbols(c);
  Layer<double> dense({4, 3, 6, 5, false, false});
  dense.x.fill(0.0);
  for (int64_t row = 0; row < 12; ++row) dense.x[row * padded(6) + symbols.symbols[static_cast<size_t>(row)]] = 1.0;
  EXPECT_DOUBLE_EQ(symbols.loss(), dense.loss());
}

// A broken weight must not pass for a working model.
TEST(LstmKernel, CarriesNanThroughOnEveryTarget) {
  const Case c{2, 3, 5, 20, false, false};
  testing::on_every_target([&] {
    Layer<float> layer(c);
    layer.w_hh[0] = std::nanf("");
    Context context(1);
    PackedLstm packed;
    pack_lstm(layer.shape(), layer.weights(), true, PackFor::kTraining, packed, context);
    lstm_forward(layer.forward(), packed, context);
    EXPECT_TRUE(std::isnan(layer.h[c.batch * padded(c.hidden)]));
  });
}

TEST(LstmKernel, RefusesASymbolOutsideItsInputs) {
  const Case c{2, 2, 3, 4, true, false};
  Layer<float> layer(c);
  layer.symbols[1] = 3;
  Context context(1);
  PackedLstm packed;
  pack_lstm(layer.shape(), layer.weights(), false, PackFor::kTraining, packed, context);
  EXPECT_THROW(lstm_forward(layer.forward(), packed, context), std::logic_error);
}

}  // namespace
}  // namespace longhand::kernels
