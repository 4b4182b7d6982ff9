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

// Which of the layer's options are on; `projection` is P.
struct Options {
  int64_t projection = 0;
  bool reverse = false, recurrent_mask = false, zone_h = false, zone_c = false, normalised = false;
};

struct Case {
  int64_t steps, batch, inputs, hidden;
  bool one_hot;
  bool ragged;
  Options options = {};
};

void PrintTo(const Case& c, std::ostream* out) {
  const Options& o = c.options;
  *out << "T" << c.steps << " B" << c.batch << " I" << c.inputs << " H" << c.hidden << (c.one_hot ? " one-hot" : "")
       << (c.ragged ? " ragged" : "") << (o.projection > 0 ? " P" + std::to_string(o.projection) : "")
       << (o.reverse ? " reverse" : "") << (o.recurrent_mask ? " mask" : "") << (o.zone_h ? " zone_h" : "")
       << (o.zone_c ? " zone_c" : "") << (o.normalised ? " normalised" : "");
}

// Every array of a layer's forward and backward pass, filled with random inputs.
template <class T>
struct Layer {
  explicit Layer(const Case& c) : problem(c) {
    const LstmShape s = shape();
    const int64_t I = c.inputs, H = c.hidden, R = s.outputs(), Hp = padded(H), Rp = padded(R), rows = c.steps * c.batch;
    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    const std::vector<std::pair<int64_t, double>> arrays = {
        {4 * H * I, scale}, {4 * H * R, scale}, {4 * H, 0.5}, {R * H, scale},
        {4 * H, 1.0},       {4 * H, 1.0},       {H, 1.0},     {H, 0.5}};
    for (size_t i = 0; i < arrays.size(); ++i) {
      const auto place = static_cast<uint32_t>(20 + i);
      parameters.push_back(random_vector<T>(arrays[i].first, arrays[i].second, place));
      gradients.push_back(random_vector<T>(arrays[i].first, 0.1, place + 20));  // to be added to
    }
    x = aligned(random_rows<T>(rows, I, padded(I), 1.0, 4));
    dh = aligned(random_rows<T>(rows, R, Rp, 1.0, 5));
    dh_last = aligned(random_rows<T>(c.batch, R, Rp, 1.0, 6));
    dc_last = aligned(random_rows<T>(c.batch, H, Hp, 1.0, 7));
    h = Buffer<T>((rows + c.batch) * Rp);
    c_states = Buffer<T>((rows + c.batch) * Hp);
    set_initial_states();
    gates = Buffer<T>(rows * 4 * Hp);
    masked_h = Buffer<T>(rows * Rp);
    m = Buffer<T>(rows * Hp);
    norm_ih = Buffer<T>(rows * 4 * Hp);
    norm_hh = Buffer<T>(rows * 4 * Hp);
    norm_c = Buffer<T>(rows * Hp);
    rstd = Buffer<T>(rows * 3);
    mask = aligned(random_rows<T>(c.batch, R, Rp, 1.5, 16));
    zone_h = zeros_and_ones(aligned(random_rows<T>(rows, R, Rp, 1.0, 17)));
    zone_c = zeros_and_ones(aligned(random_rows<T>(rows, H, Hp, 1.0, 18)));
    h_last = Buffer<T>(c.batch * Rp);
    c_last = Buffer<T>(c.batch * Hp);
    dx = aligned(random_rows<T>(rows, I, padded(I), 9.0, 10));  // to be overwritten
    dh_first = Buffer<T>(c.batch * Rp);
    dc_first = Buffer<T>(c.batch * Hp);
    symbols = random_symbols(rows, I, 14);
    lengths = random_symbols(c.batch, c.steps + 1, 15);
  }

  static Buffer<T> zeros_and_ones(Buffer<T> values) {
    for (T& v : values.span()) v = v > T(0) ? T(1) : T(0);
    return values;
  }

  void set_initial_states() {
    const LstmShape s = shape();
    const int64_t H = s.hidden, R = s.outputs(), B = s.batch;
    const auto h0 = random_rows<T>(B, R, padded(R), 0.8, 8);
    const auto c0 = random_rows<T>(B, H, padded(H), 0.8, 9);
    std::copy_n(h0.begin(), B * padded(R), h.data() + s.initial_slot() * B * padded(R));
    std::copy_n(c0.begin(), B * padded(H), c_states.data() + s.initial_slot() * B * padded(H));
  }

