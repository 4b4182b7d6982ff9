// Variants of the LSTM's cell as options of a stack: their texts, parameters and errors, and stacks of them on every
// engine and number of threads. The cells' own tests are those of the kernels.
#include "longhand/base/error.h"
#include "longhand/nn/activation_text.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

using Kind = kernels::ActivationKind;

TEST(ActivationText, ReadsNamesAndConstants) {
  const auto read = [](const std::string& text) { return parse_activation("gate-activation", text); };
  EXPECT_EQ(read("sigmoid"), (kernels::Activation{Kind::kSigmoid}));
  EXPECT_EQ(read("hard-sigmoid"), (kernels::Activation{Kind::kHardSigmoid, 0.2, 0.5}));
  EXPECT_EQ(read("hard-sigmoid:0.25"), (kernels::Activation{Kind::kHardSigmoid, 0.25, 0.5}));
  EXPECT_EQ(read("scaled-tanh:1.7159:0.6667"), (kernels::Activation{Kind::kScaledTanh, 1.7159, 0.6667}));
  EXPECT_EQ(read("leaky-relu:-1e-3"), (kernels::Activation{Kind::kLeakyRelu, -1e-3}));
  for (const kernels::Activation& f : {kernels::Activation{Kind::kSigmoid},
                                       {Kind::kTanh},
                                       {Kind::kRelu},
                                       {Kind::kAffine, 0.1, 0.3},
                                       {Kind::kLeakyRelu, 0.01},
                                       {Kind::kThresholdedRelu, 1.0 / 3},
                                       {Kind::kScaledTanh, 2.0, 1.0},
                                       {Kind::kHardSigmoid, 1.0 / 6, 0.5},
                                       {Kind::kElu, 1.0},
                                       {Kind::kSoftsign},
                                       {Kind::kSoftplus}}) {
    EXPECT_EQ(read(activation_text(f)), f) << activation_text(f);
  }
  EXPECT_EQ(activation_text({Kind::kHardSigmoid, 0.2, 0.5}), "hard-sigmoid");
}

TEST(ActivationText, RefusesWhatIsNone) {
  for (const char* text : {"", "Sigmoid", "sigmoid:1", "relu:", "hard-sigmoid:", "hard-sigmoid:0.2:0.5:1", "elu:nan",
                           "elu:inf", "affine:1e31", "tanh ", "hard_sigmoid"}) {
    LstmOptions lstm;
    lstm.candidate_activation = text;
    const std::string error = testing::error_of([&] { lstm.check(); }, ExitCode::kUsage);
    EXPECT_TRUE(error.starts_with("`candidate-activation`: expected ")) << text << ": " << error;
    EXPECT_TRUE(error.ends_with("found '" + std::string(text) + "'")) << error;
  }
  try {
    parse_activation("gate-activation", "hard-sigmoit");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(e.advice().find("did you mean hard-sigmoid?"), std::string::npos) << e.advice();
  }
  EXPECT_LT(testing::error_of([] { parse_activation("x", std::string(1 << 20, 'a')); }, ExitCode::kUsage).size(), 200U);
}

TEST(LstmVariants, RefuseWhatCannotBeCombined) {
  const LstmOptions lstm{.layer_norm = true, .coupled_gates = true};
  EXPECT_EQ(testing::error_of([&] { lstm.check(); }, ExitCode::kUsage),
            "`coupled-gates`: expected no `layer-norm`, found both");
  ParameterArena arena;
  EXPECT_THROW(LstmStack({.lstm = lstm, .inputs = 2}, arena), std::logic_error);
}

TEST(LstmVariants, HavePeepholesThatBeginAtZero) {
  ParameterArena arena;
  const LstmStack stack({.lstm = {.hidden = 4, .layers = 2, .bidirectional = true, .peepholes = true}, .inputs = 3},
                        arena);
  arena.allocate();
  arena.initialise(1);
  std::vector<std::string> names;
  for (const Parameter& p : arena.parameters()) {
    if (p.name.find("peephole") == std::string::npos) continue;
    names.push_back(p.name);
    EXPECT_EQ(p.shape, (std::vector<int64_t>{3, 4}));
    for (int64_t i = 0; i < p.size; ++i) EXPECT_EQ(arena.values()[static_cast<size_t>(p.offset + i)], 0.0F);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"lstm.weight_peephole_l0", "lstm.weight_peephole_l0_reverse",
                                             "lstm.weight_peephole_l1", "lstm.weight_peephole_l1_reverse"}));
}

