// Outputs and gradients of PyTorch, written by tools/make_fixtures.py, against every engine.
#include <filesystem>

#include "longhand/autograd/cells.h"
#include "longhand/kernels/reference.h"
#include "longhand/kernels/reference_lstm.h"
#include "longhand/nn/tape_layers.h"
#include "tests/fixture.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

using testing::Fixture;

// Rows of `width` with cache lines between them, as the stack has its arrays; and back.
Buffer<float> with_padding(const std::vector<float>& dense, int64_t width) {
  const auto rows = static_cast<int64_t>(dense.size()) / width;
  Buffer<float> out(rows * padded(width));
  for (int64_t i = 0; i < rows * width; ++i) out[i / width * padded(width) + i % width] = dense[static_cast<size_t>(i)];
  return out;
}
std::vector<float> without_padding(const float* rows, int64_t count, int64_t width) {
  std::vector<float> out;
  for (int64_t i = 0; i < count * width; ++i) out.push_back(rows[i / width * padded(width) + i % width]);
  return out;
}

// A stack of layers, whatever their cell.
class PyTorchStack : public ::testing::TestWithParam<std::string> {};

TEST_P(PyTorchStack, AgreesOnOutputsStatesAndGradients) {
  const Fixture fixture(GetParam());
  const std::vector<int64_t> x_shape = fixture.extents("x");
  const int64_t T = x_shape[0], B = x_shape[1], I = x_shape[2];
  const LstmOptions lstm{.cell = GetParam() == "gru"        ? "gru"
                                 : GetParam() == "rnn_tanh" ? "rnn"
                                 : GetParam() == "rnn_relu" ? "rnn-relu"
                                                            : "lstm",
                         .hidden = fixture.number("hidden"),
                         .layers = fixture.number("layers"),
                         .bidirectional = fixture.text("bidirectional") == "true",
                         .proj = fixture.number("proj"),
                         .layer_norm = fixture.has("gain_ih_l0")};
  const int64_t H = lstm.hidden, R = lstm.state(), W = lstm.outputs(), layers = lstm.layers * lstm.directions();
  ParameterArena arena;
  TestedStack<float> stack({.lstm = lstm, .inputs = I, .one_hot = false, .init = {}}, arena);
  arena.allocate();
  arena.allocate_gradients();
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const std::string name = arena.parameters()[i].name.substr(lstm.layer_name().size() + 1);  // without "lstm."
    const std::vector<float> values = fixture.get(name);
    std::copy(values.begin(), values.end(), arena.value(i));
    if (!name.starts_with("bias_ih") || lstm.layer_norm || lstm.kind() == Cell::kGru) continue;
    const std::vector<float> second = fixture.get("bias_hh" + name.substr(7));
    for (size_t k = 0; k < second.size(); ++k) arena.value(i)[k] += second[k];
  }
  std::vector<int32_t> lengths;
  if (fixture.has("lengths")) {
    for (const float length : fixture.get("lengths")) lengths.push_back(static_cast<int32_t>(length));
  }
  const Buffer<float> x = with_padding(fixture.get("x"), I), dy = with_padding(fixture.get("dy"), W);
  const StackInput<float> input{.steps = T,
                                .batch = B,
                                .lengths = lengths.empty() ? nullptr : lengths.data(),
                                .x = x.data(),
                                .x_stride = padded(I),
                                .symbols = nullptr,
                                .masks = {}};
  // What both sides round: sums of H + I terms in each step, over T steps and all layers, and of T B terms in the
  // weights' gradients.
  const double terms = static_cast<double>(H + I) * static_cast<double>(T * layers) + static_cast<double>(T * B);
  const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(terms)) * (lstm.layer_norm ? 8.0 : 1.0);

  const auto check = [&](Engine engine) {
    kernels::Context context(2);
    stack.parameters_changed();
    stack.reset_state(B);
    std::fill(arena.gradients().begin(), arena.gradients().end(), 0.0F);
    const size_t kinds = lstm.is_lstm() ? 2 : 1;  // h, or h and c
    const auto state_width = [&](size_t s) { return s % kinds == 0 ? R : H; };
    // The fixture has all layers' h and then all layers' c.
    const auto slice = [&](const std::string& name, size_t s) {
      const std::vector<float> all = fixture.get(name);
      const auto size = static_cast<int64_t>(all.size()) / layers;
      const auto begin = all.begin() + static_cast<int64_t>(s / kinds) * size;
      return std::vector<float>(begin, begin + size);
    };
    const std::vector<Buffer<float>*> states = stack.state.arrays(), d_states = stack.state_gradients();
    for (size_t s = 0; s < states.size(); ++s) {
      const Buffer<float> initial = with_padding(slice(s % kinds == 0 ? "h0" : "c0", s), state_width(s));
      const Buffer<float> d_final = with_padding(slice(s % kinds == 0 ? "dh_n" : "dc_n", s), state_width(s));
      std::copy_n(initial.data(), initial.size(), states[s]->data());
      std::copy_n(d_final.data(), d_final.size(), d_states[s]->data());
    }
    const auto same = [&](const std::vector<float>& actual, const std::vector<float>& expected,
                          const std::string& what) {
      ASSERT_EQ(actual.size(), expected.size()) << what;
      testing::expect_close(actual, expected, static_cast<int64_t>(expected.size()), tolerance, what);
    };
    const float* y = stack.forward(input, Pass::kTraining, engine, arena.values().data(), context);
    same(without_padding(y, T * B, W), fixture.get("y"), "y");
    for (size_t s = 0; s < states.size(); ++s) {
      const std::string name = s % kinds == 0 ? "h_n" : "c_n";
      same(without_padding(states[s]->data(), B, state_width(s)), slice(name, s), name);
    }
    Buffer<float> dx(T * B * padded(I));
    stack.backward(input, {.d_output = dy.data(), .dx = dx.data(), .dx_stride = padded(I), .states = true}, engine,
                   arena.gradients().data(), context);
    same(without_padding(dx.data(), T * B, I), fixture.get("grad.x"), "grad.x");
    for (size_t s = 0; s < states.size(); ++s) {
      const std::string name = s % kinds == 0 ? "grad.h0" : "grad.c0";
      same(without_padding(d_states[s]->data(), B, state_width(s)), slice(name, s), name);
    }
    for (size_t i = 0; i < arena.parameters().size(); ++i) {
      const Parameter& p = arena.parameters()[i];
      same({arena.gradient(i), arena.gradient(i) + p.size},
           fixture.get("grad." + p.name.substr(lstm.layer_name().size() + 1)), p.name);
    }
  };
  check(Engine::kAutograd);
  check(Engine::kReference);
  testing::on_every_target([&] { check(Engine::kFused); });
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PyTorchStack,
                         ::testing::Values("lstm_plain", "lstm_hidden_16", "lstm_hidden_33", "lstm_smallest",
                                           "lstm_two_layers", "lstm_three_layers", "lstm_bidirectional",
                                           "lstm_two_layers_bidirectional", "lstm_proj",
                                           "lstm_two_layers_bidirectional_proj", "lstm_ragged",
                                           "lstm_ragged_two_layers_bidirectional_proj", "layer_norm", "gru", "rnn_tanh",
                                           "rnn_relu"),
                         [](const auto& test) { return test.param; });