  LstmShape shape() const {
    const Options& o = problem.options;
    return {problem.steps, problem.batch, problem.inputs, problem.hidden, problem.ragged ? lengths.data() : nullptr,
            o.projection,  o.reverse};
  }
  template <class P, class Arrays>
  LstmParameters<P> view(Arrays& arrays) const {
    LstmParameters<P> p{.w_ih = arrays[0].data(), .w_hh = arrays[1].data(), .bias = arrays[2].data()};
    if (problem.options.projection > 0) p.w_hr = arrays[3].data();
    if (problem.options.normalised) {
      p.gain_ih = arrays[4].data();
      p.gain_hh = arrays[5].data();
      p.gain_c = arrays[6].data();
      p.bias_c = arrays[7].data();
    }
    return p;
  }
  LstmWeights<T> weights() const { return view<const T>(parameters); }
  LstmInput<T> input() const { return {problem.one_hot ? nullptr : x.data(), padded(problem.inputs), symbols.data()}; }
  LstmMasks<T> masks() const {
    const Options& o = problem.options;
    return {o.recurrent_mask ? mask.data() : nullptr, o.zone_h ? zone_h.data() : nullptr, padded(shape().outputs()),
            o.zone_c ? zone_c.data() : nullptr, padded(problem.hidden)};
  }
  LstmCache<T> cache() {
    const Options& o = problem.options;
    LstmCache<T> k{.gates = gates.data()};
    if (o.recurrent_mask) k.masked_h = masked_h.data();
    if (o.projection > 0) k.m = m.data();
    if (!o.normalised) return k;
    if (!problem.one_hot) k.norm_ih = norm_ih.data();
    k.norm_hh = norm_hh.data();
    k.norm_c = norm_c.data();
    k.rstd = rstd.data();
    return k;
  }

  LstmForward<T> forward() {
    return {.shape = shape(),
            .weights = weights(),
            .input = input(),
            .masks = masks(),
            .h = h.data(),
            .c = c_states.data(),
            .cache = cache(),
            .h_last = h_last.data(),
            .c_last = c_last.data()};
  }
  LstmBackward<T> backward() {
    return {.shape = shape(),
            .weights = weights(),
            .input = input(),
            .masks = masks(),
            .h = h.data(),
            .c = c_states.data(),
            .cache = cache(),
            .dh = dh.data(),
            .dh_last = dh_last.data(),
            .dc_last = dc_last.data(),
            .dx = problem.one_hot ? nullptr : dx.data(),
            .dx_stride = padded(problem.inputs),
            .gradients = view<T>(gradients),
            .dh_first = dh_first.data(),
            .dc_first = dc_first.data()};
  }

  // The scalar whose gradients `backward` computes: outputs and final states against fixed random weights.
  T loss() {
    reference::lstm_forward(forward());
    const LstmShape s = shape();
    const int64_t B = s.batch, Hp = padded(s.hidden), Rp = padded(s.outputs());
    const T* y = h.data() + s.next_slot(0) * B * Rp;
    T sum = 0;
    for (int64_t i = 0; i < s.steps * B * Rp; ++i) sum += y[i] * dh[i];
    for (int64_t i = 0; i < B * Rp; ++i) sum += h_last[i] * dh_last[i];
    for (int64_t i = 0; i < B * Hp; ++i) sum += c_last[i] * dc_last[i];
    return sum;
  }

  // The parameters that the options call for.
  bool has(size_t parameter) const {
    return parameter < 3 || (parameter == 3 ? problem.options.projection > 0 : problem.options.normalised);
  }

  Case problem;
  std::vector<std::vector<T>> parameters, gradients;  // w_ih w_hh bias w_hr gain_ih gain_hh gain_c bias_c
  Buffer<T> x, dh, dh_last, dc_last, h, c_states, gates, masked_h, m, norm_ih, norm_hh, norm_c, rstd, mask, zone_h,
      zone_c, h_last, c_last, dx, dh_first, dc_first;
  std::vector<int32_t> symbols, lengths;
};

