// The fused gated recurrent unit and plain recurrent layers against the reference, and the reference's gradients
// against central differences in double.
#include "longhand/kernels/recurrent.h"

#include "longhand/kernels/reference_recurrent.h"
#include "tests/testing.h"

namespace longhand::kernels {
namespace {

using testing::aligned;
using testing::expect_close;
using testing::random_rows;
using testing::random_symbols;
using testing::random_vector;

struct Case {
  RecurrentCell cell;
  int64_t steps, batch, inputs, hidden;
  bool one_hot = false, ragged = false, reverse = false;
};

constexpr RecurrentCell kCells[] = {RecurrentCell::kGru, RecurrentCell::kTanh, RecurrentCell::kRelu};
constexpr const char* kCellNames[] = {"gru", "tanh", "relu"};

void PrintTo(const Case& c, std::ostream* out) {
  *out << kCellNames[static_cast<int>(c.cell)] << " T" << c.steps << " B" << c.batch << " I" << c.inputs << " H"
       << c.hidden << (c.one_hot ? " one-hot" : "") << (c.ragged ? " ragged" : "") << (c.reverse ? " reverse" : "");
}

// Every array of a layer's forward and backward pass, filled with random inputs.
template <class T>
struct Layer {
  explicit Layer(const Case& c) : problem(c) {
    const int64_t I = c.inputs, H = c.hidden, Hp = padded(H), rows = c.steps * c.batch, G = gates_of(c.cell);
    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    const std::pair<int64_t, double> arrays[] = {{G * H * I, scale}, {G * H * H, scale}, {G * H, 0.5}, {G * H, 0.5}};
    for (uint32_t i = 0; i < 4; ++i) {
      parameters.push_back(random_vector<T>(arrays[i].first, arrays[i].second, 20 + i));
      gradients.push_back(random_vector<T>(arrays[i].first, 0.1, 40 + i));  // to be added to
    }
    x = aligned(random_rows<T>(rows, I, padded(I), 1.0, 4));
    dh = aligned(random_rows<T>(rows, H, Hp, 1.0, 5));
    dh_last = aligned(random_rows<T>(c.batch, H, Hp, 1.0, 6));
    h = Buffer<T>((rows + c.batch) * Hp);
    cache = Buffer<T>(rows * cached_of(c.cell) * Hp);
    h_last = Buffer<T>(c.batch * Hp);
    dx = aligned(random_rows<T>(rows, I, padded(I), 9.0, 10));  // to be overwritten
    dh_first = Buffer<T>(c.batch * Hp);
    symbols = random_symbols(rows, I, 14);
    lengths = random_symbols(c.batch, c.steps + 1, 15);
    const auto h_0 = random_rows<T>(c.batch, H, Hp, 0.8, 8);
    std::copy(h_0.begin(), h_0.begin() + c.batch * Hp, h.data() + shape().initial_slot() * c.batch * Hp);
  }

  LstmShape shape() const {
    return {.steps = problem.steps,
            .batch = problem.batch,
            .inputs = problem.inputs,
            .hidden = problem.hidden,
            .lengths = problem.ragged ? lengths.data() : nullptr,
            .reverse = problem.reverse};
  }
  template <class P, class Arrays>
  RecurrentParameters<P> view(Arrays& arrays) const {
    P* second = problem.cell == RecurrentCell::kGru ? arrays[3].data() : nullptr;
    return {arrays[0].data(), arrays[1].data(), arrays[2].data(), second};
  }
  RecurrentWeights<T> weights() const { return view<const T>(parameters); }
  LstmInput<T> input() const { return {problem.one_hot ? nullptr : x.data(), padded(problem.inputs), symbols.data()}; }
  RecurrentForward<T> forward() {
    return {.cell = problem.cell,
            .shape = shape(),
            .weights = weights(),
            .input = input(),
            .h = h.data(),
            .cache = cache.data(),
            .h_last = h_last.data()};
  }
  RecurrentBackward<T> backward() {
    return {.cell = problem.cell,
            .shape = shape(),
            .weights = weights(),
            .input = input(),
            .h = h.data(),
            .cache = cache.data(),
            .dh = dh.data(),
            .dh_last = dh_last.data(),
            .dx = problem.one_hot ? nullptr : dx.data(),
            .dx_stride = padded(problem.inputs),
            .gradients = view<T>(gradients),
            .dh_first = dh_first.data()};
  }