std::vector<LstmOptions> variants() {
  const LstmOptions deep{.hidden = 37, .layers = 3};
  std::vector<LstmOptions> all(5, deep);
  all[0].peepholes = all[0].residual = true;
  all[1].coupled_gates = all[1].bidirectional = true;
  all[1].cell_clip = 0.4;
  all[2].gate_activation = "hard-sigmoid";
  all[2].gate_clip = 1.5;
  all[2].proj = 11;
  all[3].layer_norm = all[3].peepholes = true;
  all[3].output_activation = "softsign";
  all[4].candidate_activation = "elu";
  all[4].zoneout = all[4].zoneout_cell = all[4].dropout = 0.2;
  all[4].peepholes = all[4].coupled_gates = all[4].bidirectional = true;
  return all;
}

// Outputs, final states and gradients of a stack in training.
std::vector<float> results(const LstmOptions& lstm, Engine engine, int threads, kernels::Precision precision) {
  constexpr int64_t T = 9, B = 5, I = 7;
  constexpr int32_t kLengths[] = {9, 0, 4, 9, 1};
  ParameterArena arena;
  WholeStack<float> stack({.lstm = lstm, .inputs = I, .one_hot = false, .init = {}}, arena);
  arena.allocate();
  const Buffer<float> values =
      testing::aligned(testing::random_vector<float>(static_cast<int64_t>(arena.values().size()), 0.3, 1));
  Buffer<float> gradients(values.size()), dx(T * B * padded(I));
  const Buffer<float> x = testing::aligned(testing::random_rows<float>(T * B, I, padded(I), 1.0, 2));
  const int64_t stride = padded(lstm.outputs());
  const Buffer<float> dy = testing::aligned(testing::random_rows<float>(T * B, lstm.outputs(), stride, 1.0, 3));
  kernels::Context context(threads);
  context.precision = precision;
  stack.state.reset(B);
  stack.weights.set_values(values.data());
  const StackInput<float> input{.steps = T,
                                .batch = B,
                                .lengths = kLengths,
                                .x = x.data(),
                                .x_stride = padded(I),
                                .symbols = nullptr,
                                .masks = {1, 2, 0}};
  const float* y = stack.forward(stack.state, input, Pass::kTraining, engine, context);
  std::vector<float> all(y, y + T * B * stride);
  stack.backward(input, {.d_output = dy.data(), .dx = dx.data(), .dx_stride = padded(I)}, engine, gradients.data(),
                 context);
  for (Buffer<float>* state : stack.state.arrays()) all.insert(all.end(), state->data(), state->data() + state->size());
  all.insert(all.end(), gradients.data(), gradients.data() + gradients.size());
  all.insert(all.end(), dx.data(), dx.data() + dx.size());
  return all;
}

TEST(LstmVariants, AgreeOnEveryEngineThroughSeveralLayers) {
  for (const LstmOptions& lstm : variants()) {
    const std::vector<float> expected = results(lstm, Engine::kReference, 1, kernels::Precision::kFloat);
    // Sums of about a hundred floats, three layers of nine steps; normalisation magnifies what is rounded.
    const double tolerance = lstm.layer_norm ? 2e-4 : 2e-5;
    for (const Engine engine : {Engine::kFused, Engine::kAutograd}) {
      const std::vector<float> actual = results(lstm, engine, 2, kernels::Precision::kFloat);
      ASSERT_EQ(actual.size(), expected.size());
      testing::expect_close(actual, expected, static_cast<int64_t>(expected.size()), tolerance, "all");
    }
  }
}

TEST(LstmVariants, HaveTheSameBitsOnAnyNumberOfThreads) {
  for (const LstmOptions& lstm : variants()) {
    for (const kernels::Precision precision : {kernels::Precision::kFloat, kernels::Precision::kBf16}) {
      const std::vector<float> expected = results(lstm, Engine::kFused, 1, precision);
      for (const int threads : {2, 3, 5}) EXPECT_EQ(results(lstm, Engine::kFused, threads, precision), expected);
    }
  }
}

}  // namespace
}  // namespace longhand::nn