constexpr const char* kNames[] = {"w_ih", "w_hh", "bias", "w_hr", "gain_ih", "gain_hh", "gain_c", "bias_c"};

class LstmKernel : public ::testing::TestWithParam<Case> {};

// What the reference makes of a case, its operands rounded as it says.
template <class Round>
struct Expected : Layer<double> {
  explicit Expected(const Case& c) : Layer<double>(c) {
    for (std::vector<double>& array : parameters) {  // as floats have them, so that they are rounded alike
      for (double& v : array) v = static_cast<double>(static_cast<float>(v));
    }
    for (double& v : x.span()) v = static_cast<double>(static_cast<float>(v));
    reference::lstm_forward<Round>(forward());
    gates_after_forward.resize(gates.size());
    std::copy_n(gates.data(), gates.size(), gates_after_forward.data());
    reference::lstm_backward<Round>(backward());
  }
  Buffer<double> gates_after_forward;
};

template <class Round>
void expect_to_agree(const Expected<Round>& expected, Precision precision, double tolerance) {
  const Case& c = expected.problem;
  const LstmShape shape = expected.shape();
  const int64_t B = c.batch, H = c.hidden, rows = c.steps * B, Hp = padded(H), Rp = padded(shape.outputs());
  for (const int threads : {1, 3}) {
    Context context(threads);
    context.precision = precision;
    Layer<float> actual(c);
    PackedLstm packed;
    pack_lstm(shape, actual.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    lstm_forward(actual.forward(), packed, context);
    expect_close(actual.h, expected.h, (rows + B) * Rp, tolerance, "h");
    expect_close(actual.c_states, expected.c_states, (rows + B) * Hp, tolerance, "c");
    expect_close(actual.h_last, expected.h_last, B * Rp, tolerance, "h_last");
    expect_close(actual.c_last, expected.c_last, B * Hp, tolerance, "c_last");
    for (int64_t row = 0; row < rows; ++row) {
      if (row / B >= shape.length(row % B)) continue;
      for (int64_t gate = 0; gate < 4; ++gate) {
        const int64_t at = (row * 4 + gate) * Hp;
        expect_close(actual.gates.data() + at, expected.gates_after_forward.data() + at, H, tolerance, "gates");
      }
    }
    lstm_backward(actual.backward(), packed, context);
    for (size_t i = 0; i < actual.gradients.size(); ++i) {
      const auto size = static_cast<int64_t>(actual.gradients[i].size());
      expect_close(actual.gradients[i], expected.gradients[i], size, tolerance, kNames[i]);
    }
    expect_close(actual.dh_first, expected.dh_first, B * Rp, tolerance, "dh_first");
    expect_close(actual.dc_first, expected.dc_first, B * Hp, tolerance, "dc_first");
    if (!c.one_hot) expect_close(actual.dx, expected.dx, rows * padded(c.inputs), tolerance, "dx");
  }
}

TEST_P(LstmKernel, AgreesWithTheReferenceOnEveryTarget) {
  const Case& c = GetParam();
  // A float carries 6e-8; errors of sums of independent terms grow with the square root of their number, and a few
  // steps' worth of them is carried from state to state. Normalisation divides by a deviation below one.
  const double terms = 8.0 + 4.0 * std::sqrt(static_cast<double>(c.hidden + c.inputs + c.steps * c.batch));
  const double tolerance = 6e-8 * terms * (c.options.normalised ? 8.0 : 1.0);
  const Expected<reference::NotRounded> expected(c);
  testing::on_every_target([&] { expect_to_agree(expected, Precision::kFloat, tolerance); });
}

// An operand that lies between two bf16 may be rounded to the other one: its product then differs by 1/256.
TEST_P(LstmKernel, AgreesWithTheReferenceInBf16OnEveryTarget) {
  const double tolerance = GetParam().options.normalised ? 8e-3 : 1e-3;
  const Expected<reference::RoundedToBf16> expected(GetParam());
  testing::on_every_target_in_bf16([&] { expect_to_agree(expected, Precision::kBf16, tolerance); });
}

TEST_P(LstmKernel, InferenceEqualsTraining) {
  const Case c = GetParam();
  testing::on_every_target([&] {
    Context context(2);
    Layer<float> training(c), inference(c);
    const LstmShape shape = training.shape();
    const int64_t B = c.batch, Hp = padded(c.hidden), Rp = padded(shape.outputs()), rows = c.steps * B;
    PackedLstm packed;
    pack_lstm(shape, training.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    lstm_forward(training.forward(), packed, context);
    LstmForward<float> args = inference.forward();
    args.cache = {};
    args.c_last = nullptr;
    if (shape.reverse) args.c = inference.c_states.data() + c.steps * B * Hp;
    lstm_forward(args, packed, context);
    for (int64_t i = 0; i < (rows + B) * Rp; ++i) ASSERT_EQ(training.h[i], inference.h[i]);
    for (int64_t i = 0; i < B * Rp; ++i) ASSERT_EQ(training.h_last[i], inference.h_last[i]);
    for (int64_t i = 0; i < B * Hp; ++i) ASSERT_EQ(training.c_last[i], args.c[i]);
  });
}

// Everything that a forward and a backward pass write, on 1, 2, 3 and 5 threads.
void expect_the_same_on_any_number_of_threads(const Case& c, bool initial_gradients,
                                              Precision precision = Precision::kFloat) {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 5}) {
    Context context(threads);
    context.precision = precision;
    Layer<float> layer(c);
    PackedLstm packed;
    pack_lstm(layer.shape(), layer.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    lstm_forward(layer.forward(), packed, context);
    LstmBackward<float> backward = layer.backward();
    if (!initial_gradients) backward.dh_first = backward.dc_first = nullptr;
    lstm_backward(backward, packed, context);
    std::vector<float> all(layer.dx.span().begin(), layer.dx.span().end());
    all.insert(all.end(), layer.h.span().begin(), layer.h.span().end());
    for (const std::vector<float>& gradient : layer.gradients) all.insert(all.end(), gradient.begin(), gradient.end());
    results.push_back(std::move(all));
  }
  for (const std::vector<float>& result : results) EXPECT_EQ(result, results.front());
}

TEST_P(LstmKernel, IsBitIdenticalOnAnyNumberOfThreads) {
  expect_the_same_on_any_number_of_threads(GetParam(), true);
  expect_the_same_on_any_number_of_threads(GetParam(), true, Precision::kBf16);
}

// Without the gradients of the initial state, threads may share the steps of the way back, too.
TEST(LstmKernel, SharesStepsBackwardToTheSameBits) {
  for (const Case& c : {Case{20, 1, 9, 130, false, false}, Case{12, 2, 17, 150, false, true, {.reverse = true}},
                        Case{5, 30, 9, 260, true, true}}) {
    testing::on_every_target([&] { expect_the_same_on_any_number_of_threads(c, false); });
    testing::on_every_target_in_bf16([&] { expect_the_same_on_any_number_of_threads(c, false, Precision::kBf16); });
  }
}

// Sizes around the vector widths (4, 8, 16), around the tiles' rows (3, 4, 6, 8), 1, and lengths of 0.
INSTANTIATE_TEST_SUITE_P(Sizes, LstmKernel,
                         ::testing::Values(Case{1, 1, 1, 1, false, false}, Case{1, 1, 3, 5, true, false},
                                           Case{3, 2, 4, 15, false, false}, Case{5, 7, 17, 16, false, true},
                                           Case{4, 6, 16, 17, true, true}, Case{2, 13, 33, 31, false, false},
                                           Case{6, 9, 47, 33, false, true}, Case{3, 5, 11, 48, true, false},
                                           Case{9, 17, 64, 64, true, true}, Case{2, 3, 130, 65, false, false},
                                           Case{70, 17, 5, 20, false, true}));

// Large enough for several threads, which share the rows, or the steps of a few rows; more threads than rows.
INSTANTIATE_TEST_SUITE_P(Shared, LstmKernel,
                         ::testing::Values(Case{20, 1, 9, 130, false, false}, Case{25, 2, 17, 150, true, true},
                                           Case{25, 3, 17, 150, false, true, {.reverse = true}},
                                           Case{9, 1, 30, 200, false, false, {.zone_c = true}},
                                           Case{9, 2, 30, 200, false, true, {.projection = 70, .normalised = true}},
                                           Case{12, 40, 20, 70, false, true}, Case{6, 1, 9, 260, false, false},
                                           Case{6, 33, 9, 260, true, true}, Case{30, 15, 9, 20, false, false}));

constexpr Options kProjected{.projection = 7};
constexpr Options kReverse{.reverse = true};
constexpr Options kMask{.recurrent_mask = true};
constexpr Options kZoneout{.zone_h = true, .zone_c = true};
constexpr Options kNormalised{.normalised = true};
constexpr Options kAll{
    .projection = 19, .reverse = true, .recurrent_mask = true, .zone_h = true, .zone_c = true, .normalised = true};
constexpr Options kAllButNormalised{
    .projection = 19, .reverse = true, .recurrent_mask = true, .zone_h = true, .zone_c = true};
INSTANTIATE_TEST_SUITE_P(
    Options, LstmKernel,
    ::testing::Values(Case{4, 7, 5, 17, false, true, kProjected}, Case{4, 7, 5, 17, false, true, kReverse},
                      Case{5, 3, 6, 20, true, false, kReverse}, Case{4, 7, 5, 17, true, true, kMask},
                      Case{4, 7, 5, 33, false, true, kZoneout}, Case{4, 7, 5, 17, false, true, kNormalised},
                      Case{4, 7, 5, 17, true, true, kNormalised}, Case{1, 3, 1, 1, false, false, kAllButNormalised},
                      Case{1, 1, 1, 3, false, false, kAll}, Case{5, 9, 18, 33, false, true, kAll},
                      Case{5, 9, 18, 16, true, true, kAll}, Case{40, 8, 5, 48, false, false, kAll}));

TEST(LstmReference, GradientsAgreeWithCentralDifferences) {
  for (const Case& c : {Case{4, 3, 3, 5, false, false}, Case{5, 4, 3, 4, false, true}, Case{4, 3, 4, 3, true, true},
                        Case{4, 3, 3, 5, false, true, {.projection = 2}}, Case{4, 4, 3, 5, false, true, kReverse},
                        Case{4, 3, 3, 5, false, true, kMask}, Case{4, 3, 3, 5, false, true, kZoneout},
                        Case{4, 3, 3, 5, false, true, kNormalised}, Case{4, 3, 4, 3, true, true, kNormalised},
                        Case{4, 4, 3, 5, false, true, kAll}}) {
    SCOPED_TRACE(::testing::PrintToString(c));
    Layer<double> layer(c);
    for (std::vector<double>& gradient : layer.gradients) std::fill(gradient.begin(), gradient.end(), 0.0);
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
      // The differences' own error: kStep^2 of a third derivative of order one (a hundred, normalised), and 1e-16 /
      // kStep of rounding.
      EXPECT_NEAR(gradient, (above - below) / (2 * kStep), c.options.normalised ? 3e-7 : 1e-8) << what << " " << i;
    };
    for (size_t p = 0; p < layer.parameters.size(); ++p) {
      for (size_t i = 0; layer.has(p) && i < layer.parameters[p].size(); ++i) {
        check(&layer.parameters[p][i], layer.gradients[p][i], kNames[p], static_cast<int64_t>(i));
      }
    }
    const LstmShape shape = layer.shape();
    const int64_t B = c.batch, I = c.inputs, H = c.hidden, R = shape.outputs(), first = shape.initial_slot() * B;
    for (int64_t i = 0; i < B * R; ++i) {
      const int64_t at = i / R * padded(R) + i % R;
      check(&layer.h[first * padded(R) + at], layer.dh_first[at], "h_0", i);
    }
    for (int64_t i = 0; i < B * H; ++i) {
      const int64_t at = i / H * padded(H) + i % H;
      check(&layer.c_states[first * padded(H) + at], layer.dc_first[at], "c_0", i);
    }
    for (int64_t i = 0; !c.one_hot && i < c.steps * B * I; ++i) {
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
    layer.parameters[1][0] = std::nanf("");
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
