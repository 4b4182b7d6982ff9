// One LSTM layer with every array of its forward and backward pass, for the tests of its kernels.
#pragma once

#include "longhand/kernels/reference.h"
#include "tests/testing.h"

namespace longhand::kernels {

// Which of the layer's options are on; `projection` is P.
struct Options {
  int64_t projection = 0;
  bool reverse = false, recurrent_mask = false, zone_h = false, zone_c = false, normalised = false;
  bool peepholes = false;
  LstmCell cell = {};
};

struct Case {
  int64_t steps, batch, inputs, hidden;
  bool one_hot;
  bool ragged;
  Options options = {};
};

inline void PrintTo(const Case& c, std::ostream* out) {
  const Options& o = c.options;
  *out << "T" << c.steps << " B" << c.batch << " I" << c.inputs << " H" << c.hidden << (c.one_hot ? " one-hot" : "")
       << (c.ragged ? " ragged" : "") << (o.projection > 0 ? " P" + std::to_string(o.projection) : "")
       << (o.reverse ? " reverse" : "") << (o.recurrent_mask ? " mask" : "") << (o.zone_h ? " zone_h" : "")
       << (o.zone_c ? " zone_c" : "") << (o.normalised ? " normalised" : "") << (o.peepholes ? " peepholes" : "")
       << (o.cell.is_standard() ? "" : " variant");
}

// Every array of a layer's forward and backward pass, filled with random inputs.
template <class T>
struct Layer {
  explicit Layer(const Case& c) : problem(c) {
    const LstmShape s = shape();
    const int64_t I = c.inputs, H = c.hidden, R = s.outputs(), Hp = padded(H), Rp = padded(R), rows = c.steps * c.batch;
    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    const std::vector<std::pair<int64_t, double>> arrays = {{4 * H * I, scale}, {4 * H * R, scale}, {4 * H, 0.5},
                                                            {R * H, scale},     {4 * H, 1.0},       {4 * H, 1.0},
                                                            {H, 1.0},           {H, 0.5},           {3 * H, 0.7}};
    for (size_t i = 0; i < arrays.size(); ++i) {
      const auto place = static_cast<uint32_t>(20 + i);
      parameters.push_back(testing::random_vector<T>(arrays[i].first, arrays[i].second, place));
      gradients.push_back(testing::random_vector<T>(arrays[i].first, 0.1, place + 20));  // to be added to
    }
    x = testing::aligned(testing::random_rows<T>(rows, I, padded(I), 1.0, 4));
    dh = testing::aligned(testing::random_rows<T>(rows, R, Rp, 1.0, 5));
    dh_last = testing::aligned(testing::random_rows<T>(c.batch, R, Rp, 1.0, 6));
    dc_last = testing::aligned(testing::random_rows<T>(c.batch, H, Hp, 1.0, 7));
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
    sums = Buffer<T>(rows * 4 * Hp);
    mask = testing::aligned(testing::random_rows<T>(c.batch, R, Rp, 1.5, 16));
    zone_h = zeros_and_ones(testing::aligned(testing::random_rows<T>(rows, R, Rp, 1.0, 17)));
    zone_c = zeros_and_ones(testing::aligned(testing::random_rows<T>(rows, H, Hp, 1.0, 18)));
    h_last = Buffer<T>(c.batch * Rp);
    c_last = Buffer<T>(c.batch * Hp);
    dx = testing::aligned(testing::random_rows<T>(rows, I, padded(I), 9.0, 10));  // to be overwritten
    dh_first = Buffer<T>(c.batch * Rp);
    dc_first = Buffer<T>(c.batch * Hp);
    symbols = testing::random_symbols(rows, I, 14);
    lengths = testing::random_symbols(c.batch, c.steps + 1, 15);
  }

  static Buffer<T> zeros_and_ones(Buffer<T> values) {
    for (T& v : values.span()) v = v > T(0) ? T(1) : T(0);
    return values;
  }