// The masks of a stack are drawn; these are given, so the reference kernel takes them.
TEST(PyTorchZoneout, AgreesOnOutputsAndGradients) {
  using kernels::LstmShape;
  const Fixture fixture("zoneout");
  const std::vector<int64_t> x_shape = fixture.extents("x");
  const int64_t T = x_shape[0], B = x_shape[1], I = x_shape[2], H = fixture.number("hidden"), Hp = padded(H);
  const LstmShape shape{T, B, I, H, nullptr};
  std::vector<float> bias = fixture.get("bias_ih_l0");
  for (size_t i = 0; fixture.has("bias_hh_l0") && i < bias.size(); ++i) bias[i] += fixture.get("bias_hh_l0")[i];
  const std::vector<float> w_ih = fixture.get("weight_ih_l0"), w_hh = fixture.get("weight_hh_l0");
  const Buffer<float> x = with_padding(fixture.get("x"), I), zone_h = with_padding(fixture.get("zone_h"), H),
                      zone_c = with_padding(fixture.get("zone_c"), H), dy = with_padding(fixture.get("dy"), H),
                      h0 = with_padding(fixture.get("h0"), H), c0 = with_padding(fixture.get("c0"), H),
                      dh_n = with_padding(fixture.get("dh_n"), H), dc_n = with_padding(fixture.get("dc_n"), H);
  const kernels::LstmWeights<float> weights{.w_ih = w_ih.data(), .w_hh = w_hh.data(), .bias = bias.data()};
  const kernels::LstmMasks<float> masks{
      .zone_h = zone_h.data(), .zone_h_stride = Hp, .zone_c = zone_c.data(), .zone_c_stride = Hp};
  const kernels::LstmInput<float> in{.x = x.data(), .x_stride = padded(I)};
  for (const bool fused : {false, true}) {
    Buffer<float> h((T + 1) * B * Hp), c((T + 1) * B * Hp), gates(T * B * 4 * Hp), dx(T * B * padded(I)), dh0(B * Hp),
        dc0(B * Hp);
    std::copy_n(h0.data(), h0.size(), h.data());
    std::copy_n(c0.data(), c0.size(), c.data());
    std::vector<float> dw_ih(w_ih.size()), dw_hh(w_hh.size()), dbias(bias.size());
    const kernels::LstmForward<float> forward{.shape = shape,
                                              .weights = weights,
                                              .input = in,
                                              .masks = masks,
                                              .h = h.data(),
                                              .c = c.data(),
                                              .cache = {.gates = gates.data()}};
    const kernels::LstmBackward<float> backward{
        .shape = shape,
        .weights = weights,
        .input = in,
        .masks = masks,
        .h = h.data(),
        .c = c.data(),
        .cache = {.gates = gates.data()},
        .dh = dy.data(),
        .dh_last = dh_n.data(),
        .dc_last = dc_n.data(),
        .dx = dx.data(),
        .dx_stride = padded(I),
        .gradients = {.w_ih = dw_ih.data(), .w_hh = dw_hh.data(), .bias = dbias.data()},
        .dh_first = dh0.data(),
        .dc_first = dc0.data()};
    if (fused) {
      kernels::Context context(1);
      kernels::PackedLstm packed;
      kernels::pack_lstm(shape, weights, true, kernels::PackFor::kTraining, packed, context);
      kernels::lstm_forward(forward, packed, context);
      kernels::lstm_backward(backward, packed, context);
    } else {
      kernels::reference::lstm_forward(forward);
      kernels::reference::lstm_backward(backward);
    }
    const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(static_cast<double>((H + I) * T + T * B)));
    const auto same = [&](const std::vector<float>& actual, const std::string& name) {
      const std::vector<float> expected = fixture.get(name);
      ASSERT_EQ(actual.size(), expected.size());
      testing::expect_close(actual, expected, static_cast<int64_t>(expected.size()), tolerance, name);
    };
    same(without_padding(h.data() + B * Hp, T * B, H), "y");
    same(without_padding(c.data() + T * B * Hp, B, H), "c_n");
    same(without_padding(dx.data(), T * B, I), "grad.x");
    same(without_padding(dh0.data(), B, H), "grad.h0");
    same(without_padding(dc0.data(), B, H), "grad.c0");
    same(dw_ih, "grad.weight_ih_l0");
    same(dw_hh, "grad.weight_hh_l0");
    same(dbias, "grad.bias_ih_l0");
  }
}

