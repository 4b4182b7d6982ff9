// Outputs of onnxruntime's LSTM operator with variants of the cell, written by tools/make_onnx_fixtures.py, against
// every engine.
#include "tests/fixture.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

using testing::Fixture;

LstmOptions options_of(const Fixture& fixture) {
  LstmOptions lstm;
  OptionTable table;
  lstm.add_to(table);
  for (const char* name : {"hidden", "bidirectional", "peepholes", "coupled-gates", "gate-clip", "gate-activation",
                           "candidate-activation", "output-activation"}) {
    table.set(*table.find(name), fixture.text(name), name);
  }
  return lstm;
}

class OnnxLstm : public ::testing::TestWithParam<std::string> {};

TEST_P(OnnxLstm, AgreesOnOutputsAndStates) {
  const Fixture fixture(GetParam());
  const std::vector<int64_t> extents = fixture.extents("x");
  const int64_t T = extents[0], B = extents[1], I = extents[2];
  const LstmOptions lstm = options_of(fixture);
  const int64_t H = lstm.hidden, W = lstm.outputs();
  ParameterArena arena;
  TestedStack<float> stack({.lstm = lstm, .inputs = I, .one_hot = false, .init = {}}, arena);
  arena.allocate();
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const std::string name = arena.parameters()[i].name.substr(5);  // without "lstm."
    const std::vector<float> values = fixture.get(name);
    std::copy(values.begin(), values.end(), arena.value(i));
    if (!name.starts_with("bias_ih")) continue;
    const std::vector<float> second = fixture.get("bias_hh" + name.substr(7));
    for (size_t k = 0; k < second.size(); ++k) arena.value(i)[k] += second[k];
  }
  std::vector<int32_t> lengths;
  for (const float length : fixture.get("lengths")) lengths.push_back(static_cast<int32_t>(length));
  Buffer<float> x(T * B * padded(I));
  const std::vector<float> dense = fixture.get("x");
  for (int64_t i = 0; i < T * B * I; ++i) x[i / I * padded(I) + i % I] = dense[static_cast<size_t>(i)];
  const StackInput<float> input{.steps = T,
                                .batch = B,
                                .lengths = lengths.data(),
                                .x = x.data(),
                                .x_stride = padded(I),
                                .symbols = nullptr,
                                .masks = {}};
  // A direction's part of an array of both.
  const auto part = [&](const std::string& name, size_t d) {
    const std::vector<float> all = fixture.get(name);
    return std::vector<float>(all.begin() + static_cast<int64_t>(d) * B * H,
                              all.begin() + static_cast<int64_t>(d + 1) * B * H);
  };
  const auto expect_rows = [](const float* actual, const std::vector<float>& expected, int64_t width,
                              const std::string& what) {
    for (int64_t i = 0; i < static_cast<int64_t>(expected.size()); ++i) {
      // Six steps of sums of eight floats, and the approximations of exp and tanh of both sides.
      ASSERT_NEAR(actual[i / width * padded(width) + i % width], expected[static_cast<size_t>(i)], 2e-6) << what << i;
    }
  };
  const auto check = [&](Engine engine, Pass pass) {
    kernels::Context context(2);
    stack.parameters_changed();
    stack.reset_state(B);
    const std::vector<Buffer<float>*> states = stack.state.arrays();
    for (size_t s = 0; s < states.size(); ++s) {
      const std::vector<float> initial = part(s % 2 == 0 ? "h0" : "c0", s / 2);
      for (int64_t i = 0; i < B * H; ++i) (*states[s])[i / H * padded(H) + i % H] = initial[static_cast<size_t>(i)];
    }
    const float* y = stack.forward(input, pass, engine, arena.values().data(), context);
    expect_rows(y, fixture.get("y"), W, "y");
    for (size_t s = 0; s < states.size(); ++s) {
      const std::string name = s % 2 == 0 ? "h_n" : "c_n";
      expect_rows(states[s]->data(), part(name, s / 2), H, name);
    }
  };
  check(Engine::kAutograd, Pass::kGradients);
  check(Engine::kReference, Pass::kInference);
  testing::on_every_target([&] {
    check(Engine::kFused, Pass::kInference);
    check(Engine::kFused, Pass::kGradients);
  });
}

INSTANTIATE_TEST_SUITE_P(Fixtures, OnnxLstm,
                         ::testing::Values("onnx_peepholes", "onnx_coupled", "onnx_clip", "onnx_hard_sigmoid",
                                           "onnx_relu", "onnx_affine", "onnx_elu", "onnx_everything"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace longhand::nn