  // The scalar whose gradients `backward` computes: outputs and final states against fixed random weights.
  T loss() {
    reference::recurrent_forward(forward());
    const int64_t B = problem.batch, Hp = padded(problem.hidden);
    const T* y = h.data() + shape().next_slot(0) * B * Hp;
    T sum = 0;
    for (int64_t i = 0; i < problem.steps * B * Hp; ++i) sum += y[i] * dh[i];
    for (int64_t i = 0; i < B * Hp; ++i) sum += h_last[i] * dh_last[i];
    return sum;
  }

  Case problem;
  std::vector<std::vector<T>> parameters, gradients;  // w_ih w_hh bias_ih bias_hh
  Buffer<T> x, dh, dh_last, h, cache, h_last, dx, dh_first;
  std::vector<int32_t> symbols, lengths;
};

constexpr const char* kNames[] = {"w_ih", "w_hh", "bias_ih", "bias_hh"};

class RecurrentKernel : public ::testing::TestWithParam<Case> {};

// What the reference makes of a case, its operands rounded as it says.
template <class Round>
struct Expected : Layer<double> {
  explicit Expected(const Case& c) : Layer<double>(c) {
    for (std::vector<double>& array : parameters) {  // as floats have them, so that they are rounded alike
      for (double& v : array) v = static_cast<double>(static_cast<float>(v));
    }
    for (double& v : x.span()) v = static_cast<double>(static_cast<float>(v));
    reference::recurrent_forward<Round>(forward());
    cache_after_forward.resize(cache.size());
    std::copy_n(cache.data(), cache.size(), cache_after_forward.data());
    reference::recurrent_backward<Round>(backward());
  }
  Buffer<double> cache_after_forward;
};

template <class Round>
void expect_to_agree(const Expected<Round>& expected, Precision precision, double tolerance) {
  const Case& c = expected.problem;
  const LstmShape shape = expected.shape();
  const int64_t B = c.batch, rows = c.steps * B, Hp = padded(c.hidden), blocks = cached_of(c.cell);
  for (const int threads : {1, 3}) {
    Context context(threads);
    context.precision = precision;
    Layer<float> actual(c);
    PackedRecurrent packed;
    pack_recurrent(c.cell, shape, actual.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    recurrent_forward(actual.forward(), packed, context);
    expect_close(actual.h, expected.h, (rows + B) * Hp, tolerance, "h");
    expect_close(actual.h_last, expected.h_last, B * Hp, tolerance, "h_last");
    for (int64_t row = 0; row < rows; ++row) {
      if (row / B >= shape.length(row % B)) continue;
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t at = (row * blocks + block) * Hp;
        expect_close(actual.cache.data() + at, expected.cache_after_forward.data() + at, c.hidden, tolerance, "cache");
      }
    }
    recurrent_backward(actual.backward(), packed, context);
    for (size_t i = 0; i < actual.gradients.size(); ++i) {
      const auto size = static_cast<int64_t>(actual.gradients[i].size());
      expect_close(actual.gradients[i], expected.gradients[i], size, tolerance, kNames[i]);
    }
    expect_close(actual.dh_first, expected.dh_first, B * Hp, tolerance, "dh_first");
    if (!c.one_hot) expect_close(actual.dx, expected.dx, rows * padded(c.inputs), tolerance, "dx");
  }
}

TEST_P(RecurrentKernel, AgreesWithTheReferenceOnEveryTarget) {
  const Case& c = GetParam();
  // As for the LSTM; a ReLU does not bound the states, whose errors then grow along with them.
  const double terms = 8.0 + 4.0 * std::sqrt(static_cast<double>(c.hidden + c.inputs + c.steps * c.batch));
  const Expected<reference::NotRounded> expected(c);
  testing::on_every_target([&] { expect_to_agree(expected, Precision::kFloat, 6e-8 * terms); });
}

// An operand that lies between two bf16 may be rounded to the other one: its product then differs by 1/256. Where that
// makes of a number below zero one above, a ReLU's derivative is another, too.
TEST_P(RecurrentKernel, AgreesWithTheReferenceInBf16OnEveryTarget) {
  const double tolerance = GetParam().cell == RecurrentCell::kRelu ? 1e-2 : 1e-3;
  const Expected<reference::RoundedToBf16> expected(GetParam());
  testing::on_every_target_in_bf16([&] { expect_to_agree(expected, Precision::kBf16, tolerance); });
}

TEST_P(RecurrentKernel, InferenceEqualsTraining) {
  const Case c = GetParam();
  testing::on_every_target([&] {
    Context context(2);
    Layer<float> training(c), inference(c);
    PackedRecurrent packed, for_inference;
    pack_recurrent(c.cell, training.shape(), training.weights(), !c.one_hot, PackFor::kTraining, packed, context);
    pack_recurrent(c.cell, training.shape(), training.weights(), !c.one_hot, PackFor::kInference, for_inference,
                   context);
    recurrent_forward(training.forward(), packed, context);
    RecurrentForward<float> args = inference.forward();
    args.cache = nullptr;
    recurrent_forward(args, for_inference, context);
    for (int64_t i = 0; i < training.h.size(); ++i) ASSERT_EQ(training.h[i], inference.h[i]);
    for (int64_t i = 0; i < training.h_last.size(); ++i) ASSERT_EQ(training.h_last[i], inference.h_last[i]);
  });
}

// Everything that a forward and a backward pass write, on 1, 2, 3 and 5 threads.
TEST_P(RecurrentKernel, IsBitIdenticalOnAnyNumberOfThreads) {
  const Case& c = GetParam();
  for (const Precision precision : {Precision::kFloat, Precision::kBf16}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3, 5}) {
      Context context(threads);
      context.precision = precision;
      Layer<float> layer(c);
      PackedRecurrent packed;
      pack_recurrent(c.cell, layer.shape(), layer.weights(), !c.one_hot, PackFor::kTraining, packed, context);
      recurrent_forward(layer.forward(), packed, context);
      recurrent_backward(layer.backward(), packed, context);
      std::vector<float> all(layer.dx.span().begin(), layer.dx.span().end());
      all.insert(all.end(), layer.h.span().begin(), layer.h.span().end());
      all.insert(all.end(), layer.dh_first.span().begin(), layer.dh_first.span().end());
      for (const std::vector<float>& gradient : layer.gradients) {
        all.insert(all.end(), gradient.begin(), gradient.end());
      }
      results.push_back(std::move(all));
    }
    for (const std::vector<float>& result : results) EXPECT_EQ(result, results.front());
  }
}