// The cells without a cell state on the tape, a step at a time.
class PyTorchCell : public ::testing::TestWithParam<std::string> {};

TEST_P(PyTorchCell, AgreesOnOutputsAndGradients) {
  using autograd::Var;
  const Fixture fixture(GetParam());
  const std::vector<int64_t> x_shape = fixture.extents("x");
  const int64_t T = x_shape[0], B = x_shape[1], I = x_shape[2], H = fixture.number("hidden");
  autograd::Tape<float> tape;
  const auto leaf = [&](const std::string& name) {
    const std::vector<int64_t> shape = fixture.extents(name);
    const std::vector<float> values = fixture.get(name);
    return tape.variable(shape.size() == 1 ? 1 : shape[0], shape.back(), values.data());
  };
  const Var<float> w_ih = leaf("weight_ih_l0"), w_hh = leaf("weight_hh_l0"), b_ih = leaf("bias_ih_l0"),
                   b_hh = leaf("bias_hh_l0");
  const std::vector<float> x_values = fixture.get("x"), dy = fixture.get("dy"), h0 = fixture.get("h0");
  const Var<float> first = tape.variable(B, H, h0.data());
  std::vector<Var<float>> x, h = {first};
  for (int64_t t = 0; t < T; ++t) {
    x.push_back(tape.variable(B, I, x_values.data() + t * B * I));
    const Var<float> u = matmul_transposed(x.back(), w_ih);
    if (GetParam() == "gru") {
      h.push_back(autograd::gru_step<float>({w_ih, w_hh, b_ih, b_hh}, u, h.back()));
    } else {
      const auto activation = GetParam() == "rnn_relu" ? autograd::Activation::kRelu : autograd::Activation::kTanh;
      h.push_back(autograd::rnn_step(w_hh, add(b_ih, b_hh), u, h.back(), activation));
    }
    tape.seed(h.back(), dy.data() + t * B * H);
  }
  const std::vector<float> dh_n = fixture.get("dh_n");
  tape.seed(h.back(), dh_n.data());
  tape.backward();
  const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(static_cast<double>((H + I) * T + T * B)));
  const auto same = [&](std::span<const float> actual, std::span<const float> expected, const std::string& name) {
    ASSERT_EQ(actual.size(), expected.size());
    testing::expect_close(actual, expected, static_cast<int64_t>(expected.size()), tolerance, name);
  };
  const std::vector<float> y = fixture.get("y"), dx = fixture.get("grad.x");
  for (int64_t t = 0; t < T; ++t) {
    const auto step = static_cast<size_t>(t);
    same(h[step + 1].value(), std::span(y).subspan(step * static_cast<size_t>(B * H), static_cast<size_t>(B * H)), "y");
    same(x[step].gradient(), std::span(dx).subspan(step * static_cast<size_t>(B * I), static_cast<size_t>(B * I)), "x");
  }
  same(first.gradient(), fixture.get("grad.h0"), "h0");
  same(w_ih.gradient(), fixture.get("grad.weight_ih_l0"), "weight_ih");
  same(w_hh.gradient(), fixture.get("grad.weight_hh_l0"), "weight_hh");
  same(b_ih.gradient(), fixture.get("grad.bias_ih_l0"), "bias_ih");
  same(b_hh.gradient(), fixture.get("grad.bias_hh_l0"), "bias_hh");
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PyTorchCell, ::testing::Values("rnn_tanh", "rnn_relu", "gru"),
                         [](const auto& test) { return test.param; });