  void set_initial_states() {
    const LstmShape s = shape();
    const int64_t H = s.hidden, R = s.outputs(), B = s.batch;
    const auto h0 = testing::random_rows<T>(B, R, padded(R), 0.8, 8);
    const auto c0 = testing::random_rows<T>(B, H, padded(H), 0.8, 9);
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
    if (problem.options.peepholes) p.peepholes = arrays[8].data();
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
    if (o.cell.keeps_sums()) k.sums = sums.data();
    if (!o.normalised) return k;
    if (!problem.one_hot) k.norm_ih = norm_ih.data();
    k.norm_hh = norm_hh.data();
    k.norm_c = norm_c.data();
    k.rstd = rstd.data();
    return k;
  }

  LstmForward<T> forward() {
    return {.shape = shape(),
            .cell = problem.options.cell,
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
            .cell = problem.options.cell,
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
    if (parameter == 8) return problem.options.peepholes;
    return parameter < 3 || (parameter == 3 ? problem.options.projection > 0 : problem.options.normalised);
  }

  Case problem;
  std::vector<std::vector<T>> parameters, gradients;  // w_ih w_hh bias w_hr gain_ih gain_hh gain_c bias_c peepholes
  Buffer<T> x, dh, dh_last, dc_last, h, c_states, gates, masked_h, m, norm_ih, norm_hh, norm_c, rstd, sums, mask,
      zone_h, zone_c, h_last, c_last, dx, dh_first, dc_first;
  std::vector<int32_t> symbols, lengths;
};

constexpr const char* kNames[] = {"w_ih",    "w_hh",   "bias",   "w_hr",     "gain_ih",
                                  "gain_hh", "gain_c", "bias_c", "peepholes"};

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
    testing::expect_close(actual.h, expected.h, (rows + B) * Rp, tolerance, "h");
    testing::expect_close(actual.c_states, expected.c_states, (rows + B) * Hp, tolerance, "c");
    testing::expect_close(actual.h_last, expected.h_last, B * Rp, tolerance, "h_last");
    testing::expect_close(actual.c_last, expected.c_last, B * Hp, tolerance, "c_last");
    for (int64_t row = 0; row < rows; ++row) {
      if (row / B >= shape.length(row % B)) continue;
      for (int64_t gate = 0; gate < 4; ++gate) {
        const int64_t at = (row * 4 + gate) * Hp;
        testing::expect_close(actual.gates.data() + at, expected.gates_after_forward.data() + at, H, tolerance,
                              "gates");
      }
    }
    lstm_backward(actual.backward(), packed, context);
    for (size_t i = 0; i < actual.gradients.size(); ++i) {
      const auto size = static_cast<int64_t>(actual.gradients[i].size());
      testing::expect_close(actual.gradients[i], expected.gradients[i], size, tolerance, kNames[i]);
    }
    testing::expect_close(actual.dh_first, expected.dh_first, B * Rp, tolerance, "dh_first");
    testing::expect_close(actual.dc_first, expected.dc_first, B * Hp, tolerance, "dc_first");
    if (!c.one_hot) testing::expect_close(actual.dx, expected.dx, rows * padded(c.inputs), tolerance, "dx");
  }
}

inline void expect_the_reference_on_every_target(const Case& c) {
  // A float carries 6e-8; errors of sums of independent terms grow with the square root of their number, and a few
  // steps' worth of them is carried from state to state. Normalisation divides by a deviation below one.
  const double terms = 8.0 + 4.0 * std::sqrt(static_cast<double>(c.hidden + c.inputs + c.steps * c.batch));
  const double tolerance = 6e-8 * terms * (c.options.normalised ? 8.0 : 1.0);
  const Expected<reference::NotRounded> expected(c);
  testing::on_every_target([&] { expect_to_agree(expected, Precision::kFloat, tolerance); });
}

// An operand that lies between two bf16 may be rounded to the other one: its product then differs by 1/256.
inline void expect_the_reference_in_bf16(const Case& c) {
  const double tolerance = c.options.normalised ? 8e-3 : 1e-3;
  const Expected<reference::RoundedToBf16> expected(c);
  testing::on_every_target_in_bf16([&] { expect_to_agree(expected, Precision::kBf16, tolerance); });
}

inline void expect_inference_to_equal_training(const Case& c) {
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
inline void expect_the_same_on_any_number_of_threads(const Case& c, bool initial_gradients,
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

// The reference's gradients are the differences of its loss.
inline void expect_central_differences(const Case& c) {
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

}  // namespace longhand::kernels