// Sizes around the vector widths (4, 8, 16), around the tiles' rows, 1, and lengths of 0; and some that are large
// enough for several threads.
std::vector<Case> cases() {
  std::vector<Case> out;
  for (const RecurrentCell cell : kCells) {
    for (Case c :
         {Case{cell, 1, 1, 1, 1}, Case{cell, 1, 1, 3, 5, true}, Case{cell, 3, 2, 4, 7},
          Case{cell, 3, 2, 4, 8, false, false, true}, Case{cell, 4, 3, 7, 9, true, true}, Case{cell, 3, 2, 4, 15},
          Case{cell, 5, 7, 17, 16, false, true}, Case{cell, 4, 6, 16, 17, true, true, true}, Case{cell, 2, 13, 33, 31},
          Case{cell, 6, 9, 47, 33, false, true, true}, Case{cell, 3, 5, 11, 48, true},
          Case{cell, 9, 17, 64, 64, true, true}, Case{cell, 2, 3, 130, 65}, Case{cell, 40, 17, 5, 20, false, true},
          Case{cell, 12, 40, 20, 70, false, true}, Case{cell, 6, 33, 9, 200, true, true, true}}) {
      out.push_back(c);
    }
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Sizes, RecurrentKernel, ::testing::ValuesIn(cases()));

TEST(RecurrentReference, GradientsAgreeWithCentralDifferences) {
  for (const RecurrentCell cell : kCells) {
    for (const Case& c : {Case{cell, 4, 3, 3, 5}, Case{cell, 5, 4, 3, 4, false, true},
                          Case{cell, 4, 3, 4, 3, true, true}, Case{cell, 4, 4, 3, 5, false, true, true}}) {
      SCOPED_TRACE(::testing::PrintToString(c));
      Layer<double> layer(c);
      for (std::vector<double>& gradient : layer.gradients) std::fill(gradient.begin(), gradient.end(), 0.0);
      layer.loss();
      reference::recurrent_backward(layer.backward());
      // Of a ReLU, no pre-activation of these cases is so near zero that a step crosses it.
      const auto check = [&](double* value, double gradient, const char* what, int64_t i) {
        constexpr double kStep = 1e-5;
        const double saved = *value;
        *value = saved + kStep;
        const double above = layer.loss();
        *value = saved - kStep;
        const double below = layer.loss();
        *value = saved;
        EXPECT_NEAR(gradient, (above - below) / (2 * kStep), 1e-8) << what << " " << i;
      };
      for (size_t p = 0; p < (cell == RecurrentCell::kGru ? 4 : 3); ++p) {
        for (size_t i = 0; i < layer.parameters[p].size(); ++i) {
          check(&layer.parameters[p][i], layer.gradients[p][i], kNames[p], static_cast<int64_t>(i));
        }
      }
      const int64_t B = c.batch, I = c.inputs, H = c.hidden, first = layer.shape().initial_slot() * B * padded(H);
      for (int64_t i = 0; i < B * H; ++i) {
        const int64_t at = i / H * padded(H) + i % H;
        check(&layer.h[first + at], layer.dh_first[at], "h_0", i);
      }
      for (int64_t i = 0; !c.one_hot && i < c.steps * B * I; ++i) {
        const int64_t at = i / I * padded(I) + i % I;
        check(&layer.x[at], layer.dx[at], "x", i);
      }
    }
  }
}

// A broken weight must not pass for a working model.
TEST(RecurrentKernel, CarriesNanThroughOnEveryTarget) {
  for (const RecurrentCell cell : kCells) {
    const Case c{cell, 2, 3, 5, 20};
    testing::on_every_target([&] {
      Layer<float> layer(c);
      layer.parameters[1][0] = std::nanf("");
      Context context(1);
      PackedRecurrent packed;
      pack_recurrent(cell, layer.shape(), layer.weights(), true, PackFor::kTraining, packed, context);
      recurrent_forward(layer.forward(), packed, context);
      EXPECT_TRUE(std::isnan(layer.h[c.batch * padded(c.hidden)]));
    });
  }
}

TEST(RecurrentKernel, RefusesASymbolOutsideItsInputs) {
  Layer<float> layer({RecurrentCell::kGru, 2, 2, 3, 4, true});
  layer.symbols[1] = 3;
  Context context(1);
  PackedRecurrent packed;
  pack_recurrent(RecurrentCell::kGru, layer.shape(), layer.weights(), false, PackFor::kTraining, packed, context);
  EXPECT_THROW(recurrent_forward(layer.forward(), packed, context), std::logic_error);
}

}  // namespace
}  // namespace longhand::kernels