// The output layer with smoothed targets, on every engine. The losses are those without smoothing, the gradients those
// of the smoothed one.
TEST(PyTorchOutput, AgreesOnTheGradientsOfSmoothedTargets) {
  const Fixture fixture("label_smoothing");
  const int64_t rows = fixture.extents("x")[0], inputs = fixture.extents("x")[1], classes = fixture.extents("w")[0];
  const double smoothing = fixture.real("smoothing");
  const std::vector<float> w = fixture.get("w");
  std::vector<float> bias = fixture.get("bias");
  bias.resize(static_cast<size_t>(padded(classes)));
  const Buffer<float> x = with_padding(fixture.get("x"), inputs);
  std::vector<int32_t> targets;
  for (const float target : fixture.get("targets")) targets.push_back(static_cast<int32_t>(target));
  // In double, by the definition: the loss of each row, and that of all classes alike.
  std::vector<double> losses;
  double smoothed = 0.0;
  for (int64_t n = 0; n < rows; ++n) {
    std::vector<double> logits;
    double total = 0.0, mean = 0.0;
    for (int64_t c = 0; c < classes; ++c) {
      double z = static_cast<double>(bias[static_cast<size_t>(c)]);
      for (int64_t j = 0; j < inputs; ++j) {
        z += static_cast<double>(w[static_cast<size_t>(c * inputs + j)]) *
             static_cast<double>(x[n * padded(inputs) + j]);
      }
      logits.push_back(z);
      total += std::exp(z);
      mean += z / static_cast<double>(classes);
    }
    losses.push_back(std::log(total) - logits[static_cast<size_t>(targets[static_cast<size_t>(n)])]);
    smoothed += (1.0 - smoothing) * losses.back() + smoothing * (std::log(total) - mean);
  }
  const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(static_cast<double>(rows + inputs + classes)));
  EXPECT_NEAR(smoothed / static_cast<double>(rows) / static_cast<double>(fixture.get("loss")[0]), 1.0, tolerance);

  const auto check = [&](Engine engine) {
    kernels::Context context(2);
    Buffer<float> dx(rows * padded(inputs));
    std::vector<float> loss(static_cast<size_t>(rows)), dw(w.size()), dbias(bias.size());
    const kernels::SoftmaxCrossEntropy<float> args{.output = {.inputs = inputs,
                                                              .outputs = classes,
                                                              .n = rows,
                                                              .x = x.data(),
                                                              .x_stride = padded(inputs),
                                                              .w = w.data(),
                                                              .bias = bias.data()},
                                                   .targets = targets.data(),
                                                   .loss = loss.data(),
                                                   .scale = 1.0F / static_cast<float>(rows),
                                                   .smoothing = static_cast<float>(smoothing),
                                                   .dx = dx.data(),
                                                   .dx_stride = padded(inputs),
                                                   .dw = dw.data(),
                                                   .dbias = dbias.data()};
    if (engine == Engine::kFused) {
      kernels::PackedLinear packed;
      kernels::pack_linear(w.data(), classes, inputs, true, packed, context);
      kernels::softmax_cross_entropy(args, packed, context);
    } else if (engine == Engine::kReference) {
      kernels::reference::softmax_cross_entropy(args);
    } else {
      softmax_cross_entropy_on_tape(args);
    }
    testing::expect_close(loss, losses, rows, tolerance, "loss");
    testing::expect_close(without_padding(dx.data(), rows, inputs), fixture.get("grad.x"), rows * inputs, tolerance,
                          "grad.x");
    testing::expect_close(dw, fixture.get("grad.w"), classes * inputs, tolerance, "grad.w");
    testing::expect_close(dbias, fixture.get("grad.bias"), classes, tolerance, "grad.bias");
  };
  check(Engine::kReference);
  check(Engine::kAutograd);
  testing::on_every_target([&] { check(Engine::kFused); });
}

}  // namespace
}  // namespace longhand::nn
